"""DPoP (RFC 9449): tokens that are bound to a key, and the proofs of its possession that come with each request."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from flask import Response, g, request
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from authnb.demo.context import now, provider
from authnb.demo.database.models import digest
from authnb.demo.proof_nonces import ProofReplayed, UnknownNonce

OLDEST = 60.0  # seconds since a proof was made
AHEAD = 10.0  # seconds that the clock of its maker may be ahead
LONGEST = 4096  # characters of a proof
KEY_MEMBERS = {
    "ES256": ("kty", "crv", "x", "y"),
    "Ed25519": ("kty", "crv", "x"),
}  # RFC 7518, RFC 8037, RFC 9864
CURVES = {"ES256": ("EC", "P-256"), "Ed25519": ("OKP", "Ed25519")}
ALGORITHMS = tuple(CURVES)
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")  # RFC 7638 with SHA-256
_UNRESERVED = re.compile(r"%(2[dDeE]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|7[eE])")  # RFC 3986 section 2.3
_PORTS = {"http": 80, "https": 443}


class InvalidDPoPProofError(OAuth2Error):
    """RFC 9449 section 5, or 7.1 at an API: there is no proof, or not one for this request."""

    error = "invalid_dpop_proof"


class UseDPoPNonceError(OAuth2Error):
    """RFC 9449 sections 8 and 9: the proof needs the nonce that the answer has in DPoP-Nonce."""

    error = "use_dpop_nonce"


def check_token_request() -> None:
    """Verify the proof of a token request and bind what is issued to its key; without one, tokens are bearer tokens.

    Raises the errors above, also where a proof is required and there is none.
    """
    dpop = provider().settings.dpop
    if dpop is None:
        return
    if "DPoP" in request.headers:
        g.dpop_jkt = proof_key()
    elif dpop == "required":
        raise InvalidDPoPProofError("A DPoP proof is required here.")


def issued_to() -> str | None:
    """The thumbprint of the key that the tokens of this request are bound to (RFC 7638), None for bearer tokens."""
    key: str | None = g.get("dpop_jkt")
    return key


def hold_to(jkt: str | None, wrong_key: type[OAuth2Error] = InvalidGrantError) -> None:
    """Refuse this token request unless it proves possession of the key `jkt`; None is no key in particular."""
    if jkt is None:
        return
    if issued_to() is None:
        raise InvalidDPoPProofError("This is bound to a key: send a DPoP proof made with it.")
    if issued_to() != jkt:
        raise wrong_key("This is bound to another key than that of the DPoP proof.")


def requested_key(data: Any) -> str | None:
    """The ``dpop_jkt`` of an authorization request (RFC 9449 section 10), None without DPoP."""
    jkt: str | None = data.get("dpop_jkt")
    if jkt is None or provider().settings.dpop is None:
        return None
    if not _THUMBPRINT.fullmatch(jkt):
        raise InvalidRequestError("'dpop_jkt' is the SHA-256 thumbprint of a key (RFC 7638).")
    return jkt


def add_nonce(response: Response) -> None:
    """Give the newest nonce with the answer to each request that has a proof (RFC 9449 section 8.2)."""
    if provider().settings.dpop is not None and "DPoP" in request.headers:
        response.headers["DPoP-Nonce"] = provider().proof_nonces.newest(now())


def proof_key(access_token: str | None = None) -> str:
    """Give the thumbprint of the key (RFC 7638) whose possession this request proves: RFC 9449 section 4.3.

    ``access_token``: the token that an API was sent, which the proof must be for. Raises InvalidDPoPProofError and
    UseDPoPNonceError.
    """
    proof = request.headers.get("DPoP")
    if not proof:
        raise InvalidDPoPProofError("There is no DPoP proof.")
    try:
        claims, jkt = _opened(proof)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise InvalidDPoPProofError(
            "The DPoP proof is not a JWT signed with the key in its header."
        ) from None
    _check_claims(claims, access_token)
    try:
        provider().proof_nonces.use(claims.get("nonce", ""), digest(f"{jkt} {claims['jti']!a}"), now())
    except UnknownNonce:
        raise UseDPoPNonceError("Make the DPoP proof with the nonce in DPoP-Nonce.") from None
    except ProofReplayed:
        raise InvalidDPoPProofError("The DPoP proof was used before.") from None
    return jkt


def _opened(proof: str) -> tuple[dict[str, Any], str]:
    """Give the claims and the key's thumbprint of a proof whose header and signature are right."""
    if len(proof) > LONGEST:
        raise ValueError("too long")
    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    registry.max_header_length = LONGEST
    signed = jws.extract_compact(proof.encode(), registry=registry)
    header = signed.headers()
    key = _public_key(header.get("jwk"), header["alg"])
    if header.get("typ") != "dpop+jwt":
        raise ValueError("another kind of JWT")
    if not jws.validate_compact(signed, key, registry=registry):
        raise ValueError("signed with another key")
    claims = json.loads(signed.payload)
    if not isinstance(claims, dict):
        raise TypeError("no claims")
    return claims, key.thumbprint()


