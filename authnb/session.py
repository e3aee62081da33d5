"""A ``requests`` session that stays signed in: Authlib's ``OAuth2Session``, with care for its tokens.

One renewal at a time, with a second look inside the lock. A token goes only where it belongs: to the origins
in ``api`` where they are given, else to https and loopback addresses.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from authlib.integrations.requests_client import OAuth2Session

from authnb.answers import Token
from authnb.errors import AuthnbError, LoginRequired, ProviderError
from authnb.exchange import observe
from authnb.storage import SignIn
from authnb.transport import is_secure

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from authnb.client import Client
    from authnb.storage import Account, TokenStorage

API_TIMEOUT = (5.0, 60.0)  # seconds to connect, seconds without a byte
LEEWAY = 60.0  # seconds before its end at which a long-lived token is renewed
_PORTS = {"http": 80, "https": 443}


def expires_soon(token: Mapping[str, Any], now: float | None = None) -> bool:
    """Whether a token should be renewed before use: a minute early, less for a short-lived one."""
    expires_at = token.get("expires_at")
    if expires_at is None:
        return False
    leeway = min(LEEWAY, token.get("expires_in", LEEWAY) / 4)
    return bool(expires_at - leeway <= (time.time() if now is None else now))


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL (RFC 6454 section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


@dataclass(frozen=True, kw_only=True)
class SignedOut:
    """What signing out did: the tokens revoked, what was not possible, where to end the provider's session."""

    revoked: tuple[str, ...]
    problems: tuple[str, ...]
    end_session_uri: str | None

    def __repr__(self) -> str:
        done = f"revoked at the provider: {', '.join(self.revoked)}" if self.revoked else "nothing revoked"
        text = f"Signed out ({done})."
        if self.problems:
            text += " Not possible: " + " ".join(self.problems)
        return text


class Session(OAuth2Session):
    """Constructed as ``OAuth2Session`` is, and a drop-in for it; `authnb.login` returns one that is signed in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._renewing = threading.Lock()
        self._client: Client | None = None
        self._account: Account | None = None
        self._storage: TokenStorage | None = None
        self._api: str | None = None
        kwargs.setdefault("default_timeout", API_TIMEOUT)
        super().__init__(*args, **kwargs)
        self.hooks["response"].append(observe)

    @classmethod
    def signed_in(
        cls, client: Client, token: Token, *, account: Account, storage: TokenStorage, api: str | None = None
    ) -> Session:
        """A session for a sign-in at ``client``, kept in ``storage``, for calls to ``api``."""
        session = cls(client.client_id, scope=client.scope, token=token)
        session._client, session._account, session._storage = client, account, storage
        session._api = api if api is None or api.endswith("/") else api + "/"
        return session

    def __repr__(self) -> str:
        name = (self.user or {}).get("name") or (self.user or {}).get("sub")
        return f"<Session {'signed in as ' + repr(name) if name else 'of ' + repr(self.client_id)}>"

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
        self.token_auth.set_token(None if token is None else Token(dict(token)))

    def request(  # type: ignore[override] # the stub spells out every keyword of requests
        self,
        method: str,
        url: str,
        withhold_token: bool = False,  # noqa: FBT001, FBT002 - Authlib's signature
        auth: Any = None,
        **kwargs: Any,
    ) -> requests.Response:
        """Send a request with the token, renewed if need be; relative addresses start at ``api``.

        Raises `LoginRequired` where only a new sign-in helps, and `AuthnbError` for an address to which the
        token does not belong; ``withhold_token=True`` goes there without it.
        """
        if self._api is not None:
            url = urljoin(self._api, url.lstrip("/") if not url.startswith("//") else url)
        if not withhold_token and auth is None:
            if not self.token:
                raise LoginRequired(
                    "login_required", "This session is signed out. Run the cell that signs in."
                )
            self._check_origin(url)
        return super().request(method, url, withhold_token=withhold_token, auth=auth, **kwargs)

    def should_strip_auth(self, old_url: str, new_url: str) -> bool:
        """Whether a redirect drops the token: it does whenever the origin changes."""
        return origin(old_url) != origin(new_url)

    def ensure_active_token(self, token: Any = None) -> bool | None:  # noqa: ARG002 - Authlib's signature
        """Renew the token if it ends soon: once, however many threads ask."""
        if not expires_soon(self.token):
            return True
        with self._renewing:
            if not expires_soon(self.token):
                return True
            if self._client is None:
                return super().ensure_active_token(self.token)  # type: ignore[no-any-return,no-untyped-call]
            self.token = self._renew(self._client, self.token)
        return True

    def logout(self) -> SignedOut:
        """Revoke the tokens where the provider can, forget them here, and say what was done.

        Each step is tried even if an earlier one fails. The provider's own session, in the browser, goes
        on; ``end_session_uri`` of the answer ends it (OpenID Connect RP-Initiated Logout section 2).
        """
        token, client = self.token or {}, self._client
        self.token = None
        if self._storage is not None and self._account is not None:
            self._storage.remove(self._account)
        if client is None:
            return SignedOut(revoked=(), problems=(), end_session_uri=None)
        revoked, problems = [], []
        for name in ("refresh_token", "access_token"):
            if name not in token:
                continue
            try:
                client.revoke(token[name], name)
                revoked.append(name)
            except AuthnbError as error:
                problems.append(error.description)
        return SignedOut(
            revoked=tuple(revoked),
            problems=tuple(dict.fromkeys(problems)),
            end_session_uri=client.provider.end_session_endpoint,
        )

    def _renew(self, client: Client, token: Mapping[str, Any]) -> Token:
        if "refresh_token" not in token:
            raise LoginRequired(
                "login_required",
                f"The token from {client.provider.host} has expired and cannot be renewed: the provider gave no "
                "refresh token. Run the cell that signs in again; scope 'offline_access' may give one.",
            )
        try:
            new = client.refresh(token)
        except ProviderError as error:
            if error.error != "invalid_grant":
                raise
            raise LoginRequired(
                "login_required",
                f"{client.provider.host} no longer renews this sign-in. Run the cell that signs in again.",
            ) from None
        if self._storage is not None and self._account is not None:
            self._storage.save(self._account, SignIn(token=new, provider=client.provider, scope=client.scope))
        return new

    def _check_origin(self, url: str) -> None:
        if self._api is not None and origin(url) != origin(self._api):
            raise AuthnbError(
                "foreign_origin",
                f"The token was not sent: {'{}://{}:{}'.format(*origin(url))} is not the API it is for ({self._api}). "
                "Pass withhold_token=True to call it without the token.",
            )
        if not is_secure(url):
            raise AuthnbError(
                "insecure_transport",
                f"The token was not sent: {url.partition('?')[0]} is neither https nor on this machine. Use https.",
            )
