"""`login` and `signup`: a `Login`, and the view that fits the place."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from authnb.attempt import Plan
from authnb.client import Client
from authnb.errors import InteractionRequired, StorageError
from authnb.flows import TIMEOUT
from authnb.place import Place, here, read_front_end
from authnb.provider import Provider
from authnb.signin import Login
from authnb.storage import Account, TokenStorage, memory
from authnb.ways import FORM, MODES, SIGN_UP_MODES, Wish

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from authnb.presets import Preset
    from authnb.signin import View

SCOPE = "openid profile email"
VIEWS = ("auto", "panel", "text", None)
_NEEDS: dict[str, tuple[str, ...]] = {"device": ("device_authorization_endpoint",), "client_credentials": ()}


def login(
    issuer: str | Provider | Sequence[str | Provider] | Mapping[str, str | Provider],
    *,
    client_id: str | Mapping[str, str],
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
    Or several of these, as a list or as a dict with the names they are shown under, and the person chooses;
    ``client_id`` may then be a dict with the same names.

    ``scope``: what is asked for; without it the preset's, else ``openid profile email``. ``api``: where the token
    may go, one address or several; relative addresses of the session start at the first. ``mode``: ``loopback``
    (the browser answers to this machine), ``page`` (to a page of your Jupyter server), ``proxy`` (through its
    proxy), ``paste`` (you bring back the address you end on), ``device`` (a code, entered on any device), or
    ``auto``, decided by what is found around us. With nobody there: ``client_credentials`` (the client for itself;
    its secret is in ``AUTHNB_CLIENT_SECRET`` or a file) or ``token`` (from a trusted place, see `authnb.trusted`).
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
    clients = _registrations(issuer, client_id, client_secret=client_secret, scope=scope)
    wish = _wish(mode=mode, view=view, ports=redirect_port, timeout=timeout)
    return _begin(clients, wish, api=api, profile=profile, storage=storage or _storage(remember=remember))


def signup(
    issuer: str | Provider | Sequence[str | Provider] | Mapping[str, str | Provider],
    *,
    client_id: str | Mapping[str, str],
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
    clients = _registrations(issuer, client_id, client_secret=client_secret, scope=scope)
    wish = _wish(mode=mode, view=view, ports=redirect_port, timeout=timeout, create=True)
    return _begin(clients, wish, api=api, profile=profile, storage=storage or _storage(remember=remember))


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
        if isinstance(self.issuer, Provider) or self.issuer.partition(":")[2].startswith("//"):
            return None
        from authnb.presets import find  # noqa: PLC0415 - an address takes none of them

        return find(self.issuer)

    @property
    def address(self) -> str:
        """The provider's address: under it a sign-in is kept."""
        named = self.preset or self.issuer
        return (named if isinstance(named, str) else named.issuer).rstrip("/")

    def client(self, known: Provider | None, mode: str) -> Client:
        """The client at that provider; discovered, unless it is ``known`` or was given, or is asked nothing."""
        secret = self.client_secret
        if mode == "client_credentials" and secret is None:
            from authnb.trusted import client_secret  # noqa: PLC0415 - where a person signs in it is not needed

            secret = client_secret(os.environ)
        provider = self.issuer if isinstance(self.issuer, Provider) else known
        needs = (*_NEEDS.get(mode, ("authorization_endpoint",)), "token_endpoint")
        if provider is None and self.preset is not None:
            provider = self.preset.open(needs=needs)
        if provider is None and mode == "token":
            provider = Provider(self.address)
        if provider is None:
            provider = Provider.discover(self.address, needs=needs)
        quirks = provider.quirks
        wanted = (self.scope, quirks.public_scope if secret is None else None, quirks.scope)
        scope = next((scope for scope in wanted if scope is not None), SCOPE)
        return Client(provider, client_id=self.client_id, client_secret=secret, scope=scope)


def _wish(
    *, mode: str, view: str | None, ports: int | Iterable[int], timeout: float, create: bool = False
) -> Wish:
    choices = SIGN_UP_MODES if create else MODES
    if mode == "auto" and os.environ.get("AUTHNB_MODE") in choices:
        mode = os.environ["AUTHNB_MODE"]
    _check_choice("mode", mode, choices)
    _check_choice("view", view, VIEWS)
    several = (ports,) if isinstance(ports, int) else tuple(ports)
    return Wish(mode=mode, view=view, ports=several, timeout=timeout, create=create)


