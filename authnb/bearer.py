"""A token on its way to an API: fresh, only where it belongs, renewed once if the API refuses it (RFC 6750)."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from concurrent.futures import Future
from copy import copy
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authlib.integrations.requests_client import OAuth2Auth
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from authnb.errors import AuthnbError, LoginRequired, without_frames
from authnb.exchange import observe
from authnb.keeper import expires_soon
from authnb.transport import is_secure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

    from authnb.answers import Token
    from authnb.keeper import Keeper

UNAUTHORIZED = 401
_SAME_AGAIN = 60.0  # seconds in which a token that was refused though new is not renewed for that
_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int | None]


@lru_cache  # as `is_secure`
def origin(url: str) -> Origin:
    """Scheme, host and port of a URL (RFC 6454 section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


class Headers(dict[str, str]):
    """HTTP headers whose repr tells no token, but differs where the token does."""

    def __repr__(self) -> str:
        # Libraries such as fsspec find cached connections by the repr of their options
        digest = hashlib.sha256("\n".join(f"{k}: {v}" for k, v in self.items()).encode()).hexdigest()
        return f"<Headers {', '.join(self)} #{digest[:12]}>"

    __str__ = __repr__


class TokenAuth(OAuth2Auth):
    """Authlib's token auth with care: for its session, and as ``.requests_auth`` for any other."""

    keeper: Keeper | None = None
    origins: frozenset[Origin] = frozenset()  # where the token may go; all secure ones if empty

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.renewing = threading.Lock()
        self.given_up: Callable[[], None] = lambda: None  # called when the token is used no more
        self._attempt: tuple[Future[bool], int] = Future(), 0  # the last renewal, the process it runs in
        self._again = 0.0  # when a renewal that failed early may be tried again, time.monotonic()
        self._refused: tuple[Token | None, float] = None, 0.0

    def __repr__(self) -> str:
        return f"<TokenAuth {self.token!r}>"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token on a request, and answer a 401 to it; `AuthnbError` for an address it is not for."""
        token = self.fresh(str(request.url))
        # Authlib's signing with this token, even if another takes its place meanwhile
        signer = OAuth2Auth(token, self.token_placement)
        signer.hooks = self.hooks
        signer(request)
        request.register_hook("response", partial(self._answered, token))  # type: ignore[no-untyped-call] # requests'
        return request

    def check(self, url: str) -> None:
        """Raise `AuthnbError` unless the token may travel to this URL."""
        if not is_secure(url):
            raise AuthnbError(
                "insecure_transport",
                f"The token was not sent: {_shown(url)} is neither https nor on this machine, or holds a user name. "
                "Use a plain https address.",
            )
        if self.origins and origin(url) not in self.origins:
            named = " or ".join("{}://{}:{}".format(*known) for known in sorted(self.origins, key=str))
            raise AuthnbError(
                "foreign_origin",
                f"The token was not sent: {_shown(url)} is not the API it is for ({named}). Pass withhold_token=True "
                "to call it without the token, or name it too in api=.",
            )

    def fresh(self, url: str) -> Token:
        """The token for a request to this URL, renewed if need be."""
        self.check(url)
        if self.token is None:
            raise signed_out()
        self.ensure_active_token()
        token: Token | None = self.token
        if token is None:  # somebody signed out meanwhile
            raise signed_out()
        return token

    def ensure(self, keeper: Keeper) -> None:
        """Renew the token if it ends soon.

        While it still lives, one thread does so and the others go on with it, and trouble is nobody's trouble.
        """
        token: Any = self.token
        if token is None:
            raise signed_out()
        now = keeper.client.provider.clock.now()
        if not expires_soon(token, now):
            return
        left = token["expires_at"] - now
        if left <= 0:
            self.renew(token, keeper)
        elif time.monotonic() >= self._again and not self._under_way():
            try:
                self.renew(token, keeper)
            except AuthnbError:
                self._again = time.monotonic() + min(10.0, left / 8)

    def renew(self, stale: Token, keeper: Keeper) -> bool:
        """Put another token in place of this one; whether it was renewed for that, just now.

        There is one attempt, and one outcome, for all who ask while it lasts. It runs on a thread of its own: an
        interrupt ends the waiting for it, not the attempt, whose answer would be lost.
        """
        with self.renewing:
            if self.token is not stale:
                return False
            if not self._under_way():
                attempt: Future[bool] = Future()
                work = threading.Thread(
                    target=self._try, args=(attempt, stale, keeper), name="authnb-renewal"
                )
                work.start()
                self._attempt = attempt, os.getpid()
            attempt = self._attempt[0]
        failure = attempt.exception()
        if failure is not None:
            raise without_frames(copy(failure))  # each caller his own
        return attempt.result()

    def _try(self, attempt: Future[bool], stale: Token, keeper: Keeper) -> None:
        try:
            new, just_now = keeper.renew(stale)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            attempt.set_exception(without_frames(error))
            return
        with self.renewing:
            if self.token is stale:
                self.token = new
        attempt.set_result(just_now)

    def _under_way(self) -> bool:
        attempt, process = self._attempt
        return not attempt.done() and process == os.getpid()  # a forked process has no part in its parent's

    def give_up(self) -> Token | None:
        """The token, which is used no more."""
        if self._under_way():
            self._attempt[0].exception()
        with self.renewing:
            token: Token | None = self.token
            self.token = None
        self.given_up()
        return token

    def after_refusal(self, refused: Token) -> Iterator[Token]:
        """Tokens to try after an API's 401, the next if one is refused too; none where that would be no use.

        What others obtained meanwhile may be over as well; what is renewed for this is the last.
        """
        renewed = False
        for _ in range(2):
            hopeless, until = self._refused
            if self.keeper is None or (refused is hopeless and time.monotonic() < until):
                return
            if self.token is refused:
                if "refresh_token" not in refused:
                    return
                renewed = self.renew(refused, self.keeper)
            if self.token is None:
                return
            refused = self.token
            yield refused
            if renewed:
                break
        self._refused = refused, time.monotonic() + _SAME_AGAIN

    def _answered(self, sent: Token, response: requests.Response, **kwargs: Any) -> requests.Response:
        request = response.request
        tries = self.after_refusal(sent)
        # After a redirect elsewhere it does not carry the token, and will not be given one
        carried = request.headers.get("Authorization") == f"Bearer {sent['access_token']}"
        while response.status_code == UNAUTHORIZED and carried and _repeatable(request):
            observe(response, **kwargs)  # before the renewal it leads to
            try:
                token = next(tries, None)
            except AuthnbError:
                response.close()
                raise
            if token is None:
                break
            response.close()
            again = request.copy()
            again.headers["Authorization"] = f"Bearer {token['access_token']}"
            answer: requests.Response = response.connection.send(again, **kwargs)
            answer.request = again
            answer.history = [*response.history, response]
            response = answer
        if observe not in request.hooks["response"]:  # a call of a session that is not ours
            observe(response, **kwargs)
        return response


def signed_out() -> LoginRequired:
    """The error for a session whose tokens were given up."""
    return LoginRequired("login_required", "This session is signed out. Run the cell that signs in.")


def _repeatable(request: requests.PreparedRequest) -> bool:
    """Whether the body can be sent once more; a file is wound back for that."""
    body: Any = request.body  # the stubs know no files
    if body is None or isinstance(body, str | bytes):
        return True
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
