"""Clients that authenticate by a signature in place of a secret: `private_key_jwt` (RFC 7523, RFC 7521 section 4.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidClientError
from flask import request
from joserfc import jws
from joserfc.errors import JoseError
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from authnb.demo.context import changed, db, now, provider
from authnb.demo.database.models import ClientAssertion, digest
from authnb.demo.protocol.client_keys import ALGORITHMS, fits, read_client_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from authnb.demo.database.models import Client

PRIVATE_KEY_JWT = "private_key_jwt"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST = 8192  # characters of an assertion
MOST_LIFETIME = 600.0  # seconds until it expires
AHEAD = 10.0  # seconds that the client's clock may be ahead: FAPI 2.0 Security Profile section 5.3.2.1

_NEW = insert(ClientAssertion)


def by_assertion(query_client: Callable[[str], Client | None], oauth_request: Any) -> Client | None:
    """Give the client that signed the request's assertion, None if there is none; raises InvalidClientError.

    Whoever sends one is judged by it alone (RFC 6749 section 2.3: one method a request).
    """
    form = oauth_request.form
    if not {"client_assertion", "client_assertion_type"} & set(form):
        return None
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise _refused(f"'client_assertion_type' is {ASSERTION_TYPE}.")
    if "client_secret" in form or "Authorization" in request.headers:
        raise _refused("Authenticate by one method only.")
    try:
        signed, claims = _read(form.get("client_assertion", ""))
    except (JoseError, ValueError, TypeError, RecursionError):
        raise _refused("The client assertion is no signed JWT.") from None
    client = query_client(claims["sub"]) if isinstance(claims.get("sub"), str) else None
    if client is None or not client.jwks or form.get("client_id", client.id) != client.id:
        raise _refused("The 'sub' of a client assertion is the client, which has registered its keys.")
    if not _is_signed_by(client, signed):
        raise _refused("The client assertion is not signed with a key of the client's.")
    _check_claims(claims, client)
    _use(client, claims["jti"], claims["exp"])
    return client


def _refused(description: str) -> InvalidClientError:
    return InvalidClientError(description, status_code=401)


def _read(assertion: str) -> tuple[jws.CompactSignature, dict[str, Any]]:
    """Give an assertion's parts, of which none is checked."""
    if len(assertion) > LONGEST:
        raise ValueError("too long")
    signed = jws.extract_compact(assertion.encode(), registry=_registry())
    claims = json.loads(signed.payload)
    if not isinstance(claims, dict):
        raise TypeError("no claims")
    return signed, claims


def _is_signed_by(client: Client, signed: jws.CompactSignature) -> bool:
    header = signed.headers()
    try:
        for jwk in json.loads(client.jwks or "{}")["keys"]:
            if fits(jwk, header["alg"], header.get("kid")) and jws.validate_compact(
                signed, read_client_key(jwk), registry=_registry()
            ):
                return True
    except (JoseError, ValueError, TypeError):
        return False
    return False


def _registry() -> jws.JWSRegistry:
    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    registry.max_header_length = LONGEST
    return registry


def _check_claims(claims: dict[str, Any], client: Client) -> None:
    """RFC 7523 section 3; the audience is one text (FAPI 2.0 Security Profile section 5.3.2.1)."""
    moment, issuer = now(), provider().issuer
    if claims.get("iss") != client.id:
        raise _refused("The 'iss' of a client assertion is the client.")
    audiences = {issuer, f"{issuer}/token"}
    if request.path == "/par":
        audiences.add(f"{issuer}/par")  # RFC 9126 section 2
    if not isinstance(claims.get("aud"), str) or claims["aud"] not in audiences:
        raise _refused(f"The 'aud' of a client assertion is {issuer}, as a text.")
    if not _is_time(claims.get("exp")) or not moment < claims["exp"] <= moment + MOST_LIFETIME:
        raise _refused(f"A client assertion expires, in 10 minutes at most: it is {int(moment)} here.")
    if not all(
        _is_time(claims.get(name, moment)) and claims.get(name, moment) <= moment + AHEAD
        for name in ("iat", "nbf")
    ):
        raise _refused(f"The client assertion is of the future: it is {int(moment)} here.")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise _refused("A client assertion has a 'jti'.")


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _use(client: Client, jti: str, expires_at: float) -> None:
    """Note that it was used, until it expires; once is enough (RFC 7523 section 3, point 7)."""
    try:
        changed(_NEW, digest=digest(f"{client.id} {jti!a}"), expires_at=expires_at)
    except IntegrityError:
        db().rollback()
        raise _refused("The client assertion was used before.") from None
