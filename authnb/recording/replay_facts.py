"""What the defences of a recording and their attacks depend on, read from its hops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authnb.recording.replay import Hop

_Names = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The first sign-in of a recording: indices of its hops, None where it has none, and what they hold."""

    request: int | None  # the authorization request, pushed or carried by the browser
    callback: int | None
    token_request: int | None
    token_response: int | None
    api_request: int | None
    bound_at: int | None  # the first hop with a proof of possession or a token that needs one
    asked: _Names  # the names of the authorization request's parameters
    sent: _Names  # of the token request's
    given: _Names  # of the token response's
    claims: _Names  # of the ID token's
    is_pushed: bool
    is_confidential: bool  # the client authenticates at the token endpoint
    is_bound: bool  # the tokens are bound to a key (RFC 9449)


def facts_of(hops: Sequence[Hop]) -> Facts:
    """Read the facts."""
    names = [frozenset(each.name for each in hop.parameters if hop.topic != "redirect_check") for hop in hops]

    def first(kind: str, *those: str, after: int = 0) -> int | None:
        found = (n for n in range(after, len(hops)) if hops[n].kind == kind and names[n].issuperset(those))
        return next(found, None)

    def of(index: int | None) -> _Names:
        return frozenset() if index is None else names[index]

    request = first("request", "response_type")
    request = first("request", "request_uri") if request is None else request
    token_request = first("request", "grant_type", "code")
    token_request = first("request", "grant_type") if token_request is None else token_request
    token_response = None
    if token_request is not None:
        token_response = first("response", "access_token", after=token_request)
    jwts = () if token_response is None else hops[token_response].jwts
    bound = [n for n, hop in enumerate(hops) if "DPoP" in names[n] or _token_type(hop) == "dpop"]
    return Facts(
        request=request,
        callback=next(
            (n for n, hop in enumerate(hops) if hop.receiver == "client" and hop.sender == "browser"), None
        ),
        token_request=token_request,
        token_response=token_response,
        api_request=next(
            (n for n, hop in enumerate(hops) if hop.receiver == "api" and "Authorization" in names[n]), None
        ),
        bound_at=bound[0] if bound else None,
        asked=of(request),
        sent=of(token_request),
        given=of(token_response),
        claims=frozenset(claim.name for jwt in jwts for claim in jwt.claims),
        is_pushed=request is not None and hops[request].channel == "back",
        is_confidential=not of(token_request).isdisjoint(
            {"client_secret", "client_assertion", "Authorization"}
        ),
        is_bound=any(_token_type(hop) == "dpop" for hop in hops),
    )


def _token_type(hop: Hop) -> str:
    return next((each.value or "" for each in hop.parameters if each.name == "token_type"), "").lower()
