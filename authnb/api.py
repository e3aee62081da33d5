"""`login` and `signup`: a `Login`, and the view that fits the place."""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from authnb.attempt import Plan
from authnb.client import Client
from authnb.errors import InteractionRequired
from authnb.flows import TIMEOUT, device_flow, loopback_flow
from authnb.place import Place, here
from authnb.presets import find
from authnb.provider import Provider
from authnb.registration import FORM, form_flow, page_flow, sign_up_modes
from authnb.signin import Login
from authnb.storage import Account, TokenStorage, memory
from authnb.views.browser import PageOpener
from authnb.views.text import NotebookView, TerminalView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from authnb.flows import Flow
    from authnb.presets import Preset
    from authnb.signin import View

SCOPE = "openid profile email"
MODES = ("auto", "loopback", "device")
SIGN_UP_MODES = ("auto", "form", "loopback", "device")
VIEWS = ("auto", "panel", "text", None)


def login(
    issuer: str | Provider,
    *,
    client_id: str,
    client_secret: str | None = None,
    scope: str | None = None,
    api: str | Iterable[str] | None = None,
    mode: str = "auto",
    redirect_port: int | Iterable[int] = 0,
    profile: str = "default",
    remember: bool = False,
    timeout: float = TIMEOUT,
    view: str | None = "auto",
    storage: TokenStorage | None = None,
) -> Login:
    """Sign a person in and get a session that stays signed in.

    ::

        api = await authnb.login("https://id.example.org", client_id="my-notebook")

    ``issuer``: the provider's address, a `Provider`, or the name of a preset: ``"github"``, ``"entra:TENANT"``.
    ``scope``: what is asked for; without it the preset's, else ``openid profile email``. ``api``: where the token
    may go, one address or several; relative addresses of the session start at the first. ``mode``: ``loopback``
    (the browser answers to this machine), ``device`` (a code, entered on any device), or ``auto``.
    ``redirect_port``: a port or several to try, where the provider wants them registered; the redirect URI is
    ``http://127.0.0.1:PORT/callback``. ``profile`` keeps several accounts apart. ``remember``: keep the sign-in
    on disk, encrypted, for the next kernel and for other notebooks; ``storage``: keep it in a place of your
    own. ``timeout``: seconds a person has. ``view``: ``panel`` (a widget), ``text``, ``auto`` (the panel where a
    person reads the notebook), or None to show nothing and take the address from ``Login.verification()``.

    The sign-in runs on a thread: ``await`` it in a cell, ``.wait()`` for it in a script, or put it on the
    last line of a cell and take ``.session`` later. Its errors are raised there: `InteractionRequired` if
    nobody is there to sign in, `LoginFailed`, `ProviderError`. An argument that is none of the above is a
    `ValueError` at once.

    OpenID Connect Core section 3.1 with PKCE (RFC 7636), RFC 8252 section 7.3, RFC 8628.
    """
    client = _Registration(issuer, client_id=client_id, client_secret=client_secret, scope=scope)
    way = _Way(mode=mode, view=view, ports=_several(redirect_port), timeout=timeout)
    return _begin(client, way, api=api, profile=profile, storage=storage or _storage(remember=remember))


def signup(
    issuer: str | Provider,
    *,
    client_id: str,
    client_secret: str | None = None,
    scope: str | None = None,
    api: str | Iterable[str] | None = None,
    mode: str = "auto",
    redirect_port: int | Iterable[int] = 0,
    profile: str = "default",
    remember: bool = False,
    timeout: float = TIMEOUT,
    view: str | None = "auto",
    storage: TokenStorage | None = None,
) -> Login:
    """Let a person create an account, and sign in with it; the arguments are those of `login`.

    ``mode``: ``form``, where the provider describes an endpoint for it and the panel can show the form;
    ``loopback``, on the provider's own pages, where no password touches the notebook (OpenID Connect Prompt
    Create 1.0, or ``Provider(…, sign_up_page=…)``); ``auto``, the first of these that works. The panel lets
    the person choose. A sign-in that was kept is not used. `ProviderError` if the provider offers neither.
    """
    client = _Registration(issuer, client_id=client_id, client_secret=client_secret, scope=scope)
    way = _Way(mode=mode, view=view, ports=_several(redirect_port), timeout=timeout, create=True)
    return _begin(client, way, api=api, profile=profile, storage=storage or _storage(remember=remember))


