"""`Session.serve`: the token is added for whom the address was given to, and nowhere else."""

from __future__ import annotations

import hashlib
import http.client
import logging
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests
import trustme
from demo_session import age, sign_in
from servers import Server
from streaming_api import BLOCK, StreamingAPI, curl, long_body
from support import wait_for

from authnb.adapters.relay import LONG
from authnb.errors import AuthnbError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

LENGTH = LONG + 5 * BLOCK + 7  # of a response that is long to the proxy


@pytest.fixture
def api(tmp_path: Path) -> Iterator[StreamingAPI]:
    (tmp_path / "bytes").write_bytes(bytes(range(256)) * 1000)
    with StreamingAPI(tmp_path) as running:
        yield running


@pytest.fixture
def session(demo: DemoProvider, token_proxy: TokenEndpointProxy, api: StreamingAPI) -> Session:
    return sign_in(demo, token_proxy, api=api.url)


def test_ranges_head_and_one_connection(session: Session) -> None:
    with session.serve() as proxy:
        connection = http.client.HTTPConnection(proxy.url("/").split("/")[2], timeout=30)
        path = "/" + proxy.url("/files/bytes").split("/", 3)[3]
        connection.request("HEAD", path)
        whole = connection.getresponse()
        assert (whole.status, whole.headers["Content-Length"], whole.read()) == (200, "256000", b"")
        opened = connection.sock
        connection.request("GET", path, headers={"Range": "bytes=10-19"})
        part = connection.getresponse()
        assert (part.status, part.read()) == (206, bytes(range(10, 20)))
        assert part.headers["Content-Range"] == "bytes 10-19/256000"
        assert connection.sock is opened is not None
        connection.close()


def test_a_response_is_streamed(session: Session, api: StreamingAPI) -> None:
    with session.serve() as proxy, requests.get(proxy.url("/slow"), stream=True, timeout=30) as response:
        chunks = response.iter_content(None)
        assert next(chunks) == b"first"
        api.more.set()
        assert b"".join(chunks) == b"second"


def test_a_request_is_streamed(session: Session, api: StreamingAPI) -> None:
    block = b"x" * 1_000_000
    with session.serve() as proxy:
        response = requests.post(proxy.url("/echo"), data=(block for _ in range(5)), timeout=30)
        assert len(response.content) == 5_000_000
        assert api.requests[-1][2]["Transfer-Encoding"] == "chunked"
        posted = curl(proxy.url("/echo"), "-H", "Expect: 100-continue", "--data-binary", "y" * 2000)
        assert posted == "y" * 2000


def test_a_reader_that_leaves(session: Session, api: StreamingAPI) -> None:
    """The API's response is given up too."""
    with session.serve() as proxy:
        with requests.get(proxy.url("/slow"), stream=True, timeout=30) as response:
            assert next(response.iter_content(None)) == b"first"
        wait_for(api.gone.is_set, "the request to the API to end")


