"""Asking the person of a session for more: the sign-in, and the card that a refused call shows."""

from __future__ import annotations

import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from authnb.messages import N_
from authnb.signin import arguments
from authnb.signin.environment import current_environment
from authnb.signin.modes import ASKING_MODES, MODES, VIEWS
from authnb.signin.step_up import step_up_options, step_up_plan
from authnb.signin.visitors import on_main_thread
from authnb.views.pages import current_run
from authnb.views.selection import login_class, open_browser, select_view

if TYPE_CHECKING:
    from authnb.signin.login import Login
    from authnb.signin.options import LoginOptions
    from authnb.signin.plan import SignInPlan

# By session: the latest offer, what it is about, and the message with which the cell was run
_offers: weakref.WeakKeyDictionary[Any, tuple[weakref.ref[Login], object, str | None]]
_offers = weakref.WeakKeyDictionary()


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
    withdraw_offer(step_up.session)
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


def offer_step_up(plan: SignInPlan, options: LoginOptions, step_up: Any, required: Any) -> None:
    """Show in the cell whose call was refused that an API asks for more, with a click that starts the sign-in.

    Once for each run of a cell, and only as a panel in a Jupyter notebook in which a person is: elsewhere the error of
    the call, ``required``, is all there is. Not for what was granted, which the API refuses all the same.
    """
    environment, run = current_environment(), current_run()
    shown_here = environment.front_end == "notebook" and environment.marimo is None and on_main_thread()
    if not (shown_here and run.message and options.view in {"auto", "panel"} and step_up.can_help):
        return
    before = _offers.get(step_up.session)
    if before is not None and before[1:] == (step_up.key, run.message):
        return
    view = select_view(options, environment)
    if view is None or not view.shows_forms:  # no panel
        return
    withdraw_offer(step_up.session)
    options = step_up_options(options, step_up, hint=True)
    asking = step_up_plan(plan, options, environment, step_up, panel=True, of_worker=False)
    label = N_("Ask for it all the same") if step_up.unlisted else N_("Ask for it")
    login = login_class(environment)(asking, view=view, choices={label: asking})
    login.asked_by, login.offered_until = required.requirement.host, time.monotonic() + options.timeout
    _offers[step_up.session] = weakref.ref(login), step_up.key, run.message
    view.open(login)


def withdraw_offer(session: Any) -> None:
    """Withdraw the offer that is shown for this session, unless somebody took it up."""
    before = _offers.pop(session, None)
    login = None if before is None else before[0]()
    if login is not None and login.status == "choosing":
        login.cancel()
