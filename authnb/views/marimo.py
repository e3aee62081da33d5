"""The panel in a marimo notebook."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from authnb.messages import N_, gettext
from authnb.signin.login import Login

if TYPE_CHECKING:
    from collections.abc import Callable

    from authnb.views.widget import Panel


class MarimoOutput:
    """A panel in the output of a cell. ``mode``: of the notebook; in ``edit`` the page can interrupt the kernel."""

    refused = False

    def __init__(self, mode: str) -> None:
        self._marimo: Any = sys.modules["marimo"]
        self._mode = mode
        self.one_person: bool = mode == "edit"
        self._session: object = None  # that the cells were run with

    def show(self, panel: Panel, text: str) -> object:
        """Append the panel to the output of the running cell; the element, for a cell that ends with it."""
        del text  # every marimo page shows widgets
        _on_cell_end(panel.close)  # as marimo does to its connection
        element = self._marimo.ui.anywidget(panel)
        self._marimo.output.append(element)
        return element

    def update(self, text: str) -> None:
        """Nothing: there is no text."""

    def why_clicks_unheard(self, login: Login) -> str | None:
        """Why marimo processes no click while the cell waits: it runs cells and processes messages in turn."""
        if not login.awaited:
            return None
        function = "signup" if login.sign_up else "login"
        if self._mode == "edit":
            return gettext(
                "While this cell waits, marimo processes no click but Cancel. To have buttons, do not wait: begin with "
                "signin = authnb.{function}(…), show signin on the last line, and read signin.session in another cell.",
                function=function,
            )
        return gettext(
            "While this cell waits, marimo processes no click. To have buttons, do not wait: begin with signin = "
            "authnb.{function}(…), show signin on the last line, and read signin.session in another cell.",
            function=function,
        )

    def page(self) -> dict[str, str | None]:
        """What panel.js needs for an interrupt."""
        # An app and a second tab have no button
        busy = {
            "run": N_("The kernel is busy: reload the page."),
            "edit": N_("The kernel is busy: take over the notebook first."),
        }
        way = busy.get(self._mode, N_("The kernel is busy: press the notebook's ■ button."))
        return {"marimo": self._mode, "busy": gettext(way)}

    def on_phase_shown(self, login: Login) -> None:
        """Run the cells that read the sign-in again, if its session is another than before."""
        session = login.session if login.status == "signed_in" and login.session.token else None
        if session is not self._session:
            self._session = session
            login._set_value(None)  # noqa: SLF001 - what marimo.state() gives as the setter

    def why_no_answer(self, login: Login) -> None:
        """None: every marimo page shows panels."""


def reactive_login() -> type[Login]:
    """A `Login` that is a marimo state: when it is set, marimo runs the cells that read it again.

    It is cancelled when the cell that began it runs again or is deleted: then no variable holds it any more.
    """
    state = type(sys.modules["marimo"].state(None)[0])

    def start(self: Any, *args: Any, **options: Any) -> None:
        state.__init__(self, None)
        Login.__init__(self, *args, **options)
        _on_cell_end(self.cancel)

    return type("ReactiveLogin", (Login, state), {"__init__": start})


class _CellEnd:
    """What marimo calls when a cell begins and ends: its ``CellLifecycleItem``."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def create(self, context: object) -> None:
        """Nothing: the cell runs."""

    def dispose(self, context: object, deletion: bool) -> bool:  # noqa: ARG002, FBT001 - marimo's arguments
        """The cell runs again or is deleted."""
        self._callback()
        return True


def _on_cell_end(callback: Callable[[], None]) -> None:
    """Call this once the running cell is to run again or is deleted, if marimo tells.

    Its public API tells only a ``mo.Thread``, which replaces the notebook's ``print``.
    """
    context: Any = getattr(sys.modules.get("marimo._runtime.context"), "safe_get_context", lambda: None)()
    registry = getattr(context, "cell_lifecycle_registry", None)
    if registry is not None:
        registry.add(_CellEnd(callback))
