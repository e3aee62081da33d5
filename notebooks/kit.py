"""Helpers of the notebooks: a provider and other servers in the kernel, a redirect URI, values as they are shown.

`provider` gives the same codes, tokens and times in each run. Its clock stands still, at the moment `MOMENT`:
`authnb.login` follows it, and cells that check times by hand compare with ``demo.now()``. Where something waits for time to
pass (polling with a device code, tokens that expire), or another library compares times with this computer's clock
(Authlib's client for Flask), take ``kit.provider(clock=time.time)``; tests then leave out the times.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import socket
import threading
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen

import waitress
from authnb.demo import DemoProvider
from apps import app, text_of  # notebooks call them as kit.app and kit.text_of
from flask import Flask, request
from predict import compare, predict  # notebooks call them as kit.predict and kit.compare
from waitress import wasyncore

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MOMENT = 1_772_442_000.0  # seconds since 1970: 2 March 2026, 9 o'clock UTC
SEED = "the notebooks of authnb"  # everybody can compute what comes of it: docs/demo.md
# Shown if they come from `provider`, and by their length if they are somebody's own
SECRETS = {
    "access_token",
    "client_secret",
    "code",
    "device_code",
    "password",
    "refresh_token",
    "registration_access_token",
}


class Provider(DemoProvider):
    """A provider whose codes, tokens and times are the same in each run."""

    def now(self) -> float:
        """Seconds since 1970, by the clock of the provider."""
        return self._clock()


_providers: dict[str, Provider] = {}
_ports: Counter[str] = Counter()


def provider(name: str = "provider", *, clock: Callable[[], float] | None = None, **settings: Any) -> Provider:
    """Run a provider that makes the same values each time, at the same port if that is free.

    The one that this kernel has under this name is closed first, and the next has another port: a cell that runs again
    gets an empty provider, at which nobody is signed in. `clock` is for cells in which time passes: ``time.time``. All else is
    as in `DemoProvider`.
    """
    if name in _providers:
        _providers.pop(name).close()
    how = {"seed": f"{SEED}: {name}", "clock": clock or _standing, **settings}
    _providers[name] = _at_own_port(name, lambda port: Provider(port=port, **how).start())
    return _providers[name]


def _standing() -> float:
    return MOMENT


def _at_own_port(name: str, start: Callable[[int], T]) -> T:
    """Start it at a port for this name in this notebook, the next time at another; at a free one if many are taken."""
    for _ in range(20):
        _ports[name] += 1
        text = f"{os.environ.get('JPY_SESSION_NAME')} {name} {_ports[name]}"
        with contextlib.suppress(OSError):  # below the ports that systems give out by themselves
            return start(20_000 + zlib.crc32(text.encode()) % 10_000)
    return start(0)


class Served:
    """A web application on a thread of this kernel, on 127.0.0.1, until `close`."""

    def __init__(self, app: Any) -> None:
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._sockets: dict[int, Any] = {}
        named = f"app {getattr(app, 'name', '')}"
        listening = _at_own_port(named, lambda port: socket.create_server(("127.0.0.1", port)))
        self._server = waitress.create_server(app, sockets=[listening], map=self._sockets, threads=4)
        self.url = f"http://127.0.0.1:{self._server.effective_port}"
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return without_port(f"<an application at {self.url}>")

    def close(self) -> None:
        """Stop the server and free the port."""
        self._server.task_dispatcher.shutdown()
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets))
        self._thread.join()


def serve(app: Any) -> Served:
    """Run a web application in this kernel, at the same port each time if that is free."""
    return Served(app)


class ServedMCP:
    """An MCP server on a thread of this kernel, whose tools need an access token of the provider."""

    def __init__(self, issuer: str, *tools: Any) -> None:
        import uvicorn
        from mcp.server import MCPServer
        from mcp.server.auth.settings import AuthSettings

        listening = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.url = f"{self.origin}/mcp"
        auth = AuthSettings(issuer_url=issuer, resource_server_url=self.url, validate_token_resource=False)
        server = MCPServer("Notebook", token_verifier=_Verifier(issuer), auth=auth, log_level="ERROR")
        for tool in tools:
            server.tool()(tool)
        config = uvicorn.Config(server.streamable_http_app(), log_level="error")
        run = uvicorn.Server(config).run
        threading.Thread(target=run, kwargs={"sockets": [listening]}, daemon=True).start()


class _Verifier:
    def __init__(self, issuer: str) -> None:
        self._userinfo = f"{issuer}/userinfo"

    async def verify_token(self, token: str) -> Any:
        """Whose token it is, as the provider says; None if it is not valid."""
        import httpx2
        from mcp.server.auth.provider import AccessToken

        async with httpx2.AsyncClient() as client:
            answer = await client.get(self._userinfo, headers={"Authorization": f"Bearer {token}"})
        if answer.status_code != 200:
            return None
        return AccessToken(token=token, client_id="notebook", scopes=[], subject=answer.json()["sub"])


def serve_mcp(issuer: str, *tools: Any) -> ServedMCP:
    """Serve functions as the tools of an MCP server in this kernel, for those who are signed in at the provider."""
    return ServedMCP(issuer, *tools)


def need(*modules: str) -> str:
    """Raise `ModuleNotFoundError`, with the command to install them, unless these modules are installed."""
    importlib.invalidate_caches()
    missing = " ".join(module for module in modules if importlib.util.find_spec(module) is None)
    if missing:
        raise ModuleNotFoundError(f"Not installed: {missing}. Run this in a cell, then run this cell again: %pip install {missing}")
    return "All are installed."


def draw_holders(held: dict[str, list[str]]) -> None:
    """Draw which process holds which of its tokens: ``{"worker 0": ["access_token"]}``."""
    import matplotlib.pyplot as plt

    colors = {"refresh_token": "#cf222e", "access_token": "#0969da"}
    figure, axes = plt.subplots(figsize=(8, 1.8))
    for column, (process, names) in enumerate(held.items()):
        axes.add_patch(plt.Rectangle((column - 0.42, -0.6), 0.84, 2.2, fill=False, color="#8c959f"))
        axes.text(column, 1.75, process, ha="center")
        for row, (name, color) in enumerate(colors.items()):
            if name in names:
                label = name.replace("_", " ")
                axes.text(column, row, label, ha="center", va="center", color="white", backgroundcolor=color)
    axes.set(xlim=(-0.6, len(held) - 0.4), ylim=(-0.8, 2.2))
    axes.axis("off")
    plt.show()
    plt.close(figure)


class Callback:
    """The smallest client application: it stores the authorization responses sent to `redirect_uri`."""

    def __init__(self, path: str = "/callback") -> None:
        self.answers: list[dict[str, str]] = []
        app = Flask("callback")

        @app.get(path)
        def callback() -> str:
            self.answers.append(request.args.to_dict())
            return "Thank you. Go back to the notebook."

        self._served = serve(app)
        self.redirect_uri = self._served.url + path

    def last(self) -> dict[str, str]:
        """The parameters of the last authorization response."""
        return self.answers[-1]


def frame(served: Served, height: int = 160) -> Any:
    """The application in a frame of the notebook; the text of its page where nobody sees a frame."""
    from authnb.signin.environment import current_environment

    if current_environment().front_end != "notebook":
        with urlopen(served.url, timeout=10) as page:
            return Shown(text_of(page.read().decode()))
    from IPython.display import IFrame

    return IFrame(served.url, "100%", height)


def query(url: str) -> dict[str, str]:
    """The query parameters of a URL."""
    return dict(parse_qsl(urlsplit(url).query))


class Shown:
    """A value as `show` displays it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def show(value: Any) -> Shown:
    """Display a dictionary or an address whole, one parameter per line.

    A JWT is shown without its signature, as whoever has that has the token. Tokens, codes and secrets that are not
    those of `provider` are shown by their length.
    """
    return Shown(_address(value) if isinstance(value, str) and "?" in value else _written(_seen(value), ""))


