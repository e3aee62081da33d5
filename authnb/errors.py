"""The errors authnb raises.

::

    AuthnbError
    ├── LoginRequired             nobody is signed in; run the cell that signs in
    │   └── InteractionRequired   a person would have to act, and nobody is there
    ├── LoginFailed               a sign-in began and ended otherwise: declined, expired, cancelled
    ├── LoginTimeout              a wait for a sign-in ended, and the sign-in goes on; also a TimeoutError
    ├── ProviderError             the provider cannot be reached, refused us, or sent what cannot be used
    │   └── InvalidToken          an ID token did not stand up to verification
    ├── StorageError              a file or store of tokens or keys cannot be read, written or used
    ├── ShareError                a share of a sign-in cannot be had here, or has ended
    └── StepUpRequired            an API asks for more than was granted; also a requests.HTTPError, and defined in
                                  `authnb.session.refused`, as this module knows nothing of requests

``error`` is the OAuth error code where there is one (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628
section 3.5), else a word of ours in the same style. ``description`` says what was tried, what came
back, and what to do next. Neither ever holds a token, a code, a password or a client secret.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from authnb.messages import gettext

if TYPE_CHECKING:
    from collections.abc import Callable

_Error = TypeVar("_Error", bound=BaseException)
_P = ParamSpec("_P")
_T = TypeVar("_T")

_CLIENT_ERROR = 400
_TRANSIENT = {
    "timeout",
    "unreachable",
    "tls_error",
    "proxy_error",
    "server_error",
    "temporarily_unavailable",
}
_PROOF_ERRORS = {
    "use_dpop_nonce",
    "invalid_dpop_proof",
}  # RFC 9449: of the proof, not of what it was sent with


def without_frames(error: _Error) -> _Error:
    """The error, to be raised again, without the frames it passed and the errors it came from.

    Verbose tracebacks print each frame's variables, and below us they hold tokens.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def raises_without_frames(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Wrap a function that handles secrets, so that the tracebacks of its errors have no frames."""

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - interrupts too; raised again below
            failure = error
            failure.__dict__.setdefault("raised_at", _location(error))  # for `unexpected_error`
        del args, kwargs
        raise without_frames(failure)

    return call


def _location(error: BaseException) -> str:
    """Where an error was raised: function, line and name of the file."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return "nowhere"
    code = frame.tb_frame.f_code
    name = code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{code.co_name}, line {frame.tb_lineno} of {name}"


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


class LoginTimeout(AuthnbError, TimeoutError):
    """A wait for a sign-in ended before the sign-in did."""


class ProviderError(AuthnbError):
    """The provider cannot be reached, refused the client, or sent a response that cannot be used.

    ``retry_after``: the seconds to wait before the next request, where the provider named some (RFC 9110 section
    10.2.3), at most `authnb.transport.http.MAX_RETRY_AFTER`. ``status``: the HTTP status of an error response.
    """

    retry_after: float | None = None
    status: int | None = None

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later: network failure, timeout, overload (HTTP 408, 425, 429, 5xx).

        False for a refusal, which is final: the provider read the request and turned it down.
        """
        return self.error in _TRANSIENT

    @property
    def is_refusal(self) -> bool:
        """Whether the provider turned the request down: an error response that is not transient."""
        failed = self.status is not None and (
            self.status >= _CLIENT_ERROR or self.error != "invalid_response"
        )
        return failed and not self.is_transient and self.error not in _PROOF_ERRORS


class InvalidToken(ProviderError):
    """An ID token did not stand up to verification (OpenID Connect Core section 3.1.3.7)."""


class StorageError(AuthnbError):
    """A file or store of tokens or keys cannot be read, written or used."""


class ShareError(AuthnbError):
    """A share of a sign-in (`Session.share_with`) cannot be had where it is used, or has ended."""


def system_error(operation: str, error: Exception) -> AuthnbError | None:
    """The error for a failure of the system: no thread, no descriptor, no space, no permission; None for any other."""
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return AuthnbError(
            "no_threads",
            gettext(
                "{operation} failed: the system refuses another thread. Close other programs or kernels, or raise the "
                "limit (ulimit -u), then try again.",
                operation=operation,
            ),
        )
    if isinstance(error, OSError) and error.strerror:
        return AuthnbError(
            "system_error",
            gettext(
                "{operation} failed: the system says {reason!r}. Check disk space, permissions and limits, then try "
                "again.",
                operation=operation,
                reason=error.strerror,
            ),
        )
    return None


def unexpected_error(operation: str, error: Exception) -> AuthnbError:
    """`system_error`, or the error for a bug: its location without its message, which may hold a secret."""
    if (known := system_error(operation, error)) is not None:
        return known
    location = vars(error).get("raised_at") or _location(error)
    return AuthnbError(
        "unexpected",
        gettext(
            "{operation} stopped at a mistake in authnb or a library: {kind} in {location}. Please report it.",
            operation=operation,
            kind=type(error).__name__,
            location=location,
        ),
    )
