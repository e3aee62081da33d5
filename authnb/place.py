"""Where we run: is somebody there to sign in, and which browser can reach us."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Each names a way in which the kernel's machine is not the browser's.
_REMOTE = {
    "JUPYTERHUB_SERVICE_PREFIX": "the kernel runs on a JupyterHub",
    "BINDER_SERVICE_HOST": "the kernel runs on Binder",
    "COLAB_RELEASE_TAG": "the kernel runs on Colab",
    "CODESPACES": "the kernel runs in a codespace",
    "SSH_CONNECTION": "this machine was reached over SSH",
    "KUBERNETES_SERVICE_HOST": "the kernel runs in a container",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """What surrounds the code that signs in.

    ``front_end``: ``notebook`` (a kernel whose cells a person reads), ``terminal``, or None if nobody
    reads. ``opens_pages``: whether a browser can be started from here. ``remote``: why the person's browser
    is on another machine, or None if it is on this one.
    """

    front_end: str | None
    in_kernel: bool
    opens_pages: bool
    remote: str | None

    @property
    def somebody_there(self) -> bool:
        """Whether a sign-in can be shown to a person, or to the program that ``BROWSER`` names."""
        return self.front_end is not None or self.opens_pages


def here() -> Place:
    """The place this code runs in now."""
    return look(os.environ, kernel=_kernel(), tty=_has_terminal(), platform=sys.platform)


def look(environ: Mapping[str, str], *, kernel: Any, tty: bool, platform: str) -> Place:
    """The place with this environment.

    A person is there if the front end takes input (nbclient, papermill and nbval say it does not) or there
    is a terminal; ``AUTHNB_INTERACTIVE`` set to 0 or 1 overrules both.
    """
    front_end = None
    if kernel is not None:
        front_end = "notebook" if getattr(kernel, "_allow_stdin", False) else None
    elif tty:
        front_end = "terminal"
    overruled = environ.get("AUTHNB_INTERACTIVE")
    if overruled == "0":
        front_end = None
    elif overruled == "1":
        front_end = "notebook" if kernel is not None else "terminal"
    remote = next((why for name, why in _REMOTE.items() if environ.get(name)), None)
    return Place(
        front_end=front_end,
        in_kernel=kernel is not None,
        opens_pages=_opens_pages(environ, front_end, remote, platform),
        remote=remote,
    )


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
