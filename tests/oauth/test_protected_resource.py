"""Discovery from an API (RFC 9728): where its metadata are looked for, and which are refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from network import Network
from servers import Server
from support import nobody_listens

from authnb.errors import ProviderError
from authnb.oauth.protected_resource import ProtectedResource, discover, same_resource, well_known_addresses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


WELL_KNOWN = "/.well-known/oauth-protected-resource"
FAR = "https://data.example.org"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """Hosts elsewhere."""
    with Network(tmp_path) as network:
        monkeypatch.setenv("HTTPS_PROXY", network.proxy)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", network.ca_file)
        yield network


def metadata(server: Server, path: str = "/v1", **more: Any) -> dict[str, Any]:
    return {
        "resource": server.url + path,
        "authorization_servers": ["https://id.example.org"],
        "bearer_methods_supported": ["header"],
        **more,
    }


def challenge(server: Server, header: str, path: str = "/v1") -> None:
    """The API answers 401 with this ``WWW-Authenticate``."""
    server.text(path, "who are you?", 401, **{"WWW-Authenticate": header})


def refused(url: str) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        discover(url)
    assert caught.value.description.isprintable()
    return caught.value


def test_the_challenge_says_where_the_metadata_are(server: Server) -> None:
    challenge(
        server, f'Basic realm="x", Bearer resource_metadata="{server.url}/about/v1", scope="read  write"'
    )
    server.json(
        "/about/v1",
        metadata(server, scopes_supported=["read", "write", "admin"], resource_name="Ocean\u202e data"),
    )
    found = discover(f"{server.url}/v1")
    assert found == ProtectedResource(
        resource=f"{server.url}/v1",
        authorization_servers=("https://id.example.org",),
        scopes_supported=("read", "write", "admin"),
        resource_name="Ocean data",
        bearer_methods_supported=("header",),
        challenged_scope="read write",
    )
    assert found.scope == "read write"
    assert server.paths() == ["/v1", "/about/v1"]


def test_without_a_challenge_the_well_known_address_with_the_path_is_read(server: Server) -> None:
    server.json(f"{WELL_KNOWN}/v1", metadata(server, scopes_supported=["read"]))
    found = discover(f"{server.url}/v1/")
    assert found.scope == "read", "all that the metadata name"
    assert found.challenged_scope is None
    assert server.paths() == ["/v1/", f"{WELL_KNOWN}/v1"]


def test_then_that_of_the_origin(server: Server) -> None:
    server.json(WELL_KNOWN, metadata(server, ""))
    found = discover(f"{server.url}/v1")
    assert found.resource == server.url
    assert found.scope == ""
    assert server.paths() == ["/v1", f"{WELL_KNOWN}/v1", WELL_KNOWN]


def test_an_api_without_a_path_is_asked_twice(server: Server) -> None:
    server.json(WELL_KNOWN, metadata(server, "/"))
    assert discover(server.url).resource == f"{server.url}/"
    assert server.paths() == ["/", WELL_KNOWN]


def test_the_query_is_part_of_the_address() -> None:
    """RFC 9728 section 3.1."""
    assert well_known_addresses("https://a.example/v1?tenant=7") == (
        f"https://a.example{WELL_KNOWN}/v1?tenant=7",
        f"https://a.example{WELL_KNOWN}",
    )


def test_no_metadata_anywhere(server: Server) -> None:
    """The error says what was tried and what to give."""
    error = refused(f"{server.url}/v1")
    assert error.error == "no_metadata"
    for part in ("HTTP 404", f"{server.url}{WELL_KNOWN}/v1", f"{server.url}{WELL_KNOWN}.", "client_id='…'"):
        assert part in error.description


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_in_trouble_is_no_server_without_metadata(server: Server, status: int) -> None:
    server.text(f"{WELL_KNOWN}/v1", "oops", status)
    assert refused(f"{server.url}/v1").is_transient
    assert server.paths()[-1] == f"{WELL_KNOWN}/v1", "the origin's are not read in their place"


def test_metadata_that_the_challenge_names_and_nobody_has(server: Server) -> None:
    """No others are read in their place: the API said where they are."""
    challenge(server, f'Bearer resource_metadata="{server.url}/gone"')
    server.json(WELL_KNOWN, metadata(server, ""))
    error = refused(f"{server.url}/v1")
    assert (error.error, "/gone answered HTTP 404" in error.description) == ("invalid_response", True)
    assert "api=" in error.description


ELSEWHERE = "https://evil.example/v1"


@pytest.mark.parametrize(
    ("resource", "accepted"),
    [
        ("{0}/v1", True),
        ("{0}/v1/", True),
        ("{0}/v1/measurements", False),  # below what was asked for
        ("{0}/v2", False),
        ("{0}/v", False),  # a beginning, but no segment
        ("{0}", False),  # above, and the document is not where that has its own
        ("{0}/v1#x", False),
        ("{0}/v1?tenant=7", False),
        (ELSEWHERE, False),
        ("http://data.example.org/v1", False),
        ("https://{1}/v1", False),
        ("javascript:alert(1)", False),
        ("", False),
        (None, False),
        (7, False),
        (["{0}/v1"], False),
        ("<img src=x onerror=alert(1)>\x1b[2J", False),
    ],
)
@pytest.mark.parametrize("challenged", [True, False])
def test_metadata_of_another_resource_are_refused(
    server: Server, resource: Any, accepted: bool, challenged: bool
) -> None:
    """RFC 9728 section 3.3: they must not be used."""
    named = (
        resource.format(server.url, server.url.partition("://")[2]) if isinstance(resource, str) else resource
    )
    where = f"{WELL_KNOWN}/v1"
    if challenged:
        challenge(server, f'Bearer resource_metadata="{server.url}{where}"')
    server.json(where, metadata(server, resource=named))
    server.json(WELL_KNOWN, metadata(server, ""))  # is not read in their place
    if accepted:
        assert discover(f"{server.url}/v1").resource == named
        return
    error = refused(f"{server.url}/v1")
    assert error.error == ("resource_mismatch" if isinstance(named, str) and named else "invalid_metadata")
    assert WELL_KNOWN not in server.paths()


@pytest.mark.parametrize(
    ("resource", "document", "accepted"),
    [
        ("/v1", f"{WELL_KNOWN}/v1", True),  # its own address
        ("/v1", WELL_KNOWN, True),  # the origin's
        ("", WELL_KNOWN, True),
        ("/v1/ada", "/v1/ada/metadata", True),  # the URL itself: wherever it says
        ("/v1", "/v1/ada/metadata", False),  # who has /v1/ada does not speak for all of /v1
        ("", f"{WELL_KNOWN}/v1/ada", False),
        ("/v1/a", f"{WELL_KNOWN}/v1/a", False),  # a neighbour
    ],
)
def test_a_resource_above_the_url_speaks_for_itself(
    server: Server, resource: str, document: str, accepted: bool
) -> None:
    """Who has one path of a host does not get tokens for all of it."""
    challenge(server, f'Bearer resource_metadata="{server.url}{document}"', "/v1/ada")
    server.json(document, metadata(server, resource))
    if accepted:
        assert discover(f"{server.url}/v1/ada").resource == server.url + resource
    else:
        assert refused(f"{server.url}/v1/ada").error == "resource_mismatch"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://data.example.org/.well-known/oauth-protected-resource", "no https address"),
        ("https://evil.example/.well-known/oauth-protected-resource", "another host"),
        ("https://user@data.example.org/x", "no https address"),
        ("https://data.example.org:8443/x", "another host"),
        ("https://127.0.0.1/x", "another host"),
        ("https://dаta.example.org/x", "no https address"),  # noqa: RUF001 - the a is Cyrillic
        ("/relative", "no https address"),
        ("https://data.example.org/" + "x" * 3000, "no https address"),
        ("javascript:alert(1)", "no https address"),
        ("\x1b[2J", "no https address"),
    ],
)
def test_metadata_elsewhere_are_not_read(network: Network, address: str, says: str) -> None:
    network.redirects[f"{FAR}:443/v1"] = 401, ""
    header = f'Bearer resource_metadata="{address}"'.encode().decode("latin-1")
    network.documents[f"{FAR}:443/v1"] = b"", {"WWW-Authenticate": header}
    error = refused(f"{FAR}/v1")
    assert (error.error, says in error.description) == ("invalid_metadata", True), error.description
    assert [request.path for request in network.received] == ["/v1"]


def test_two_documents_that_both_claim_the_api(server: Server) -> None:
    challenge(
        server,
        'Bearer resource_metadata="https://a.example/x", Bearer resource_metadata="https://b.example/x"',
    )
    error = refused(f"{server.url}/v1")
    assert error.error == "invalid_metadata"
    assert "'https://a.example/x' and 'https://b.example/x'" in error.description
    assert server.paths() == ["/v1"]


@pytest.mark.parametrize(
    ("servers", "says"),
    [
        (["http://id.example.org"], "no https address"),
        (["https://id.example.org", "https://user@evil.example"], "user@evil.example"),
        (["https://id.example.org?x=1"], "without a query"),
        (["https://id.example.org#x"], "without a query"),
        (["https://127.0.0.1:8000"], "on this machine"),
        (["https://2130706433/"], "on this machine"),
        (["javascript:alert(1)"], "no https address"),
        (["<b>id.example.org</b>"], "no https address"),
        ([f"https://{n}.example.org" for n in range(21)], "21 authorization servers"),
        ("https://id.example.org", "no list of texts"),
        ([7], "no list of texts"),
        ([], "no authorization server"),
        (None, "no authorization server"),
    ],
)
def test_authorization_servers_that_cannot_be(network: Network, servers: Any, says: str) -> None:
    document = {"resource": f"{FAR}/v1", "authorization_servers": servers}
    network.documents[f"{FAR}:443{WELL_KNOWN}/v1"] = json.dumps(document).encode(), {}
    error = refused(f"{FAR}/v1")
    assert (error.error, says in error.description) == ("invalid_metadata", True), error.description
    assert "authnb.login(" in error.description


def test_several_authorization_servers_each_once(server: Server) -> None:
    named = ["https://a.example", "https://b.example", "https://a.example"]
    server.json(f"{WELL_KNOWN}/v1", metadata(server, authorization_servers=named))
    assert discover(f"{server.url}/v1").authorization_servers == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    "members",
    [
        {"scopes_supported": "read write"},
        {"scopes_supported": ["read write"]},
        {"scopes_supported": ['"']},
        {"scopes_supported": [7]},
        {"scopes_supported": [f"scope{n}" for n in range(1000)]},
        {"bearer_methods_supported": ["query"]},
        {"bearer_methods_supported": []},
    ],
)
def test_malformed_members_are_refused(server: Server, members: dict[str, Any]) -> None:
    server.json(f"{WELL_KNOWN}/v1", metadata(server, **members))
    assert refused(f"{server.url}/v1").error == "invalid_metadata"


@pytest.mark.parametrize("scope", ['\\"', "é", "x" * 3000])
def test_a_malformed_scope_of_the_challenge_is_refused(server: Server, scope: str) -> None:
    challenge(server, f'Bearer scope="{scope}"')
    assert "scope" in refused(f"{server.url}/v1").description


def test_a_challenge_may_ask_for_a_scope_that_the_metadata_do_not_name(server: Server) -> None:
    """``scopes_supported`` need not be complete (RFC 9728 section 2); the authorization server decides."""
    challenge(server, 'Bearer scope="rare"')
    server.json(f"{WELL_KNOWN}/v1", metadata(server, scopes_supported=["read"]))
    assert discover(f"{server.url}/v1").scope == "rare"


def test_what_is_shown_is_text(server: Server) -> None:
    more = {
        "resource_name": "<b>Ocean</b>\x1b[2J\u202e" + "x" * 500,
        "resource_documentation": "javascript:alert(1)",
    }
    server.json(f"{WELL_KNOWN}/v1", metadata(server, **more))
    found = discover(f"{server.url}/v1")
    assert found.resource_name is not None
    assert found.resource_name.isprintable()
    assert len(found.resource_name) <= 80
    assert found.resource_documentation is None


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Content-Type": "application/json"}, b'{"resource": "' + b"x" * (2 << 20) + b'"}'),
        (200, {"Content-Type": "application/json"}, b"[1]"),
        (200, {"Content-Type": "text/html"}, b"<html>Welcome"),
        (302, {"Location": "https://evil.example/metadata"}, b""),
        (302, {"Location": f"{WELL_KNOWN}/v1?again"}, b""),  # a circle
    ],
    ids=["two megabytes", "a list", "HTML", "elsewhere", "a circle"],
)
def test_documents_that_cannot_be_used(server: Server, answer: tuple[int, dict[str, str], bytes]) -> None:
    challenge(server, f'Bearer resource_metadata="{server.url}{WELL_KNOWN}/v1"')
    server.routes[f"{WELL_KNOWN}/v1"] = lambda _: answer
    error = refused(f"{server.url}/v1")
    assert error.error == "invalid_response"
    assert len(server.requests) <= 6


def test_a_redirect_of_the_api_is_not_followed(server: Server) -> None:
    """A login page is no challenge."""
    server.text("/v1", "", 302, Location="https://evil.example/login")
    server.json(f"{WELL_KNOWN}/v1", metadata(server))
    assert discover(f"{server.url}/v1").resource == f"{server.url}/v1"


def test_the_body_of_the_api_is_not_read(server: Server) -> None:
    """It may be a stream without end, as that of an MCP server (text/event-stream)."""
    server.text("/v1", "x" * (3 << 20))  # more than is read of any response
    server.json(f"{WELL_KNOWN}/v1", metadata(server))
    assert discover(f"{server.url}/v1").resource == f"{server.url}/v1"


def test_no_credentials_are_sent(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those in ~/.netrc either."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password secret")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.json(f"{WELL_KNOWN}/v1", metadata(server))
    discover(f"{server.url}/v1")
    assert server.requests
    assert not any({"Authorization", "Cookie"} & request.headers.keys() for request in server.requests)


def test_an_api_that_cannot_be_reached() -> None:
    with nobody_listens() as url:
        error = refused(f"{url}/v1")
    assert error.error == "unreachable"
    assert f"Asking {url}/v1 where to sign in failed" in error.description


@pytest.mark.parametrize(
    "url", ["http://data.example.org/v1", "https://user@data.example.org/", "data.example.org"]
)
def test_an_address_that_is_not_secure_is_not_asked(url: str) -> None:
    assert refused(url).error == "invalid_metadata"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example", "https://A.example:443/", True),
        ("https://a.example/v1", "https://a.example/v1/", True),
        ("https://a.example/v1", "https://a.example/V1", False),
        ("https://a.example/v1", "http://a.example/v1", False),
        ("https://a.example/v1?x", "https://a.example/v1", False),
        ("https://a.example:8443", "https://a.example", False),
    ],
)
def test_one_resource_in_two_spellings(one: str, other: str, same: bool) -> None:
    assert same_resource(one, other) is same


def test_metadata_are_kept_as_their_cache_control_says(network: Network) -> None:
    """The API itself is asked each time: a challenge is not kept."""
    document = {"resource": f"{FAR}/v1", "authorization_servers": ["https://id.example.org"]}
    network.documents[f"{FAR}:443{WELL_KNOWN}/v1"] = (
        json.dumps(document).encode(),
        {"Cache-Control": "max-age=300"},
    )
    discover(f"{FAR}/v1")
    discover(f"{FAR}/v1")
    assert [request.path for request in network.received] == ["/v1", f"{WELL_KNOWN}/v1", "/v1"]


def test_refused_metadata_are_not_kept(network: Network) -> None:
    where, kept = f"{FAR}:443{WELL_KNOWN}/v1", {"Cache-Control": "max-age=300"}
    network.documents[where] = json.dumps({"resource": ELSEWHERE}).encode(), kept
    assert refused(f"{FAR}/v1").error == "resource_mismatch"
    document = {"resource": f"{FAR}/v1", "authorization_servers": ["https://id.example.org"]}
    network.documents[where] = json.dumps(document).encode(), kept
    assert discover(f"{FAR}/v1").resource == f"{FAR}/v1"
