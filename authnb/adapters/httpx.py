"""The session's token as an auth class of httpx and of httpx2, for sync and async clients."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from authnb.adapters.event_loop import fresh_token, token_after_401, token_after_refusal
from authnb.oauth.challenge import wants_nonce
from authnb.oauth.token_endpoint import PROOFS_PER_REQUEST
from authnb.transport.exchange import HTTPExchange, notify, observers
from authnb.transport.localhost import literal_url, url_of_host

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from authnb.adapters.source import Authenticator, Source
    from authnb.oauth.responses import Token

_LIBRARIES = ("httpx", "httpx2")
_UNAUTHORIZED = 401


class _TokenFlow:
    """The flows of ``httpx.Auth``."""

    requires_request_body = requires_response_body = False

    def __init__(self, source: Source) -> None:
        self._source = source
        self._auth: Authenticator = source.token_auth

    def __reduce__(self) -> tuple[Callable[[Source], Any], tuple[Source]]:
        return auth, (self._source,)  # the class is made where it is used

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send the request with the token; after a 401, again with a new one, or with a proof that the API accepts.

        `AuthnbError` if a proxy of the environment would read it, or if the API accepts no proof.
        """
        call = _Call(self._auth, request)
        token = self._auth.fresh_token(call.url)
        retries = self._auth.tokens_after_401(token)
        response = _observe((yield call.sign(token)))
        while True:
            newer: Token | None
            if (again := call.prove_again(response)) is not None:
                response = _observe((yield again), response)
            elif call.renewal_helps(response) and (newer := next(retries, None)) is not None:
                response = _observe((yield call.sign(newer)), response)
            elif call.asks_for_more(response):
                newer = self._auth.token_after_refusal(call.token)
                if newer is None or not _is_in_memory(request):
                    break
                response = _observe((yield call.sign(newer, last=True)), response)
            else:
                break
        call.report(response)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """As `sync_auth_flow`, with renewals on a thread, off the event loop."""
        call = _Call(self._auth, request)
        token = await fresh_token(self._auth, call.url)
        retries = self._auth.tokens_after_401(token)
        response = _observe((yield call.sign(token)))
        while True:
            newer: Token | None
            if (again := call.prove_again(response)) is not None:
                response = _observe((yield again), response)
            elif (
                call.renewal_helps(response)
                and (newer := await token_after_401(self._auth, call.token, retries)) is not None
            ):
                response = _observe((yield call.sign(newer)), response)
            elif call.asks_for_more(response):
                newer = await token_after_refusal(self._auth, call.token)
                if newer is None or not _is_in_memory(request):
                    break
                response = _observe((yield call.sign(newer, last=True)), response)
            else:
                break
        call.report(response)


class _Call:
    """A request of the caller's: with which token it was sent, and how many proofs of possession."""

    token: Token

    def __init__(self, auth: Authenticator, request: Any) -> None:
        self._auth, self._request, self.url = auth, request, str(request.url)
        self._proofs, self._is_last = 0, False
        auth.check_proxy(self.url)

    def sign(self, token: Token, *, last: bool = False) -> Any:
        """The request with this token, ``last``: after which no other is tried."""
        self.token, self._proofs, self._is_last = token, 0, last
        if (literal := literal_url(self.url)) is not None:
            self._request.url = type(self._request.url)(literal)  # the Host header is set already
        return self._authorize(self._request)

    def prove_again(self, response: Any) -> Any:
        """The request that was refused, with another proof that may be accepted; None for any other response.

        That is one with the nonce of the response (RFC 9449 section 9), or the first after a redirect, where httpx
        sends the token alone. Raises `AuthnbError` if no proof is accepted.
        """
        if self.token.dpop_key is None or not _carried(self._request, response):
            return None
        sent, status, header = (
            response.request,
            response.status_code,
            response.headers.get("WWW-Authenticate"),
        )
        url = _target(sent)
        self._auth.keep_nonce(self.token, url, response.headers.get("DPoP-Nonce"))
        if unproven := status == _UNAUTHORIZED and not isinstance(sent.headers, _WithProof):
            self._proofs = 0
        helps = unproven or (wants_nonce(status, header) and self._proofs < PROOFS_PER_REQUEST)
        if helps and _is_in_memory(sent):
            return self._authorize(sent)
        self._auth.check_proof(url, status, header, can_resend=_is_in_memory(sent))
        return None

    def renewal_helps(self, response: Any) -> bool:
        """Whether another token may be answered otherwise than this response, and can be sent."""
        helps = self._auth.renewal_helps(response.status_code, response.headers.get("WWW-Authenticate"))
        sendable = _carried(self._request, response) and _is_in_memory(self._request)
        return helps and sendable and not self._is_last

    def asks_for_more(self, response: Any) -> bool:
        """Whether the response says that the sign-in is not enough, where another token may be."""
        return self._is_refused(response) and not self._is_last

    def report(self, response: Any) -> None:
        """Show that the API asks for more, if it does; the error is in the response's ``extensions``."""
        if self._is_refused(response):
            header = response.headers.get("WWW-Authenticate")
            error = self._auth.refusal(response.status_code, header, self.url, self.token)
            if error is not None:
                response.extensions["step_up_required"] = error

    def _is_refused(self, response: Any) -> bool:
        asks = self._auth.asks_for_more(response.status_code, response.headers.get("WWW-Authenticate"))
        return asks and _carried(self._request, response)

    def _authorize(self, request: Any) -> Any:
        """The request with the token, and with a proof for this request if the token is bound to a key."""
        headers = self._auth.headers(self.token, request.method, _target(request))
        request.headers["Authorization"] = headers["Authorization"]
        if "DPoP" in headers:
            request.headers = _with_proof(request.headers, headers["DPoP"])
            self._proofs += 1
        return request


