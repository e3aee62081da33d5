"""Whether this code serves visitors: several people in one process, none of whom may be given another's sign-in.

The evidence is what runs, not what is installed or imported: what a framework says of this thread or process, or a
frame of it below the caller's. A script or notebook may import Streamlit and run nothing of it.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from authnb.errors import InteractionRequired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

VOILA = "Voilà"  # runs a notebook kernel for each visitor, where the panel can be displayed

_VOILA_VARIABLES = ("VOILA_REQUEST_URL", "VOILA_PREHEAT")
# By module: the framework, and whether it runs the caller
_RUNTIMES: dict[str, tuple[str, Callable[[Any], object]]] = {
    "streamlit.runtime": ("Streamlit", lambda runtime: runtime.exists()),
    "solara.server.kernel_context": ("Solara", lambda context: context.has_current_context()),
    "panel.io.state": ("Panel", lambda panel: panel.state.curdoc.session_context),
    "uwsgi": ("uWSGI", lambda _: True),  # only its own processes have this module
    "mod_wsgi": (
        "mod_wsgi",
        lambda module: hasattr(module, "process_group"),
    ),  # the package of that name has none
}
# By package: the framework or server that calls the caller, if one of its functions does
_CALLERS = {
    "aiohttp.web": "aiohttp",
    "aiohttp.web_protocol": "aiohttp",
    "awslambdaric": "AWS Lambda",
    "azure_functions_worker": "Azure Functions",
    "bokeh.server": "Bokeh",
    "cheroot": "Cheroot",
    "cherrypy": "CherryPy",
    "daphne": "Daphne",
    "dash": "Dash",
    "django.core.handlers": "Django",
    "eventlet.wsgi": "eventlet",
    "fastapi": "FastAPI",
    "flask.app": "Flask",
    "gevent.pywsgi": "gevent",
    "gradio": "Gradio",
    "granian": "Granian",
    "gunicorn": "gunicorn",
    "http.server": "http.server",
    "hypercorn": "Hypercorn",
    "nicegui": "NiceGUI",
    "quart.app": "Quart",
    "sanic": "Sanic",
    "shiny": "Shiny",
    "socketserver": "socketserver",
    "solara.server": "Solara",
    "starlette": "Starlette",
    "streamlit.runtime": "Streamlit",
    "tornado.web": "Tornado",
    "twisted.web": "Twisted",
    "uvicorn": "uvicorn",
    "waitress": "waitress",
    "websockets.asyncio.server": "websockets",
    "websockets.legacy.server": "websockets",
    "werkzeug.serving": "Werkzeug",
    "wsgiref": "wsgiref",
}
_POOL = "anyio._backends"  # where Starlette calls functions that are not coroutines, with no frame of its own


def web_framework(environ: Mapping[str, str], *, in_kernel: bool) -> str | None:
    """The name of the web framework or server whose worker runs the caller; None elsewhere.

    A cell of a notebook is not a visitor of the server that runs on the same event loop.
    """
    if any(environ.get(name) for name in _VOILA_VARIABLES):
        return VOILA
    for module, (name, runs) in _RUNTIMES.items():
        with suppress(AttributeError):  # of another version, or outside a session
            if module in sys.modules and runs(sys.modules[module]):
                return name
    return _caller() or (None if in_kernel else _server_of_loop())


def on_main_thread() -> bool:
    """Whether this is the main thread of the program; a server gives its visitors others."""
    return threading.current_thread() is threading.main_thread()


def no_view(server: str | None) -> InteractionRequired:
    """The error where a visitor has to sign in, and no view reaches them."""
    why = (
        f"its terminal is not that of a visitor of {server}"
        if server
        else "only the main thread may use a program's terminal, for others may serve other people"
    )
    return InteractionRequired(
        "interaction_required",
        f"Signing in needs a person, and authnb can show them nothing here: {why}. Show it in the page of your app: "
        "signin = authnb.login(…, mode='device', view=None), then the address and the code of signin.verification(); "
        "signin.session is there once they signed in. Keep signin in what the app keeps for each visitor, not in a "
        "global. For an account of the app itself, sign in on the main thread before the server starts.",
    )


def shared_sign_in(server: str | None) -> ValueError:
    """The error for a sign-in that is to be remembered, where the next visitor would be given it."""
    return ValueError(
        "remember=True keeps one sign-in for each profile on this machine, and "
        f"{f'{server} runs this for several visitors' if server else 'a thread may serve several people'}: the second "
        "would be signed in as the first. Give each a profile= of their own, by a name they cannot choose, such as "
        "their account in your app; or a storage= of their own; or leave remember= out."
    )


def _caller() -> str | None:
    """The innermost framework or server on the stack, which is that of the event loop, too."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - inspect.stack() reads source files
    while frame is not None:
        if name := _framework_of(frame):
            return name
        frame = frame.f_back
    return None


def _server_of_loop() -> str | None:
    """A framework or server of which a task of the running event loop executes a coroutine."""
    with suppress(KeyError, RuntimeError):  # no event loop
        asyncio = sys.modules["asyncio"]
        serve_forever = asyncio.Server.serve_forever.__code__  # its handlers have no frame of it
        for task in asyncio.all_tasks():
            coroutine = task.get_coro()
            while coroutine is not None:
                frame = getattr(coroutine, "cr_frame", None)
                if frame is not None and (name := _framework_of(frame)):
                    return name
                if getattr(coroutine, "cr_code", None) is serve_forever:
                    return "asyncio"
                coroutine = getattr(coroutine, "cr_await", None)
    return None


def _framework_of(frame: FrameType) -> str | None:
    package = str(frame.f_globals.get("__name__"))
    while package:
        if package in _CALLERS:
            return _CALLERS[package]
        if package == _POOL and "starlette" in sys.modules and not on_main_thread():
            return "FastAPI" if "fastapi" in sys.modules else "Starlette"
        package = package.rpartition(".")[0]
    return None
