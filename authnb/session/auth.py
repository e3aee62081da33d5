"""The token on API calls: origin check, renewal before expiry, proof of possession, retry after a 401.

A bearer token as RFC 6750 says, one that is bound to a key as RFC 9449 does.
"""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import lru_cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Auth

from authnb.compat import register_fork_aware
from authnb.errors import (
    AuthnbError,
    InvalidToken,
    LoginRequired,
    raises_without_frames,
    unexpected_error,
    without_frames,
)
from authnb.oauth.challenge import NONCE_ERROR, proof_error, wants_bearer
from authnb.oauth.token_endpoint import PROOFS_PER_REQUEST
from authnb.session.proof_errors import bearer_wanted, no_static_token, refused_proof
from authnb.session.refused import AUTHENTICATION_ERROR, RefusedResponse, StepUpRequired, read_requirement
from authnb.session.renewal import LEEWAY, expires_soon, signed_out_error
from authnb.session.signed_request import SignedRequest, can_resend, display_url, target_url
from authnb.storage.base import MemoryStorage
from authnb.transport.exchange import observe_api
from authnb.transport.http import is_secure, passes_proxy_in_clear
from authnb.transport.localhost import use_literal_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from authnb.oauth.client import Client
    from authnb.oauth.responses import Token
    from authnb.session.renewal import TokenRenewer

UNAUTHORIZED = 401
_RETRIES = 4  # after a 401; the last two only if the token expired on its way
_REJECTED_TOKEN_BACKOFF = 60.0  # seconds without a renewal for a 401 to a token that was just renewed
_DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int | None]