def _fitting_view(wish: Wish, place: Place) -> View | None:
    if wish.view is None:
        return None
    from authnb.views.text import NotebookView, TerminalView  # noqa: PLC0415 - only where something is shown

    if not place.in_kernel:
        return TerminalView()
    if wish.view == "panel" or (wish.view == "auto" and place.front_end == "notebook"):
        from authnb.views.panel import PanelView, unsupported_kernel  # noqa: PLC0415 - only where it is shown

        if (why := unsupported_kernel()) is None:
            return PanelView()
        warnings.warn(why, stacklevel=4)
    return NotebookView()


def _begin(
    registrations: Mapping[str, _Registration],
    wish: Wish,
    *,
    api: str | Iterable[str] | None,
    profile: str,
    storage: TokenStorage,
) -> Login:
    place = here()
    apis = (api,) if isinstance(api, str) else tuple(api or ())
    view = _fitting_view(wish, place)
    plans = {
        name: _plan(
            registration,
            wish,
            place,
            view,
            Account(profile=profile, issuer=registration.address, client_id=registration.client_id),
            apis,
            storage,
        )
        for name, registration in registrations.items()
    }
    several = len(plans) > 1
    if several and view is not None and place.front_end is None:
        raise InteractionRequired(
            "interaction_required",
            f"Nobody is there to choose between {' and '.join(plans)}. Name the one to sign in at.",
        )
    begun = Login(next(iter(plans.values())), view=view, choices=plans if several else None)
    kept = [name for name, plan in plans.items() if several and not wish.create and _is_kept(plan)]
    if len(kept) == 1:
        begun.choose(kept[0])  # whoever has chosen before is not asked again
    if wish.view is not None and place.opens_pages:
        from authnb.views.browser import PageOpener  # noqa: PLC0415 - takes its time to load, and few open pages

        begun.watch(PageOpener())
    return begun


def _plan(
    registration: _Registration,
    wish: Wish,
    place: Place,
    view: View | None,
    account: Account,
    apis: tuple[str, ...],
    storage: TokenStorage,
) -> Plan:
    if wish.mode == "client_credentials" and registration.client_secret is not None and place.in_kernel:
        raise ValueError(
            "client_secret= in a notebook is saved with the cell. Leave it out and set AUTHNB_CLIENT_SECRET, or "
            "AUTHNB_CLIENT_SECRET_FILE to the name of a file with it, where the kernel is started."
        )
    audience = (*apis, registration.client_id)[0]
    forms = wish.mode == FORM if view is None else view.shows_forms

    def connect(known: Provider | None) -> Client:
        if known is None:
            wish.check_somebody_there(place)
        return registration.client(known, wish.mode)

    return Plan(
        account=account,
        connect=connect,
        ways=lambda client, login: wish.ways(
            client, place, login.front_end, reached=login.reached, forms=forms
        ),
        flow=lambda client, mode, login, inbox: wish.flow(client, mode, place, login.front_end, inbox),
        read_front_end=lambda report: read_front_end(report, place),
        own_token=(lambda client: wish.own_token(client, audience)) if wish.unattended else None,
        auto=wish.mode == "auto",
        ports=wish.ports,
        patience=wish.patience(place, panel=forms and view is not None),
        storage=storage,
        sign_up=wish.create,
        api=apis,
    )


def _registrations(
    issuer: str | Provider | Sequence[str | Provider] | Mapping[str, str | Provider],
    client_id: str | Mapping[str, str],
    *,
    client_secret: str | None,
    scope: str | None,
) -> dict[str, _Registration]:
    """Who signs in at each provider, by the name it is shown under. `ValueError` if that is not said for each."""
    if isinstance(issuer, str | Provider):
        issuer = [issuer]
    if not isinstance(issuer, Mapping):
        issuer = {_short(each): each for each in issuer}
    ids = client_id if isinstance(client_id, Mapping) else dict.fromkeys(issuer, client_id)
    if not issuer or set(ids) != set(issuer):
        raise ValueError(f"client_id= names {list(ids)}, and there are these to choose from: {list(issuer)}")
    return {
        name: _Registration(each, client_id=ids[name], client_secret=client_secret, scope=scope)
        for name, each in issuer.items()
    }


def _short(issuer: str | Provider) -> str:
    """A provider's address without its scheme; a preset's name as it is."""
    address = issuer if isinstance(issuer, str) else issuer.issuer
    return address.partition("://")[2].rstrip("/") or address


def _is_kept(plan: Plan) -> bool:
    try:
        return plan.storage.load(plan.account) is not None
    except StorageError:
        return False  # the sign-in itself will say so


def _storage(*, remember: bool) -> TokenStorage:
    if not remember:
        return memory
    from authnb.files import FileStorage  # noqa: PLC0415 - encryption takes its time to load

    return FileStorage()


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r} is none of {', '.join(map(repr, choices))}")