def _address(url: str) -> str:
    start, _, query = url.partition("?")
    return f"{start}\n  ?" + "\n  &".join(query.split("&"))


def _seen(value: Any, name: Any = None) -> Any:
    if isinstance(value, str):
        value = re.sub(r"\b(eyJ[\w-]+\.[\w-]+\.)[\w-]+", r"\1…", value)
        own = value.startswith(("learn_", "eyJ"))
        return f"({len(value)} characters)" if name in SECRETS and not own else value
    if hasattr(value, "keys"):
        return {key: _seen(value[key], key) for key in value}
    if isinstance(value, (list, tuple)):
        return type(value)(_seen(item) for item in value)
    return value


def _written(value: Any, indent: str) -> str:
    """As Python writes it, each item of a dictionary on its own line."""
    inner = f"{indent} "
    if isinstance(value, dict) and value:
        lines = (f"{key!r}: {_written(item, inner + ' ' * (len(repr(key)) + 2))}" for key, item in value.items())
        return "{" + f",\n{inner}".join(lines) + "}"
    if isinstance(value, (list, tuple)) and any(isinstance(item, dict) for item in value):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return opening + f",\n{inner}".join(_written(item, inner) for item in value) + closing
    return repr(value)


def short(values: dict[str, Any]) -> dict[str, Any]:
    """The same values for display: long ones replaced by their length, ports removed."""
    return {name: _short(value) for name, value in values.items()}


def without_port(text: str) -> str:
    """The text without loopback ports, which differ from run to run."""
    return re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1", text)


def _short(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = without_port(value)
    if " " not in text and len(text) > 20 and not text.startswith("http"):
        return f"{text[:4]}… ({len(text)} characters)" if text.startswith("eyJ") else f"({len(text)} characters)"
    return text
