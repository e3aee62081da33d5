"""Which view shows a sign-in in an environment."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from authnb.signin.login import Login

if TYPE_CHECKING:
    from authnb.signin.environment import Environment
    from authnb.signin.options import LoginOptions
    from authnb.signin.view import View


def select_view(options: LoginOptions, environment: Environment) -> View[Login] | None:
    """The view of this name that can be shown here; None if nothing is."""
    if options.view is None or environment.in_worker:
        return None
    from authnb.views.text import NotebookView, TerminalView  # noqa: PLC0415 - only if something is displayed

    if not environment.in_kernel:
        return TerminalView()
    if options.view == "panel" or (options.view == "auto" and environment.front_end == "notebook"):
        from authnb.views.panel import PanelView  # noqa: PLC0415 - only if it is displayed

        if environment.marimo is not None:
            from authnb.views.marimo import MarimoOutput  # noqa: PLC0415 - as said above

            return PanelView(MarimoOutput(environment.marimo))
        from authnb.views.jupyter import unsupported_kernel  # noqa: PLC0415 - as said above

        if (why := unsupported_kernel()) is None:
            return PanelView()
        warnings.warn(why, stacklevel=4)
    return NotebookView()


def login_class(environment: Environment) -> type[Login]:
    """The class of a sign-in here."""
    if environment.marimo is None:
        return Login
    from authnb.views.marimo import reactive_login  # noqa: PLC0415 - only in marimo

    return reactive_login()


def open_browser(login: Login, options: LoginOptions, environment: Environment) -> None:
    """Have a program open the sign-in page, where one can."""
    if options.view is not None and environment.can_open_browser:
        from authnb.views.browser import PageOpener  # noqa: PLC0415 - slow to load, and rarely needed

        login.observe(PageOpener(alone=environment.front_end is None))
