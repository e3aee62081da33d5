"""The listener knows one request; whatever else comes, the sign-in goes on waiting."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import requests

from authnb.errors import LoginFailed
from authnb.exchange import observers
from authnb.redirects import LoopbackListener

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[LoopbackListener]:
    with closing(LoopbackListener()) as open_one:
        open_one.expect("s-1")
        yield open_one


def test_takes_the_answer_once(listener: LoopbackListener) -> None:
    first = requests.get(f"{listener.redirect_uri}?code=c-1&state=s-1", timeout=5)
    second = requests.get(f"{listener.redirect_uri}?code=c-2&state=s-1", timeout=5)
    answer = listener.answer()
    assert (first.status_code, second.status_code) == (200, 400)
    assert answer is not None
    assert answer.code == "c-1"
    assert "c-1" not in first.text + repr(answer)
    assert first.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in first.headers["Content-Security-Policy"]


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
def test_goes_on_waiting(listener: LoopbackListener, path: str, status: int) -> None:
    base = listener.redirect_uri.removesuffix("/callback")
    assert requests.get(base + path, timeout=5).status_code == status
    assert listener.answer() is None


def test_other_names_for_this_machine_are_refused(listener: LoopbackListener) -> None:
    """DNS rebinding: a page of evil.example that resolves to us."""
    answer = requests.get(
        f"{listener.redirect_uri}?code=c&state=s-1", headers={"Host": "evil.example"}, timeout=5
    )
    assert answer.status_code == 404
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
    """Whoever waits for the answer closes the listener at once, maybe before the page is on its way."""
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
