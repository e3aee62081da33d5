"""The exercises of notebook 15."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from checking.judge import name, number, shuffled, text, word
from checking.outcome import ensure, exercise


@exercise(
    "15",
    task="Give the address of an API's document: between the host and the path, which stays.",
    praise="Each API of a host has a document of its own (RFC 9728, 3.1).",
)
def where_to_look(address: Any) -> None:
    place = "/.well-known/oauth-protected-resource"
    host, path, port = f"https://{name()}.example", f"/{name()}", number(1024, 65535)
    cases = [
        (host, path, "It stands between the host and the path."),
        (host, "", "An API without a path has it at the host."),
        (f"{host}:{port}", f"{path}/{word()}", "Keep the port, and the whole path."),
        (host, f"{path}?of={word()}", "A query stays at the end."),
        (f"http://127.0.0.1:{port}", "/https", "Take the address apart with urlsplit."),
    ]
    for origin, rest, why in cases[:1] + shuffled(cases[1:]):
        ensure(text(address(origin + rest)) == origin + place + rest, f"{why} It is wrong for {origin}{rest}.")
    query = f"?of={word()}"
    for rest in ("", query):  # RFC 9728 says so of a slash right behind the host only
        got = text(address(f"{host}/{rest}"))
        ensure(got == host + place + rest, f"A final slash behind the host does not count. It is wrong for {host}/{rest}.")


@exercise(
    "15",
    task="Give the authorization servers of a document that may be used, else an empty list.",
    praise="Two comparisons, and whoever copies a document has nothing.",
)
def whom_to_trust(trusted: Any) -> None:
    host = f"{name()}.example"
    origin, path = f"https://{host}", f"/{name()}"
    api, place = origin + path, "/.well-known/oauth-protected-resource"
    servers = [f"https://{name()}.example" for _ in range(number(2, 3))]
    about = {"resource": api, "authorization_servers": servers}

    def got(document: dict[str, Any], *, read_from: str = origin + place + path, of: str = api) -> str:
        answer = trusted(of, read_from, deepcopy(document))
        ensure(isinstance(answer, (list, tuple)), f"Give a list, not {type(answer).__name__}.")
        return json.dumps(answer)

    all_of_them = json.dumps(servers)
    ensure(got(about) == all_of_them, "This document is in order: give all of its authorization servers.")
    deeper = got(about | {"resource": f"{api}/air"}, read_from=f"{origin}{place}{path}/air", of=f"{api}/air")
    ensure(deeper == all_of_them, "So is that of another API.")
    for resource in shuffled((f"{api}/air", api[:-1], origin, f"https://other.example{path}", f"{api}?a", None)):
        told = f"A document about {resource!r} is none about {api}: compare the whole address."
        ensure(got(about | {"resource": resource}) == "[]", told)
    ensure(got({"authorization_servers": servers}) == "[]", "A document that names no resource is about none.")
    others = ("https://evil.example", f"{origin}.evil.example", f"{origin}:8443", f"http://{host}", f"{origin}@evil.example")
    for other in shuffled(others):
        told = f"Scheme, host and port must all be the API's: {other} is somebody else."
        ensure(got(about, read_from=other + place + path) == "[]", told)
    ensure(got({"resource": api}) == "[]", "Without authorization_servers there is nobody to trust.")