class _WithProof:
    """Headers that are sent with a proof, of which a copy has none: httpx copies them for a redirect.

    A proof is for one request (RFC 9449 section 4.2), and not for another origin to see.
    """

    proof: str

    def __reduce__(self) -> tuple[Any, tuple[list[tuple[str, str]]]]:
        headers: Any = self
        return type(self).__bases__[1], (headers.multi_items(),)


def _with_proof(headers: Any, proof: str) -> Any:
    library = next(base for base in type(headers).__mro__ if base.__module__.startswith(_LIBRARIES))
    headers.pop("DPoP", None)
    made = _headers_class(library)(headers)
    made.proof = proof
    return made


@cache
def _headers_class(library_headers: type[Any]) -> type[Any]:
    def raw(self: Any) -> list[tuple[bytes, bytes]]:
        return [*library_headers.raw.fget(self), (b"DPoP", self.proof.encode())]

    def items(self: Any) -> Any:
        return {**dict(library_headers.items(self)), "dpop": self.proof}.items()

    members = {"__module__": __name__, "raw": property(raw), "items": items}  # which transports read
    return type("HeadersWithProof", (_WithProof, library_headers), members)


def auth(source: Source) -> Any:
    """An ``httpx.Auth`` that is an ``httpx2.Auth`` too if both are loaded: each takes only its own.

    ::

        httpx.AsyncClient(auth=api.httpx_auth)
    """
    loaded = tuple(name for name in _LIBRARIES if name in sys.modules)
    return _auth_class(loaded or (_installed(),))(source)


@cache
def _auth_class(libraries: tuple[str, ...]) -> type[Any]:
    bases = (_TokenFlow, *(import_module(name).Auth for name in libraries))
    return type("HttpxAuth", bases, {"__module__": __name__})


def _installed() -> str:
    try:
        import_module("httpx2")
    except ImportError:
        return "httpx"
    return "httpx2"


def _target(request: Any) -> str:
    """The URL of a request as its server sees it: ``localhost`` may be a literal address by now."""
    return url_of_host(str(request.url), request.headers.get("Host"))


def _observe(response: Any, previous: Any = None) -> Any:
    """Report the response and its redirects to the observers, without reading the body; returns it."""
    if not observers:
        return response
    # httpx adds the response before a retry to the history
    reported = () if previous is None else (*previous.history, previous)
    for each in (*response.history, response):
        if any(each is earlier for earlier in reported):
            continue
        request = each.request
        notify(
            HTTPExchange(
                sender="client",
                receiver="API",
                method=request.method,
                url=str(request.url),
                headers=dict(request.headers.items()),
                body=request.content if _is_in_memory(request) else b"",
                status=each.status_code,
                response_headers=dict(each.headers),
            )
        )
    return response


def _carried(request: Any, response: Any) -> bool:
    """Whether the token went to where the response comes from: httpx removes it on a redirect to another origin."""
    return bool(response.request.headers.get("Authorization") == request.headers["Authorization"])


def _is_in_memory(request: Any) -> bool:
    """Whether the body can be sent again."""
    library = sys.modules[type(request).__module__.partition(".")[0]]
    return isinstance(request.stream, library.ByteStream)
