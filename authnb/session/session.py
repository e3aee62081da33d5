"""A ``requests`` session that stays signed in, built on Authlib's ``OAuth2Session``.

All threads, and with stored tokens all processes, share one renewal (`authnb.session.renewal`). The token is sent only
to the origins in ``api``, or without ``api`` to https and loopback addresses (`authnb.session.auth`).
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from authnb.adapters.source import AccessToken
from authnb.errors import LoginRequired, ProviderError, ShareError, raises_without_frames
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider
from authnb.oauth.responses import Authorization, Token
from authnb.session.auth import Headers, TokenAuth, origin
from authnb.session.guarded_session import GuardedSession
from authnb.session.renewal import LEEWAY, SignedOut, TokenRenewer, signed_out_error
from authnb.storage.base import Account, MemoryStorage
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from datetime import timedelta
    from pathlib import Path

    from authnb.adapters.credentials import Credentials
    from authnb.adapters.proxy import TokenProxy
    from authnb.cluster.grant import Reference
    from authnb.cluster.member import Member
    from authnb.cluster.share import Share
    from authnb.session.lifetime import Lifetime
    from authnb.session.step_up import PendingLogin
    from authnb.storage.base import TokenStorage


_NOT_ENDED_HERE = (
    "The sign-in was not ended, for it is shared: this process alone has forgotten its token. Sign out in the one that "
    "signed in."
)


class Session(GuardedSession):
    """Constructed as ``OAuth2Session`` is, and a drop-in for it; `authnb.login` returns one that is signed in."""

    _shares: tuple[Share, ...] = ()  # that are open
    share_references: tuple[Reference, ...] = ()  # by which a worker's session was unpickled
    _sign_in: Session | None = None  # whose sign-in this one uses, see `for_audience`
    _is_worker: bool = False  # whether its tokens come from the process that shares
    begin_step_up: Callable[..., PendingLogin[Session]] | None = (
        None  # asks the person, where one can be asked
    )

    @classmethod
    def from_sign_in(
        cls,
        client: Client,
        token: Token,
        *,
        account: Account,
        storage: TokenStorage,
        api: str | Iterable[str] | None = None,
        reissue: Callable[[], Token] | None = None,
        rediscover: Callable[[], Provider] | None = None,
    ) -> Session:
        """A session for a sign-in of ``client``, stored in ``storage``, for calls to ``api``.

        Relative URLs resolve against the first address in ``api``. ``reissue`` and
        ``rediscover``: see `authnb.session.renewal.TokenRenewer`.
        """
        session = cls(client.client_id, scope=client.scope, token=token, leeway=LEEWAY)
        session._api = (api,) if isinstance(api, str) else tuple(api or ())
        session.token_auth.session = session
        session.token_auth.origins = frozenset(map(origin, session._api))
        session.token_auth.renewer = TokenRenewer(
            client=client, account=account, storage=storage, reissue=reissue, rediscover=rediscover
        )
        return session

    @classmethod
    def from_share(cls, joined: Member) -> Session:
        """A session in the process of a worker, whose tokens come from the one that shares."""
        from authnb.cluster.member import expired_token  # noqa: PLC0415 - only under a share

        reference = joined.references[0]
        session = cls.from_sign_in(
            Client(Provider(reference.issuer), client_id=reference.client_id, scope=reference.scope),
            expired_token(),
            account=Account(profile="share", issuer=reference.issuer, client_id=reference.client_id),
            storage=MemoryStorage(),
            api=reference.api,
        )
        session.share_references = joined.references
        session.become_worker(joined)
        return session

    def become_worker(self, joined: Member) -> None:
        """Have tokens from the process that shares, and no other secret."""
        auth = self.token_auth
        if auth.renewer is not None:
            client = replace(auth.renewer.client, client_secret=None, client_key=None)
            auth.renewer = TokenRenewer(
                client=client, account=auth.renewer.account, storage=MemoryStorage(), reissue=joined.renew
            )
        auth.token = auth.token and auth.token.without_refresh_token()
        self._is_worker, self._sign_in = True, None

    def become_alias(self, shared: Session) -> None:
        """In a forked process: be the session with less power that was shared."""
        vars(self).update(token_auth=shared.token_auth, _api=shared._api, _is_worker=True)

    def sign_in_again(self, new: Session) -> None:
        """Use this sign-in by the same person from now on."""
        self.token_auth.sign_in_again(new.token_auth)
        vars(self).update(client_id=new.client_id, scope=new.scope)

    @property
    def owner(self) -> Session:
        """The session whose sign-in this one uses, itself unless it is of `for_audience`."""
        return self._sign_in or self

    @property
    def is_worker(self) -> bool:
        """Whether its tokens come from the process that shares."""
        return self._is_worker

    @property
    def is_dependent(self) -> bool:
        """Whether its tokens come from another session, here or in the process that shares."""
        return self._is_worker or self.owner is not self

    @property
    def references(self) -> tuple[Reference, ...]:
        """The shares that the session is pickled as."""
        return (*self.share_references, *(share.reference for share in self._shares))

    def __repr__(self) -> str:
        if self._is_worker:
            return f"<Session of {self.client_id!r}, shared by the process that signed in>"
        name = (self.user or {}).get("name") or (self.user or {}).get("sub")
        return f"<Session {'signed in as ' + repr(printable(name, 80)) if name else 'of ' + repr(self.client_id)}>"

    def __reduce__(self) -> tuple[Callable[..., Session], tuple[Any, ...]]:
        """Pickle the name of a share, else a reference to the stored sign-in on this machine; never a token."""
        if references := self.references:
            return _join, (references,)
        renewer = self.token_auth.renewer
        if renewer is None or renewer.client.client_secret is not None:
            raise TypeError(
                "This session is not pickled: it holds secrets of its own. Build it anew in the other process, or hand "
                "over headers_for(url)."
            )
        subject = (self.user or {}).get("sub")
        client = renewer.client
        return _unpickle, (
            renewer.storage,
            renewer.account,
            client.scope,
            self._api,
            subject,
            client.resource,
        )

    def __call__(self, request: Any) -> Any:
        """Add the token to a request of ``requests`` or ``httpx``: ``requests.get(url, auth=session)``.

        For ``httpx``, `httpx_auth` also retries after a 401, and does not block an event loop while it renews.
        """
        if hasattr(request, "register_hook"):
            return self.token_auth(request)
        request.headers.update(self.headers_for(str(request.url)))
        return request

    @property
    def signed_in(self) -> bool:
        """Whether the session has a token and, as far as is known, can renew it: False after `logout` or a refusal."""
        return self.token_auth.usable

    @property
    def user(self) -> dict[str, Any] | None:
        """The verified claims of the ID token; None without one, or after `logout`."""
        return self.token.get("userinfo") if self.token else None

    @property
    def requests_auth(self) -> TokenAuth:
        """Auth for other ``requests`` calls and sessions, renewing the token: ``auth=session.requests_auth``."""
        return self.token_auth

    @property
    def httpx_auth(self) -> Any:
        """Auth for ``httpx`` and ``httpx2`` clients, sync or async, renewing the token: ``auth=session.httpx_auth``."""
        return self.credentials.httpx

    @property
    def credentials(self) -> Credentials:
        """The token for other libraries, each as its documentation takes it: ``api.credentials.aiohttp``."""
        from authnb.adapters.credentials import Credentials  # noqa: PLC0415 - only if other libraries are used

        return Credentials(self)

    def access_token(self, url: str | None = None) -> AccessToken:
        """A fresh access token for requests to this URL, by another client: ``api.access_token(url).token``.

        ``url`` may be relative, and left out if ``api`` is one origin. Raises `AuthnbError` for a URL outside ``api``
        or if a proxy of the environment would read the token, `LoginRequired` if a new sign-in is needed, and
        `ProviderError` if the renewal failed. Ask again for each use: it is renewed when it expires soon.
        """
        target = self._target(url)
        self.token_auth.check_static(target)
        return AccessToken.from_response(self.token_auth.fresh_token(target))

    async def access_token_async(self, url: str | None = None) -> AccessToken:
        """As `access_token`, without blocking the event loop while the token is renewed."""
        from authnb.adapters.event_loop import fresh_token  # noqa: PLC0415 - where there is an event loop

        target = self._target(url)
        self.token_auth.check_static(target)
        return AccessToken.from_response(await fresh_token(self.token_auth, target))

    def _target(self, url: str | None) -> str:
        """The absolute URL that a token is asked for, to which no proxy passes it in clear."""
        if url is None:
            if len(self.token_auth.origins) != 1:
                raise ValueError(
                    "Name the address that the token is for: access_token('https://…'). A library that does not say "
                    "where it sends the token needs a session with one address in api=; for_audience(…) makes one."
                )
            url = self._api[0]
        url = self._absolute(url)
        self.token_auth.check_proxy(url)
        return url

    def for_audience(
        self, audience: str, *, scope: str | None = None, api: str | Iterable[str] | None = None
    ) -> Session:
        """A session for another API, with a token of its own by the same sign-in.

        ::

            archive = api.for_audience("https://archive.example.org")

        ``audience``: the API's URL (RFC 8707), or the name that the provider has for it (RFC 8693); ``scope``: a part
        of this session's, for a token with less power; ``api``: as for `authnb.login`, by default the URL. Raises
        `ProviderError` if the provider refuses, with ``invalid_target`` if it does not know the API, and
        `LoginRequired` if a new sign-in is needed.
        """
        renewer = self.token_auth.renewer
        if renewer is None:
            raise ValueError("This session was not signed in by authnb.login, which for_audience needs.")
        by_url = "://" in audience
        if api is None and not by_url:
            raise ValueError(
                f"{audience!r} is no URL. Name the API's too: for_audience({audience!r}, api='https://…')."
            )

        return self._derived(
            renewer,
            resource=audience if by_url else None,
            audience=None if by_url else audience,
            scope=scope,
            api=audience if api is None else api,
        )

    def ask_for(
        self,
        scope: str | Iterable[str] | None = None,
        *,
        acr_values: str | Iterable[str] | None = None,
        max_age: float | None = None,
        mode: str = "auto",
        view: str | None = "auto",
        timeout: float | None = None,
        prompt: str | None = None,
        login_hint: str | None = None,
    ) -> PendingLogin[Session]:
        """Ask the person for more: a `Login`, already started, that ends with this same session.

        ::

            api = await api.ask_for("measurements:read")

        ``scope``: what an API wants besides what was granted, which is kept; ``acr_values``: the classes of
        authentication of which it wants one; ``max_age``: the seconds since the person authenticated, at most (RFC
        9470). ``mode``, ``view``, ``timeout``, ``prompt``, ``login_hint``: as for `authnb.login`, by default as at the
        sign-in. This session, and all that was made of it, has the new token once the same person has agreed, and the
        remembered sign-in is replaced; until then, and if nothing comes of it, all stays as it is. Nobody is asked for
        what the session has already.

        Raises `ValueError` for what cannot be asked for, `LoginRequired` if nobody is signed in,
        `InteractionRequired` where no person can be asked, `ShareError` on a worker. Awaiting raises `LoginFailed`,
        with ``other_person`` if somebody else signed in, and with ``insufficient_scope`` or
        ``unmet_authentication_requirements`` if the provider did not do what was asked, or the API refuses it anyway.
        """
        from authnb.session.step_up import ask  # noqa: PLC0415 - needed by few

        step_up = ask(self, scope, acr_values, max_age)
        begin = self.owner.begin_step_up
        if begin is None:
            raise RuntimeError("checked by ask")
        return begin(step_up, mode=mode, view=view, timeout=timeout, prompt=prompt, login_hint=login_hint)

    def _derived(
        self,
        renewer: TokenRenewer,
        *,
        resource: str | None,
        audience: str | None,
        scope: str | None,
        api: str | Iterable[str],
    ) -> Session:
        """A session whose tokens are requested with this one's."""
        if self._is_worker:
            raise ShareError(
                "worker_session",
                "This session is shared by the process that signed in, which alone can get a token for another API or "
                "with less power. Get it there, and share that: api.for_audience(…).share_with(…).",
            )

        def issue() -> Token:
            self.ensure_active_token()
            if (token := self.token_auth.token) is None:
                raise signed_out_error()
            issued = renewer.token_for(token, resource=resource, audience=audience, scope=scope)
            return Token({**issued, "userinfo": token["userinfo"]}) if "userinfo" in token else issued

        session = Session.from_sign_in(
            replace(renewer.client, resource=() if resource is None else (resource,)),
            raises_without_frames(issue)(),
            account=renewer.account,
            storage=MemoryStorage(),
            api=api,
            reissue=issue,
        )
        session._sign_in = self.owner  # noqa: SLF001 - of this class
        return session

    def token_file(
        self, url: str | None = None, *, variables: Iterable[str] = ()
    ) -> AbstractContextManager[Path]:
        """A file with the access token, kept fresh while the block runs, for programs that cannot call back.

        ::

            with api.token_file(variables=["BEARER_TOKEN_FILE"]) as path:
                subprocess.run(["program", "--token-file", path])

        ``url``: as for `access_token`; ``variables``: environment variables to set to the file's path, for the block.
        The file is readable by its owner only, replaced atomically, and removed at the end or when nobody is signed
        in any more. Raises what `access_token` raises, and `StorageError` if the file cannot be written.
        """
        from authnb.adapters.token_file import TokenFile  # noqa: PLC0415 - needed by few

        return TokenFile(self, url, [variables] if isinstance(variables, str) else variables)

    def serve(self, url: str | None = None) -> AbstractContextManager[TokenProxy]:
        """A proxy on this machine that adds the token, while the block runs, for programs that cannot call back.

        ::

            with api.serve() as proxy:
                duckdb.read_json(proxy.url("/measurements"))

        ``url``: the API's address, by default each of ``api``. The proxy sends requests to their origins only, each
        with a fresh token. The addresses that it gives hold a random capability: who knows one can use the API until
        the block ends. Needs aiohttp. Raises what `access_token` raises, except for a token that is bound to a key,
        which goes with a proof for each request (RFC 9449); a session that is signed out later answers 401, and an
        API that cannot be reached 502, with the reason as text.
        """
        from authnb.adapters.credentials import load  # noqa: PLC0415 - needed by few

        urls = self._api if url is None else (self._absolute(url),)
        if not urls:
            raise ValueError("Name the address of the API: serve('https://…').")
        for each in urls:
            self.token_auth.fresh_token(self._target(each))
        proxy: AbstractContextManager[TokenProxy] = load(
            "proxy", "serve", "aiohttp>=3.12", needed_for="Session.serve"
        )(self, urls)
        return proxy

    def share_with(
        self,
        workers: Any,
        *,
        scope: str | None = None,
        audience: str | None = None,
        allow_unencrypted: bool = False,
    ) -> Share:
        """Let workers use the sign-in: while the share is open, the session can be pickled into their tasks.

        ::

            with api.share_with(client):  # of dask.distributed
                pages = client.gather(client.map(lambda page: api.get(page).json(), range(100)))

        ``workers``: a Dask client, the module ``ray``, or for processes of this machine ``multiprocessing``,
        ``concurrent.futures``, ``joblib``, ``subprocess``, or an executor or pool. Workers get access tokens only,
        for as long as this process lives and the share is open. ``scope``, ``audience``: for tokens with less power,
        as for `for_audience`. Raises `ShareError` if the workers cannot be reached privately, unless
        ``allow_unencrypted``, or have no authnb of this kind; and what `for_audience` raises.
        """
        from authnb.cluster.share import Share, open_channel  # noqa: PLC0415 - needed by few

        renewer = self.token_auth.renewer
        if renewer is None:
            raise ValueError("This session was not signed in by authnb.login, which share_with needs.")
        channel = open_channel(workers, allow_unencrypted=allow_unencrypted)
        self.ensure_active_token()
        if self.token is None:
            raise signed_out_error()
        if self.token.dpop_key is not None:
            raise ShareError(
                "not_supported",
                "The token of this session is bound to a key (DPoP, RFC 9449), which stays in this process. Sign in "
                "for the workers with dpop=False and a profile= of its own, if the provider allows that.",
            )
        shared = self
        if audience is not None:
            shared = self.for_audience(audience, scope=scope, api=None if "://" in audience else self._api)
        elif scope is not None:
            shared = self._derived(renewer, resource=None, audience=None, scope=scope, api=self._api)
        if scope is not None:
            _check_narrowed(shared, scope)
        share = Share(self, shared, channel)
        self._shares = (*self._shares, share)
        return share

    def forget_share(self, share: Share) -> None:
        """No longer be pickled as this share."""
        self._shares = tuple(each for each in self._shares if each is not share)

    @property
    def api_addresses(self) -> tuple[str, ...]:
        """The addresses in ``api=``, with which the session was made."""
        return self._api

    def lasts(self, duration: str | float | timedelta) -> Lifetime:
        """Whether the sign-in lasts that long, until when, and why: to be asked before a job is submitted.

        ::

            if not (answer := api.lasts("24h")):
                print(answer)

        ``duration``: ``"24h"``, ``"90m"``, ``"7d"``, seconds, or a `timedelta`; `ValueError` for anything else. It is
        true only if the provider states so in its token responses (draft-ietf-oauth-refresh-token-expiration, and the
        members of Keycloak, GitHub and others) or the client signs in by itself. No request is sent.
        """
        from authnb.session.lifetime import lifetime  # noqa: PLC0415 - needed by few

        source = "the kernel that shares it" if self._is_worker else None
        return lifetime(self.owner.token_auth, duration, source)

    def provider_time(self) -> float:
        """The time by the provider's clock, in seconds since the Unix epoch, as in ``AccessToken.expires_at``."""
        renewer = self.token_auth.renewer
        return time.time() if renewer is None else renewer.client.provider.clock.now()

    def headers_for(self, url: str) -> Headers:
        """A current ``Authorization`` header for one request to this URL by another HTTP client.

        Raises `AuthnbError` for a URL outside ``api``, and if a proxy of the environment would read the token. The
        other client is responsible for dropping the header on a redirect to another origin.
        """
        return Headers(Authorization=Authorization(f"Bearer {self.access_token(url).token}"))

    def logout(self) -> SignedOut:
        """Remove the tokens from this session and its storage, and revoke them (RFC 7009); the result of each step.

        Every step is attempted even if an earlier one fails. The provider's own session in the browser continues;
        ``end_session_uri`` of the result ends it (OpenID Connect RP-Initiated Logout section 2). Where a share runs,
        on a worker, only this process forgets its token: the others work on.
        """
        token, renewer = self.token_auth.discard_token(), self.token_auth.renewer
        for share in self._shares:
            share.close("its session was signed out. Run the cell that signs in, and share it again.")
        if self._is_worker:
            return SignedOut(revoked=(), problems=(_NOT_ENDED_HERE,), end_session_uri=None)
        if token is None or renewer is None:
            return SignedOut(revoked=(), problems=(), end_session_uri=None)
        return renewer.logout(token)


