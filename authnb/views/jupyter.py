"""The panel in a Jupyter notebook: IPython's display, ipykernel's messages, the Jupyter server's interrupt."""

from __future__ import annotations

import os
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authnb.messages import gettext
from authnb.signin.presence import current_kernel, is_from_notebook, is_served
from authnb.views.running_cells import keep_cells_apart

if TYPE_CHECKING:
    from authnb.signin.login import Login
    from authnb.views.widget import Panel

_WIDGET = "application/vnd.jupyter.widget-view+json"


class JupyterOutput:
    """A panel in the outputs of a cell, with a text output beside it for front ends without widgets.

    ``refused``: whether a front end closed the comm, as those do that do not know its target (Jupyter's messaging
    protocol, "Opening a Comm").
    """

    one_person = True

    def __init__(self) -> None:
        self.refused: bool = False
        self._text_display: Any = None
        self._in_notebook = False

    def show(self, panel: Panel, text: str) -> None:
        """Display both in the running cell."""
        from IPython.display import display  # noqa: PLC0415 - there is a kernel, so it is loaded

        keep_cells_apart()
        self._in_notebook = is_served(os.environ) or is_from_notebook(current_kernel())
        if panel.comm is not None:
            panel.comm.on_close(self._on_close)
        widget = {"model_id": panel.model_id, "version_major": 2, "version_minor": 0}
        plain = str(gettext("A panel to sign in. Where widgets are not shown, a link follows."))
        display({_WIDGET: widget, "text/plain": plain}, raw=True)  # type: ignore[no-untyped-call] # IPython's
        self._text_display = display(_mime_bundle(text), raw=True, display_id=True)  # type: ignore[no-untyped-call] # IPython's

    def update(self, text: str) -> None:
        """Update the text output."""
        self._text_display.update(_mime_bundle(text), raw=True)

    def why_clicks_unheard(self, login: Login) -> str | None:
        """Why this kernel processes no click while the cell waits, or None if it does.

        Before 7 a kernel is sequential. From 7.1 on, widget messages are processed on subshells beside a running cell;
        7.4 binds them to the cell's thread, which `Login.wait` blocks.
        """
        version: tuple[int, ...] = getattr(sys.modules.get("ipykernel"), "version_info", (7, 3))[:2]
        if not login.awaited or (version >= (7,) and not (login.blocks_thread and version >= (7, 4))):
            return None
        number = ".".join(map(str, version))
        if version >= (7,):
            return gettext(
                "While this cell waits, ipykernel {version} processes no click but Cancel. Use await in place of "
                "wait().",
                version=number,
            )
        return gettext(
            "While this cell waits, ipykernel {version} processes no click but Cancel. Upgrade it (pip install -U "
            "ipykernel) and restart the kernel; or do not wait in the cell: begin with signin = authnb.{function}(…), "
            "and show signin on the last line.",
            version=number,
            function="signup" if login.sign_up else "login",
        )

    def page(self) -> dict[str, str | None]:
        """The kernel's id as the Jupyter server knows it, for its interrupt."""
        kernel = _kernel_id()
        return {
            "kernel": kernel,
            "busy": kernel and gettext("The kernel is busy: press the notebook's ■ button."),
        }

    def on_phase_shown(self, login: Login) -> None:
        """Nothing: no cell runs by itself."""

    def why_no_answer(self, login: Login) -> str | None:
        """Why no front end may have answered the panel, and the remedy; None where an answer may take longer."""
        if os.environ.get("VOILA_REQUEST_URL"):
            why = gettext(
                "Voilà shows its page once all cells have run: end the cell with the sign-in itself, without await."
            )
            return why if login.awaited else None
        if not self._in_notebook:
            return gettext(
                "No panel is shown here, as this front end has no widgets; JupyterLab, Notebook and VS Code have."
            )
        if self.refused:
            return gettext(
                "No panel is shown here, as widgets are not installed where the Jupyter server runs: pip install "
                "authnb there, and reload the page."
            )
        why = gettext(
            "No panel is shown here. Either widgets are not installed where the Jupyter server runs: pip install "
            "authnb there, and reload the page. Or this notebook is not trusted: choose Trust Notebook in "
            "JupyterLab's command palette."
        )
        unheard = self.why_clicks_unheard(login)
        if unheard is None:
            return why
        return gettext(
            "{why} Or a panel is shown, but its answer was not processed. {unheard}", why=why, unheard=unheard
        )

    def _on_close(self, _message: object) -> None:
        self.refused = True


def _kernel_id() -> str | None:
    ipykernel = sys.modules.get("ipykernel")
    if ipykernel is None:
        return None
    from ipykernel.connect import get_connection_file  # noqa: PLC0415 - there is a kernel

    try:
        return Path(get_connection_file()).stem.removeprefix("kernel-")
    except RuntimeError:
        return None


def unsupported_kernel() -> str | None:
    """Why the panel cannot work in this kernel, or None."""
    version = getattr(sys.modules.get("ipykernel"), "__version__", "")
    if not version.startswith("7.0."):
        return None
    return gettext(
        "ipykernel {version} cannot update widgets from a thread, so the sign-in is shown without the panel. Upgrade "
        "it: pip install -U ipykernel, then restart the kernel.",
        version=version,
    )


def _mime_bundle(text: str) -> dict[str, str]:
    return {"text/plain": text, "text/html": f'<p class="authnb-text">{escape(text)}</p>'}
