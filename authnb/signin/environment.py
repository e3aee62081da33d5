"""The runtime environment: whether a person is present, and whether their browser can reach this machine.

Nothing here does network I/O: `detect` reads environment variables, `read_front_end` checks the front end's report.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.signin.marimo import current_notebook
from authnb.signin.presence import (
    client_has_terminal,
    current_kernel,
    is_served,
    is_terminal,
    kernel_presence,
    names_browser,
    text_stream,
)
from authnb.signin.visitors import VOILA, on_main_thread, web_framework
from authnb.transport.http import is_secure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authnb.signin.marimo import MarimoNotebook

# Variables of environments whose kernel is not on the browser's machine, innermost first
_REMOTE_VARIABLES = {
    "BINDER_SERVICE_HOST": "the kernel runs on Binder",
    "JUPYTERHUB_SERVICE_PREFIX": "the kernel runs on a JupyterHub",
    "COLAB_RELEASE_TAG": "the kernel runs on Colab",
    "KAGGLE_KERNEL_RUN_TYPE": "the kernel runs on Kaggle",
    "DATABRICKS_RUNTIME_VERSION": "the kernel runs on Databricks",
    "SAGEMAKER_APP_TYPE": "the kernel runs in SageMaker Studio",
    "SAGEMAKER_INTERNAL_IMAGE_URI": "the kernel runs in SageMaker Studio",
    "DEEPNOTE_PROJECT_ID": "the kernel runs on Deepnote",
    "CODESPACES": "the kernel runs in a codespace",
    "GITPOD_WORKSPACE_ID": "the kernel runs on Gitpod",
    "CODER": "the kernel runs in a Coder workspace",
    "REMOTE_CONTAINERS": "the kernel runs in a dev container",
    "VSCODE_AGENT_FOLDER": "VS Code reaches this machine from another",
    "SSH_CONNECTION": "this machine was reached over SSH",
    "KUBERNETES_SERVICE_HOST": "the kernel runs in a container",
}
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_PATH = re.compile(r"/(?:[\w.~!$&'()*+,;=:@%-]+/)*", re.ASCII)
CALLBACK_PAGE = "/authnb/callback.html"
_USER_REDIRECT = "/hub/user-redirect/"  # JupyterHub redirects to the same path on the user's own server


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The environment of the code that signs in.

    ``front_end``: ``notebook`` (an interactive kernel), ``terminal``, or None if no text reaches a person.
    ``needs_answer``: whether only an answer of the front end would show that a person is present.
    ``can_open_browser``: whether a browser can be started on this machine. ``can_prompt``: whether a person can
    type a line. ``remote``: why the browser is on another machine, None if it appears to be on this one; ``doubt``:
    why that may be wrong. ``base_url``: the base path of the Jupyter server, if known; ``public_url``: its
    public URL; ``callback_page``: the callback page that an administrator registered for all users. ``marimo``: the
    mode of the marimo notebook that runs the code, ``edit`` or ``run``. ``server``: the web framework or server whose
    worker runs the code, None elsewhere; ``one_person``: whether one person only uses this code: in a notebook kernel
    of their own, or on the main thread of a program that is no server.
    """

    front_end: str | None
    in_kernel: bool
    can_open_browser: bool
    needs_answer: bool = False
    can_prompt: bool = False
    remote: str | None
    doubt: str | None = None
    base_url: str | None = None
    public_url: str | None = None
    callback_page: str | None = None
    marimo: str | None = None
    server: str | None = None
    one_person: bool = True

    @property
    def in_worker(self) -> bool:
        """Whether this is a web server's worker, or a thread that may be one: authnb can show its visitor nothing."""
        return not self.one_person and not self.in_kernel

    @property
    def interactive(self) -> bool:
        """Whether a sign-in can be shown to a person, or to the program in ``BROWSER``."""
        return self.front_end is not None or self.can_open_browser


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """The Jupyter server as the browser reaches it, reported by the panel and checked by `read_front_end`.

    ``page``: URL of the callback page, if it is served; ``proxy``: base URL of jupyter-server-proxy, if it runs;
    ``own_page``: the callback page of this server, where the browser ends even if ``page`` is shared by all users.
    """

    origin: str
    page: str | None
    proxy: str | None
    own_page: str | None = None