def _unpickle(
    storage: TokenStorage,
    account: Account,
    scope: str,
    api: tuple[str, ...],
    subject: str | None,
    resource: tuple[str, ...],
) -> Session:
    """The session for the sign-in stored on this machine; `LoginRequired` if it is gone or another person's."""
    stored = storage.load(account)
    if stored is None:
        raise LoginRequired(
            "login_required",
            f"No sign-in of profile {account.profile!r} at {account.issuer} is stored here. Sign in with remember=True "
            "on this machine first.",
        )
    session = Session.from_sign_in(
        replace(stored.client(account), scope=scope, resource=resource),
        stored.token,
        account=account,
        storage=storage,
        api=api,
    )
    if subject not in {None, (session.user or {}).get("sub")}:
        raise LoginRequired(
            "login_required",
            f"Somebody else has signed in as profile {account.profile!r} at {account.issuer} since this session was "
            "pickled. Give each person a profile= of their own.",
        )
    return session


def _check_narrowed(session: Session, scope: str) -> None:
    granted = set(str(session.token.get("scope", scope)).split())
    if more := granted - set(scope.split()):
        raise ProviderError(
            "not_supported",
            f"A token with scope {scope!r} was requested, and {session.token_auth.renewer.client.provider.host} gave "  # type: ignore[union-attr] # it has one
            f"{' '.join(sorted(more))!r} as well. It does not narrow tokens: sign in for the workers alone, with "
            "scope= and another profile=.",
        )


def _join(references: tuple[Reference, ...]) -> Session:
    """The session of a share, in the process of a worker; one for all its tasks."""
    from authnb.cluster import member  # noqa: PLC0415 - only under a share

    session: Session = member.join(references, Session.from_share)
    return session
