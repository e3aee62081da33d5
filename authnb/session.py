"""A ``requests`` session that stays signed in: Authlib's ``OAuth2Session``, with care for its tokens.

One renewal at a time, for all threads and, with stored tokens, all processes (`authnb.keeper`). A token goes
only where it belongs: to the origins in ``api`` where they are given, else to https and loopback addresses
(`authnb.bearer`).
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from authnb.answers import Token
from authnb.authlib_session import ClientSession
from authnb.bearer import Headers, TokenAuth, origin, signed_out
from authnb.client import Client
from authnb.errors import LoginRequired, without_frames
from authnb.exchange import observe, observers
from authnb.keeper import LEEWAY, Keeper, SignedOut, expires_soon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import requests

    from authnb.storage import Account, TokenStorage

API_TIMEOUT = (5.0, 60.0)  # seconds to connect, seconds without a byte


def _without_frames(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of Authlib's, whose arguments are secrets, leaving none in a traceback."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - whatever it is, an interrupt too: raised again
            failure = error
        del args, kwargs
        raise without_frames(failure)

    return call


class Session(ClientSession):
    """Constructed as ``OAuth2Session`` is, and a drop-in for it; `authnb.login` returns one that is signed in."""

    token_auth_class = TokenAuth
    token_auth: TokenAuth
    _api: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default_timeout", API_TIMEOUT)
        super().__init__(*args, **kwargs)
        self.token = self.token  # ours, whose repr tells no secret

    @classmethod
    def signed_in(
        cls,
        client: Client,
        token: Token,
        *,
        account: Account,
        storage: TokenStorage,
        api: str | Iterable[str] | None = None,
        again: Callable[[], Token] | None = None,
    ) -> Session:
        """A session for a sign-in at ``client``, kept in ``storage``, for calls to ``api``.

        Of several addresses in ``api`` the first is the one that relative addresses start at. ``again``: see
        `authnb.keeper.Keeper`.
        """
        session = cls(client.client_id, scope=client.scope, token=token, leeway=LEEWAY)
        session._api = (api,) if isinstance(api, str) else tuple(api or ())
        session.token_auth.origins = frozenset(map(origin, session._api))
        session.token_auth.keeper = Keeper(client=client, account=account, storage=storage, again=again)
        return session

    def __repr__(self) -> str:
        name = (self.user or {}).get("name") or (self.user or {}).get("sub")
        return f"<Session {'signed in as ' + repr(name) if name else 'of ' + repr(self.client_id)}>"

    def __reduce__(self) -> tuple[Callable[..., Session], tuple[Any, ...]]:
        """Pickled as a name: no token, only where to find the sign-in again on this machine."""
        keeper = self.token_auth.keeper
        if keeper is None or keeper.client.client_secret is not None:
            raise TypeError(
                "This session is not pickled: it holds secrets of its own. Build it anew in the other process, or hand "
                "over headers_for(url)."
            )
        subject = (self.user or {}).get("sub")
        return _found_again, (keeper.storage, keeper.account, keeper.client.scope, self._api, subject)

    @property
    def user(self) -> dict[str, Any] | None:
        """Who is signed in: the verified claims of the ID token; None without one or after signing out."""
        return self.token.get("userinfo") if self.token else None

    @property
    def token(self) -> Any:
        """The token answer in use; its repr tells no secret. None after signing out."""
        return self.token_auth.token

    @token.setter
    def token(self, token: Mapping[str, Any] | None) -> None:
        ours = token if token is None or isinstance(token, Token) else Token(token)
        self.token_auth.set_token(ours)

    @property
    def requests_auth(self) -> TokenAuth:
        """The token, always fresh, for a bare ``requests`` call or session: ``auth=session.requests_auth``."""
        return self.token_auth

    @property
    def httpx_auth(self) -> Any:
        """The token, always fresh, for an ``httpx`` client, sync or async: ``auth=session.httpx_auth``."""
        from authnb.httpx_auth import HttpxAuth  # noqa: PLC0415 - httpx is optional

        return HttpxAuth(self.token_auth)

    def headers_for(self, url: str) -> Headers:
        """A fresh ``Authorization`` header for one request to this URL by any other client.

        Raises `AuthnbError` if the token does not belong there. What follows a redirect with these headers may
        carry them elsewhere: that is the other client's to prevent.
        """
        token = self.token_auth.fresh(self._absolute(url))
        return Headers(Authorization=f"Bearer {token['access_token']}")

    def request(  # type: ignore[override] # the stub spells out every keyword of requests
        self,
        method: str,
        url: str,
        withhold_token: bool = False,  # noqa: FBT001, FBT002 - Authlib's signature
        auth: Any = None,
        **kwargs: Any,
    ) -> requests.Response:
        """Send a request with the token, renewed if need be; relative addresses start at ``api``.

        An API's 401 leads to one renewal and one more try, if the body can be sent again. Raises `LoginRequired`
        where only a new sign-in helps, and `AuthnbError` for an address to which the token does not belong;
        ``withhold_token=True`` goes there without it.
        """
        if not withhold_token and auth is None and self.token_auth.keeper and not self.token:
            raise signed_out()
        url = self._absolute(url)
        if observers:
            kwargs["hooks"] = _observed(kwargs.get("hooks"))
        try:
            return super().request(method, url, withhold_token=withhold_token, auth=auth, **kwargs)
        except BaseException as error:  # noqa: BLE001 - whatever it is, an interrupt too: raised again
            failure = error
        raise without_frames(failure)

    def should_strip_auth(self, old_url: str, new_url: str) -> bool:
        """Whether a redirect drops the token: it does whenever the origin changes."""
        return origin(old_url) != origin(new_url)

    def ensure_active_token(self, token: Any = None) -> bool | None:  # noqa: ARG002 - Authlib's signature
        """Renew the token if it ends soon: once, however many threads ask."""
        keeper = self.token_auth.keeper
        if keeper is not None:
            self.token_auth.ensure(keeper)
            return True
        stale = self.token
        if not expires_soon(stale, time.time(), self.leeway):
            return True
        with self.token_auth.renewing:
            if self.token is not stale:
                return True
            return super().ensure_active_token(stale)  # type: ignore[no-any-return,no-untyped-call] # Authlib has no types

    def logout(self) -> SignedOut:
        """Forget the tokens here and in storage, revoke them where the provider can, and say what was done.

        Each step is tried even if an earlier one fails. The provider's own session, in the browser, goes
        on; ``end_session_uri`` of the answer ends it (OpenID Connect RP-Initiated Logout section 2).
        """
        token, keeper = self.token_auth.give_up(), self.token_auth.keeper
        if token is None or keeper is None:
            return SignedOut(revoked=(), problems=(), end_session_uri=None)
        return keeper.end(token)

    def parse_response_token(self, resp: Any) -> Any:
        """The token in an answer. One without a token in it raises, and does not replace what there was."""
        before = self.token
        token = super().parse_response_token(resp)  # type: ignore[no-untyped-call] # Authlib has no types
        if isinstance(token.get("access_token"), str):
            return token
        self.token = before
        raise self.oauth_error_class(
            error="invalid_response",
            description=f"The token endpoint answered HTTP {resp.status_code} without an access_token.",
        )

    def _absolute(self, url: str) -> str:
        if not self._api or url.startswith("//") or urlsplit(url).scheme:
            return url
        base = self._api[0]
        return urljoin(base if base.endswith("/") else base + "/", url.lstrip("/"))

    fetch_token = _without_frames(ClientSession.fetch_token)
    refresh_token = _without_frames(ClientSession.refresh_token)
    revoke_token = _without_frames(ClientSession.revoke_token)
    introspect_token = _without_frames(ClientSession.introspect_token)

    # A 307 would repeat a refresh token and a secret at another origin

    def _fetch_token(self, *args: Any, **kwargs: Any) -> Any:
        return super()._fetch_token(*args, **{"allow_redirects": False, **kwargs})  # type: ignore[misc] # not in the stubs

    def _http_post(self, *args: Any, **kwargs: Any) -> Any:
        return super()._http_post(*args, **{"allow_redirects": False, **kwargs})  # type: ignore[misc] # not in the stubs


def _observed(hooks: Mapping[str, Any] | None) -> dict[str, Any]:
    """These hooks of a request, with one more for whoever observes; only then, for merging hooks takes time."""
    given = (hooks or {}).get("response") or []
    return {**(hooks or {}), "response": [*(given if isinstance(given, list | tuple) else [given]), observe]}


def _found_again(
    storage: TokenStorage, account: Account, scope: str, api: tuple[str, ...], subject: str | None
) -> Session:
    """A pickled session, from what is stored where it is unpickled: the same person's, or none."""
    kept = storage.load(account)
    if kept is None:
        raise LoginRequired(
            "login_required",
            f"No sign-in of profile {account.profile!r} at {account.issuer} is stored here. Sign in with remember=True "
            "on this machine first.",
        )
    session = Session.signed_in(
        Client(kept.provider, client_id=account.client_id, scope=scope),
        kept.token,
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
