"""Verification of ID tokens (OpenID Connect Core section 3.1.3.7)."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from authnb.errors import InvalidToken
from authnb.oauth.quirks import TENANT, in_tenant
from authnb.transport.http import parse, present

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from authnb.oauth.key_set import KeySet
    from authnb.oauth.quirks import Quirks

# Asymmetric algorithms only: never "none", never HMAC with a shared secret.
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
LEEWAY = 60  # seconds by which the two clocks may differ

_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_JWE_DOTS = 4  # in an encrypted token (RFC 7516 section 7.1)
_MIN_RSA_BITS = 2048  # RFC 7518 section 3.3


class _Registry(jws.JWSRegistry):
    max_header_length = 8192  # some providers include certificate chains
    max_signature_length = 2048

    def get_alg(self, name: str) -> Any:
        """An algorithm of `ALGORITHMS`; without joserfc's warning for EdDSA, which providers still use."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY = _Registry(strict_check_header=False)


def verify_id_token(
    id_token: str,
    *,
    keys: KeySet,
    issuer: str,
    client_id: str,
    nonce: str | None,
    access_token: str | None = None,
    now: float | None = None,
    quirks: Quirks | None = None,
    algorithms: Collection[str] = (),
) -> dict[str, Any]:
    """The claims of an ID token, if its signature, issuer, audience, times and nonce hold.

    ``nonce`` is the one sent in the authorization request; None where the flow has none (device,
    refresh). ``now`` is the time at the provider, else this machine's; ``quirks`` may allow other issuers.
    ``algorithms``: those that the provider says it signs ID tokens with, if it says so.
    After an unknown key or a bad signature the JWKS is fetched once more, as the provider may have rotated its keys.
    Raises `InvalidToken`.
    """
    signed = _read(id_token, algorithms)
    claims, key_issuer = _verified(signed, keys)
    if (
        type(claims.get("sub")) is int
    ):  # of servers whose accounts are numbered; a string by RFC 7519 section 4.1.2
        claims["sub"] = str(claims["sub"])
    _check_types(claims)
    if quirks is not None:
        several, issuer = TENANT in issuer, quirks.token_issuer(issuer, claims)
        if several and isinstance(key_issuer, str) and in_tenant(key_issuer, claims) != issuer:
            raise _invalid("its key signs for another tenant")
    rules: dict[str, Any] = {
        "sub": {"essential": True},
        "aud": {"essential": True, "value": client_id},
        "exp": {"essential": True},
        "iat": {"essential": True},
    }
    _check_issuer(claims.get("iss"), issuer)
    if nonce is not None and claims.get("nonce") != nonce:  # joserfc accepts a list that contains the value
        raise _invalid("its nonce is not the one that was sent")
    if "events" in claims:  # RFC 8417 section 2.2: a security event token, such as a logout token
        raise _invalid("it is a security event token, not an ID token")
    try:
        jwt.JWTClaimsRegistry(now=None if now is None else int(now), leeway=LEEWAY, **rules).validate(claims)
    except JoseError as error:
        raise _invalid(
            f"its claims do not hold ({error.description or error.error}){_clock_hint(claims, now)}"
        ) from None
    _check_client(claims, client_id)
    if access_token is not None and "at_hash" in claims:
        _check_at_hash(claims["at_hash"], access_token, signed.headers())
    return claims


def verify_userinfo(
    signed_userinfo: str, *, keys: KeySet, issuer: str, client_id: str, now: float, quirks: Quirks
) -> dict[str, Any]:
    """The claims of a signed userinfo response (OpenID Connect Core section 5.3.2).

    Issuer and audience must be right where they are named. Raises `InvalidToken`.
    """
    try:
        claims, _ = _verified(_read(signed_userinfo.strip()), keys)
        if "iss" in claims:
            _check_issuer(claims["iss"], quirks.token_issuer(issuer, claims))
        try:
            jwt.JWTClaimsRegistry(now=int(now), leeway=LEEWAY, aud={"value": client_id}).validate(claims)
        except JoseError as error:
            raise _invalid(f"its claims do not hold ({error.description or error.error})") from None
    except InvalidToken as error:
        description = error.description.replace("ID token was", "signed userinfo response was")
        raise InvalidToken(error.error, description) from None
    return claims


