"""The listener accepts one callback; any other request gets an error and the sign-in goes on waiting."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import requests
from support import free_port

from authnb.errors import LoginFailed
from authnb.flows.listener import LoopbackListener
from authnb.transport.exchange import observers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[LoopbackListener]:
    with closing(LoopbackListener()) as listener:
        listener.expect("s-1")
        yield listener


def test_the_first_callback_is_accepted(listener: LoopbackListener) -> None:
    first = requests.get(f"{listener.redirect_uri}?code=c-1&state=s-1", timeout=5)
    second = requests.get(f"{listener.redirect_uri}?code=c-2&state=s-1", timeout=5)
    answer = listener.answer()
    assert (first.status_code, second.status_code) == (200, 400)
    assert answer is not None
    assert answer.code == "c-1"
    assert "c-1" not in first.text + repr(answer)
    assert first.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in first.headers["Content-Security-Policy"]


def test_a_callback_that_is_loaded_again(listener: LoopbackListener) -> None:
    """Or another one with our state, as some providers send two: the page tells what is true, and nothing changes."""
    url = f"{listener.redirect_uri}?code=c-1&state=s-1"
    first = requests.get(url, timeout=5)
    for again in (url, url.replace("c-1", "c-2")):
        assert requests.get(again, timeout=5).text == first.text
    answer = listener.answer()
    assert answer is not None
    assert answer.code == "c-1"
    assert "Not the sign-in" in requests.get(url.replace("s-1", "s-2"), timeout=5).text


@pytest.mark.parametrize(
    "header", [{"Sec-Purpose": "prefetch;prerender"}, {"Sec-Purpose": "prefetch"}, {"Purpose": "prefetch"}]
)
def test_a_browser_that_loads_in_advance(listener: LoopbackListener, header: dict[str, str]) -> None:
    """The callback is accepted when the browser opens the page, which the person then sees."""
    url = f"{listener.redirect_uri}?code=c-1&state=s-1"
    assert requests.get(url, headers=header, timeout=5).status_code == 503
    assert listener.answer() is None
    assert requests.get(url, timeout=5).ok
    assert listener.answer() is not None


def test_an_error_without_state(listener: LoopbackListener) -> None:
    """It does not end the sign-in, as anybody can send it; the page shows a known code and what to do, nothing else."""
    url = f"{listener.redirect_uri}?error_description=%3Cb%3Eevil&error="
    text = requests.get(f"{url}invalid_scope", timeout=5).text
    assert "invalid_scope" in text
    assert "Ask for other scopes with scope=." in text
    assert "evil" not in text + requests.get(f"{url}evil", timeout=5).text
    assert listener.answer() is None


def test_an_answer_as_a_form(listener: LoopbackListener) -> None:
    """``response_mode=form_post`` is not taken; the page names the setting."""
    answer = requests.post(listener.redirect_uri, data={"code": "c" * 9000, "state": "s-1"}, timeout=5)
    assert (answer.status_code, listener.answer()) == (501, None)
    assert "quirks=Quirks(parameters={'response_mode': 'query'})" in answer.text
    assert requests.post(listener.probe, timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/callback", 400),
        ("/callback?code=c&state=wrong", 400),
        ("/callback?error=access_denied&state=wrong", 400),
        ("/callback?code=a&code=b&state=s-1", 400),
        ("/callback/?code=a&state=s-1", 404),
        ("/favicon.ico", 404),
        ("/?code=a&state=s-1", 404),
        ("/callback?state=s-1&code=" + "c" * 20_000, 404),
    ],
)
def test_any_other_request_is_refused(listener: LoopbackListener, path: str, status: int) -> None:
    base = listener.redirect_uri.removesuffix("/callback")
    assert requests.get(base + path, timeout=5).status_code == status
    assert listener.answer() is None


def test_other_host_headers_are_refused(listener: LoopbackListener) -> None:
    """DNS rebinding: a page of evil.example that resolves to us."""
    answer = requests.get(
        f"{listener.redirect_uri}?code=c&state=s-1", headers={"Host": "evil.example"}, timeout=5
    )
    assert answer.status_code == 404
    assert listener.answer() is None


def test_several_host_headers_are_refused(listener: LoopbackListener) -> None:
    """Servers and proxies do not agree on which counts (RFC 9112 section 3.2)."""
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=5)
    connection.putrequest("GET", "/callback?code=c&state=s-1")  # with the right one
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status == 404
    connection.close()
    assert listener.answer() is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods_are_refused(listener: LoopbackListener, method: str) -> None:
    answer = requests.request(method, f"{listener.redirect_uri}?code=c&state=s-1", timeout=5)
    assert answer.status_code == 501
    assert listener.answer() is None


def test_notifies() -> None:
    heard = threading.Event()
    with closing(LoopbackListener(notify=heard.set)) as other:
        other.expect("s")
        requests.get(f"{other.redirect_uri}?error=access_denied&state=s", timeout=5)
        assert heard.wait(5)
        answer = other.answer()
    assert answer is not None
    assert answer.error == "access_denied"


def test_the_browser_has_its_page_before_the_port_is_closed() -> None:
    """The flow closes the listener as soon as it has the callback, maybe before the page is sent."""
    listener = LoopbackListener()
    listener.expect("s-1")
    closer = threading.Thread(target=listener.close)

    def close(_: object) -> None:
        assert listener.answer() is not None
        closer.start()
        closer.join(0.5)

    observers.append(close)
    try:
        page = requests.get(f"{listener.redirect_uri}?code=c&state=s-1", timeout=20)
    finally:
        observers.remove(close)
    assert page.status_code == 200
    closer.join()


def test_closing_frees_the_port() -> None:
    listener = LoopbackListener()
    port = int(listener.redirect_uri.split(":")[2].split("/")[0])
    listener.close()
    with socket.socket() as again:
        again.bind(("127.0.0.1", port))


def test_listeners_at_one_port_share_its_socket() -> None:
    """Each takes the callback with its host, path and state; the socket closes with the last."""
    port = free_port()
    with closing(LoopbackListener((port,))) as first:
        with (
            closing(LoopbackListener((port,), host="localhost")) as second,
            closing(LoopbackListener((port,), path="/third")) as third,
        ):
            listeners = {"s-1": first, "s-2": second, "s-3": third}
            for state, listener in listeners.items():
                listener.expect(state)
            for at in listeners.values():
                for state, listener in listeners.items():
                    if at is not listener:
                        wrong = requests.get(f"{at.redirect_uri}?code=stolen&state={state}", timeout=5)
                        assert wrong.status_code == 400
            for state, listener in listeners.items():
                assert (
                    requests.get(
                        f"{listener.redirect_uri}?code=c-{state}&state={state}", timeout=5
                    ).status_code
                    == 200
                )
            answers = [listener.answer() for listener in listeners.values()]
            assert [answer and answer.code for answer in answers] == ["c-s-1", "c-s-2", "c-s-3"]
            assert requests.get(first.probe, timeout=5).status_code == 204
        with socket.socket(socket.AF_INET6) as free:
            assert free.connect_ex(("::1", port)) != 0, "only the second listened there"
        assert requests.get(first.probe, timeout=5).status_code == 204
    with socket.socket() as free:
        assert free.connect_ex(("127.0.0.1", port)) != 0


def test_ports_are_tried_in_turn() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with closing(LoopbackListener((port, 0))) as listener:
            assert f":{port}/" not in listener.redirect_uri
        with pytest.raises(LoginFailed) as caught:
            LoopbackListener((port,))
    assert caught.value.error == "port_in_use"
    assert str(port) in str(caught.value)
