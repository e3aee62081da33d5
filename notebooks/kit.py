"""What several notebooks need: a server in the kernel, a place for the browser to come back to, short views."""

from __future__ import annotations

import logging
import re
import threading
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import waitress
from flask import Flask, request
from waitress import wasyncore


class Served:
    """A web application that runs in this kernel, on 127.0.0.1, on a thread, until `close`."""

    def __init__(self, app: Any) -> None:
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._sockets: dict[int, Any] = {}
        self._server = waitress.create_server(app, host="127.0.0.1", port=0, map=self._sockets, threads=4)
        self.url = f"http://127.0.0.1:{self._server.effective_port}"
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return without_port(f"<an application at {self.url}>")

    def close(self) -> None:
        """Stop, and free the port."""
        self._server.task_dispatcher.shutdown()
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets))
        self._thread.join()


def serve(app: Any) -> Served:
    """Run a web application in this kernel, on any free port."""
    return Served(app)


class Callback:
    """The smallest client application: it keeps what browsers bring back to `redirect_uri`."""

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
        """What the last browser brought."""
        return self.answers[-1]


def frame(served: Served, height: int = 160) -> Any:
    """The application in a frame of the notebook; where nobody looks, a line of text instead."""
    from authnb.place import here

    if here().front_end != "notebook":
        return "(In JupyterLab the application is shown here.)"
    from IPython.display import IFrame

    return IFrame(served.url, "100%", height)


def query(url: str) -> dict[str, str]:
    """The parameters in an address."""
    return dict(parse_qsl(urlsplit(url).query))


def short(values: dict[str, Any]) -> dict[str, Any]:
    """The same with long values told by their length, and without ports: for looking at, not for using."""
    return {name: _short(value) for name, value in values.items()}


def without_port(text: str) -> str:
    """The text with ports of this computer left out: they differ from run to run."""
    return re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1", text)


def _short(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = without_port(value)
    if " " not in text and len(text) > 20 and not text.startswith("http"):
        return f"{text[:4]}… ({len(text)} characters)" if text.startswith("eyJ") else f"({len(text)} characters)"
    return text