def _public_key(jwk: Any, algorithm: str) -> ECKey | OKPKey:
    """The key of a proof's header; raises ValueError or TypeError for one that is private, or not for the algorithm."""
    if not isinstance(jwk, dict) or PRIVATE_MEMBERS & set(jwk):
        raise TypeError("no public key")
    if algorithm not in CURVES or (jwk.get("kty"), jwk.get("crv")) != CURVES[algorithm]:
        raise ValueError("a key of another algorithm")
    kind = ECKey if algorithm == "ES256" else OKPKey
    members: dict[str, Any] = {name: jwk.get(name) for name in KEY_MEMBERS[algorithm]}
    if not all(isinstance(member, str) for member in members.values()):
        raise TypeError("no key")
    return kind.import_key(members)


def _check_claims(claims: dict[str, Any], access_token: str | None) -> None:
    """Refuse a proof for another request, another token or another time; of the nonce, only its type is looked at."""
    moment, made = now(), claims.get("iat")
    if not all(isinstance(claims.get(name), str) for name in ("jti", "htm", "htu")) or not claims["jti"]:
        raise InvalidDPoPProofError("A DPoP proof has the claims 'jti', 'htm', 'htu' and 'iat'.")
    if claims["htm"] != request.method:
        raise InvalidDPoPProofError("The DPoP proof is for another method.")
    if _normalised(claims["htu"]) != _normalised(provider().issuer + quote(request.path)):
        raise InvalidDPoPProofError("The DPoP proof is for another URL.")
    if not isinstance(made, int | float) or isinstance(made, bool):
        raise InvalidDPoPProofError("A DPoP proof says in 'iat' when it was made, in seconds since 1970.")
    if not moment - OLDEST <= made <= moment + AHEAD:
        raise InvalidDPoPProofError(f"The DPoP proof was not made just now: it is {int(moment)} here.")
    if not isinstance(claims.get("nonce", ""), str):
        raise InvalidDPoPProofError("The 'nonce' of a DPoP proof is a text.")
    if access_token is not None and claims.get("ath") != _hash(access_token):
        raise InvalidDPoPProofError("The DPoP proof is for another access token.")


def _hash(access_token: str) -> str:
    """What ``ath`` is: RFC 9449 section 4.2."""
    return urlsafe_b64encode(sha256(access_token.encode()).digest()).decode().rstrip("=")


def _normalised(url: str) -> str | None:
    """The URL without query and fragment, as RFC 3986 sections 6.2.2 and 6.2.3 write it; None for what is no URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or "@" in parts.netloc:
        return None
    path = _UNRESERVED.sub(lambda found: chr(int(found[1], 16)), parts.path)
    path = re.sub(r"%[0-9a-fA-F]{2}", lambda found: found[0].upper(), path)
    return f"{parts.scheme}://{host}:{_PORTS.get(parts.scheme) if port is None else port}{path or '/'}"