def digest(chunks: Iterable[bytes]) -> tuple[int, str]:
    """Length and hash of these."""
    length, found = 0, hashlib.sha256()
    for chunk in chunks:
        length += len(chunk)
        found.update(chunk)
    return length, found.hexdigest()


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_long_response(
    demo: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, tls: bool
) -> None:
    """It arrives as the API sent it, over one connection, whether the reader is faster or slower than the API."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    sent = digest(long_body(LENGTH, start) for start in range(0, LENGTH, BLOCK))
    with (
        StreamingAPI(tmp_path, context if tls else None) as api,
        sign_in(demo, api=api.url).serve() as proxy,
        requests.Session() as reader,
    ):
        for at_once in (BLOCK, 10_000):
            with reader.get(proxy.url(f"/long?length={LENGTH}"), stream=True, timeout=30) as response:
                assert digest(response.iter_content(at_once)) == sent
        assert curl(proxy.url("/files/authority.pem")) == authority.cert_pem.bytes().decode()


def test_a_long_response_that_is_cut_off(session: Session) -> None:
    with session.serve() as proxy:
        url = proxy.url(f"/long?length={2 * LENGTH}&until={LENGTH}")
        with requests.get(url, stream=True, timeout=30) as response, pytest.raises(requests.RequestException):
            digest(response.iter_content(BLOCK))


def test_a_reader_that_leaves_a_long_response(session: Session, api: StreamingAPI) -> None:
    with session.serve() as proxy:
        with requests.get(proxy.url("/long?length=1000000000000"), stream=True, timeout=30) as response:
            chunks = response.iter_content(BLOCK)
            assert [len(next(chunks)) for _ in range(20)] == [BLOCK] * 20
        wait_for(api.gone.is_set, "the request to the API to end")


@pytest.mark.parametrize("query", ["", "?length"])
def test_a_response_that_is_cut_off(session: Session, query: str) -> None:
    """Its reader notices, as it would without the proxy."""
    with session.serve() as proxy, pytest.raises(requests.RequestException):
        assert requests.get(proxy.url("/broken" + query), timeout=30).content == b""


def test_a_401_to_a_stream_is_passed_on(
    session: Session, token_proxy: TokenEndpointProxy, api: StreamingAPI
) -> None:
    api.refused.add(session.token["access_token"])
    with session.serve() as proxy:
        response = requests.post(proxy.url("/echo"), data=iter([b"once"]), timeout=30)
    assert response.status_code == 401
    assert (api.bodies, token_proxy.outcomes) == ([b"once"], [])


def test_redirects(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """One within the API leads through the proxy again; one to another origin is passed on, without the token."""
    seen = []

    def there(request: Any) -> tuple[int, dict[str, str], bytes]:
        seen.append(request.headers.get("Authorization"))
        return 200, {}, b"there"

    with Server() as served, Server() as other:
        served.routes["/within"] = lambda _: (302, {"Location": "/there?a=%2F"}, b"")
        served.routes["/away"] = lambda _: (307, {"Location": other.url + "/there"}, b"")
        served.routes["/there"] = other.routes["/there"] = there
        session = sign_in(demo, token_proxy, api=served.url)
        with session.serve() as proxy:
            first = requests.get(proxy.url("/within"), timeout=30, allow_redirects=False)
            assert first.headers["Location"] == proxy.url("/there?a=%2F")
            assert curl("-L", proxy.url("/within")) == curl("-L", proxy.url("/away")) == "there"
        assert served.requests[-2].path == "/there?a=%2F"
    assert seen == [f"Bearer {session.token['access_token']}", None]


def test_a_renewal_that_fails(session: Session, token_proxy: TokenEndpointProxy) -> None:
    token_proxy.outcome = lambda: "503"
    with session.serve() as proxy:
        age(session)
        failed = requests.get(proxy.url("/files/bytes"), timeout=30)
    assert failed.status_code == 502
    assert "temporarily_unavailable" in failed.text


def test_an_api_that_is_down(demo: DemoProvider) -> None:
    with Server() as served:
        session = sign_in(demo, api=served.url)
    with session.serve() as proxy:
        failed = requests.get(proxy.url("/"), timeout=30)
    assert (failed.status_code, "did not answer" in failed.text) == (502, True)


def test_several_origins(demo: DemoProvider, api: StreamingAPI) -> None:
    with Server() as other:
        other.text("/v1/here", "other")
        session = sign_in(demo, api=[api.url + "/files", other.url])
        with session.serve() as proxy:
            assert curl(proxy.url(other.url + "/v1/here")) == "other"
            assert curl(proxy.base_url + "/bytes", "-r", "48-50") == "012"
        with session.serve(other.url) as proxy:
            assert curl(proxy.base_url + "/v1/here") == "other"
            with pytest.raises(AuthnbError, match="does not serve"):
                proxy.url(api.url)


def test_an_address_outside_api(demo: DemoProvider, session: Session) -> None:
    with session.serve() as proxy:
        for url in ("https://other.example/", "//other.example/", "http://user@127.0.0.1/"):
            with pytest.raises(AuthnbError, match="was not sent"):
                proxy.url(url)
    with pytest.raises(AuthnbError, match="is not the API"):
        session.serve("https://other.example")
    with pytest.raises(ValueError, match="Name the address"):
        sign_in(demo, api=None).serve()


def exchange(port: int, request: bytes) -> bytes:
    """What the proxy answers to these bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def without_date(response: bytes) -> bytes:
    return b"\n".join(line for line in response.splitlines() if not line.startswith(b"Date"))


