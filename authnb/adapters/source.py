"""What an adapter needs of a session: access tokens for an address, each fresh when it is handed out."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import PreparedRequest

    from authnb.oauth.responses import Token

_UNKNOWN_LIFETIME = 60.0  # seconds until a token whose provider does not say is asked for again


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token (RFC 6749 section 1.4), as `Session.access_token` gives it; its repr hides it.

    ``expires_at``: seconds since the Unix epoch by the provider's clock, None if the provider does not say.
    """

    token: str = field(repr=False)
    expires_at: float | None = None

    @classmethod
    def from_response(cls, response: Token) -> AccessToken:
        """The access token of a token response (RFC 6749 section 5.1)."""
        expires_at = response.get("expires_at")
        return cls(str(response["access_token"]), expires_at if isinstance(expires_at, int | float) else None)

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("An access token is not formatted. Its text is in .token.")

    def __reduce__(self) -> NoReturn:
        raise TypeError("An access token is not pickled. Ask the session for one where it is used.")


class Authenticator(Protocol):
    """`authnb.session.auth.TokenAuth`, for adapters that see the request and its response."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request of ``requests``, as an auth object of its."""

    @property
    def token(self) -> Token | None:
        """The token in use; None if nobody is signed in."""

    def check(self, url: str) -> None:
        """Raise `AuthnbError` unless the token may travel to this URL."""

    def check_static(self, url: str) -> None:
        """Raise `AuthnbError` if the token alone is of no use for calls to this URL: it is bound to a key."""

    def headers(self, token: Token, method: str, url: str) -> Mapping[str, str]:
        """``Authorization`` for one request, and ``DPoP`` if the token is bound to a key (RFC 9449 section 7.1)."""

    def keep_nonce(self, token: Token, url: str, nonce: str | None) -> None:
        """Use the ``DPoP-Nonce`` of a response in the next proofs to its server."""

    def check_proof(self, url: str, status: int, header: str | None, *, can_resend: bool) -> None:
        """Raise `AuthnbError` for a response with this ``WWW-Authenticate`` that refuses the proof for good."""

    def check_proxy(self, url: str, proxies: Mapping[str, str] | None = None) -> None:
        """Raise `AuthnbError` if a proxy would read a token sent to this URL: one of these, else the environment's."""

    def fresh_token(self, url: str) -> Token:
        """The token for a request to this URL, renewed first if it expires soon."""

    def current_token(self, url: str, *, max_leeway: float = ...) -> Token | None:
        """As `fresh_token`; None if the token would be renewed first, which takes a request."""

    def tokens_after_401(self, token: Token) -> Iterator[Token]:
        """Tokens to retry with after a 401."""

    def asks_for_more(self, status: int, header: str | None) -> bool:
        """Whether a response with this ``WWW-Authenticate`` says that the sign-in is not enough."""

    def renewal_helps(self, status: int, header: str | None) -> bool:
        """Whether a renewed token may be answered otherwise."""

    def token_after_refusal(self, token: Token) -> Token | None:
        """Another token than this one, which was not enough, if there is one by now; may take a request."""

    def refusal(self, status: int, header: str | None, url: str, token: Token) -> Exception | None:
        """The error for a response to a call with this token for which the sign-in is not enough."""


class Source(Protocol):
    """A session, for adapters that are asked for a token."""

    @property
    def token_auth(self) -> Authenticator:
        """What signs requests."""

    def access_token(self, url: str | None = None) -> AccessToken:
        """A fresh access token for this URL."""

    def provider_time(self) -> float:
        """The time by the provider's clock, which ``AccessToken.expires_at`` is measured by."""

    async def access_token_async(self, url: str | None = None) -> AccessToken:
        """The same without blocking the event loop."""


class SourceCredential:
    """Base of the adapters' classes whose library asks for a token without saying where it goes."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __repr__(self) -> str:
        # fsspec keys its file systems on the repr of their options: two sign-ins of one person are two
        return f"<{type(self).__name__} of {self._source!r} at {id(self._source):#x}>"


def warn(error: Exception) -> None:
    """Show an error to the caller of a library that drops what is raised in its callbacks."""
    warnings.warn(str(error), stacklevel=3)


def local_expiry(source: Source, token: AccessToken) -> float:
    """When the token expires, in seconds since the Unix epoch by this machine's clock; soon if that is unknown."""
    now = time.time()
    if token.expires_at is None:
        return now + _UNKNOWN_LIFETIME
    return token.expires_at + now - source.provider_time()
