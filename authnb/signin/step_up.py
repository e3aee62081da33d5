"""The sign-in that asks the person of a session for more (`authnb.session.step_up`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from authnb.errors import InteractionRequired
from authnb.signin.environment import read_front_end
from authnb.signin.modes import FORM

if TYPE_CHECKING:
    from authnb.oauth.client import Client
    from authnb.oauth.provider import Provider
    from authnb.session.step_up import StepUp
    from authnb.signin.environment import Environment
    from authnb.signin.options import LoginOptions
    from authnb.signin.plan import SignInPlan


def step_up_options(options: LoginOptions, step_up: StepUp, *, hint: bool, **given: Any) -> LoginOptions:
    """The options of the sign-in, with what is asked for and what the caller gave.

    ``hint``: whether to suggest the account of the person to the provider, as the URL that has it may be shown.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    user = step_up.session.owner.user or {}
    known = next((name for claim in ("preferred_username", "email") if (name := user.get(claim))), None)
    if hint and isinstance(known, str) and options.login_hint is None:
        chosen.setdefault("login_hint", known)
    if options.mode == FORM:
        chosen.setdefault("mode", "auto")
    return replace(
        options, create=False, select_account=False, parameters=tuple(step_up.parameters.items()), **chosen
    )


def step_up_plan(
    plan: SignInPlan,
    options: LoginOptions,
    environment: Environment,
    step_up: StepUp,
    *,
    panel: bool,
    of_worker: bool,
) -> SignInPlan:
    """The plan of the sign-in of this session, for what is asked for now.

    ``panel``: whether it is shown in one; ``of_worker``: whether the session is that of a visitor, made in a worker.
    """

    def connect(_: Provider | None) -> Client:
        if not options.can_sign_in(environment) or (environment.in_worker and not of_worker):
            raise _nobody(environment, step_up)
        return step_up.client()

    return replace(
        plan,
        connect=connect,
        modes=lambda client, front_end, reached: options.mode_choices(
            client, environment, front_end, loopback_reached=reached, forms=False
        ),
        discover=None,  # at the session's provider, whatever the API says by now
        flow=lambda client, mode, front_end, inbox, select_account: plan.at_registered_ports(options).flow(
            client, mode, environment, front_end, inbox, select_account=select_account
        ),
        read_front_end=lambda report: read_front_end(report, environment),
        unattended_token=None,
        interactive=options.can_sign_in(environment),
        needs_answer=environment.needs_answer,
        auto=options.mode == "auto",
        report_timeout=options.report_timeout(environment, panel=panel),
        sign_up=False,
        step_up=step_up,
    )


def _nobody(environment: Environment, step_up: StepUp) -> InteractionRequired:
    asked = f"An API asks for {step_up.words}, which takes a person, and"
    if environment.in_worker:
        server = environment.server
        where = f"a worker of {server}" if server else "a thread that may serve several people"
        return InteractionRequired(
            "interaction_required",
            f"{asked} this is {where}, where authnb can show them nothing. For a visitor's own sign-in, show it in the "
            "page of your app: ask = api.ask_for(…, mode='device', view=None), then the address and the code of "
            "ask.verification(). For an account of the app itself, or of a notebook, ask where it signs in.",
        )
    return InteractionRequired(
        "interaction_required",
        f"{asked} none was detected: this notebook or script appears to run unattended. Ask for it once by hand on "
        "this machine, with remember=True where you sign in: it is found here then. If a person is present, set "
        "AUTHNB_INTERACTIVE=1.",
    )