@lru_cache  # as `is_secure`
def origin(url: str) -> Origin:
    """Scheme, host and port of a URL (RFC 6454 section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)


class Headers(dict[str, str]):
    """HTTP headers whose repr hides the token, and changes with it."""

    def __repr__(self) -> str:
        # fsspec and others key their connection cache on the repr of their options
        digest = hashlib.sha256("\n".join(f"{k}: {v}" for k, v in self.items()).encode()).hexdigest()
        return f"<Headers {', '.join(self)} #{digest[:12]}>"

    __str__ = __repr__


class TokenAuth(OAuth2Auth):
    """Authlib's `OAuth2Auth` with origin check and renewal; also for other sessions, as ``Session.requests_auth``."""

    token: Token | None
    renewer: TokenRenewer | None = None
    session: Any = None  # which is pickled in its place, if it can be
    origins: frozenset[Origin] = frozenset()  # allowed origins; any secure one if empty

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.renewal_lock: threading.Lock = threading.Lock()
        # By whose wish: the sign-in's, or the latest step-up's
        self.on_sign_out: dict[str, Callable[[], None]] = {}  # called after `discard_token`
        self.on_login_required: dict[str, Callable[[AuthnbError], None]] = {}  # called if no renewal can help
        # Called for a refused call, with the `authnb.session.step_up.StepUp` that would help
        self.on_step_up_required: Callable[[Any, StepUpRequired], None] = lambda _step_up, _error: None
        self._renewal: Future[bool] | None = None  # the latest renewal
        register_fork_aware(self)
        self._sent: Token | None = None  # that a header may hold: to look through a long one takes long
        self._ask_again_at = 0.0  # time.monotonic() before which no other token is asked for after a refusal
        self._asked_with: Token | None = None  # the other session's token at that time
        # Of `authnb.session.step_up`: the token that was refused and for what; the latest that a person was asked for,
        # with its token and when (`time.monotonic`); and what they were asked for in vain, how many times
        self.last_refusal: tuple[Token | None, Any] = None, None
        self.last_step: tuple[Token | None, Any, float] = None, None, 0.0
        self.steps_in_vain: dict[Any, int] = {}
        self._retry_at = 0.0  # time.monotonic() before which no early renewal is retried
        self._unrenewable: Token | None = None  # the token whose renewal was refused
        self._rejected: tuple[Token | None, float] = None, 0.0  # a new token that got a 401, and until when

    def __repr__(self) -> str:
        return f"<TokenAuth {self.token!r}>"

    def __reduce__(self) -> tuple[Callable[[Any], Any], tuple[Any]]:
        if self.session is None:
            raise TypeError(
                "The token of a session is not pickled. Pickle the session, or hand over headers_for(url)."
            )
        return attrgetter("token_auth"), (self.session,)

    def after_fork(self) -> None:
        """Leave a forked process the access token; the refresh token too if its storage is shared with the parent.

        Refresh tokens rotate: one that parent and child both use ends the sign-in for both (RFC 9700 section 4.14.2).
        """
        self.renewal_lock, self._renewal = threading.Lock(), None
        if self.renewer is not None and isinstance(self.renewer.storage, MemoryStorage):
            self.renewer = replace(self.renewer, forked=True)
            self.token = self.token and self.token.without_refresh_token()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token to a request of another session, as `sign`, unless a proxy would read it."""
        self.check_proxy(str(request.url))
        self.sign(request)
        use_literal_address(request)
        return request

    def sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token to a request and retry after a 401; `AuthnbError` for a URL outside ``api``."""
        token = self.fresh_token(str(request.url))
        if token.dpop_key is None:
            # A signer of its own: another thread may replace self.token meanwhile
            signer = OAuth2Auth(token, self.token_placement)
            signer.hooks = self.hooks
            signer(request)
        if self.token_placement == "header" or token.dpop_key is not None:  # noqa: S105 - where it is, no password
            # Hidden where the headers are shown
            request.headers.update(self.headers(token, str(request.method), str(request.url)))
        request.__class__ = SignedRequest
        request.register_hook("response", partial(self._handle_response, token))  # type: ignore[no-untyped-call] # requests'
        return request

    def headers(self, token: Token, method: str, url: str) -> dict[str, str]:
        """The headers for one request with this token: ``Authorization``, and ``DPoP`` if it is bound to a key.

        A proof is for one request (RFC 9449 section 7): each has to ask for these.
        """
        if (key := token.dpop_key) is None:
            return {"Authorization": token.authorization}
        proof = key.proof(method, url, self._now(), access_token=str(token["access_token"]))
        return {"Authorization": token.authorization, "DPoP": proof}

    def prove_again(self, request: requests.PreparedRequest) -> None:
        """Add a proof for a request that a redirect has made of another, if it still carries a bound token."""
        scheme, _, access_token = str(request.headers.get("Authorization")).partition(" ")
        key = None if self.token is None else self.token.dpop_key
        if scheme == "DPoP" and key is not None:
            url = str(request.url)
            proof = key.proof(str(request.method), url, self._now(), access_token=access_token)
            request.headers["DPoP"] = proof

    def keep_nonce(self, token: Token, url: str, nonce: str | None) -> None:
        """Use the ``DPoP-Nonce`` of a response in the next proofs to its server (RFC 9449 section 9)."""
        if (key := token.dpop_key) is not None:
            key.keep_nonce(url, nonce, is_api=True)

    def check_proof(self, url: str, status: int, header: str | None, *, can_resend: bool) -> None:
        """Raise `AuthnbError` for a response with this ``WWW-Authenticate`` that refuses the proof for good.

        ``can_resend``: whether the request can be sent again with another.
        """
        if (error := proof_error(status, header)) is not None:
            raise refused_proof(error, url, can_resend=can_resend)

    def _now(self) -> float:
        return time.time() if self.renewer is None else self.renewer.client.provider.clock.now()

    def check(self, url: str) -> None:
        """Raise `AuthnbError` unless the token may travel to this URL."""
        if not is_secure(url):
            raise AuthnbError("insecure_transport", f"The token was not sent: {_why_insecure(url)}")
        if self.origins and origin(url) not in self.origins:
            allowed = " or ".join("{}://{}:{}".format(*known) for known in sorted(self.origins, key=str))
            raise AuthnbError(
                "foreign_origin",
                f"The token was not sent: {display_url(url)} is not the API it is for ({allowed}). Call "
                "it without the token (with the session: withhold_token=True), or add it to api=.",
            )

    def check_static(self, url: str) -> None:
        """Raise `AuthnbError` if a token alone is of no use for calls to this URL, because it is bound to a key."""
        token: Token | None = self.token
        if token is not None and token.dpop_key is not None:
            raise no_static_token(url)

    def check_proxy(self, url: str, proxies: Mapping[str, str] | None = None) -> None:
        """Raise `AuthnbError` if a proxy would read the token: one of ``proxies``, else of the environment."""
        if passes_proxy_in_clear(url, proxies):
            raise AuthnbError(
                "insecure_transport",
                f"The token was not sent: a proxy would read the request to {display_url(url)}. Name this machine in "
                "the environment, NO_PROXY=127.0.0.1,localhost,::1, or give no proxies= for it.",
            )

    @raises_without_frames
    def fresh_token(self, url: str) -> Token:
        """The token for a request to this URL, renewed first if it expires soon."""
        self.check(url)
        if self.token is None:
            raise signed_out_error()
        if self.renewer is None:
            self.ensure_active_token()
        else:
            self.ensure_fresh(self.renewer)
        return self._sendable(self.token)

    @property
    def renewal_due(self) -> bool:
        """Whether `fresh_token` would renew the token first, which takes a request."""
        token: Token | None = self.token
        now = self._now()
        if token is None or not expires_soon(token, now):
            return False
        waits = time.monotonic() < self._retry_at or self._renewal_running()
        return not waits or expires_soon(token, now, max_leeway=0)

    @raises_without_frames
    def current_token(self, url: str, *, max_leeway: float = LEEWAY) -> Token | None:
        """The token for a request to this URL; None if `fresh_token` would renew it first, which takes a request.

        ``max_leeway``: see `authnb.session.renewal.expires_soon`.
        """
        self.check(url)
        token = self._sendable(self.token)
        now = self._now()
        if not expires_soon(token, now, max_leeway):
            return token
        waits = time.monotonic() < self._retry_at or self._renewal_running()
        return token if waits and not expires_soon(token, now, max_leeway=0) else None

    def _sendable(self, token: Token | None) -> Token:
        """The token; `AuthnbError` if there is none, or no header may hold it."""
        if token is None:
            raise signed_out_error()
        if token is not self._sent:
            access_token = str(token["access_token"])
            if not access_token.isascii() or not access_token.isprintable():
                raise AuthnbError(
                    "invalid_token",
                    "The access token was not sent: it holds characters that no HTTP header may hold (RFC 6750 "
                    "section 2.1). Check where it was read from.",
                )
            self._sent = token
        return token

    def ensure_fresh(self, renewer: TokenRenewer) -> None:
        """Renew the token if it expires soon.

        While it is still valid, one thread renews and the others keep using it, and a failed renewal is not raised.
        """
        token: Any = self.token
        if token is None:
            raise signed_out_error()
        now = renewer.client.provider.clock.now()
        if not expires_soon(token, now):
            return
        remaining = token["expires_at"] - now
        if remaining <= 0:
            self.renew_or_report(token, renewer)
        elif time.monotonic() >= self._retry_at and not self._renewal_running():
            try:
                self.renew(token, renewer)
            except AuthnbError:
                self._retry_at = time.monotonic() + min(10.0, remaining / 8)

    def renew(self, stale: Token, renewer: TokenRenewer) -> bool:
        """Replace this token; whether a token request was made for it, now.

        Concurrent callers share one renewal and its outcome. It runs on a thread of its own: an interrupt ends the
        caller's wait, not the token request, whose response must not be lost.
        """
        with self.renewal_lock:
            if self.token is not stale:
                return False
            renewal = self._renewal
            if renewal is None or renewal.done():
                renewal = self._start_renewal(stale, renewer)
        failure = renewal.exception()
        if failure is not None:
            raise without_frames(copy(failure))  # a copy for each caller
        return renewal.result()

    def _start_renewal(self, stale: Token, renewer: TokenRenewer) -> Future[bool]:
        renewal: Future[bool] = Future()
        before, self._renewal = self._renewal, renewal  # so that nobody finds it missing once it runs
        thread = threading.Thread(
            target=self._run_renewal, args=(renewal, stale, renewer), name="authnb-renewal"
        )
        try:
            thread.start()
        except RuntimeError as error:
            self._renewal = before
            raise unexpected_error("Renewing the token", error) from None
        return renewal

    def renew_or_report(self, stale: Token, renewer: TokenRenewer) -> bool:
        """As `renew`; a refusal is reported to `on_login_required` before it is raised."""
        try:
            return self.renew(stale, renewer)
        except (LoginRequired, InvalidToken) as error:
            self._unrenewable = stale
            for notify in tuple(self.on_login_required.values()):
                notify(error)
            raise

    def _run_renewal(self, renewal: Future[bool], stale: Token, renewer: TokenRenewer) -> None:
        try:
            new, requested = renewer.renew(stale)
        except AuthnbError as error:
            renewal.set_exception(without_frames(error))
            return
        except Exception as error:  # noqa: BLE001 - raised in the waiting threads
            renewal.set_exception(unexpected_error("Renewing the token", error))
            return
        with self.renewal_lock:
            if self.token is stale:
                self.token = new
        renewal.set_result(requested)

    def _renewal_running(self) -> bool:
        return self._renewal is not None and not self._renewal.done()

    @property
    def usable(self) -> bool:
        """Whether there is a token whose renewal was not refused."""
        return self.token is not None and self.token is not self._unrenewable

    def withdraw(self, token: Token) -> None:
        """Use this one, which cannot be renewed, unless nobody is signed in."""
        with self.renewal_lock:
            if self.token is not None:
                self.token = self._unrenewable = token

    def discard_token(self) -> Token | None:
        """Stop using the token; returns it."""
        if self._renewal is not None:
            self._renewal.exception()
        with self.renewal_lock:
            token: Token | None = self.token
            self.token = self._sent = None
        for notify in tuple(self.on_sign_out.values()):
            notify()
        return token

    def sign_in_again(self, new: TokenAuth) -> None:
        """Use the token of this sign-in by the same person from now on, and its renewal."""
        with self.renewal_lock:
            if self.renewer is not None and new.renewer is not None:
                self.renewer.take_over(new.renewer)
            self.token, self._unrenewable = new.token, None
            self.steps_in_vain.clear()

    def replace_token(self, new: Token, client: Client) -> None:
        """Use this token of another sign-in by the same person from now on, unless nobody is signed in any more.

        Raises `LoginRequired` then. A renewal under way comes first, and its token is replaced too.
        """
        old, renewer = self.token, self.renewer
        if old is None or renewer is None:
            raise signed_out_error()
        new = renewer.replace(old, new, client)
        with self.renewal_lock:
            if self.token is None:
                raise signed_out_error()
            self.token = new

    def token_after_refusal(self, token: Token) -> Token | None:
        """Another token than this one, which was not enough: of a step-up meanwhile, here or in another process.

        None if there is none. A session that has its tokens from another one, or from the process that shares, asks
        for one, once a minute at most and for each token of the other one; others send no request.
        """
        if self.token is token and self.renewer is not None:
            if self.renewer.reissue is None:
                newer = self.renewer.newer_stored_token(token)
                with self.renewal_lock:
                    if newer is not None and self.token is token:
                        self.token = newer
            elif self.session.is_dependent and self._may_ask_again():
                self._ask_again_at = time.monotonic() + _REJECTED_TOKEN_BACKOFF
                self._asked_with = self.session.owner.token
                with suppress(AuthnbError):
                    self.renew(token, self.renewer)
        current: Token | None = self.token
        return None if current is token else current

    def _may_ask_again(self) -> bool:
        owner = self.session.owner
        replaced = owner is not self.session and owner.token is not self._asked_with
        return replaced or time.monotonic() >= self._ask_again_at

    @staticmethod
    def asks_for_more(status: int, header: str | None) -> bool:
        """Whether a response with this ``WWW-Authenticate`` says that the sign-in is not enough."""
        return read_requirement(status, header, "") is not None

    @staticmethod
    def renewal_helps(status: int, header: str | None) -> bool:
        """Whether a renewed token may be answered otherwise: after a 401, unless it asks for the person (RFC 9470)."""
        if status != UNAUTHORIZED or proof_error(status, header) is not None:
            return False
        requirement = read_requirement(status, header, "")
        return requirement is None or requirement.error != AUTHENTICATION_ERROR

    def refusal(self, status: int, header: str | None, url: str, token: Token) -> StepUpRequired | None:
        """The error for a response to a call with this token, if the sign-in is not enough; None for any other.

        ``header``: its ``WWW-Authenticate``. What shows the sign-in is told.
        """
        if self.session is None or self.renewer is None:
            return None
        requirement = read_requirement(status, header, url, [str(token["access_token"])])
        if requirement is None:
            return None
        from authnb.session.step_up import required, step_up_for  # noqa: PLC0415 - few calls are refused

        error = required(self.session, requirement, token)
        self.session.owner.token_auth.on_step_up_required(step_up_for(self.session, requirement), error)
        return error

    def tokens_after_401(self, token: Token) -> Iterator[Token]:
        """Tokens to retry with after a 401 (RFC 6750 section 3.1): a newer stored one, then one renewed for this call.

        Ends after the first renewal unless that token has expired by then, and is empty where no retry can succeed.
        """
        renewed = False
        for _ in range(_RETRIES):
            rejected, until = self._rejected
            current: Token | None = self.token
            if current is None or self.renewer is None or (token is rejected and time.monotonic() < until):
                return
            if current is token or current is self._unrenewable:
                if "refresh_token" not in current and self.renewer.reissue is None:
                    self.renewer.reject(current)
                    return
                renewed = self.renew_or_report(current, self.renewer)
            if self.token is None:
                return
            token = self.token
            yield token
            if renewed and not expires_soon(token, self.renewer.client.provider.clock.now(), max_leeway=0):
                break
        self._rejected = token, time.monotonic() + _REJECTED_TOKEN_BACKOFF

    @raises_without_frames
    def _handle_response(self, sent: Token, response: requests.Response, **kwargs: Any) -> requests.Response:
        request = response.request
        retries = self.tokens_after_401(sent)
        # After a redirect to another origin the request has no token, and gets none
        carried = request.headers.get("Authorization") == sent.authorization
        if carried:
            response = self._with_nonce(sent, response, **kwargs)
        header = response.headers.get("WWW-Authenticate")
        while carried and self.renewal_helps(response.status_code, header) and can_resend(request):
            observe_api(response, **kwargs)  # in order: before the renewal
            try:
                token = next(retries, None)
            except AuthnbError:
                response.close()
                raise
            if token is None:
                break
            response, sent = self._send_again(response, token, **kwargs), token
            header = response.headers.get("WWW-Authenticate")
        if carried and self.asks_for_more(response.status_code, header):
            response = self._handle_refusal(sent, response, **kwargs)
            header = None  # what it asks for is said
        if observe_api not in request.hooks["response"]:  # not one of our sessions
            observe_api(response, **kwargs)
        if carried and sent.dpop_key is not None and wants_bearer(response.status_code, header):
            response.close()
            raise bearer_wanted(str(request.url))
        return response

    def _send_again(self, response: requests.Response, token: Token, **kwargs: Any) -> requests.Response:
        """The response to the same request with another token."""
        return self._with_nonce(token, self._send_once_more(response, token, **kwargs), **kwargs)

    def _with_nonce(self, token: Token, response: requests.Response, **kwargs: Any) -> requests.Response:
        """This response, or that to the same request with a proof that the server accepts (RFC 9449 section 9).

        Raises `AuthnbError` if it accepts none.
        """
        if token.dpop_key is None:
            return response
        for sent in range(1, PROOFS_PER_REQUEST + 1):
            request = response.request
            self.keep_nonce(token, target_url(request), response.headers.get("DPoP-Nonce"))
            error = proof_error(response.status_code, response.headers.get("WWW-Authenticate"))
            # After a redirect by another session than ours the request has no proof
            unproven = response.status_code == UNAUTHORIZED and "DPoP" not in request.headers
            helps = error == NONCE_ERROR or unproven
            if not helps or sent == PROOFS_PER_REQUEST or not can_resend(request):
                break
            observe_api(response, **kwargs)
            response = self._send_once_more(response, token, **kwargs)
        try:
            self.check_proof(
                str(response.request.url),
                response.status_code,
                response.headers.get("WWW-Authenticate"),
                can_resend=can_resend(response.request),
            )
        except AuthnbError:
            response.close()
            raise
        return response

    def _send_once_more(self, response: requests.Response, token: Token, **kwargs: Any) -> requests.Response:
        response.close()
        retry = response.request.copy()
        retry.headers.update(self.headers(token, str(retry.method), target_url(retry)))
        result: requests.Response = response.connection.send(retry, **kwargs)
        result.request = retry
        result.history = [*response.history, response]
        return result

    def _handle_refusal(self, sent: Token, response: requests.Response, **kwargs: Any) -> requests.Response:
        """The response; if the sign-in was not enough, that to another token if there is one by now, and an error.

        The error is raised by the ``raise_for_status()`` of the response.
        """
        request, url = response.request, str(response.request.url)
        token = self.token_after_refusal(sent)
        if token is not None and can_resend(request):
            observe_api(response, **kwargs)
            response, sent = self._send_again(response, token, **kwargs), token
        error = self.refusal(response.status_code, response.headers.get("WWW-Authenticate"), url, sent)
        if error is not None and type(response) is requests.Response:
            response.__class__ = RefusedResponse
            vars(response)["step_up_required"] = error
        return response


def _why_insecure(url: str) -> str:
    if "://" not in url:
        path = url.partition("?")[0]
        return (
            f"{path!r} names no host, and the session has no api= to say which. Give the whole address, "
            "https://…, or sign in with api=."
        )
    return f"{display_url(url)} is neither https nor on this machine, or holds a user name. Use a plain https address."