def current_environment() -> Environment:
    """The environment of this process."""
    kernel, notebook = current_kernel(), current_notebook()
    found = detect(
        os.environ,
        kernel=kernel,
        tty=text_stream() is not None,
        typed=is_terminal(sys.stdin),
        platform=sys.platform,
        container=any(Path(name).exists() for name in _CONTAINER_FILES),
        client_terminal=client_has_terminal(os.environ),
        server=None if notebook else web_framework(os.environ, in_kernel=kernel is not None),
        main_thread=notebook is not None or on_main_thread(),
    )
    return found if notebook is None else in_marimo(found, notebook, os.environ)


def in_marimo(found: Environment, notebook: MarimoNotebook, environ: Mapping[str, str]) -> Environment:
    """The same environment, for the code of a marimo notebook: a person is there if a page shows it.

    As an app (``marimo run``) it has visitors, each with a page of their own.
    """
    shown = environ.get("AUTHNB_INTERACTIVE") or str(int(notebook.origin is not None))
    return replace(
        found,
        front_end="notebook" if shown == "1" else None,
        needs_answer=False,
        in_kernel=True,
        can_open_browser=False,
        can_prompt=False,
        remote=found.remote if environ.get("AUTHNB_REMOTE") else found.remote or notebook.remote,
        marimo=notebook.mode,
        server="marimo run" if notebook.mode == "run" else None,
        one_person=notebook.mode != "run",
    )


def detect(
    environ: Mapping[str, str],
    *,
    kernel: Any,
    tty: bool,
    platform: str,
    typed: bool = False,
    container: bool = False,
    client_terminal: bool = False,
    server: str | None = None,
    main_thread: bool = True,
) -> Environment:
    """The environment described by these variables and facts.

    ``tty``: whether standard error or output is a terminal; ``typed``: whether standard input is one;
    ``client_terminal``: whether the program that started the kernel has one. A person is present where a channel
    reaches them: a front end that shows what the kernel displays (`kernel_presence`), a terminal, or a browser that
    can be started. The terminal of a program that a kernel started (``!python script.py``) is the kernel's own; that
    of a web server, or of another thread than the main one, is not its visitors'. ``AUTHNB_INTERACTIVE`` set to 0 or 1
    overrides the detection of a person, ``AUTHNB_REMOTE`` that of a remote kernel. `ValueError` if one of them is set
    to anything else.
    """
    if server not in {None, VOILA}:
        kernel = None  # the server of an app may run in a kernel, and Solara imitates one
    in_kernel, below_kernel = kernel is not None, kernel is None and bool(environ.get("JPY_PARENT_PID"))
    one_person = server is None and (main_thread or in_kernel)
    in_worker = not one_person and not in_kernel
    desktop = platform in {"darwin", "win32"} or bool(
        environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    )
    override = _switch(environ, "AUTHNB_INTERACTIVE")
    present: bool | None
    if in_worker:
        present = False
    elif override is not None:
        present = override == "1"
    elif in_kernel:
        present = kernel_presence(environ, kernel, desktop=desktop, client_terminal=client_terminal)
    elif below_kernel:
        present = tty and is_served(environ)
    else:
        present = tty or typed
    front_end = None
    if in_kernel and present is not False:
        front_end = "notebook"
    elif present and (tty or override == "1"):
        front_end = "terminal"
    remote = _remote(environ) or (_visitors_elsewhere(environ, server) if in_worker else None)
    if not one_person or (in_kernel and present):
        can_open_browser = False  # the person clicks; the kernel may run on another machine
    elif environ.get("BROWSER"):
        can_open_browser = names_browser(environ)
    else:
        can_open_browser = not in_kernel and bool(present) and remote is None and desktop
    in_container = (container or bool(environ.get("container"))) and not environ.get("AUTHNB_REMOTE")
    return Environment(
        front_end=front_end,
        in_kernel=in_kernel,
        can_open_browser=can_open_browser,
        needs_answer=present is None and not can_open_browser,
        can_prompt=front_end is not None
        and (bool(getattr(kernel, "_allow_stdin", False)) if in_kernel else typed and not below_kernel),
        remote=remote,
        doubt="this is a container, whose 127.0.0.1 is its own"
        if in_container and not can_open_browser
        else None,
        base_url=environ.get("JUPYTERHUB_SERVICE_PREFIX"),
        public_url=environ.get("AUTHNB_PUBLIC_URL") or environ.get("JUPYTERHUB_PUBLIC_URL"),
        callback_page=environ.get("AUTHNB_CALLBACK_PAGE"),
        server=server,
        one_person=one_person,
    )