def _clock_hint(claims: Mapping[str, Any], now: float | None) -> str:
    """Where an ID token is not valid now: the times, as this machine's clock or the provider's may be wrong."""
    now = time.time() if now is None else now
    if not {"iat", "exp"} <= claims.keys() or claims["iat"] - LEEWAY <= now <= claims["exp"] + LEEWAY:
        return ""
    return (
        f"; it was issued at {_time(claims['iat'])} by the provider's clock, and by this machine's it is "
        f"{_time(time.time())}: if that is wrong, set it"
    )


def _time(moment: float) -> str:
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"{moment:.0f}"


def _check_issuer(iss: object, issuer: str) -> None:
    if iss == issuer:
        return
    if not isinstance(iss, str):
        raise _invalid("it names no issuer (iss)")
    slash = iss.rstrip("/") == issuer.rstrip("/")
    case = (
        ", which differs by the slash at its end. If that is the provider's own"
        if slash
        else ". Where the provider's documentation gives both"
    )
    raise _invalid(
        f"its issuer (iss) is {iss[:200]!r}, not {issuer!r}{case}, sign in with Provider.discover({issuer!r}, "
        f"quirks=Quirks(issuers=[{iss[:200]!r}]))"
    )


def _verified(signed: jws.CompactSignature, keys: KeySet) -> tuple[dict[str, Any], Any]:
    """The claims, and the issuer that the signing key is limited to, if it names one."""
    try:
        key_issuer = _try_keys(signed, keys.current())
    except InvalidToken:
        # A new key, or new key material under an old kid (OpenID Connect Core section 10.1.1)
        refetched = keys.refetch()
        if refetched is None:
            raise
        key_issuer = _try_keys(signed, refetched)
    try:
        claims = parse(signed.payload or b"")
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise _invalid("its claims are no JSON object")
    return present(claims), key_issuer


def _check_types(claims: Mapping[str, Any]) -> None:
    """The types of RFC 7519 section 4.1, which older releases of joserfc leave unchecked."""
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name, 0)
        if type(value) is not int and not (type(value) is float and math.isfinite(value)):
            raise _invalid(f"its {name} is no number")
    audience = claims.get("aud", "")
    for name, values in (
        ("sub", [claims.get("sub", "")]),
        ("aud", audience if isinstance(audience, list) else [audience]),
    ):
        if not all(isinstance(value, str) for value in values):
            raise _invalid(f"its {name} is no string")


def _read(id_token: str, algorithms: Collection[str] = ()) -> jws.CompactSignature:
    try:
        signed = jws.extract_compact(id_token.encode(), registry=_REGISTRY)
    except (JoseError, ValueError, RecursionError):
        encrypted = id_token.count(".") == _JWE_DOTS
        raise _invalid(
            "it is encrypted. Turn encryption of ID tokens off in the client's settings at the provider"
            if encrypted
            else "it is not a signed JSON Web Token"
        ) from None
    header = signed.headers()
    if not isinstance(header, dict):  # joserfc accepts the string "alg" as a header that has one
        raise _invalid("its header is no JSON object")
    if not header.get("kid"):  # null and empty mean absent; joserfc refuses them
        header.pop("kid", None)
    if header.get("alg") not in ALGORITHMS:
        raise _invalid(
            f"its algorithm {str(header.get('alg') or '')[:20]!r} is none of those that authnb verifies, RS256 and "
            "others with a key of the provider's own. Choose RS256 for ID tokens in the client's settings at the "
            "provider, or take 'openid' out of scope="
        )
    if algorithms and header["alg"] not in algorithms:  # step 7
        raise _invalid(
            f"its algorithm {header['alg']} is none of those that the provider's metadata name "
            f"(id_token_signing_alg_values_supported: {' '.join(algorithms)[:100]})"
        )
    # Explicitly typed as another kind of JWT (RFC 8725 section 3.11), such as at+jwt or logout+jwt
    if str(header.get("typ", "JWT")).lower().endswith("+jwt"):
        raise _invalid(f"it is typed as {str(header['typ'])[:40]!r}, which is no ID token")
    if "crit" in header:  # RFC 7515 section 4.1.11
        raise _invalid("its header names extensions that must be known (crit), and none is")
    return signed


