"""The exercises of notebook 15."""

from __future__ import annotations

from typing import Any

from checking.judge import text
from checking.outcome import ensure, exercise


@exercise(
    "15",
    task="Give the address of an API's document: between the host and the path, which stays.",
    praise="Each API of a host has a document of its own (RFC 9728, 3.1).",
)
def where_to_look(address: Any) -> None:
    place = "/.well-known/oauth-protected-resource"
    for api, right, why in (
        ("https://data.example/v1", f"https://data.example{place}/v1", "It stands between the host and the path."),
        ("https://data.example", f"https://data.example{place}", "An API without a path has it at the host."),
        ("https://data.example/", f"https://data.example{place}", "A final slash does not count."),
        ("https://data.example/v1/", f"https://data.example{place}/v1", "A final slash does not count."),
        ("https://data.example:8443/a/b", f"https://data.example:8443{place}/a/b", "Keep the port, and the whole path."),
        ("https://data.example/v1?of=lab", f"https://data.example{place}/v1?of=lab", "A query stays at the end."),
        ("http://127.0.0.1:5000/https", f"http://127.0.0.1:5000{place}/https", "Take the address apart with urlsplit."),
    ):
        ensure(text(address(api)) == right, f"{why} It is wrong for {api}.")


@exercise(
    "15",
    task="Give the authorization servers of a document that may be used, else an empty list.",
    praise="Two comparisons, and whoever copies a document has nothing.",
)
def whom_to_trust(trusted: Any) -> None:
    def said(api: str, place: str, about: dict[str, Any]) -> list[Any]:
        got = trusted(api, place, about)
        ensure(isinstance(got, list), f"Give a list, not {type(got).__name__}.")
        return list.copy(got)

    api, servers = "https://data.example/v1", ["https://id.example", "https://login.example"]
    place = "https://data.example/.well-known/oauth-protected-resource/v1"
    about = {"resource": api, "authorization_servers": servers}
    ensure(said(api, place, about) == servers, "This document is in order: give all of its authorization servers.")
    ensure(said(f"{api}/air", f"{place}/air", about | {"resource": f"{api}/air"}) == servers, "So is that of another API.")
    for resource in (f"{api}/air", "https://data.example/v", "https://data.example", "https://other.example/v1", f"{api}?a", None):
        wrong = said(api, place, about | {"resource": resource})
        ensure(wrong == [], f"A document about {resource!r} is none about {api}: compare the whole address.")
    ensure(said(api, place, {"authorization_servers": servers}) == [], "A document that names no resource is about none.")
    for origin in (
        "https://evil.example",
        "https://data.example.evil.example",
        "https://data.example:8443",
        "http://data.example",
        "https://data.example@evil.example",
    ):
        wrong = said(api, f"{origin}/.well-known/oauth-protected-resource/v1", about)
        ensure(wrong == [], f"Scheme, host and port must all be the API's: {origin} is somebody else.")
    ensure(said(api, place, {"resource": api}) == [], "Without authorization_servers there is nobody to trust.")