def read_front_end(report: Mapping[str, Any], environment: Environment) -> FrontEnd:
    """The front end in the panel's report, checked before any of it becomes part of a redirect URI.

    Raises `ValueError` with the reason unless it is the address of a Jupyter server: an origin (RFC 6454) with https,
    or http on loopback, without user information; a base path that ends in a slash and, on a JupyterHub, is the one
    in ``JUPYTERHUB_SERVICE_PREFIX``.
    """
    origin, base_url = report.get("origin"), report.get("base_url")
    if not isinstance(origin, str) or not is_secure(origin) or origin != _origin(origin):
        raise ValueError(f"its page is at {str(origin)[:200]!r}, which is neither https nor on this machine")
    if not isinstance(base_url, str) or not _PATH.fullmatch(base_url) or _has_dot_segments(base_url):
        raise ValueError(f"its server's path is {str(base_url)[:200]!r}, which is none")
    if environment.base_url is not None and base_url != environment.base_url:
        raise ValueError(
            f"its server's path is {base_url[:200]!r}, while the Hub gave {environment.base_url!r}"
        )
    page = report.get("page")
    own = origin + page if isinstance(page, str) and _is_callback_page(page, base_url) else None
    return FrontEnd(
        origin=origin,
        page=_shared_callback_page(environment, origin, own) or own,
        proxy=f"{origin}{base_url}proxy/" if report.get("proxied") is True else None,
        own_page=own,
    )


def public_proxy(environment: Environment) -> str | None:
    """The base URL of jupyter-server-proxy according to the environment, for views without a panel."""
    address = (environment.public_url or "").rstrip("/")
    return f"{address}/proxy/" if is_secure(address) and not set(address) & set("?#") else None


def _is_callback_page(path: str, base_url: str) -> bool:
    folder = path.removesuffix(CALLBACK_PAGE) + "/"
    return (
        path.endswith(CALLBACK_PAGE)
        and path.startswith(base_url)
        and bool(_PATH.fullmatch(folder))
        and not _has_dot_segments(folder)
    )


def _shared_callback_page(environment: Environment, origin: str, own: str | None) -> str | None:
    """``AUTHNB_CALLBACK_PAGE``, if a panel of this origin can receive the callback from it.

    It is a page of this origin, or a user-redirect URL of the Hub, on this or a parent domain, to the ``own`` page.
    """
    page = environment.callback_page or ""
    if not is_secure(page) or set(page) & set("?#"):
        return None
    if _USER_REDIRECT not in page:
        return page if page.startswith(f"{origin}/") else None
    registered, ours = urlsplit(page), urlsplit(origin)
    same_site = registered.scheme == ours.scheme and f".{ours.hostname}".endswith(f".{registered.hostname}")
    return page if same_site and own is not None else None


def _has_dot_segments(path: str) -> bool:
    return bool({".", ".."} & set(path.split("/"))) or (
        "%" in path and re.search("%2[ef]|%5c", path, re.IGNORECASE) is not None
    )


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _remote(environ: Mapping[str, str]) -> str | None:
    override = _switch(environ, "AUTHNB_REMOTE")
    if override is not None:
        return "AUTHNB_REMOTE says that your browser is on another machine" if override == "1" else None
    return next((why for name, why in _REMOTE_VARIABLES.items() if environ.get(name)), None)


def _visitors_elsewhere(environ: Mapping[str, str], server: str | None) -> str | None:
    known = _switch(environ, "AUTHNB_REMOTE") is not None
    return None if known else f"the browser of a visitor of {server or 'a server'} may be on another machine"


def _switch(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name) or None
    if value not in {None, "0", "1"}:
        raise ValueError(f"The environment variable {name} is {value!r}. Set it to 0 or 1, or remove it.")
    return value
