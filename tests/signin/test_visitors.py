"""Visitors of one process: none of them is ever given the sign-in of another."""

from __future__ import annotations

import asyncio
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler
from wsgiref.simple_server import make_server as make_wsgi_server

import pytest
import waitress
from flask import Flask
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from werkzeug.serving import make_server as make_werkzeug_server

import authnb
from authnb.errors import InteractionRequired
from authnb.signin.environment import current_environment, detect
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from authnb.demo import DemoProvider
    from authnb.signin.login import Login

KERNEL = SimpleNamespace(_allow_stdin=True)


def begin(demo: DemoProvider, **more: Any) -> Login:
    """A sign-in that the app shows in its own page."""
    return authnb.login(**{"issuer": demo.issuer, "client_id": demo.client_id, "view": None, **more})


def sign_in(demo: DemoProvider, name: str, **more: Any) -> str:
    """Who is signed in, once this visitor has entered the code, if they are asked for one."""
    login = begin(demo, **more)
    if code := login.verification().user_code:
        demo.approve(code, name=name)
    return str(login.wait(20).user["preferred_username"])


class Handled:
    """Calls a function in the handler of a request, and keeps what it returns or raises."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._result: list[Any] = []

    def __call__(self) -> str:
        try:
            self._result.append(self._function())
        except Exception as error:  # noqa: BLE001 - raised again for the test
            self._result.append(error)
        return "done"

    @property
    def result(self) -> Any:
        (result,) = self._result
        if isinstance(result, Exception):
            raise result
        return result


def flask_app(handler: Handled) -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=handler.__call__)
    return app


def get(port: int) -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{port}/").read()


def in_werkzeug(function: Callable[[], Any]) -> Any:
    """As ``flask run`` does it: each request on a thread of its own."""
    handler = Handled(function)
    server = make_werkzeug_server("127.0.0.1", 0, flask_app(handler), threaded=True)
    return _served(handler, server.server_port, server.serve_forever, server.shutdown)


def in_waitress(function: Callable[[], Any]) -> Any:
    """Requests on the threads of a pool."""
    handler = Handled(function)
    channels: dict[int, Any] = {}
    server = waitress.create_server(flask_app(handler), map=channels, host="127.0.0.1", port=0)
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            server.asyncore.loop(timeout=0.05, map=channels, count=1)
        server.task_dispatcher.shutdown()  # its threads write to the trigger, which closes next
        server.asyncore.close_all(channels)

    return _served(handler, server.effective_port, run, ended.set)


def in_wsgiref(function: Callable[[], Any]) -> Any:
    """Requests on the main thread, as in the sync workers of gunicorn."""
    handler = Handled(function)

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with make_wsgi_server("127.0.0.1", 0, flask_app(handler), handler_class=Quiet) as server:
        visitor = threading.Thread(target=get, args=(server.server_port,))
        visitor.start()
        server.handle_request()
        visitor.join()
    return handler.result


def in_tornado(function: Callable[[], Any]) -> Any:
    """Requests on the event loop of the main thread, in a task that the handler starts."""
    handler = Handled(function)

    class Page(RequestHandler):
        async def get(self) -> None:
            async def call() -> str:
                return handler()

            await asyncio.wait_for(call(), 20)

    async def serve() -> None:
        sockets = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(Application([("/", Page)]))
        server.add_sockets(sockets)
        await asyncio.to_thread(get, sockets[0].getsockname()[1])
        server.stop()

    asyncio.run(serve())
    return handler.result


def in_asyncio(function: Callable[[], Any]) -> Any:
    """Connections of a server of asyncio's own, each in a task on the main thread."""
    handler = Handled(function)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(handler().encode())
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        running = asyncio.create_task(server.serve_forever())
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"\n")
        await reader.read()
        writer.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(serve())
    return handler.result


def in_a_pool(function: Callable[[], Any]) -> Any:
    """A thread whose caller is not known."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def _served(handler: Handled, port: int, run: Callable[[], None], stop: Callable[[], None]) -> Any:
    thread = threading.Thread(target=run)
    thread.start()
    try:
        get(port)
    finally:
        stop()
        thread.join()
    return handler.result


SERVERS = {
    "Werkzeug": in_werkzeug,
    "waitress": in_waitress,
    "wsgiref, on the main thread": in_wsgiref,
    "Tornado, on the main thread": in_tornado,
    "asyncio, on the main thread": in_asyncio,
    "a pool of threads": in_a_pool,
}


@pytest.fixture(params=SERVERS)
def place(request: pytest.FixtureRequest) -> Any:
    """Calls a function as a server calls the code of a visitor."""
    return SERVERS[request.param]


def test_each_visitor_is_themselves(demo: DemoProvider, place: Any) -> None:
    """Two visitors sign in as two people; a third, who did not, is asked to."""
    names = [place(lambda name=name: sign_in(demo, name, mode="device")) for name in ("ada", "grace")]
    assert names == ["ada", "grace"]
    third = place(lambda: begin(demo, mode="device"))
    assert third.verification().user_code
    assert third.status == "waiting"
    third.cancel()


def test_the_operator_is_asked_nothing(
    demo: DemoProvider, place: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither their terminal nor their browser, in which they may be signed in, gets the link of a visitor."""
    monkeypatch.setenv("BROWSER", f'"{sys.executable}" -m authnb.demo.person %s')
    for view in ("auto", "text"):
        with pytest.raises(InteractionRequired, match=r"mode='device', view=None.*signin\.verification"):
            place(lambda view=view: begin(demo, view=view).wait(20))
    with pytest.raises(InteractionRequired, match="choose between"):
        place(lambda: begin(demo, view="auto", issuer=[demo.issuer, "github"]))
    assert not any(capfd.readouterr())


