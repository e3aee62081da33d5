"""Asking the person of a session for more: the sign-in, and the card that a refused call shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from authnb.signin import arguments
from authnb.signin.environment import current_environment
from authnb.signin.modes import ASKING_MODES, MODES, VIEWS
from authnb.signin.step_up import step_up_options, step_up_plan
from authnb.views.selection import login_class, open_browser, select_view

if TYPE_CHECKING:
    from authnb.signin.login import Login
    from authnb.signin.options import LoginOptions
    from authnb.signin.plan import SignInPlan


def begin_step_up(
    plan: SignInPlan,
    options: LoginOptions,
    step_up: Any,
    *,
    of_worker: bool,
    mode: str = "auto",
    view: str | None = "auto",
    timeout: float | None = None,
    prompt: str | None = None,
    login_hint: str | None = None,
) -> Login:
    """The sign-in that asks the person of a session for more, started; see `Session.ask_for`.

    ``plan``, ``options``: of the session's sign-in; ``step_up``: an `authnb.session.step_up.StepUp`; ``of_worker``:
    see `authnb.signin.step_up.step_up_plan`.
    """
    environment = current_environment()
    arguments.check_choice("view", view, VIEWS)
    if login_hint is not None:
        arguments.read_text("login_hint", login_hint, "give an e-mail address or user name.")
    options = replace(options, view=options.view if view == "auto" else view)
    shown = select_view(options, environment)
    panel = shown is not None and shown.shows_forms
    options = step_up_options(
        options,
        step_up,
        hint=panel or not environment.in_kernel,  # text outputs are saved with the notebook
        mode=None if mode == "auto" else arguments.read_mode(mode, ASKING_MODES, MODES),
        timeout=None if timeout is None else arguments.read_timeout(timeout),
        prompt=arguments.read_prompt(prompt),
        login_hint=login_hint,
    )
    asking = step_up_plan(plan, options, environment, step_up, panel=panel, of_worker=of_worker)
    started = login_class(environment)(asking, view=shown)
    open_browser(started, options, environment)
    return started
