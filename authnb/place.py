"""Where we run: is somebody there to sign in, and which browser can reach us. Each answer with its evidence.

Nothing here asks anything of anybody: `look` reads an environment, `read_front_end` a report of the panel.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.transport import is_secure

if TYPE_CHECKING:
    from collections.abc import Mapping

# Each names a way in which the kernel's machine is not the browser's. What is set inside another comes first.
_REMOTE = {
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
_SENDS_ON = "/hub/user-redirect/"  # JupyterHub: to the same path of the server of whoever is signed in


@dataclass(frozen=True, kw_only=True)
class Place:
    """What surrounds the code that signs in.

    ``front_end``: ``notebook`` (a kernel whose cells a person reads), ``terminal``, or None if nobody
    reads. ``opens_pages``: whether a browser can be started from here. ``takes_lines``: whether a person can
    type a line. ``remote``: why the person's browser is on another machine, or None if it is on this one as far
    as can be told; ``doubt``: why that may be wrong. ``base_url``: the path under which the person's Jupyter
    server answers, where the environment tells; ``public_url``: its whole address; ``callback_page``: the address
    that an administrator registered for everybody.
    """

    front_end: str | None
    in_kernel: bool
    opens_pages: bool
    takes_lines: bool = False
    remote: str | None
    doubt: str | None = None
    base_url: str | None = None
    public_url: str | None = None
    callback_page: str | None = None

    @property
    def somebody_there(self) -> bool:
        """Whether a sign-in can be shown to a person, or to the program that ``BROWSER`` names."""
        return self.front_end is not None or self.opens_pages


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """Where the person's browser sees us, as the panel reported and `read_front_end` checked.

    ``page``: the address that leads to the callback page there, if it answers; ``proxy``: the address below which
    jupyter-server-proxy passes on to a port of this machine, if it does; ``own_page``: the server's own callback
    page, on which the browser ends also where everybody has the same ``page``.
    """

    origin: str
    page: str | None
    proxy: str | None
    own_page: str | None = None


def here() -> Place:
    """The place this code runs in now."""
    container = any(Path(name).exists() for name in _CONTAINER_FILES)
    kernel = _kernel()
    return look(os.environ, kernel=kernel, tty=_has_terminal(), platform=sys.platform, container=container)


def look(
    environ: Mapping[str, str], *, kernel: Any, tty: bool, platform: str, container: bool = False
) -> Place:
    """The place with this environment.

    A person is there if the front end takes input (nbclient, papermill and nbval say it does not) or there
    is a terminal; ``AUTHNB_INTERACTIVE`` set to 0 or 1 overrules both. ``AUTHNB_REMOTE`` overrules what else
    says whether the person's browser is on another machine.
    """
    front_end = None
    asks = kernel is not None and bool(getattr(kernel, "_allow_stdin", False))
    if kernel is not None:
        front_end = "notebook" if asks else None
    elif tty:
        front_end = "terminal"
    overruled = environ.get("AUTHNB_INTERACTIVE")
    if overruled == "0":
        front_end = None
    elif overruled == "1":
        front_end = "notebook" if kernel is not None else "terminal"
    remote = _remote(environ)
    opens_pages = _opens_pages(environ, front_end, remote, platform)
    doubtful = (container or bool(environ.get("container"))) and not environ.get("AUTHNB_REMOTE")
    return Place(
        front_end=front_end,
        in_kernel=kernel is not None,
        opens_pages=opens_pages,
        takes_lines=front_end is not None and (asks if kernel is not None else tty),
        remote=remote,
        doubt="this is a container, whose 127.0.0.1 is its own" if doubtful and not opens_pages else None,
        base_url=environ.get("JUPYTERHUB_SERVICE_PREFIX"),
        public_url=environ.get("AUTHNB_PUBLIC_URL") or environ.get("JUPYTERHUB_PUBLIC_URL"),
        callback_page=environ.get("AUTHNB_CALLBACK_PAGE"),
    )


def read_front_end(report: Mapping[str, Any], place: Place) -> FrontEnd:
    """What the panel reports of itself, checked before any of it becomes a redirect address.

    Raises `ValueError` with the reason where it is not the address of a Jupyter server that a code may be
    sent to: an origin (RFC 6454) with https, or http on loopback, without user information; a path that ends
    in a slash and, on a Hub, is the one the Hub gave this server.
    """
    origin, base_url = report.get("origin"), report.get("base_url")
    if not isinstance(origin, str) or not is_secure(origin) or origin != _origin(origin):
        raise ValueError(f"its page is at {str(origin)[:200]!r}, which is neither https nor on this machine")
    if not isinstance(base_url, str) or not _PATH.fullmatch(base_url) or _climbs(base_url):
        raise ValueError(f"its server's path is {str(base_url)[:200]!r}, which is none")
    if place.base_url is not None and base_url != place.base_url:
        raise ValueError(f"its server's path is {base_url[:200]!r}, while the Hub gave {place.base_url!r}")
    page = report.get("page")
    own = origin + page if isinstance(page, str) and _is_callback_page(page, base_url) else None
    return FrontEnd(
        origin=origin,
        page=_page_for_everybody(place, origin, own) or own,
        proxy=f"{origin}{base_url}proxy/" if report.get("proxied") is True else None,
        own_page=own,
    )


def public_proxy(place: Place) -> str | None:
    """The address below which ports are passed on, by the environment alone: for where no panel reports."""
    address = (place.public_url or "").rstrip("/")
    return f"{address}/proxy/" if is_secure(address) and not set(address) & set("?#") else None


def _is_callback_page(path: str, base_url: str) -> bool:
    folder = path.removesuffix(CALLBACK_PAGE) + "/"
    return (
        path.endswith(CALLBACK_PAGE)
        and path.startswith(base_url)
        and bool(_PATH.fullmatch(folder))
        and not _climbs(folder)
    )


def _page_for_everybody(place: Place, origin: str, own: str | None) -> str | None:
    """The address an administrator registered, where a panel of this origin hears what comes back to it.

    It is a page of this origin; or one of a Hub, here or on a domain above, that sends browsers on to the ``own`` page.
    """
    page = place.callback_page or ""
    if not is_secure(page) or set(page) & set("?#"):
        return None
    if _SENDS_ON not in page:
        return page if page.startswith(f"{origin}/") else None
    named, seen = urlsplit(page), urlsplit(origin)
    above = named.scheme == seen.scheme and f".{seen.hostname}".endswith(f".{named.hostname}")
    return page if above and own is not None else None


def _climbs(path: str) -> bool:
    return bool({".", ".."} & set(path.split("/"))) or (
        "%" in path and re.search("%2[ef]|%5c", path, re.IGNORECASE) is not None
    )


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _remote(environ: Mapping[str, str]) -> str | None:
    overruled = environ.get("AUTHNB_REMOTE")
    if overruled in {"0", "1"}:
        return "AUTHNB_REMOTE says that your browser is on another machine" if overruled == "1" else None
    return next((why for name, why in _REMOTE.items() if environ.get(name)), None)


def _opens_pages(
    environ: Mapping[str, str], front_end: str | None, remote: str | None, platform: str
) -> bool:
    if front_end == "notebook":
        return False  # the person clicks: a page opened by the kernel may open on another machine
    if environ.get("BROWSER"):
        return True
    if front_end is None or remote is not None:
        return False
    return platform in {"darwin", "win32"} or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def _kernel() -> Any:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None)


def _has_terminal() -> bool:
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
