"""The options of a sign-in that decide on its mode, and the flow of each mode."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authnb.errors import AuthnbError, LoginFailed
from authnb.flows.device import device_flow
from authnb.flows.inbox import accepts_redirect
from authnb.flows.redirect import loopback_flow, redirect_flow
from authnb.flows.redirect_uris import CALLBACK_PATH, shared, sharing_issuer
from authnb.messages import gettext
from authnb.signin.environment import public_proxy
from authnb.signin.modes import FORM, UNATTENDED, ModeChoice, proxy_base, rank_modes, remote_reason
from authnb.signin.presence import interaction_required
from authnb.signin.visitors import no_view

if TYPE_CHECKING:
    from authnb.flows.inbox import Inbox
    from authnb.flows.steps import Flow
    from authnb.oauth.client import Client
    from authnb.oauth.provider import Provider
    from authnb.oauth.responses import Token
    from authnb.signin.environment import Environment, FrontEnd
    from authnb.signin.registration import ClientRegistration

_REPORT_TIMEOUTS = {"auto": 3.0, "page": 15.0, "proxy": 15.0}  # seconds to wait for the front end's report


@dataclass(frozen=True, kw_only=True)
class LoginOptions:
    """The options of `authnb.login` and `authnb.signup` that decide how to sign in.

    ``alternatives``: the other providers to choose from, each with its ``redirect_path``. ``parameters``: more of the
    authorization request, for a step-up.
    """

    mode: str
    view: str | None
    ports: tuple[int, ...]
    timeout: float
    prompt: str | None = None
    login_hint: str | None = None
    select_account: bool = False
    create: bool = False
    redirect_path: str = CALLBACK_PATH
    alternatives: tuple[tuple[ClientRegistration, str], ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def unattended(self) -> bool:
        """Whether the mode needs no person."""
        return self.mode in UNATTENDED

    def can_sign_in(self, environment: Environment) -> bool:
        """Whether a sign-in can complete: a person is present, not needed, or taken care of by the caller."""
        shown_by_caller = self.view is None and (self.mode != "auto" or environment.in_worker)
        present = environment.interactive
        if environment.needs_answer and self.view in {"text", None}:  # which nothing answers
            present = environment.can_prompt
        return self.unattended or shown_by_caller or present

    def check_interactive(self, environment: Environment) -> None:
        """Raise `InteractionRequired` in an unattended run, unless the mode needs no person."""
        if self.can_sign_in(environment):
            return
        if environment.in_worker:
            raise no_view(environment.server)
        raise interaction_required("none was detected: this notebook or script appears to run unattended.")

    def report_timeout(self, environment: Environment, *, panel: bool) -> float:
        """Seconds to wait for the front end's report before a mode is chosen."""
        if not panel or environment.marimo is not None:
            return 0.0
        if self.mode == "auto" and not (environment.remote or environment.doubt):
            return 0.0
        if self.mode == "proxy" and public_proxy(environment):
            return 0.0
        return _REPORT_TIMEOUTS.get(self.mode, 0.0)

    def mode_choices(
        self,
        client: Client,
        environment: Environment,
        front_end: FrontEnd | None,
        *,
        loopback_reached: bool | None,
        forms: bool,
    ) -> tuple[ModeChoice, ...]:
        """The modes that can work, in order of preference; ``forms``: whether the view can show a form.

        With ``auto`` and a remote browser, the provider is probed for the redirect URIs it accepts.
        """
        device = self.mode == "device" or client.provider.device_authorization_endpoint is not None
        accepted: dict[str, bool | None] = {}
        if not client.client_id:  # registered with what the mode needs, once it is chosen
            accepted = {"page": True, "proxy": True}
        elif self.mode == "auto" and remote_reason(environment, front_end, loopback_reached=loopback_reached):
            accepted = self._probe_redirects(client, environment, front_end)
        choices = rank_modes(
            environment, front_end, loopback_reached=loopback_reached, device=device, accepted=accepted
        )
        allowed = client.usable_modes(tuple(choice.mode for choice in choices))
        choices = tuple(choice for choice in choices if choice.mode in allowed)
        if self.mode == "auto":
            choices = self._unshared(client, choices, front_end)
        if self.mode not in {"auto", FORM, *allowed}:
            client.usable_modes((self.mode,))
            choices = (ModeChoice(mode=self.mode, reason=""), *choices)  # as requested
        if self.create:
            from authnb.flows.signup import begins_with_account, check_sign_up  # noqa: PLC0415 - few create accounts

            form, pages = check_sign_up(client.provider, forms=forms)
            reason = gettext(
                "{host} lets its sign-up form be shown in the notebook.", host=client.provider.host
            )
            if begins_with_account(client.provider):
                choices = tuple(choice for choice in choices if choice.mode != "device")
            choices = (*[ModeChoice(mode=FORM, reason=reason)] * form, *(choices if pages else ()))
        return tuple(sorted(choices, key=lambda choice: choice.mode != self.mode))

    def _unshared(
        self, client: Client, choices: tuple[ModeChoice, ...], front_end: FrontEnd | None
    ) -> tuple[ModeChoice, ...]:
        """These choices; where the first shares its redirect URI with another provider, ``device``, which has none."""
        mode = choices[0].mode if choices else "device"
        other = self._sharing_alternative(client, mode) or (
            None if mode == "device" else sharing_issuer(client.provider, self._redirect_uri(mode, front_end))
        )
        if other is None:
            return choices
        reason = gettext(
            "The redirect URI is also that of {other}, and neither provider names itself in the callback, so you enter "
            "a code.",
            other=other,
        )
        device = tuple(
            ModeChoice(mode="device", reason=reason) for choice in choices if choice.mode == "device"
        )
        return device or choices

    def _sharing_alternative(self, client: Client, mode: str) -> str | None:
        """One of the alternatives that has the same redirect URI in this mode, if neither sends ``iss``."""
        provider = client.provider
        if mode == "device" or provider.authorization_response_iss_parameter_supported:
            return None
        for alternative, path in self.alternatives:
            if mode != "page" and path != self.redirect_path:
                continue
            try:
                other = alternative.client(None, self.mode).provider
            except AuthnbError:  # whether it sends iss is not known
                return alternative.address
            if other.issuer != provider.issuer and not other.authorization_response_iss_parameter_supported:
                return other.issuer
        return None

    def _redirect_uri(self, mode: str, front_end: FrontEnd | None) -> str:
        """The redirect URI, on loopback without a port."""
        page = front_end.page if mode == "page" and front_end is not None else None
        return page or f"http://127.0.0.1{self.redirect_path}"

    def _probe_redirects(
        self, client: Client, environment: Environment, front_end: FrontEnd | None
    ) -> dict[str, bool | None]:
        accepted: dict[str, bool | None] = {}
        if front_end is not None and front_end.page:
            accepted["page"] = accepts_redirect(client, front_end.page)
        proxy, port = proxy_base(environment, front_end), next(filter(None, self.ports), None)
        if proxy is not None:
            # Redirect URIs are registered with their port, so a random one is never accepted
            accepted["proxy"] = port is not None and accepts_redirect(
                client, f"{proxy}{port}{self.redirect_path}"
            )
        return accepted

    def flow(
        self,
        client: Client,
        mode: str,
        environment: Environment,
        front_end: FrontEnd | None,
        inbox: Inbox,
        *,
        select_account: bool = False,
    ) -> Flow:
        """The flow for this mode; ``select_account``: the person asked to use another account."""
        if select_account or not self.create:
            parameters = self._account_parameters(client, select_account=select_account)
            return self._sign_in(client, mode, environment, front_end, inbox, **parameters)
        from authnb.flows.signup import form_flow, page_flow  # noqa: PLC0415 - few create accounts

        if mode == FORM:
            sign_in_mode = self.mode_after_form(client, environment, front_end)
            return form_flow(
                client,
                lambda name: self._sign_in(
                    client,
                    sign_in_mode,
                    environment,
                    front_end,
                    inbox,
                    **({"login_hint": name} if name else {}),
                ),
            )
        return page_flow(
            client.provider, lambda **more: self._sign_in(client, mode, environment, front_end, inbox, **more)
        )

    def mode_after_form(self, client: Client, environment: Environment, front_end: FrontEnd | None) -> str:
        """How the person signs in with the account that a form created."""
        device = _has_device(client.provider)
        ranked = rank_modes(environment, front_end, loopback_reached=None, device=device, accepted={})
        return self._unshared(client, ranked, front_end)[0].mode

    def _account_parameters(self, client: Client, *, select_account: bool) -> dict[str, str]:
        """``prompt`` and ``login_hint`` of the authorization request (OpenID Connect Core section 3.1.2.1)."""
        offered = "select_account" in client.provider.prompt_values_supported
        prompt = self.prompt
        if select_account:
            prompt = "select_account" if offered else "login"
        elif prompt is None and self.select_account and offered:
            prompt = "select_account"
        parameters = {} if select_account or self.login_hint is None else {"login_hint": self.login_hint}
        if prompt is None:
            return parameters
        words = prompt.split()
        # OpenID Connect Core section 11: without consent no offline_access
        if "offline_access" in client.scope.split() and "prompt" not in client.provider.quirks.parameters:
            words.append("consent")
        return {**parameters, "prompt": " ".join(dict.fromkeys(words))}

    def _sign_in(
        self,
        client: Client,
        mode: str,
        environment: Environment,
        front_end: FrontEnd | None,
        inbox: Inbox,
        **parameters: str,
    ) -> Flow:
        if mode == "device":
            return device_flow(client, timeout=self.timeout, **dict(self.parameters))
        parameters = {**dict(self.parameters), **parameters}
        if (other := self._sharing_alternative(client, mode)) is not None:
            raise shared(client.provider, self._redirect_uri(mode, front_end), other)
        if mode == "page":
            if front_end is None or front_end.page is None:
                raise _mode_unavailable("page", front_end)
            if "fragment" in client.provider.response_modes_supported:  # a fragment is not sent to the server
                parameters["response_mode"] = "fragment"
            final_page = front_end.own_page
            return redirect_flow(
                client, front_end.page, inbox, timeout=self.timeout, final_page=final_page, **parameters
            )
        if mode == "paste":
            port = next(filter(None, self.ports), None) or 49152 + secrets.randbelow(16384)
            address = f"http://{client.provider.quirks.redirect_host}:{port}{self.redirect_path}"
            return redirect_flow(client, address, inbox, timeout=self.timeout, **parameters)
        proxy = proxy_base(environment, front_end) if mode == "proxy" else None
        if mode == "proxy" and proxy is None:
            raise _mode_unavailable("proxy", front_end)
        return loopback_flow(
            client,
            ports=self.ports,
            timeout=self.timeout,
            inbox=inbox,
            proxy_base=proxy,
            path=self.redirect_path,
            notify=inbox.notify,
            **parameters,
        )

    def unattended_token(self, client: Client, audience: str) -> Token:
        """A token for an unattended run."""
        if self.mode == "token":
            from authnb.flows.workload import workload_token  # noqa: PLC0415 - where a person signs in it is not needed

            return workload_token(os.environ, audience)
        return client.client_credentials_token()


def _has_device(provider: Provider) -> bool:
    return provider.device_authorization_endpoint is not None


def _mode_unavailable(mode: str, front_end: FrontEnd | None) -> LoginFailed:
    if front_end is None:
        why = (
            "the panel did not report where it is shown. It must be shown in JupyterLab or Notebook 7, and a kernel "
            "older than ipykernel 7.1 hears it only while no cell runs"
        )
    elif mode == "page":
        why = f"{front_end.origin} does not serve authnb's callback page. Install authnb where the server runs, too"
    else:
        why = f"{front_end.origin} has no jupyter-server-proxy. Install it where the server runs"
    return LoginFailed("not_supported", f"mode={mode!r} does not work here: {why}; or take another mode.")