def test_the_app_shows_a_code(demo: DemoProvider, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With view=None: a visitor's browser may be on another machine, so there is no callback to this one."""
    monkeypatch.delenv("AUTHNB_REMOTE")
    monkeypatch.delenv("AUTHNB_INTERACTIVE")
    assert place(lambda: sign_in(demo, "grace")) == "grace"


def test_one_sign_in_is_not_remembered_for_all(demo: DemoProvider, place: Any) -> None:
    """``remember=True`` raises, and says what to do; with what it says, each visitor is themselves."""
    with pytest.raises(ValueError, match=r"the second would be signed in as the first.*profile=.*storage="):
        place(lambda: begin(demo, remember=True))
    with pytest.raises(ValueError, match="the second would be signed in as the first"):
        place(lambda: authnb.signup(demo.issuer, client_id=demo.client_id, view=None, remember=True))
    ways = {
        "ada": {"remember": True, "profile": "ada of the app"},
        "grace": {"remember": True, "profile": "grace of the app"},
        "alan": {"remember": True, "storage": MemoryStorage()},
    }
    for name, way in ways.items():
        assert place(lambda name=name, way=way: sign_in(demo, name, mode="device", **way)) == name
    again = {"mode": "device", **ways["grace"]}
    assert place(lambda: begin(demo, **again).wait(20).user["preferred_username"]) == "grace"


def test_the_only_person_finds_their_sign_in_again(demo: DemoProvider) -> None:
    """On the main thread of a program that is no server."""
    assert sign_in(demo, "grace", mode="device", profile="only person") == "grace"
    again = begin(demo, mode="device", profile="only person")
    assert again.wait(20).user["preferred_username"] == "grace"
    assert again.remembered


def test_what_the_handler_runs_in_has_a_name(place: Any) -> None:
    """Errors name the framework that the author of the app knows; a thread alone has none."""
    environment = place(current_environment)
    named = {
        in_wsgiref: "Flask",
        in_werkzeug: "Flask",
        in_waitress: "Flask",
        in_tornado: "Tornado",
        in_asyncio: "asyncio",
    }
    assert environment.server == named.get(place)
    assert not environment.one_person
    assert current_environment().one_person


@pytest.mark.parametrize(
    ("kernel", "server", "main_thread", "one_person", "in_worker"),
    [
        (KERNEL, None, True, True, False),
        (KERNEL, None, False, True, False),  # a subshell, or a thread of the notebook's own
        (KERNEL, "Voilà", True, False, False),
        (KERNEL, "Flask", False, False, True),
        (None, None, True, True, False),
        (None, None, False, False, True),
        (None, "uvicorn", True, False, True),
        (None, "Voilà", True, False, True),
    ],
)
def test_who_is_one_person(
    kernel: Any,
    server: str | None,
    main_thread: bool,
    one_person: bool,
    in_worker: bool,
) -> None:
    """A notebook's kernel is one person's, on each of its threads; a program's main thread is, without a server."""
    environ = {"AUTHNB_INTERACTIVE": "1", "BROWSER": "person %s", "DISPLAY": ":0"}
    environment = detect(
        environ, kernel=kernel, tty=True, platform="linux", server=server, main_thread=main_thread
    )
    assert (environment.one_person, environment.in_worker) == (one_person, in_worker)
    assert environment.interactive is not in_worker
    assert not (in_worker and environment.can_prompt)


def test_the_operators_browser_opens_nothing_for_voilas_visitors() -> None:
    """Their kernels inherit ``BROWSER``, which a terminal of VS Code sets for its own user."""
    environ = {"VOILA_REQUEST_URL": "http://127.0.0.1:8866/", "BROWSER": sys.executable}
    kernel = SimpleNamespace(_allow_stdin=False)
    environment = detect(environ, kernel=kernel, tty=False, platform="linux", server="Voilà")
    assert not environment.can_open_browser
    assert environment.front_end == "notebook"


def test_voila_is_told_by_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the kernel it runs for a visitor, and of one it runs before there is any."""
    assert current_environment().server is None
    for name in ("VOILA_REQUEST_URL", "VOILA_PREHEAT"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "http://127.0.0.1:8866/")
            assert current_environment().server == "Voilà"