def _try_keys(signed: jws.CompactSignature, keys: Iterable[Mapping[str, Any]]) -> Any:
    """The ``issuer`` of the key that made the signature (an extension of Entra's), or None."""
    tried, header = 0, signed.headers()
    for key, issuer in _candidates(header, keys):
        tried += 1
        try:
            genuine = jws.validate_compact(signed, key, registry=_REGISTRY)
        except (JoseError, ValueError):
            continue  # a key of another curve (RFC 7518 section 3.4); the next may fit
        if genuine:
            return issuer
    if tried:
        raise _invalid("its signature is not the provider's")
    named = (
        f"is the one it names ({str(header['kid'])[:60]!r})" if header.get("kid") else "can have signed it"
    )
    raise _invalid(f"none of the provider's keys {named}")


def _candidates(
    header: Mapping[str, Any], keys: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[jwk.Key, Any]]:
    """The keys of the right type and ``kid``, each with its issuer if it names one.

    Without a ``kid`` every key of the type is a candidate.
    """
    key_type = _KEY_TYPES[header["alg"][:2]]
    for key in keys:
        if key.get("kty") != key_type or key.get("use", "sig") != "sig":
            continue
        if "kid" in header and "kid" in key and key["kid"] != header["kid"]:
            continue
        if key.get("alg", header["alg"]) != header["alg"]:
            continue
        try:
            if key_type == "RSA" and _modulus_bits(key) < _MIN_RSA_BITS:
                continue  # before it is imported, which would warn the person
            imported = _key(json.dumps(key))
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # a malformed key does not invalidate the set
        yield imported, key.get("issuer")


def _modulus_bits(key: Mapping[str, Any]) -> int:
    """The length of an RSA key (RFC 7518 section 6.3.1.1)."""
    return int.from_bytes(urlsafe_b64decode(key["n"] + "==")).bit_length()


@lru_cache(maxsize=64)  # importing a key takes longer than a verification
def _key(text: str) -> jwk.Key:
    return jwk.import_key(json.loads(text))


def _check_client(claims: Mapping[str, Any], client_id: str) -> None:
    """For nobody else, or else issued to us (OpenID Connect Core section 3.1.3.7, steps 3 to 5)."""
    shared = isinstance(claims["aud"], list) and set(claims["aud"]) != {client_id}
    if shared and "azp" not in claims:
        raise _invalid("it is for others too (aud), and does not say to whom it was issued (azp)")
    if claims.get("azp", client_id) != client_id:
        raise _invalid("it was issued to another client (azp)")


def _check_at_hash(at_hash: object, access_token: str, header: Mapping[str, Any]) -> None:
    """Compare with the left half of the access token's hash (OpenID Connect Core section 3.1.3.6)."""
    digest = _HASHES.get(header["alg"][2:], hashlib.sha512)(access_token.encode()).digest()
    expected = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if not isinstance(at_hash, str) or not hmac.compare_digest(expected.encode(), at_hash.encode()):
        raise _invalid("it belongs to another access token (at_hash)")


def _invalid(why: str) -> InvalidToken:
    return InvalidToken(
        "invalid_token",
        f"The provider's ID token was refused: {why}. Nobody was signed in. Try again; if it happens again, "
        "tell the provider.",
    )
