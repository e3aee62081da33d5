"""Who signed in: an ID token in, verified claims out (OpenID Connect Core section 3.1.3.7)."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from authnb.errors import InvalidToken
from authnb.quirks import TENANT, in_tenant
from authnb.transport import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from authnb.provider import Keys
    from authnb.quirks import Quirks

# Signatures anyone can check and only the provider can make: never "none", never HMAC with a shared secret.
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


class _Registry(jws.JWSRegistry):
    max_header_length = 8192  # some providers put certificate chains into the header
    max_signature_length = 2048

    def get_alg(self, name: str) -> Any:
        """Ours and no other; without joserfc's warning for EdDSA, which providers go on using."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY = _Registry(strict_check_header=False)


def verify_id_token(
    id_token: str,
    *,
    keys: Keys,
    issuer: str,
    client_id: str,
    nonce: str | None,
    access_token: str | None = None,
    now: float | None = None,
    quirks: Quirks | None = None,
) -> dict[str, Any]:
    """The claims of an ID token that is the provider's, for this client, for this sign-in, and current.

    ``nonce`` is the one sent in the authorization request; None where the flow has none (device,
    refresh). ``now`` is the time at the provider, else this machine's; ``quirks``, what else it may call itself.
    An unknown key or a bad signature leads to one new look at the provider's keys, for they may just have
    changed. Raises `InvalidToken`.
    """
    signed = _read(id_token)
    claims, key_issuer = _verified(signed, keys)
    if quirks is not None:
        several, issuer = TENANT in issuer, quirks.token_issuer(issuer, claims)
        if several and isinstance(key_issuer, str) and in_tenant(key_issuer, claims) != issuer:
            raise _invalid("its key signs for another tenant")
    rules: dict[str, Any] = {
        "iss": {"essential": True, "value": issuer},
        "sub": {"essential": True},
        "aud": {"essential": True, "value": client_id},
        "exp": {"essential": True},
        "iat": {"essential": True},
    }
    if nonce is not None:
        rules["nonce"] = {"essential": True, "value": nonce}
    try:
        jwt.JWTClaimsRegistry(now=None if now is None else int(now), leeway=LEEWAY, **rules).validate(claims)
    except JoseError as error:
        raise _invalid(f"its claims do not hold ({error.description or error.error})") from None
    if claims.get("azp", client_id) != client_id:
        raise _invalid("it was issued to another client (azp)")
    if access_token is not None and "at_hash" in claims:
        _check_at_hash(claims["at_hash"], access_token, signed.headers())
    return claims


def _verified(signed: jws.CompactSignature, keys: Keys) -> tuple[dict[str, Any], Any]:
    """The claims, and whose tokens the key that signed them may sign, where it says that."""
    try:
        key_issuer = _try_keys(signed, keys.current())
    except InvalidToken:
        # A new key, or new key material under an old name (OpenID Connect Core section 10.1.1)
        renewed = keys.renewed()
        if renewed is None:
            raise
        key_issuer = _try_keys(signed, renewed)
    try:
        claims = parse(signed.payload or b"")
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise _invalid("its claims are no JSON object")
    return claims, key_issuer


def _read(id_token: str) -> jws.CompactSignature:
    try:
        signed = jws.extract_compact(id_token.encode(), registry=_REGISTRY)
    except (JoseError, ValueError, RecursionError):
        raise _invalid("it is not a signed JSON Web Token") from None
    header = signed.headers()
    if not isinstance(header, dict):  # joserfc takes the text "alg" for one that has it
        raise _invalid("its header is no JSON object")
    if header.get("alg") not in ALGORITHMS:
        raise _invalid(f"its algorithm {str(header.get('alg'))[:20]!r} is none a provider's key can make")
    if "crit" in header:  # RFC 7515 section 4.1.11
        raise _invalid("its header names extensions that must be known (crit), and none is")
    return signed


def _try_keys(signed: jws.CompactSignature, keys: Iterable[Mapping[str, Any]]) -> Any:
    """What the key that signed says of its issuer."""
    tried, header = 0, signed.headers()
    for key, issuer in _candidates(header, keys):
        tried += 1
        try:
            genuine = jws.validate_compact(signed, key, registry=_REGISTRY)
        except (JoseError, ValueError) as error:
            raise _invalid(f"it cannot be read ({type(error).__name__})") from None
        if genuine:
            return issuer
    if tried:
        raise _invalid("its signature is not the provider's")
    raise _invalid(f"none of the provider's keys is the one it names ({str(header.get('kid'))[:60]!r})")


def _candidates(
    header: Mapping[str, Any], keys: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[jwk.Key, Any]]:
    """The keys that may have signed, and their issuers if they say so: of the right type and name.

    Without a name, each is tried.
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
            yield _key(json.dumps(key)), key.get("issuer")
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # one malformed key does not spoil the set


@lru_cache(maxsize=64)  # reading a key takes longer than using it
def _key(text: str) -> jwk.Key:
    return jwk.import_key(json.loads(text))


def _check_at_hash(at_hash: object, access_token: str, header: Mapping[str, Any]) -> None:
    """The left half of the access token's hash, as OpenID Connect Core section 3.1.3.6 makes it."""
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
