"""The private key of a client, read from a file: PEM, JWK or JWK set (RFC 7517).

Only the path is kept: the file is read again for each signature, so that no process holds the key for longer, none
pickles or inherits it, and a key that is replaced on disk is in use at once.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from shlex import quote
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from authnb import compat
from authnb.errors import StorageError, raises_without_frames

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LIMIT = 1 << 16  # bytes of a file with a key in it
_MIN_RSA_BITS = 2048  # RFC 7518 section 3.3
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
# By preference: what FAPI 2.0 Security Profile section 5.4.1 allows, then others, RS256 and its like last
_RSA = ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
_EC = {"secp256r1": ("ES256",), "secp384r1": ("ES384",), "secp521r1": ("ES512",)}
_ED25519 = ("EdDSA", "Ed25519")  # RFC 8037, and the same by RFC 9864
_KINDS = "an RSA key of 2048 bits or more, an EC key for P-256, P-384 or P-521, or an Ed25519 key"
_HEADER = (
    "kid",
    "x5t",
    "x5t#S256",
)  # members of a JWK that name it in a signature too (RFC 7515 section 4.1)
_MAKE = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.pem"


@dataclass(frozen=True, kw_only=True)
class ClientKey:
    """A private key, to be dropped after use.

    ``header``: the members of a signature's header that name it; ``algorithms``: those that it can sign with (RFC
    7518 section 3.1), the best first; ``default``: that where the provider names none.
    """

    key: RSAKey | ECKey | OKPKey = field(repr=False)
    kind: str
    header: Mapping[str, str]
    algorithms: tuple[str, ...]
    default: str


@raises_without_frames
def read_client_key(path: Path) -> ClientKey:
    """The private key in this file; `StorageError` with what to do if it cannot be used."""
    content = _read(path)
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        text = ""
    if text.startswith("{"):
        return _of_jwk(text, path)
    blocks = [(block[1], block[0]) for block in _PEM.finditer(text)]
    if not blocks:
        raise _unusable(
            path,
            "it holds neither PEM nor a JWK. Convert it, for instance from DER: openssl pkey -inform DER -in "
            f"{quote(str(path))} -out client.pem; or from PKCS #12: openssl pkcs12 -nodes -nocerts -in "
            f"{quote(str(path))} -out client.pem.",
        )
    return _of_pem(blocks, path)


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise _unusable(path, "it is a folder. Name the file with the key in it.")
        with open(compat.open_secret(path), "rb") as file:  # noqa: PTH123 - opened above with checks
            content = file.read(_LIMIT + 1)
    except FileNotFoundError:
        raise _unusable(
            path,
            "there is no such file. Name the file with the client's private key in client_key= or "
            "AUTHNB_CLIENT_KEY_FILE; a relative path begins in the folder that Python runs in.",
        ) from None
    except compat.NotPrivateError as error:
        mine = quote(str(path))
        step = (
            f"If somebody may have read it, make a new key; else keep them out: chmod 600 {mine}"
            if error.owned
            else f"Have its owner give it to you, or copy it to a file of your own: install -m 600 {mine} client.pem"
        )
        raise _unusable(path, f"{error.strerror}. {step}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unusable(
            path, f"it cannot be read ({reason}). Check its name, and that it is yours."
        ) from None
    if len(content) > _LIMIT:
        raise _unusable(path, "it is larger than 64 KiB, as no key is. Name the file with the key alone.")
    return content


def _of_pem(blocks: list[tuple[str, str]], path: Path) -> ClientKey:
    keys = [(label, block) for label, block in blocks if label.endswith("PRIVATE KEY")]
    labels = {label for label, _ in blocks}
    if len(keys) > 1:
        raise _unusable(
            path,
            f"it holds {len(keys)} private keys. Leave the one that is registered at the provider in it.",
        )
    if not keys:
        what = (
            "a certificate"
            if "CERTIFICATE" in labels
            else "a public key"
            if any(label.endswith("PUBLIC KEY") for label in labels)
            else f"{', '.join(sorted(labels))}"
        )
        raise _unusable(path, f"it holds {what} and no private key. Name the file with the private key.")
    label, block = keys[0]
    if label.startswith("OPENSSH"):
        raise _unusable(
            path,
            "it is in the format of OpenSSH. Convert a copy of it: ssh-keygen -p -N '' -m PKCS8 -f client.pem.",
        )
    try:
        native: Any = serialization.load_pem_private_key(block.encode(), None)
    except TypeError:  # cryptography asks for a password
        raise _unusable(
            path,
            "it is encrypted, and nothing here asks for its password. Decrypt it into a file that only you can read, "
            f"and name that: openssl pkey -in {quote(str(path))} -out client.pem.",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(
            path, "its private key is damaged or of a kind that is not known. Copy it again, or make another."
        ) from None
    certificates = [block for label, block in blocks if label == "CERTIFICATE"]
    return _usable(native, _thumbprint(certificates, native), path)


def _thumbprint(certificates: list[str], native: Any) -> dict[str, str]:
    """The header that names the certificate of this key, if it is beside it (RFC 7515 section 4.1.8)."""
    for each in certificates:
        try:
            certificate = x509.load_pem_x509_certificate(each.encode())
            belongs = certificate.public_key() == native.public_key()
        except (ValueError, UnsupportedAlgorithm):
            continue
        if belongs:
            digest = certificate.fingerprint(hashes.SHA256())
            return {"x5t#S256": urlsafe_b64encode(digest).rstrip(b"=").decode()}
    return {}


def _of_jwk(text: str, path: Path) -> ClientKey:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _unusable(path, "it is not valid JSON. Copy the JWK again.") from None
    found = document.get("keys") if "keys" in document else [document]
    listed = found if isinstance(found, list) else []
    keys = [each for each in listed if isinstance(each, dict) and _may_sign(each)]
    private = [each for each in keys if each.get("kty") != "oct" and "d" in each]
    if len(private) > 1:
        names = ", ".join(repr(str(each.get("kid"))[:80]) for each in private[:5])
        raise _unusable(
            path,
            f"it holds {len(private)} private keys (kid {names}). Put the one that is registered at the provider into "
            "a file of its own.",
        )
    if not private:
        what = "no key to sign with"
        if any(each.get("kty") == "oct" for each in keys):
            what = "a symmetric key (kty 'oct'), which is a shared secret"
        elif any("kty" in each for each in keys):
            what = "a public key alone, without the member 'd'"
        raise _unusable(path, f"it holds {what}. Name the file with the private key: {_KINDS}.")
    jwk = {name: value for name, value in private[0].items() if value is not None}
    bindings = {"RSA": RSAKey.binding, "EC": ECKey.binding, "OKP": OKPKey.binding}
    binding = bindings.get(str(jwk.get("kty")))
    try:
        native: Any = None if binding is None else binding.import_from_dict(jwk)
    except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        raise _unusable(path, "its JWK is damaged. Copy it again, or make another key.") from None
    header = {name: jwk[name] for name in _HEADER if isinstance(jwk.get(name), str) and jwk[name]}
    return _usable(native, header, path, jwk.get("alg"))


def _may_sign(jwk: Mapping[str, Any]) -> bool:
    """Whether a JWK is not meant for other uses (RFC 7517 sections 4.2 and 4.3)."""
    operations = jwk.get("key_ops")
    return jwk.get("use") != "enc" and (not isinstance(operations, list) or "sign" in operations)


def _usable(native: Any, header: Mapping[str, str], path: Path, algorithm: Any = None) -> ClientKey:
    """The key, if it is of a kind and size to sign with; ``algorithm``: the one that its JWK names."""
    key: RSAKey | ECKey | OKPKey
    algorithms: tuple[str, ...]
    if isinstance(native, rsa.RSAPrivateKey):
        if native.key_size < _MIN_RSA_BITS:
            raise _unusable(
                path,
                f"its RSA key has {native.key_size} bits, and a signature takes {_MIN_RSA_BITS} (RFC 7518 section "
                f"3.3). Make another, and register its public key: {_MAKE}.",
            )
        key, algorithms = RSAKey.import_key(native), _RSA
        kind, default = f"RSA, {native.key_size} bits", "RS256"  # OpenID Connect Discovery section 3
    elif isinstance(native, ec.EllipticCurvePrivateKey) and native.curve.name in _EC:
        algorithms = _EC[native.curve.name]
        key, kind, default = ECKey.import_key(native), f"EC, {native.curve.key_size} bits", algorithms[0]
    elif isinstance(native, ed25519.Ed25519PrivateKey):
        key, kind, algorithms, default = OKPKey.import_key(native), "Ed25519", _ED25519, _ED25519[0]
    else:
        raise _unusable(
            path,
            f"its key is of a kind that signs no JWT. Make {_KINDS}, and register its public key: {_MAKE}.",
        )
    if algorithm is not None:
        if algorithm not in algorithms:
            raise _unusable(
                path,
                f"its JWK names the algorithm {str(algorithm)[:40]!r}, and its key signs with {', '.join(algorithms)}. "
                "Correct its member 'alg', or leave it out.",
            )
        algorithms, default = (algorithm,), algorithm
    return ClientKey(key=key, kind=kind, header=header, algorithms=algorithms, default=default)


def _unusable(path: Path, reason: str) -> StorageError:
    return StorageError("invalid_client_key", f"The key file {path} was not used: {reason}")
