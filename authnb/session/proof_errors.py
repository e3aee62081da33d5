"""The errors of calls with a token that is bound to a key (RFC 9449)."""

from __future__ import annotations

from authnb.errors import AuthnbError
from authnb.oauth.challenge import NONCE_ERROR
from authnb.oauth.token_endpoint import PROOFS_PER_REQUEST
from authnb.session.signed_request import display_url


def refused_proof(error: str, url: str, *, can_resend: bool) -> AuthnbError:
    """The error for an API that accepts no proof; ``error``: the code in its challenge (RFC 9449 section 7.1).

    ``can_resend``: whether the request could be sent again with another.
    """
    if error == NONCE_ERROR and not can_resend:
        return AuthnbError(
            error,
            f"{display_url(url)} wants a nonce of its own in the proof of possession (DPoP), and the body of the "
            "request, a stream, cannot be sent again with one. Repeat the call: the nonce is known now.",
        )
    if error == NONCE_ERROR:
        return AuthnbError(
            error,
            f"{display_url(url)} refused {PROOFS_PER_REQUEST} proofs of possession (DPoP), the later ones with the "
            "nonce that it gave for them. The API is at fault: tell its people. A sign-in with dpop=False does "
            "without, if they allow that.",
        )
    return AuthnbError(
        error,
        f"{display_url(url)} refused the proof of possession (DPoP). Perhaps a clock is wrong: set this machine's, as "
        "by timedatectl set-ntp true, and try again; or a proxy gives the API another address than that of the call: "
        "ask its people.",
    )


def bearer_wanted(url: str) -> AuthnbError:
    """The error for an API that asks for a bearer token, where the token is bound to a key (RFC 9449 section 7.2)."""
    return AuthnbError(
        "not_supported",
        f"{display_url(url)} refused the token, which is bound to a key (DPoP, RFC 9449), and asks for a bearer token: "
        "perhaps it takes no others. Sign in again with dpop=False, if the provider allows that.",
    )


def no_static_token(url: str) -> AuthnbError:
    """The error where a token is to be handed over that is of no use without proofs."""
    return AuthnbError(
        "not_supported",
        f"The token for {display_url(url)} is bound to a key (DPoP, RFC 9449): each call needs a proof of its own, "
        "which a token or header handed over once cannot give. Call the API by the session, requests_auth, "
        "httpx_auth or credentials.aiohttp, or through api.serve(), which prove each call. A sign-in with dpop=False "
        "gives a token without, if the provider allows that.",
    )