@dataclass(frozen=True)
class _Registration:
    """Who signs in where, before anything was asked of the provider."""

    issuer: str | Provider
    _: KW_ONLY
    client_id: str
    client_secret: str | None = field(repr=False)
    scope: str | None

    @cached_property
    def preset(self) -> Preset | None:
        """The preset that was named; `ValueError` for a name that none has."""
        return None if isinstance(self.issuer, Provider) else find(self.issuer)

    @property
    def address(self) -> str:
        """The provider's address: under it a sign-in is kept."""
        named = self.preset or self.issuer
        return (named if isinstance(named, str) else named.issuer).rstrip("/")

    def client(self, known: Provider | None, needs: str) -> Client:
        """The client at that provider; discovered, unless it is ``known`` or was given."""
        provider = self.issuer if isinstance(self.issuer, Provider) else known
        if provider is None and self.preset is not None:
            provider = self.preset.open(needs=(needs, "token_endpoint"))
        if provider is None:
            provider = Provider.discover(self.address, needs=(needs, "token_endpoint"))
        scope = next((scope for scope in (self.scope, provider.quirks.scope) if scope is not None), SCOPE)
        return Client(provider, client_id=self.client_id, client_secret=self.client_secret, scope=scope)


@dataclass(frozen=True, kw_only=True)
class _Way:
    """How a person is to sign in."""

    mode: str
    view: str | None
    ports: tuple[int, ...]
    timeout: float
    create: bool = False  # an account first

    def __post_init__(self) -> None:
        _check_choice("mode", self.mode, SIGN_UP_MODES if self.create else MODES)
        _check_choice("view", self.view, VIEWS)

    def check_somebody_there(self, place: Place) -> None:
        if place.somebody_there or (self.view is None and self.mode != "auto"):
            return
        raise InteractionRequired(
            "interaction_required",
            "Signing in needs a person, and nobody is there: this notebook or script runs unattended. Run it "
            "by hand; or let a program approve, with mode='device', view=None and Login.verification(); or, if "
            "somebody does watch, set AUTHNB_INTERACTIVE=1.",
        )

    def modes(self, client: Client, place: Place, *, forms: bool) -> tuple[str, ...]:
        """The ways to sign in, or up, that can work, the best first; ``forms``: whether one can be shown.

        `auto`: loopback, unless the person's browser is on another machine.
        """
        if self.create:
            both = client.may_use(sign_up_modes(client.provider, forms=forms))
            return tuple(sorted(both, key=lambda mode: mode != self.mode))
        device = self.mode == "device" or client.provider.device_authorization_endpoint is not None
        both = client.may_use(("loopback", "device") if device else ("loopback",))
        if self.mode not in {"auto", *both}:
            both = (self.mode, *both)  # as was asked for
        first = self.mode if self.mode != "auto" else "device" if place.remote else "loopback"
        return tuple(sorted(both, key=lambda mode: mode != first))

    def flow(self, client: Client, mode: str, place: Place, notify: Callable[[], None]) -> Flow:
        """The flow for this mode."""
        by_device = mode == "device" or (
            mode == FORM and place.remote and client.provider.device_authorization_endpoint is not None
        )

        def sign_in(**more: str) -> Flow:
            if by_device:
                return device_flow(client, timeout=self.timeout)
            return loopback_flow(client, ports=self.ports, timeout=self.timeout, notify=notify, **more)

        if mode == FORM:
            return form_flow(client, lambda name: sign_in(**({"login_hint": name} if name else {})))
        if self.create:
            return page_flow(client.provider, sign_in)
        return sign_in()

    def fitting_view(self, place: Place) -> View | None:
        if self.view is None:
            return None
        if not place.in_kernel:
            return TerminalView()
        if self.view == "panel" or (self.view == "auto" and place.front_end == "notebook"):
            from authnb.views.panel import PanelView, unsupported_kernel  # noqa: PLC0415 - only where it is shown

            if (why := unsupported_kernel()) is None:
                return PanelView()
            warnings.warn(why, stacklevel=4)
        return NotebookView()


def _begin(
    registration: _Registration,
    way: _Way,
    *,
    api: str | Iterable[str] | None,
    profile: str,
    storage: TokenStorage,
) -> Login:
    place = here()
    needs = "device_authorization_endpoint" if way.mode == "device" else "authorization_endpoint"

    def connect(known: Provider | None) -> Client:
        if known is None:
            way.check_somebody_there(place)
        return registration.client(known, needs)

    view = way.fitting_view(place)
    plan = Plan(
        account=Account(profile=profile, issuer=registration.address, client_id=registration.client_id),
        connect=connect,
        modes=lambda client: way.modes(
            client, place, forms=way.mode == FORM if view is None else view.shows_forms
        ),
        flow=lambda client, mode, notify: way.flow(client, mode, place, notify),
        storage=storage,
        sign_up=way.create,
        api=api,
    )
    begun = Login(plan, view=view)
    if way.view is not None and place.opens_pages:
        begun.watch(PageOpener())
    return begun


def _storage(*, remember: bool) -> TokenStorage:
    if not remember:
        return memory
    from authnb.files import FileStorage  # noqa: PLC0415 - encryption takes its time to load

    return FileStorage()


def _several(ports: int | Iterable[int]) -> tuple[int, ...]:
    return (ports,) if isinstance(ports, int) else tuple(ports)


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r} is none of {', '.join(map(repr, choices))}")
