"""What all attempts of one sign-in share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from authnb.errors import AuthnbError
    from authnb.flows.inbox import Inbox
    from authnb.flows.steps import Flow
    from authnb.oauth.client import Client
    from authnb.oauth.provider import Provider
    from authnb.oauth.responses import Token
    from authnb.session.refused import StepUpRequired
    from authnb.session.step_up import StepUp
    from authnb.signin.environment import FrontEnd
    from authnb.signin.modes import ModeChoice
    from authnb.signin.options import LoginOptions
    from authnb.storage.base import Account, SignIn, TokenStorage


@dataclass(frozen=True, kw_only=True)
class SignInPlan:
    """Account, client, flows and storage of a sign-in.

    ``name``: the provider's display name. ``fallback``: where a sign-in is kept that ``storage`` cannot keep.
    ``modes``: the modes that can work, given the front end and whether the browser reached the loopback listener.
    ``flow``: the flow of a mode; its last argument is whether the person asked to use another account.
    ``report_timeout``: seconds to wait for the front end's report once the panel is shown. ``unattended_token``:
    requests a token in an unattended run, instead of a flow. ``rediscover``: reads the provider's metadata again,
    unless the caller gave it. ``resume``: the client of a stored sign-in. ``interactive``: whether a person can sign
    in; ``needs_answer``: whether only an answer of the front end would show that one is there. ``auto``: whether the
    mode is chosen automatically. ``step_up``: more for a session that there is already, instead of a new one.
    ``begin_step_up``: starts such a sign-in for a session of this one; ``offer_step_up``: shows that an API asks for
    more, with a click that starts it.

    Of a sign-in whose caller did not name all: ``discover`` finds the providers to sign in at, each with its plan;
    ``found``: whether that found this one; ``invalidate`` removes stale documents from the cache. ``register``: the
    client for a mode, registered if need be, and whether it was before; its last argument asks for a new one, which
    ``worth_registering_anew`` says may help after an error; ``at_registered_ports``: the options with its ports.
    ``provenance``: who vouches for whom, in sentences.
    """

    account: Account
    name: str = ""
    connect: Callable[[Provider | None], Client]
    modes: Callable[[Client, FrontEnd | None, bool | None], tuple[ModeChoice, ...]]
    flow: Callable[[Client, str, FrontEnd | None, Inbox, bool], Flow]
    read_front_end: Callable[[Mapping[str, Any]], FrontEnd]
    storage: TokenStorage
    fallback: TokenStorage = field(default_factory=MemoryStorage)
    unattended_token: Callable[[Client], Token] | None = None
    rediscover: Callable[[Client], Provider] | None = None
    resume: Callable[[SignIn], Client]
    discover: Callable[[], Mapping[str, SignInPlan]] | None = None
    register: Callable[[Client, str, FrontEnd | None, bool], tuple[Client, bool]] | None = None
    at_registered_ports: Callable[[LoginOptions], LoginOptions] = field(default=lambda options: options)
    worth_registering_anew: Callable[[AuthnbError], bool] = field(default=lambda _: False)
    provenance: Callable[[Client | None], tuple[str, ...]] = field(default=lambda _: ())
    found: bool = False
    invalidate: Callable[[], None] = field(default=lambda: None)
    interactive: bool = True
    needs_answer: bool = False
    auto: bool = False
    report_timeout: float = 0.0
    sign_up: bool = False
    api: str | Iterable[str] | None = None
    step_up: StepUp | None = None
    begin_step_up: Callable[..., Any] | None = None
    offer_step_up: Callable[[StepUp, StepUpRequired], None] | None = None
