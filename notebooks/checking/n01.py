"""The exercises of notebook 01."""

from __future__ import annotations

from typing import Any

from checking.judge import labels, name, number, shuffled, text
from checking.outcome import ensure, exercise


@exercise(
    "01",
    task="Give the address of the discovery document for an issuer.",
    praise="An issuer may have a path, and may end in a slash; the document is below it.",
)
def well_known(address: Any) -> None:
    end = "/.well-known/openid-configuration"
    host = f"https://{name()}.example"
    path = f"{host}/realms/{name()}"
    port = f"http://127.0.0.1:{number(1024, 65535)}"
    cases = [
        (host, host, f"For {host} it gives something else."),
        (path, path, "Keep the issuer's path; the document is below it."),
        (f"{path}/deep", f"{path}/deep", "Keep the whole of the issuer's path."),
        (port, port, "Keep the port."),
        (f"{host}/", host, "A final slash must not be doubled."),
        (f"{path}/", path, "A final slash must not be doubled, behind a path neither."),
    ]
    for issuer, below, why in cases[:1] + shuffled(cases[1:]):
        ensure(text(address(issuer)) == below + end, why)


@exercise(
    "01",
    task="Can it keep a secret from the people who run it? Say 'public' or 'confidential' for each program.",
    praise="A secret that is shipped to everybody is none.",
)
def kinds_of_client(answer: Any) -> None:
    labels(
        answer,
        {
            "a notebook that you share": ("public", "Who can read what is in it?"),
            "an app on a phone": ("public", "The same app is on every phone."),
            "a Flask application on your server": ("confidential", "Who can read the files on your server?"),
            "a script in the page of a web site": ("public", "Every visitor's browser loads it."),
            "a nightly job on your server": ("confidential", "Who can read the files on your server?"),
        },
    )
