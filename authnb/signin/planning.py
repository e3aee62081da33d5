"""The plan of a sign-in, from its arguments and where it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from authnb.oauth.provider import Provider
from authnb.signin.environment import read_front_end
from authnb.signin.modes import FORM
from authnb.signin.plan import SignInPlan
from authnb.signin.presence import nobody_to_choose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authnb.oauth.client import Client
    from authnb.signin.environment import Environment
    from authnb.signin.login import Login
    from authnb.signin.options import LoginOptions
    from authnb.signin.registering import Registrar
    from authnb.signin.registration import ClientRegistration
    from authnb.signin.view import View
    from authnb.storage.base import Account, TokenStorage


def make_plan(
    name: str,
    registration: ClientRegistration,
    options: LoginOptions,
    environment: Environment,
    view: View[Login] | None,
    account: Account,
    apis: tuple[str, ...],
    storage: TokenStorage,
    fallback: TokenStorage,
    *,
    remember: bool,
    with_step_up: Callable[..., SignInPlan],
) -> SignInPlan:
    """The plan for a sign-in at this provider, or at that which its API names. ``remember``: registrations too.

    ``with_step_up``: adds what asks for more later.

    Raises `ValueError` for arguments that do not go together.
    """
    _check(registration, options, environment)
    audience = (*apis, registration.client_id or "")[0]
    forms = options.mode == FORM if view is None else view.shows_forms
    registrar = _registrar(registration, options, environment, remember=remember)

    def connect(known: Provider | None) -> Client:
        if known is None:
            options.check_interactive(environment)
        return registration.client(known, options.mode)

    def discover() -> Mapping[str, SignInPlan]:
        from authnb.signin.discovery import discover_providers  # noqa: PLC0415 - where no issuer is named

        options.check_interactive(environment)
        found = discover_providers(registration)
        if len(found) > 1 and options.view is not None and environment.front_end is None:
            raise nobody_to_choose(found)
        # Mix-up (RFC 9700 section 4.4) takes two providers, and here the API alone vouches for them
        others = tuple((at, options.redirect_path) for at in found.values())
        return {
            each: make_plan(
                each,
                at,
                replace(options, alternatives=tuple(o for o in others if o[0] is not at)),
                environment,
                view,
                account,
                apis,
                storage,
                fallback,
                remember=remember,
                with_step_up=with_step_up,
            )
            for each, at in found.items()
        }

    def at_ports(options: LoginOptions) -> LoginOptions:
        ports = () if registrar is None else registrar.ports
        return replace(options, ports=ports) if ports else options

    def rediscover(client: Client) -> Provider:
        from authnb.signin.discovery import rediscovered  # noqa: PLC0415 - where an endpoint has moved

        return rediscovered(registration, client, options.mode)

    def provenance(client: Client | None) -> tuple[str, ...]:
        from authnb.signin.discovery import provenance  # noqa: PLC0415 - where not all is named

        return provenance(registration, client, "" if registrar is None else registrar.sentence)

    plan = SignInPlan(
        account=account,
        name=name,
        connect=connect,
        modes=lambda client, front_end, reached: options.mode_choices(
            client, environment, front_end, loopback_reached=reached, forms=forms
        ),
        flow=lambda client, mode, front_end, inbox, select_account: at_ports(options).flow(
            client, mode, environment, front_end, inbox, select_account=select_account
        ),
        read_front_end=lambda report: read_front_end(report, environment),
        unattended_token=(lambda client: options.unattended_token(client, audience))
        if options.unattended
        else None,
        rediscover=None if isinstance(registration.issuer, Provider) else rediscover,
        resume=lambda stored: registration.stored_client(stored, account, options.mode),
        discover=discover if registration.issuer is None else None,
        found=registration.found is not None,
        invalidate=registration.invalidate_documents,
        register=None if registrar is None else registrar.client,
        at_registered_ports=at_ports,
        worth_registering_anew=(lambda _: False) if registrar is None else registrar.worth_registering_anew,
        provenance=provenance,
        interactive=options.can_sign_in(environment),
        needs_answer=environment.needs_answer,
        auto=options.mode == "auto",
        report_timeout=options.report_timeout(environment, panel=forms and view is not None),
        storage=storage,
        fallback=fallback,
        sign_up=options.create,
        api=apis,
    )
    return with_step_up(plan, options, of_worker=environment.in_worker)


def _check(registration: ClientRegistration, options: LoginOptions, environment: Environment) -> None:
    if options.unattended and registration.client_id is None:
        raise ValueError(
            f"client_id= is missing: mode={options.mode!r} needs one that was registered for it."
        )
    if (
        options.mode == "client_credentials"
        and registration.client_secret is not None
        and environment.in_kernel
    ):
        raise ValueError(
            "client_secret= in a notebook is saved with the cell. Leave it out and set AUTHNB_CLIENT_SECRET, or "
            "AUTHNB_CLIENT_SECRET_FILE to the name of a file with it, where the kernel is started."
        )


def _registrar(
    registration: ClientRegistration, options: LoginOptions, environment: Environment, *, remember: bool
) -> Registrar | None:
    """What registers the client; None for one that the caller named."""
    if registration.client_id is not None:
        return None
    from authnb.signin.registering import Registrar  # noqa: PLC0415 - most clients are registered by a person
    from authnb.storage import registrations  # noqa: PLC0415 - as said above

    if not remember:
        storage: registrations.RegistrationStorage = registrations.memory
    else:
        from authnb.storage.registration_files import RegistrationFiles  # noqa: PLC0415 - cryptography is slow to load

        storage = RegistrationFiles()
    return Registrar(options=options, environment=environment, storage=storage, api=registration.api)
