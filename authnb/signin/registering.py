"""The client of a sign-in that names none: registered here before, else now (RFC 7591)."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authnb.errors import AuthnbError, ProviderError
from authnb.flows.inbox import accepts_redirect
from authnb.oauth.dynamic_registration import read_registration, register
from authnb.signin.hosts import display_host
from authnb.signin.modes import FORM, proxy_base
from authnb.transport.localhost import localhost_address

if TYPE_CHECKING:
    from authnb.oauth.client import Client
    from authnb.oauth.dynamic_registration import Registration
    from authnb.signin.environment import Environment, FrontEnd
    from authnb.signin.options import LoginOptions
    from authnb.storage.registrations import RegistrationStorage

_ANY_PORT = 0


@dataclass(kw_only=True)
class Registrar:
    """Registers the client of one sign-in, for the redirect URIs of the mode that it takes.

    ``api``: the API that the sign-in is for, where the caller named only that. ``ports``: those that the client is
    registered with, once it is; providers that compare them accept no other. ``sentence``: when it was registered.
    """

    options: LoginOptions
    environment: Environment
    storage: RegistrationStorage
    api: str | None
    ports: tuple[int, ...] = ()
    sentence: str = ""

    def client(
        self,
        client: Client,
        mode: str,
        front_end: FrontEnd | None,
        anew: bool = False,  # noqa: FBT001, FBT002 - as the plan passes it
    ) -> tuple[Client, bool]:
        """The client for this mode, and whether it was registered before; ``anew``: register another all the same.

        Raises `ProviderError`: see `authnb.oauth.dynamic_registration.register`; its text has the redirect addresses
        to have registered by a person.
        """
        if mode == FORM:
            mode = self.options.mode_after_form(client, self.environment, front_end)
        addresses = self._addresses(client, mode, front_end)
        if addresses is None:  # the flow says why
            return client, False
        used_for = " ".join(addresses.with_ports(self.options.ports))
        kept = None if anew else self._kept(client, used_for)
        registration = kept or self._register(client, mode, addresses, used_for)
        self.ports = addresses.ports_of(registration.redirect_uris)
        host = display_host(client.provider.issuer)
        self.sentence = f"{host} {'knows' if kept else 'has just registered'} this notebook as a client."
        return _as_registered(client, registration), kept is not None

    def worth_registering_anew(self, error: AuthnbError) -> bool:
        """Whether the provider has forgotten the client, or another program has its port."""
        return error.error == "invalid_client" or (
            error.error == "port_in_use" and _ANY_PORT in self.options.ports
        )

    def _kept(self, client: Client, used_for: str) -> Registration | None:
        """A registration of before that the provider still has, as far as it says so."""
        issuer = client.provider.issuer
        kept = self.storage.load(issuer, used_for)
        if kept is None or kept.expired or not _covers(kept, client.scope):
            return None
        try:
            known = read_registration(client.provider, kept)
            if known is not None and kept.registration_client_uri is None and kept.redirect_uris:
                accepted = accepts_redirect(_as_registered(client, kept), kept.redirect_uris[0])
                known = None if accepted is False else known
        except AuthnbError:
            return kept  # the sign-in itself says whether the provider can be reached
        if known is not None and known != kept:
            self.storage.save(used_for, known)
        return known

    def _register(self, client: Client, mode: str, addresses: _Addresses, used_for: str) -> Registration:
        ports = tuple(port or _free_port() for port in self.options.ports)
        before = self.storage.load(client.provider.issuer, used_for)
        words = [*client.scope.split(), *(before.scope.split() if before is not None else ())]
        try:
            registration = register(
                client.provider,
                redirect_uris=addresses.with_ports(ports),
                scope=" ".join(dict.fromkeys(words)),
            )
        except ProviderError as error:
            if not error.is_transient:
                error.description = f"{error.description} {self._ask_for(client, mode, addresses)}"
                error.args = (error.error, error.description)
            raise
        self.storage.save(used_for, registration)
        return registration

    def _ask_for(self, client: Client, mode: str, addresses: _Addresses) -> str:
        """What to ask the people for who can register a client."""
        page = client.provider.quirks.client_page
        whom = urlsplit(self.api).netloc if self.api else client.provider.host
        where = f"Register one at {page}" if page else f"Ask the people who run {whom} for one"
        if mode == "device":
            needs = "for the device code (RFC 8628), without a secret; it needs no redirect address"
        else:
            named = " and ".join(addresses.with_ports(self.options.ports))
            any_port = addresses.has_port and _ANY_PORT in self.options.ports
            fixed = " and ".join(addresses.with_ports((8765,)))
            more = f" (with any port; else {fixed}, and give redirect_port=8765)" if any_port else ""
            needs = f"for the authorization code with PKCE, without a secret, with the redirect address {named}{more}"
        named = f"api={self.api!r}" if self.api else repr(client.provider.issuer)
        return (
            f"This notebook needs a client that a person registers. {where}: {needs}. Then give its identifier: "
            f"authnb.login({named}, client_id='…')."
        )

    def _addresses(self, client: Client, mode: str, front_end: FrontEnd | None) -> _Addresses | None:
        """The redirect URIs of a mode; None if the mode does not work here."""
        if mode == "device":
            return _Addresses() if client.provider.device_authorization_endpoint else None
        if mode == "page":
            return _Addresses(before=front_end.page) if front_end is not None and front_end.page else None
        if mode == "proxy":
            base = proxy_base(self.environment, front_end)
            return _Addresses(before=base, after=self.options.redirect_path, has_port=True) if base else None
        host = client.provider.quirks.redirect_host
        host = localhost_address() if mode == "loopback" and host == "127.0.0.1" else host
        return _Addresses(
            before=f"http://{host}", between=":", after=self.options.redirect_path, has_port=True
        )


@dataclass(frozen=True, kw_only=True)
class _Addresses:
    """The redirect URIs of a mode, one for each port, or one without; none for the device flow."""

    before: str = ""
    between: str = ""
    after: str = ""
    has_port: bool = False

    def with_ports(self, ports: tuple[int, ...]) -> tuple[str, ...]:
        """The URIs with these ports; with 0, for any, without (RFC 8252 section 7.3)."""
        if not self.has_port:
            return (self.before,) if self.before else ()
        return tuple(
            f"{self.before}{self.between}{port}{self.after}" if port else f"{self.before}{self.after}"
            for port in ports
        )

    def ports_of(self, uris: tuple[str, ...]) -> tuple[int, ...]:
        """The ports in these URIs."""
        if not self.has_port:
            return ()
        found = [uri.removeprefix(self.before + self.between).removesuffix(self.after) for uri in uris]
        return tuple(int(port) for port in found if port.isdecimal())


def _as_registered(client: Client, registration: Registration) -> Client:
    method = registration.token_endpoint_auth_method
    return replace(
        client,
        client_id=registration.client_id,
        client_secret=registration.client_secret,
        token_endpoint_auth_method=None if registration.client_secret is None else method,
    )


def _covers(registration: Registration, scope: str) -> bool:
    """Whether the client may ask for this scope."""
    return not registration.scope or set(scope.split()) <= set(registration.scope.split())


def _free_port() -> int:
    host = localhost_address().strip("[]")
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        port: int = probe.getsockname()[1]
        return port
