"""The public keys of clients that have no secret (RFC 7517), with which they authenticate: `client_assertions`."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

# FAPI 2.0 Security Profile section 5.4.1; Ed25519 as RFC 9864 names it
KINDS = {"ES256": ("EC", "P-256"), "PS256": ("RSA", None), "Ed25519": ("OKP", "Ed25519")}
ALGORITHMS = tuple(KINDS)
MOST_KEYS = 8
RSA_BITS = range(2048, 4097)
EXPONENT = "AQAB"  # 65537; a longer one is slow
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def client_keys(jwks: Any) -> dict[str, Any]:
    """Give a JWK set as it is kept, with nothing but what is needed; ValueError says what is wrong with it."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
        raise ValueError(f"jwks is a JWK set of 1 to {MOST_KEYS} keys.")
    return {"keys": [_client_key(key) for key in keys]}


def _client_key(jwk: Any) -> dict[str, str]:
    if not isinstance(jwk, dict) or PRIVATE_MEMBERS & set(jwk):
        raise ValueError("The keys in jwks are public ones.")
    kind = (jwk.get("kty"), jwk.get("crv"))
    algorithm = next((name for name, known in KINDS.items() if known == kind), None)
    if algorithm is None or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        raise ValueError(f"The keys in jwks are for {', '.join(ALGORITHMS)}.")
    needed = {"ES256": ("x", "y"), "PS256": ("n", "e"), "Ed25519": ("x",)}[algorithm]
    kept = {"kty": jwk["kty"], **{name: jwk.get(name) for name in ("crv", "kid", *needed) if name in jwk}}
    if not all(isinstance(member, str) for member in kept.values()):
        raise ValueError("The members of a key are texts.")
    if algorithm == "PS256" and (kept.get("e") != EXPONENT or _bits(kept.get("n", "")) not in RSA_BITS):
        raise ValueError("An RSA key has 2048 to 4096 bits, and the exponent 65537.")
    try:
        read_client_key(kept)
    except (JoseError, ValueError, TypeError, KeyError):
        raise ValueError("A key in jwks cannot be read.") from None
    return kept


def read_client_key(jwk: dict[str, Any]) -> ECKey | RSAKey | OKPKey:
    """The key of a client, of a set that `client_keys` gave."""
    kinds: dict[str, type[ECKey | RSAKey | OKPKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
    return kinds[jwk["kty"]].import_key(jwk)


def fits(jwk: dict[str, Any], algorithm: str, kid: Any) -> bool:
    """Whether a signature with this header may be of the key; either may be without an identifier."""
    return KINDS.get(algorithm) == (jwk["kty"], jwk.get("crv")) and (
        kid is None or jwk.get("kid", kid) == kid
    )


def _bits(number: str) -> int:
    try:
        return int.from_bytes(urlsafe_b64decode(number + "==")).bit_length()
    except ValueError:
        return 0
