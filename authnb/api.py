"""`login` and `signup`: start a `Login`, with the view that fits the environment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from authnb.compat import runs_in_browser
from authnb.errors import AuthnbError, StorageError
from authnb.flows.steps import TIMEOUT
from authnb.signin import arguments
from authnb.signin.environment import current_environment
from authnb.signin.modes import FORM, MODES, SIGN_UP_MODES, VIEWS
from authnb.signin.options import LoginOptions
from authnb.signin.planning import make_plan
from authnb.signin.presence import nobody_to_choose
from authnb.signin.registration import read_registrations
from authnb.signin.visitors import shared_sign_in
from authnb.storage.base import Account, MemoryStorage, TokenStorage, memory, unstored
from authnb.views.selection import login_class, open_browser, select_view

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from authnb.oauth.client_auth import AuthMethod
    from authnb.oauth.provider import Provider
    from authnb.session.refused import StepUpRequired
    from authnb.session.step_up import StepUp
    from authnb.signin.environment import Environment
    from authnb.signin.login import Login
    from authnb.signin.modes import LoginMode, SignUpMode, ViewName
    from authnb.signin.plan import SignInPlan
    from authnb.signin.registration import ClientRegistration

DEFAULT_PROFILE = "default"
_IN_BROWSER = (
    "Python runs in your browser here (Pyodide, JupyterLite), without threads and sockets, and a sign-in needs both. "
    "Sign in from a notebook whose kernel runs on a machine, or in a terminal."
)


def login(
    issuer: str | Provider | Sequence[str | Provider] | Mapping[str, str | Provider] | None = None,
    *,
    client_id: str | Mapping[str, str] | None = None,
    client_secret: str | None = None,
    client_key: str | os.PathLike[str] | None = None,
    scope: str | Iterable[str] | None = None,
    api: str | Iterable[str] | None = None,
    mode: LoginMode = "auto",
    redirect_port: int | Iterable[int] = 0,
    redirect_path: str | Mapping[str, str] | None = None,
    profile: str = DEFAULT_PROFILE,
    remember: bool = False,
    timeout: float = TIMEOUT,
    view: ViewName | None = "auto",
    storage: TokenStorage | None = None,
    prompt: str | None = None,
    login_hint: str | None = None,
    token_endpoint_auth_method: AuthMethod | None = None,
    response_timeout: float | None = None,
    resource: str | Iterable[str] | None = None,
    dpop: bool | None = None,
) -> Login:
    """A sign-in, started: await it for a session that stays signed in.

    ::

        api = await authnb.login("https://id.example.org", client_id="my-notebook")

    Or with the address of the API alone, where it says itself how to sign in for it (RFC 9728)::

        api = await authnb.login(api="https://data.example.org/v1")

    ``issuer``: the provider's issuer URL, a `Provider`, or the name of a preset: ``"github"``, ``"entra:TENANT"``.
    Or several of these for the person to choose from, as a list or as a dict by display name; ``client_id`` may then
    be a dict with the same keys. Left out, it is found from ``api``; the person chooses where that names several.
    ``client_id``: left out, a client that was registered here before is used, else one is registered without a
    person (RFC 7591), where the provider allows it. A URL is that of a client id metadata document
    (draft-ietf-oauth-client-id-metadata-document).
    ``client_key``: the path of a file with the client's private key, PEM or JWK, in place of ``client_secret``; by
    default the file that ``AUTHNB_CLIENT_KEY_FILE`` names. The client authenticates by ``private_key_jwt`` then (RFC
    7523), and only the path is remembered.

    ``scope``: the scope to request; by default what the API asks for where the issuer was found from it, else the
    preset's, else ``openid profile email``. ``api``: the addresses
    that the token may be sent to; relative URLs of the session resolve against the first. ``mode``: ``loopback``
    (callback to this machine), ``page`` (callback to a page of your Jupyter server), ``proxy`` (callback through
    jupyter-server-proxy), ``paste`` (you paste the URL on which the browser ends), ``device`` (a code, entered on any
    device), or ``auto``, chosen for the environment. For unattended runs: ``client_credentials`` (a token for the
    client itself; its secret is in ``AUTHNB_CLIENT_SECRET`` or a file, or it has a key) or ``token`` (a workload
    identity, see `authnb.flows.workload`). ``redirect_port``: a port, or several to try, if the provider requires
    registered ones; ``redirect_path``: the path of the redirect URI, which is ``http://127.0.0.1:PORT/callback`` unless
    given; a dict, as for ``client_id``, where there are several providers. Two that send no ``iss`` need one each (RFC
    9700 section 4.4). ``profile``: separates several accounts.
    ``remember``: keep the sign-in on disk, encrypted, for later kernels and other notebooks; ``storage``: keep it in
    a `TokenStorage` of your own. In a web server's worker (Streamlit, Gradio, Flask …) each call is a sign-in of its
    own, for your app to keep with the visitor's session, and ``remember`` needs a ``profile`` for each visitor.
    ``timeout``: seconds the person has. ``view``: ``panel`` (a widget), ``text``, ``auto`` (the panel in an
    interactive notebook), or None to display nothing and use ``Login.verification()``.
    ``prompt``: pages the provider shows: ``select_account`` (the default for any ``profile`` but the first, where the
    provider supports it), ``login``, ``consent``. ``login_hint``: the account that its sign-in page suggests.
    ``token_endpoint_auth_method``: ``client_secret_basic``, ``client_secret_post`` or ``private_key_jwt`` (RFC 7591
    section 2), by default chosen from the provider's metadata. ``response_timeout``: seconds for one whole response of
    the provider, 20 unless given. ``resource``: the APIs, by URL, to request tokens for, where the provider knows
    several (RFC 8707), by default the one from which the issuer was found; the session's token is for the first, and
    `Session.for_audience` gives those for the others. ``dpop``: whether tokens are bound to a key of this sign-in, so
    that they are no use to whoever gets hold of them (DPoP, RFC 9449); by default where the provider's metadata offer
    it, and those of the API too if the issuer was found from it (RFC 9728); True demands it.

    The sign-in runs on a thread: ``await`` it in a cell, call ``.wait()`` in a script, or leave it on the last line
    of a cell and read ``.session`` later. Errors are raised there: `InteractionRequired` in an unattended run,
    `LoginFailed`, `ProviderError`. An invalid argument raises `ValueError` at once.

    OpenID Connect Core section 3.1 with PKCE (RFC 7636), RFC 8252 section 7.3, RFC 8628.
    """
    apis = arguments.read_api(api)
    clients = read_registrations(
        issuer,
        client_id,
        api=apis,
        client_secret=client_secret,
        client_key=client_key,
        scope=scope,
        token_endpoint_auth_method=token_endpoint_auth_method,
        response_timeout=response_timeout,
        resource=resource,
        dpop=dpop,
    )
    options = _login_options(
        mode=mode,
        view=view,
        ports=redirect_port,
        timeout=timeout,
        prompt=prompt,
        login_hint=login_hint,
        select_account=profile != DEFAULT_PROFILE,
    )
    paths = arguments.read_redirect_paths(redirect_path, clients)
    return _start(clients, options, paths, apis=apis, profile=profile, storage=storage, remember=remember)


def signup(
    issuer: str | Provider | Sequence[str | Provider] | Mapping[str, str | Provider] | None = None,
    *,
    client_id: str | Mapping[str, str] | None = None,
    client_secret: str | None = None,
    client_key: str | os.PathLike[str] | None = None,
    scope: str | Iterable[str] | None = None,
    api: str | Iterable[str] | None = None,
    mode: SignUpMode = "auto",
    redirect_port: int | Iterable[int] = 0,
    redirect_path: str | Mapping[str, str] | None = None,
    profile: str = DEFAULT_PROFILE,
    remember: bool = False,
    timeout: float = TIMEOUT,
    view: ViewName | None = "auto",
    storage: TokenStorage | None = None,
    prompt: str | None = None,
    login_hint: str | None = None,
    token_endpoint_auth_method: AuthMethod | None = None,
    response_timeout: float | None = None,
    resource: str | Iterable[str] | None = None,
    dpop: bool | None = None,
) -> Login:
    """A sign-up, started: the person creates an account and is signed in with it. Arguments as for `login`.

    ``mode``: ``form``, if the provider describes a sign-up endpoint and the panel can display the form;
    ``loopback``, on the provider's own pages, so that no password reaches the notebook (OpenID Connect Prompt
    Create 1.0, or ``Provider(…, sign_up_page=…)``); ``auto``, the first of these that works. The panel lets the
    person choose. A stored sign-in is not used. `ProviderError` if the provider offers neither.
    """
    apis = arguments.read_api(api)
    clients = read_registrations(
        issuer,
        client_id,
        api=apis,
        client_secret=client_secret,
        client_key=client_key,
        scope=scope,
        token_endpoint_auth_method=token_endpoint_auth_method,
        response_timeout=response_timeout,
        resource=resource,
        dpop=dpop,
    )
    options = _login_options(
        mode=mode,
        view=view,
        ports=redirect_port,
        timeout=timeout,
        prompt=prompt,
        login_hint=login_hint,
        create=True,
    )
    paths = arguments.read_redirect_paths(redirect_path, clients)
    return _start(clients, options, paths, apis=apis, profile=profile, storage=storage, remember=remember)


def _login_options(
    *,
    mode: str,
    view: str | None,
    ports: int | Iterable[int],
    timeout: float,
    prompt: str | None,
    login_hint: str | None,
    select_account: bool = False,
    create: bool = False,
) -> LoginOptions:
    arguments.check_choice("view", view, VIEWS)
    if login_hint is not None:
        arguments.read_text("login_hint", login_hint, "give an e-mail address or user name.")
    return LoginOptions(
        mode=arguments.read_mode(mode, SIGN_UP_MODES if create else MODES, (*MODES, FORM)),
        view=view,
        ports=arguments.read_ports(ports),
        timeout=arguments.read_timeout(timeout),
        prompt=arguments.read_prompt(prompt),
        login_hint=login_hint,
        select_account=select_account,
        create=create,
    )


def _start(
    registrations: Mapping[str, ClientRegistration],
    options: LoginOptions,
    paths: Mapping[str, str],
    *,
    apis: tuple[str, ...],
    profile: str,
    storage: TokenStorage | None,
    remember: bool,
) -> Login:
    if runs_in_browser():
        raise AuthnbError("no_threads", _IN_BROWSER)
    arguments.check_storage(storage)
    arguments.read_text("profile", profile, "give a name, as in profile='work'.")
    environment = current_environment()
    shared = profile == DEFAULT_PROFILE and not environment.one_person
    if remember and storage is None and shared and not options.unattended:
        raise shared_sign_in(environment.server)
    token_storage = _storage(environment, remember=remember) if storage is None else storage
    fallback = unstored if storage is None and environment.one_person else MemoryStorage()
    view = select_view(options, environment)
    plans = {
        name: make_plan(
            name,
            registration,
            replace(
                options,
                redirect_path=paths[name],
                alternatives=tuple(
                    (other, paths[each]) for each, other in registrations.items() if each != name
                ),
            ),
            environment,
            view,
            Account(profile=profile, issuer=registration.address, client_id=registration.client_id or ""),
            apis,
            token_storage,
            fallback,
            remember=remember,
            with_step_up=_with_step_up,
        )
        for name, registration in registrations.items()
    }
    several = len(plans) > 1
    if several and options.view is not None and environment.front_end is None:
        raise nobody_to_choose(plans)
    started = login_class(environment)(
        next(iter(plans.values())), view=view, choices=plans if several else None
    )
    stored = [name for name, plan in plans.items() if several and not options.create and _is_stored(plan)]
    if len(stored) == 1:
        started.choose(stored[0])  # the person chose before
    open_browser(started, options, environment)
    return started


def _with_step_up(plan: SignInPlan, options: LoginOptions, *, of_worker: bool) -> SignInPlan:
    """The plan, whose sessions can ask the person for more."""

    def begin(step_up: StepUp, **given: Any) -> Login:
        from authnb.views.step_up import begin_step_up  # noqa: PLC0415 - needed by few

        return begin_step_up(plan, options, step_up, of_worker=of_worker, **given)

    def offer(step_up: StepUp, required: StepUpRequired) -> None:
        from authnb.views.step_up import offer_step_up  # noqa: PLC0415 - needed by few

        offer_step_up(plan, options, step_up, required)

    return replace(plan, begin_step_up=begin, offer_step_up=offer)


def _is_stored(plan: SignInPlan) -> bool:
    try:
        stored = plan.storage.load(plan.account)
    except StorageError:
        return False  # raised again by the sign-in itself
    return stored is not None and not stored.refused


def _storage(environment: Environment, *, remember: bool) -> TokenStorage:
    """Where the sign-in is kept: one of several visitors finds none but their own."""
    if not remember:
        return memory if environment.one_person else MemoryStorage()
    from authnb.storage.files import FileStorage  # noqa: PLC0415 - cryptography is slow to load

    return FileStorage()
