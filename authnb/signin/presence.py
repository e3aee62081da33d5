"""Evidence that a person is present, and the channel on which text or a page reaches them."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from authnb.errors import InteractionRequired
from authnb.messages import gettext

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ANSWER_TIMEOUT = 8.0  # seconds in which a front end draws the panel
# Set by servers whose pages show what the kernel displays. Programs that the kernel starts inherit them.
_SERVED = ("JPY_SESSION_NAME", "VOILA_REQUEST_URL")


def is_terminal(stream: object) -> bool:
    """Whether this standard stream is a terminal; False for None, a closed stream, and one without ``isatty``."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined] # whatever sys.stderr was replaced with
    except (AttributeError, ValueError, OSError):
        return False


def text_stream() -> TextIO | None:
    """The standard stream on which a person reads text: standard error, else standard output, if a terminal."""
    return next((stream for stream in (sys.stderr, sys.stdout) if is_terminal(stream)), None)


def names_browser(environ: Mapping[str, str]) -> bool:
    """Whether ``BROWSER`` names a program that is there, in the syntax of Python's `webbrowser`."""
    for command in environ.get("BROWSER", "").split(os.pathsep):
        try:
            words = shlex.split(command)
        except ValueError:  # an unmatched quote
            continue
        if words and shutil.which(words[0], path=environ.get("PATH")):
            return True
    return False


def current_kernel() -> Any:
    """The ipykernel of this process, or None."""
    # Without it while another thread imports IPython: then this is no kernel
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return getattr(get_ipython() if get_ipython else None, "kernel", None)


def current_request(kernel: Any) -> Mapping[str, Any]:
    """The message that this kernel processes now; empty if it does not tell."""
    get_parent = getattr(kernel, "get_parent", None)
    return (get_parent("shell") if get_parent is not None else None) or {}


def is_from_notebook(kernel: Any) -> bool:
    """Whether a notebook's cell runs: JupyterLab, Notebook 7 and VS Code name the cell; nbclient and nbval do not."""
    return "cellId" in current_request(kernel).get("metadata", {})


def is_served(environ: Mapping[str, str]) -> bool:
    """Whether a server's page may show what this process displays."""
    return any(environ.get(name) for name in _SERVED)


def kernel_presence(
    environ: Mapping[str, str], kernel: Any, *, desktop: bool, client_terminal: bool
) -> bool | None:
    """Whether a person reads what this kernel displays; None where only an answer of the front end tells.

    ``allow_stdin`` alone proves nothing: `jupyter_client` sends True by default, Voilà and jupyter-server-documents
    send False with people there. ``desktop``: whether windows can be opened; ``client_terminal``: whether the program
    that started the kernel has a terminal, as Jupyter Console has.
    """
    if current_request(kernel).get("header", {}).get("msg_type") == "comm_msg":
        return True  # a click in a widget
    from_notebook = is_from_notebook(kernel)
    if getattr(kernel, "_allow_stdin", False):
        return True if from_notebook or desktop or client_terminal else None
    return None if from_notebook or is_served(environ) else False


def client_has_terminal(environ: Mapping[str, str]) -> bool:
    """Whether the program that started this kernel has a controlling terminal, where /proc tells (proc_pid_stat(5))."""
    try:
        stat = Path(f"/proc/{int(environ.get('JPY_PARENT_PID', ''))}/stat").read_text(encoding="utf-8")
        terminal = stat.rpartition(")")[2].split()[4]
    except (OSError, ValueError, IndexError):
        return False
    return terminal != "0"


def interaction_required(why: str) -> InteractionRequired:
    """The error for a sign-in that no person can finish; ``why``: the rest of the sentence, after "and"."""
    return InteractionRequired(
        "interaction_required",
        gettext(
            "Signing in needs a person, and {why} To run it without one, do one of these: sign in once by hand on this "
            "machine, with the same arguments and remember=True; use mode='client_credentials' with "
            "AUTHNB_CLIENT_SECRET or AUTHNB_CLIENT_KEY_FILE, so that the client signs in as itself; or use "
            "mode='token' with a token from a file (AUTHNB_TOKEN_FILE), JupyterHub or a CI system. AUTHNB_MODE sets "
            "the mode without a change to the code. If a person is present, set AUTHNB_INTERACTIVE=1.",
            why=why,
        ),
    )


def nobody_to_choose(names: Iterable[str]) -> InteractionRequired:
    """The error where the person would have to choose one of these providers."""
    return InteractionRequired(
        "interaction_required",
        f"Nobody is there to choose between {' and '.join(names)}. Name the one to sign in at.",
    )
