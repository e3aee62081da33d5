"""OpenID Connect on top of the grants: authentication requests, ID tokens, claims, logout, and RFC 9207's `iss`."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import OpenIDCode, UserInfo
from authlib.oidc.rpinitiated import EndSessionEndpoint as BaseEndSessionEndpoint
from joserfc import jwt
from joserfc.jwk import KeySet

from authnb.demo.accounts import sign_out
from authnb.demo.context import db, now, provider
from authnb.demo.protocol import dpop
from authnb.demo.protocol.metadata import PROMPTS, RESPONSE_MODES
from authnb.demo.protocol.resources import requested
from authnb.demo.protocol.step_up import wanted_acr

if TYPE_CHECKING:
    from authnb.demo.database.models import Account


class AuthenticationRequest:
    """OpenID Connect Core 1.0 section 3.1.2.1: the parameters that Authlib does not look at."""

    def __call__(self, grant: Any) -> None:
        """Look at them once the redirect URI is known to be good, so that the client hears of an error."""
        grant.register_hook("after_validate_authorization_request_payload", self.validate)

    def validate(self, grant: Any, _redirect_uri: str) -> None:
        """Refuse what we cannot do rather than do something else."""
        data = grant.request.payload.data
        prompts = set(data.get("prompt", "").split())
        if not prompts <= set(PROMPTS):
            raise InvalidRequestError("Unknown 'prompt' value.")
        if "none" in prompts and len(prompts) > 1:
            raise InvalidRequestError("'prompt=none' goes with no other value.")
        max_age = data.get("max_age", "0")
        if not (max_age.isascii() and max_age.isdigit()):
            raise InvalidRequestError("'max_age' is a number of seconds.")
        if data.get("response_mode", "query") not in RESPONSE_MODES:
            raise InvalidRequestError("Only 'query' and 'fragment' are supported as 'response_mode'.")
        requested(grant.request)
        dpop.requested_key(data)
        wanted_acr(data.get("acr_values", ""))
        for parameter in ("request", "request_uri"):
            if parameter in data:
                raise InvalidRequestError(error=f"{parameter}_not_supported")


class IDToken(OpenIDCode):
    """OpenID Connect Core 1.0 section 2, for codes, device codes and refreshes alike."""

    def exists_nonce(self, nonce: str, request: Any) -> bool:  # noqa: ARG002 - Authlib's signature
        """Never: a page may be loaded again, and it is the client that compares the nonce."""
        return False

    def encode_id_token(self, token: dict[str, Any], request: Any) -> str:
        """Give the signed ID token of a token response."""
        origin = request.authorization_code or request.refresh_token or request.credential
        issued_at = int(now())
        claims: dict[str, Any] = {
            "iss": provider().issuer,
            # one client as a string: Authlib's logout finds no client in a list
            "aud": request.client.get_client_id(),
            "iat": issued_at,
            "exp": issued_at + provider().settings.access_token_lifetime,
            "auth_time": int(origin.authorization.auth_time),
            "at_hash": _half_hash(token["access_token"]),
            **user_claims(request.user, token["scope"]),
        }
        if origin.authorization.acr:
            claims["acr"] = origin.authorization.acr
        if request.authorization_code and request.authorization_code.nonce:
            claims["nonce"] = request.authorization_code.nonce
        key = provider().signing_key
        db().commit()  # nobody waits for the lock while this is signed, on another core if there is one
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key, ["RS256"])


def _half_hash(access_token: str) -> str:
    """The left half of its SHA-256 (OpenID Connect Core 1.0 section 3.1.3.6)."""
    return urlsafe_b64encode(sha256(access_token.encode()).digest()[:16]).decode().rstrip("=")


def user_claims(account: Account | Any, scope: str) -> dict[str, Any]:
    """What the scope lets a client know of a person (OpenID Connect Core 1.0 section 5.4)."""
    claims = UserInfo(
        sub=account.id,
        name=account.full_name,
        preferred_username=account.name,
        email=account.email,
        email_verified=False,
    )
    return dict(claims.filter(scope))


class EndSessionEndpoint(BaseEndSessionEndpoint):
    """OpenID Connect RP-Initiated Logout 1.0."""

    def get_server_jwks(self) -> KeySet:
        """Our key: an ID token signed by another was not ours."""
        return KeySet([provider().signing_key])

    def get_algorithms(self) -> list[str]:
        """The one we sign with."""
        return ["RS256"]

    def end_session(self, _request: Any) -> None:
        """Sign this browser out."""
        sign_out()

    def _is_valid_post_logout_redirect_uri(self, client: Any, post_logout_redirect_uri: str) -> bool:
        return bool(client.check_post_logout_redirect_uri(post_logout_redirect_uri))


class Issuer(IssuerParameter):
    """RFC 9207: who answers."""

    def get_issuer(self) -> str:
        """Give our issuer."""
        return provider().issuer