ATTACKS = {
    "no capability": "GET /files/bytes HTTP/1.1\r\nHost: {host}",
    "another capability": "GET /{other}/0/files/bytes HTTP/1.1\r\nHost: {host}",
    "a part of it": "GET /{part}/0/files/bytes HTTP/1.1\r\nHost: {host}",
    "not ASCII": "GET /{part}\N{LATIN SMALL LETTER E WITH ACUTE}/0/files/bytes HTTP/1.1\r\nHost: {host}",
    "another origin's number": "GET /{capability}/1/files/bytes HTTP/1.1\r\nHost: {host}",
    "another Host": "GET /{capability}/0/files/bytes HTTP/1.1\r\nHost: evil.example",
    "another Host with the port": "GET /{capability}/0/files/bytes HTTP/1.1\r\nHost: evil.example:{port}",
    "two Hosts": "GET /{capability}/0/files/bytes HTTP/1.1\r\nHost: {host}\r\nHost: {host}",
    "no Host": "GET /{capability}/0/files/bytes HTTP/1.1\r\nX: y",
    "absolute URI": "GET http://other.example/{capability}/0/ HTTP/1.1\r\nHost: {host}",
    "absolute URI of the API": "GET {api}/files/bytes HTTP/1.1\r\nHost: {host}",
    "CONNECT": "CONNECT other.example:443 HTTP/1.1\r\nHost: {host}",
    "TRACE": "TRACE /{capability}/0/files/bytes HTTP/1.1\r\nHost: {host}",
    "asterisk": "OPTIONS * HTTP/1.1\r\nHost: {host}",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_request_that_is_not_for_it(session: Session, api: StreamingAPI, attack: str) -> None:
    """Each gets the same 404, and reaches nobody."""
    with session.serve() as proxy:
        _, _, host, capability, *_ = proxy.url("/").split("/")
        port = int(host.rpartition(":")[2])
        names = {
            "host": host,
            "port": port,
            "capability": capability,
            "part": capability[:-1],
            "api": api.url,
        }
        request = ATTACKS[attack].format(other="x" * len(capability), **names)
        answers = [
            without_date(exchange(port, text.encode() + b"\r\nConnection: close\r\n\r\n"))
            for text in (request, f"GET /nothing HTTP/1.1\r\nHost: {host}")
        ]
    assert b"404" in answers[1]
    assert answers[0] == answers[1] or answers[0].split()[1] == b"400"  # 400: not HTTP
    assert api.requests == []


@pytest.mark.parametrize(
    "path",
    [
        "/../../x",
        "/%2e%2e/x",
        "//other.example/x",
        "/@other.example/",
        "/:80@other.example/",
    ],
)
def test_a_path_leads_nowhere_else(session: Session, api: StreamingAPI, path: str) -> None:
    """It arrives at the API as it was written, whatever it holds."""
    with session.serve() as proxy:
        curl("--path-as-is", "--globoff", proxy.base_url + path)
    assert [sent for _, sent, _ in api.requests] == [path]


def test_a_backslash(session: Session, api: StreamingAPI) -> None:
    """Some take it for a slash: no token goes to such an address."""
    with session.serve() as proxy:
        assert "was not sent" in curl("--globoff", proxy.base_url + "/\\other.example")
    assert api.requests == []


@pytest.mark.parametrize(
    "smuggled",
    [
        "GET /{base}/echo HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /{base}/echo HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        "GET /{base}/echo HTTP/1.1\r\nHost: {host}\r\nX: a\rAuthorization: b\r\n\r\n",
        "GET /{base}/echo HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding : chunked\r\n\r\n",
    ],
    ids=["both lengths", "two lengths", "bare CR", "space before the colon"],
)
def test_a_smuggled_request(session: Session, api: StreamingAPI, smuggled: str) -> None:
    with session.serve() as proxy:
        _, _, host, base = proxy.base_url.split("/", 3)
        answer = exchange(int(host.rpartition(":")[2]), smuggled.format(host=host, base=base).encode())
    assert answer.split()[1] == b"400"
    assert api.requests == []


def test_an_encoded_line_break_stays_encoded(session: Session, api: StreamingAPI) -> None:
    with session.serve() as proxy:
        curl(proxy.base_url + "/echo?a=%0d%0aAuthorization:%20b")
    assert api.requests[0][1] == "/echo?a=%0d%0aAuthorization:%20b"


def test_headers_of_the_program(session: Session, api: StreamingAPI) -> None:
    """Its own token, what a browser adds for 127.0.0.1, and what names the capability are not sent."""
    names = ("Authorization", "Cookie", "DPoP", "Referer", "Origin", "Proxy-Authorization", "X-Hop")
    with session.serve() as proxy:
        headers = dict.fromkeys(names, proxy.base_url) | {
            "Connection": "X-Hop, Authorization",
            "X-Kept": "1",
        }
        assert requests.get(proxy.url("/echo"), headers=headers, timeout=30).status_code == 200
    sent = api.requests[0][2]
    assert (sent["Host"], sent["X-Kept"]) == (api.url.removeprefix("http://"), "1")
    assert sent["Authorization"] == f"Bearer {session.token['access_token']}"
    assert not {"Cookie", "DPoP", "Referer", "Origin", "Proxy-Authorization", "X-Hop"} & set(sent)


def test_headers_for_a_browser(session: Session) -> None:
    """No page of another origin may read a response, and none of the API's runs scripts where the token is added."""
    with session.serve() as proxy:
        headers = requests.get(
            proxy.url("/headers"), headers={"Origin": "https://evil.example"}, timeout=30
        ).headers
    assert headers["X-Kept"] == "1"
    assert not {"Set-Cookie", "Access-Control-Allow-Origin", "Clear-Site-Data"} & set(headers)
    assert (headers["Content-Security-Policy"], headers["Referrer-Policy"]) == ("sandbox", "no-referrer")


def test_it_ends_with_the_block(session: Session, api: StreamingAPI) -> None:
    """With what it was reading; its address is of no use to the next one."""
    with session.serve() as proxy:
        first = proxy.url("/files/bytes")
        response = requests.get(proxy.url("/slow"), stream=True, timeout=30)
        chunks = response.iter_content(None)
        assert next(chunks) == b"first"
    with pytest.raises(requests.RequestException):
        next(chunks)
    with pytest.raises(requests.ConnectionError):
        requests.get(first, timeout=30)
    wait_for(
        lambda: "authnb-proxy" not in {thread.name for thread in threading.enumerate()}, "its thread to end"
    )
    with session.serve() as proxy:
        moved = proxy.url("/").split("/")[2]
        stale = requests.get("/".join([*first.split("/")[:2], moved, *first.split("/")[3:]]), timeout=30)
    assert stale.status_code == 404
    assert len(api.requests) == 1


def test_it_listens_on_loopback_only(session: Session) -> None:
    with session.serve() as proxy:
        port = int(proxy.url("/").split("/")[2].rpartition(":")[2])
        with socket.socket() as elsewhere:
            elsewhere.bind(("127.0.0.2", port))  # taken if it listened on all addresses


def test_nothing_is_told(
    session: Session, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither capability nor token is in a log at DEBUG, a repr, or an answer of the proxy's own."""
    caplog.set_level(logging.DEBUG)
    secrets = [session.token["access_token"]]
    with session.serve() as proxy:
        _, _, host, capability, *_ = proxy.url("/").split("/")
        secrets.append(capability)
        shown = [repr(proxy), str(proxy)]
        shown += [curl("-i", proxy.url("/files/bytes"), "-o", "/dev/null"), curl("-i", proxy.url("/none"))]
        for request in (f"GET /{capability}/0/\x00 HTTP/1.1\r\n\r\n", f"G@T /{capability} HTTP/9\r\n\r\n"):
            exchange(int(host.rpartition(":")[2]), request.encode())
        session.logout()
        shown.append(curl("-i", proxy.url("/files/bytes")))
    ours = [
        record.getMessage() + str(record.exc_info)
        for record in caplog.records
        if "urllib3" not in record.name
    ]
    text = "\n".join([*shown, *ours, *capfd.readouterr()])
    assert not [secret for secret in secrets if secret in text]
