"""The errors authnb raises.

::

    AuthnbError
    ├── LoginRequired             nobody is signed in; run the cell that signs in
    │   └── InteractionRequired   a person would have to act, and nobody is there
    ├── LoginFailed               a sign-in began and ended otherwise: declined, expired, cancelled
    ├── ProviderError             the provider cannot be reached, refused us, or sent what cannot be used
    │   └── InvalidToken          an ID token did not stand up to verification
    └── StorageError              the place where tokens are kept cannot be read or written

``error`` is the OAuth error code where there is one (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628
section 3.5), else a word of ours in the same style. ``description`` says what was tried, what came
back, and what to do next. Neither ever holds a token, a code, a password or a client secret.
"""

from __future__ import annotations

from typing import TypeVar

_Error = TypeVar("_Error", bound=BaseException)


def without_frames(error: _Error) -> _Error:
    """The error, to be raised again, without the frames it passed and the errors it came from.

    Verbose tracebacks print each frame's variables, and below us they hold tokens.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


class AuthnbError(Exception):
    """Every error of authnb: a short code in ``error``, a sentence or two in ``description``."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error, description)
        self.error = error
        self.description = description

    def __str__(self) -> str:
        return f"{self.description} [{self.error}]"


class LoginRequired(AuthnbError):
    """Nobody is signed in."""


class InteractionRequired(LoginRequired):
    """A person would have to act, and nobody is there (OpenID Connect Core section 3.1.2.6)."""


class LoginFailed(AuthnbError):
    """A sign-in began and ended without a session."""


class ProviderError(AuthnbError):
    """The provider cannot be reached, refused the client, or sent an answer that cannot be used."""


class InvalidToken(ProviderError):
    """An ID token did not stand up to verification (OpenID Connect Core section 3.1.3.7)."""


class StorageError(AuthnbError):
    """The place where tokens are kept cannot be read or written."""
