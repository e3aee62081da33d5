"""Client assertions (RFC 7523), at a server that verifies them on its own, and key files that cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from servers import Server

import authnb
from authnb.cli.doctor import doctor
from authnb.errors import AuthnbError, LoginFailed, ProviderError, StorageError
from authnb.oauth.client import Client
from authnb.oauth.client_assertion import check_client_key
from authnb.oauth.client_key import read_client_key
from authnb.oauth.presets import find
from authnb.oauth.provider import Provider
from authnb.oauth.pushed_request import push
from authnb.oauth.quirks import Quirks
from authnb.session.session import Session
from authnb.storage.base import Account, MemoryStorage, SignIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from servers import Request

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN = {"access_token": "at", "refresh_token": "rt", "token_type": "Bearer", "expires_in": 3600}
DEVICE = {"device_code": "dc", "user_code": "AB", "verification_uri": "https://id.example.org/d"}
ENDPOINTS = ("token", "device_authorization", "revocation", "pushed_authorization_request")
FAPI = ("PS256", "ES256", "EdDSA")  # FAPI 2.0 Security Profile section 5.4.1
posix = pytest.mark.skipif(os.name != "posix", reason="there are no modes")

RSA = rsa.generate_private_key(65537, 2048)
SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused
EC = ec.generate_private_key(ec.SECP256R1())
EC_384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()


def pem(key: Any, how: PrivateFormat = PrivateFormat.PKCS8, password: str = "") -> bytes:
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    written: bytes = key.private_bytes(Encoding.PEM, how, encryption)
    return written


def public_pem(key: Any) -> bytes:
    written: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return written


def jwk(key: Any, **members: Any) -> dict[str, Any]:
    kind: Any = RSAKey if isinstance(key, rsa.RSAPrivateKey) else ECKey if hasattr(key, "curve") else OKPKey
    return {**kind.import_key(key).as_dict(private=True), **members}


def short_jwk() -> dict[str, Any]:
    numbers, private = SHORT.public_key().public_numbers(), SHORT.private_numbers()
    members = {"n": numbers.n, "e": numbers.e, "d": private.d, "p": private.p, "q": private.q}
    members |= {"dp": private.dmp1, "dq": private.dmq1, "qi": private.iqmp}
    return {"kty": "RSA", **{name: base64url(number) for name, number in members.items()}}


def base64url(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8)
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def certificate(key: Any) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "my-notebook")])
    now = datetime.now(UTC)
    build = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    build = build.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return build.sign(key, hashes.SHA256())


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verify(public: Any, algorithm: str, signed: bytes, signature: bytes) -> None:
    """Verify a JWS by cryptography alone (RFC 7518 sections 3.3 to 3.5, RFC 8037 section 3.1)."""
    if algorithm == "PS256":
        public.verify(signature, signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    elif algorithm == "RS256":
        public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    elif algorithm in {"ES256", "ES384"}:
        half, digest = len(signature) // 2, hashes.SHA256() if algorithm == "ES256" else hashes.SHA384()
        numbers = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
        public.verify(utils.encode_dss_signature(*numbers), signed, ec.ECDSA(digest))
    else:
        assert algorithm in {"EdDSA", "Ed25519"}
        public.verify(signature, signed)


class KeyServer(Server):
    """The endpoints at which clients authenticate, each of which verifies a client assertion.

    It allows no difference between the clocks. ``echoes``: it refuses, and repeats what it was sent.
    """

    client_id, echoes, audience = "my-notebook", False, ""

    def serve(self) -> None:
        self.public: Any = EC.public_key()
        self.headers: list[dict[str, Any]] = []
        self.claims: list[dict[str, Any]] = []
        for name in ENDPOINTS:
            self.routes[f"/{name}"] = self.answer

    def answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        form = parse_qs(request.body.decode(), strict_parsing=True)
        if reason := self.refusal(form, request):
            body = {"error": "invalid_client", "error_description": reason}
            return 401, {"Content-Type": "application/json"}, as_json(body)
        return (
            200,
            {"Content-Type": "application/json"},
            as_json({**TOKEN, **DEVICE, "request_uri": "urn:x:1"}),
        )

    def refusal(self, form: dict[str, list[str]], request: Request) -> str:  # noqa: PLR0911 - one for each rule
        """Why not, by RFC 7523 section 3 and RFC 7521 section 4.2; empty if nothing is amiss."""
        if any(len(values) != 1 for values in form.values()):
            return "a parameter is repeated"
        if "Authorization" in request.headers or "client_secret" in form:
            return "two methods of authentication"
        if form.get("client_assertion_type") != [JWT_BEARER] or form.get("client_id") != [self.client_id]:
            return "no assertion"
        assertion = form["client_assertion"][0]
        if self.echoes:
            return f"{assertion[:40]} is no good, so {assertion}"
        signed, _, signature = assertion.rpartition(".")
        header, claims = (json.loads(decoded(part)) for part in signed.split("."))
        self.headers.append(header)
        self.claims.append(claims)
        verify(self.public, header["alg"], signed.encode(), decoded(signature))
        if not claims["nbf"] <= time.time() + self.clock_offset < claims["exp"] <= claims["iat"] + 60:
            return "not valid now"
        if claims["aud"] != (self.audience or self.url) or {claims["iss"], claims["sub"]} != {self.client_id}:
            return "for somebody else"
        if len({each["jti"] for each in self.claims}) != len(self.claims):
            return "replayed"
        return ""

    def provider(self, *algorithms: str, **more: Any) -> Provider:
        endpoints = {f"{name}_endpoint": f"{self.url}/{name}" for name in ENDPOINTS}
        return Provider(
            self.url, **endpoints, token_endpoint_auth_signing_alg_values_supported=algorithms, **more
        )

    def client(self, key: Path, *algorithms: str, **more: Any) -> Client:
        return Client(self.provider(*algorithms, **more), client_id=self.client_id, client_key=key, scope="x")


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer() as running:
        running.serve()
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file that only its owner can read."""

    def write(content: bytes, name: str = "client.pem") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        path.chmod(0o600)
        return path

    return write


KEYS: dict[str, tuple[Any, bytes, tuple[str, ...], dict[str, str]]] = {
    "RSA, PKCS #8": (RSA, pem(RSA), FAPI, {"alg": "PS256"}),
    "RSA, traditional": (RSA, pem(RSA, PrivateFormat.TraditionalOpenSSL), FAPI, {"alg": "PS256"}),
    "RSA, and nothing better than RS256": (RSA, pem(RSA), ("HS256", "RS256"), {"alg": "RS256"}),
    "RSA, where the metadata lists none": (RSA, pem(RSA), (), {"alg": "RS256"}),
    "EC": (EC, pem(EC), FAPI, {"alg": "ES256"}),
    "EC, traditional": (EC, pem(EC, PrivateFormat.TraditionalOpenSSL), (), {"alg": "ES256"}),
    "EC, with its public key": (EC, public_pem(EC) + pem(EC), FAPI, {"alg": "ES256"}),
    "EC, P-384": (EC_384, pem(EC_384), ("ES256", "ES384"), {"alg": "ES384"}),
    "Ed25519": (ED25519, pem(ED25519), FAPI, {"alg": "EdDSA"}),
    "Ed25519 by RFC 9864": (ED25519, pem(ED25519), ("Ed25519",), {"alg": "Ed25519"}),
    "with Windows' line ends": (
        EC,
        b"\xef\xbb\xbf" + pem(EC).replace(b"\n", b"\r\n"),
        FAPI,
        {"alg": "ES256"},
    ),
    "a JWK": (EC, as_json(jwk(EC)), FAPI, {"alg": "ES256"}),
    "a JWK with a name": (EC, as_json(jwk(EC, kid="one", use="sig")), FAPI, {"alg": "ES256", "kid": "one"}),
    "a JWK with an algorithm": (RSA, as_json(jwk(RSA, alg="RS256")), ("PS256", "RS256"), {"alg": "RS256"}),
    "a JWK set": (
        EC,
        as_json({"keys": [jwk(RSA, use="enc"), jwk(RSA, key_ops=["decrypt"]), jwk(EC, kid="two")]}),
        FAPI,
        {"alg": "ES256", "kid": "two"},
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_every_request_has_an_assertion_of_its_own(
    server: KeyServer, file: Callable[..., Path], name: str
) -> None:
    """The server accepts each, at each endpoint; no other credential is sent, and no header but what is needed."""
    key, content, algorithms, header = KEYS[name]
    server.public = key.public_key()
    client = server.client(file(content), *algorithms)
    client.authorize_device()
    assert client.refresh(TOKEN)["access_token"] == "at"
    client.revoke("rt", "refresh_token")
    assert push(client, [("client_id", client.client_id), ("scope", "x")]) is not None
    assert server.headers == [{"typ": "JWT", **header}] * 4
    assert set(server.claims[0]) == {"iss", "sub", "aud", "jti", "iat", "nbf", "exp"}


def test_a_key_of_openssl(server: KeyServer, tmp_path: Path) -> None:
    """The line in docs/register.md and in error texts makes one that is used as it is."""
    path = tmp_path / "made.pem"
    line = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"]
    subprocess.run([*line, str(path)], check=True, capture_output=True)
    server.public = read_client_key(path).key.public_key
    assert server.client(path, *FAPI).refresh(TOKEN)["access_token"] == "at"


def test_the_certificate_beside_the_key_names_it(server: KeyServer, file: Callable[..., Path]) -> None:
    """``x5t#S256``, as Microsoft Entra documents it; a certificate of another key does not."""
    others, own = (certificate(key).public_bytes(Encoding.PEM) for key in (EC_384, EC))
    server.client(file(others + own + pem(EC)), *FAPI).refresh(TOKEN)
    digest = decoded(server.headers[0]["x5t#S256"])
    assert digest == certificate_digest(own)
    server.client(file(others + pem(EC)), *FAPI).refresh(TOKEN)
    assert "x5t#S256" not in server.headers[1]


def certificate_digest(text: bytes) -> bytes:
    return x509.load_pem_x509_certificate(text).fingerprint(hashes.SHA256())


def test_the_audience_is_a_peculiarity_of_some(server: KeyServer, file: Callable[..., Path]) -> None:
    """Microsoft Entra documents the token endpoint's URL, at every endpoint; all others get the issuer."""
    server.audience = f"{server.url}/token"
    client = server.client(file(pem(EC)), quirks=Quirks(token_endpoint_audience=True))
    client.refresh(TOKEN)
    client.revoke("rt", "refresh_token")
    with pytest.raises(ProviderError, match="for somebody else"):
        server.client(file(pem(EC))).refresh(TOKEN)


def test_microsoft_entra(server: KeyServer, file: Callable[..., Path]) -> None:
    """The preset signs as its documentation wants it: PS256, the certificate's name, and the token endpoint's URL."""
    found = find("entra:example.org")
    assert found is not None
    quirks = Quirks(**{**found.quirks, "issuers": ()})
    algorithms = found.provider["token_endpoint_auth_signing_alg_values_supported"]
    server.public, server.audience = RSA.public_key(), f"{server.url}/token"
    key = file(certificate(RSA).public_bytes(Encoding.PEM) + pem(RSA))
    server.client(key, *algorithms, quirks=quirks).refresh(TOKEN)
    assert set(server.headers[0]) == {"alg", "typ", "x5t#S256"}
    assert server.headers[0]["alg"] == "PS256"


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
@pytest.mark.parametrize("first", ["refresh", "authorize_device"])
def test_the_times_are_those_of_the_provider(
    server: KeyServer, file: Callable[..., Path], ahead: float, first: str
) -> None:
    """A refusal shows that the clocks differ, and the next assertion is for the provider's; no third one is made."""
    server.clock_offset = ahead
    client = server.client(file(pem(EC)))
    client.refresh(TOKEN) if first == "refresh" else client.authorize_device()
    client.refresh(TOKEN)
    assert len(server.requests) == 3
    server.audience = "https://other.example.org"
    with pytest.raises(ProviderError, match="for somebody else"):
        client.refresh(TOKEN)
    assert len(server.requests) == 4


def test_a_key_that_is_replaced_is_in_use_at_once(server: KeyServer, file: Callable[..., Path]) -> None:
    """The file is read for each request, as an orchestrator renews it."""
    client = server.client(file(pem(RSA)), *FAPI)
    file(pem(EC))
    assert client.refresh(TOKEN)["access_token"] == "at"


def test_an_assertion_that_the_provider_repeats_is_not_shown(
    server: KeyServer, file: Callable[..., Path]
) -> None:
    """Neither whole nor in part."""
    server.echoes = True
    with pytest.raises(ProviderError) as caught:
        server.client(file(pem(EC))).refresh(TOKEN)
    assert "It says: … is no good, so …. Check" in str(caught.value)
    assert "eyJ" not in str(caught.value)


def test_a_recording_shows_no_assertion(server: KeyServer, file: Callable[..., Path]) -> None:
    """Its length and its kind are shown."""
    client = server.client(file(pem(EC)))
    with authnb.record() as record:
        client.authorize_device()
        client.refresh(TOKEN)
    text = "".join(map(repr, record.exchanges))
    assert text.count(JWT_BEARER) == 2
    assert "client_assertion', shown='[" in text
    assert "eyJ" not in text


UNUSABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "neither PEM nor a JWK.*openssl pkey -inform DER"),
    "DER": (
        EC.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "neither PEM nor a JWK.*openssl pkcs12",
    ),
    "too large": (pem(EC) + b"\n" * 65536, "larger than 64 KiB.*Name the file with the key alone"),
    "damaged": (pem(EC).replace(b"M", b"A", 5), "damaged.*Copy it again"),
    "encrypted": (pem(EC, password="abracadabra"), "encrypted.*Decrypt it.*openssl pkey -in"),
    "encrypted, traditional": (
        pem(RSA, PrivateFormat.TraditionalOpenSSL, "abracadabra"),
        "encrypted.*Decrypt it.*openssl pkey -in",
    ),
    "of ssh-keygen": (pem(EC, PrivateFormat.OpenSSH), "format of OpenSSH.*ssh-keygen -p -N '' -m PKCS8"),
    "a public key": (public_pem(EC), "a public key and no private key.*Name the file with the private key"),
    "a certificate": (
        certificate(EC).public_bytes(Encoding.PEM),
        "a certificate and no private key.*Name the file with the private key",
    ),
    "two keys": (pem(EC) + pem(RSA), "2 private keys.*Leave the one that is registered"),
    "a short RSA key": (pem(SHORT), "1024 bits.*2048.*openssl genpkey"),
    "a short RSA key as a JWK": (as_json(short_jwk()), "1024 bits.*2048.*openssl genpkey"),
    "another curve": (pem(ec.generate_private_key(ec.SECP256K1())), "signs no JWT.*openssl genpkey"),
    "Ed448": (pem(ed448.Ed448PrivateKey.generate()), "signs no JWT.*openssl genpkey"),
    "no JSON": (b'{"kty": "EC", ', "not valid JSON.*Copy the JWK again"),
    "a symmetric JWK": (
        as_json(OctKey.generate_key(256).as_dict(private=True)),
        r"symmetric key \(kty 'oct'\).*shared secret.*Name the file with the private key",
    ),
    "a public JWK": (
        as_json(ECKey.import_key(EC).as_dict(private=False)),
        "public key alone.*Name the file with the private key",
    ),
    "a JWK of another kind": (as_json({"kty": "AKP", "d": "AQAB"}), "signs no JWT.*openssl genpkey"),
    "a JWK for encryption": (as_json(jwk(EC, use="enc")), "no key to sign with.*Name the file"),
    "a JWK with a wrong algorithm": (
        as_json(jwk(EC, alg="PS256")),
        "names the algorithm 'PS256'.*signs with ES256.*Correct its member 'alg'",
    ),
    "a damaged JWK": (as_json(jwk(EC) | {"x": 1}), "its JWK is damaged.*Copy it again"),
    "a JWK set with several": (
        as_json({"keys": [jwk(EC, kid="one"), jwk(RSA, kid="two")]}),
        "2 private keys \\(kid 'one', 'two'\\).*Put the one that is registered",
    ),
    "an empty JWK set": (as_json({"keys": []}), "no key to sign with.*Name the file"),
    "a JWK set that is none": (as_json({"keys": 1}), "no key to sign with.*Name the file"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_that_is_no_private_key(file: Callable[..., Path], name: str) -> None:
    """One sentence says what it is, another what to do; neither has any of its content."""
    content, text = UNUSABLE[name]
    path = file(content)
    with pytest.raises(StorageError, match=text) as caught:
        read_client_key(path)
    assert caught.value.error == "invalid_client_key"
    assert caught.value.description.startswith(f"The key file {path} was not used: ")
    assert_nothing_shown(caught.value, content)


def assert_nothing_shown(error: AuthnbError, content: bytes) -> None:
    """Neither in the text nor in the frames that a verbose traceback prints."""
    assert error.__context__ is None
    frame = error.__traceback__
    shown = [str(error)]
    while frame is not None:
        if frame.tb_frame.f_code.co_filename != __file__:
            shown += map(repr, frame.tb_frame.f_locals.values())
        frame = frame.tb_next
    lines = [line for line in content.decode("latin-1").split() if len(line) > 30]
    assert not [line for line in lines if any(line in each for each in shown)]


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path is in the text as it was understood: relative to the working folder, ``~`` the home folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for given, path in (("a.pem", tmp_path / "a.pem"), ("~/a.pem", tmp_path / "home" / "a.pem")):
        login = authnb.login(
            provider(), client_id="c", client_key=given, mode="client_credentials", view=None
        )
        monkeypatch.chdir("/")
        with pytest.raises(StorageError, match=r"there is no such file.*AUTHNB_CLIENT_KEY_FILE") as caught:
            login.wait(20)
        assert str(path) in caught.value.description
        monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match=r"it is a folder. Name the file"):
        read_client_key(tmp_path)
    with pytest.raises(StorageError, match="cannot be read"):
        read_client_key(tmp_path / ("n" * 5000))
    with pytest.raises(StorageError, match="cannot be read"):
        read_client_key(tmp_path / "null\0")


def provider(**more: Any) -> Provider:
    """One that nothing is sent to."""
    return Provider("https://id.example.org", token_endpoint="https://id.example.org/token", **more)


@posix
def test_a_file_that_others_can_use(file: Callable[..., Path], tmp_path: Path) -> None:
    """As ssh refuses it; a link to a file of one's own is followed, and nothing waits for a pipe."""
    path = file(pem(EC))
    for mode in (0o640, 0o604, 0o620, 0o602, 0o610):
        path.chmod(mode)
        with pytest.raises(StorageError, match=f"mode {mode:o}.*chmod 600"):
            read_client_key(path)
    path.chmod(0o400)
    (tmp_path / "link").symlink_to(path)
    assert read_client_key(tmp_path / "link").kind == "EC, 256 bits"
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(StorageError, match="it is no regular file"):
        read_client_key(tmp_path / "pipe")


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else(file: Callable[..., Path]) -> None:
    """Refused, also to root; one of root's, which a group may read, is a mounted secret to anybody else."""
    path = file(pem(EC))
    read_client_key(path)  # nobody may not read the modules that this loads
    os.chown(path, 65534, 65534)
    with pytest.raises(StorageError, match=r"belongs to the user with the number 65534.*install -m 600"):
        read_client_key(path)
    for mode, usable in ((0o440, True), (0o444, False), (0o460, False)):
        os.chown(path, 0, 65534)
        path.chmod(mode)
        assert as_nobody(path) is usable


def as_nobody(path: Path) -> bool:
    """Whether a process of the user nobody, started beside it, can use this key."""
    path.parent.chmod(0o711)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir(path.parent)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            read_client_key(path.relative_to(path.parent))
            os.write(writer, b"yes")
        except StorageError as error:
            os.write(writer, error.description.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader, "rb") as answer:  # noqa: PTH123 - a descriptor
        return answer.read() == b"yes"


ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "a secret too": ({"client_secret": "s"}, "two ways to authenticate. Give the one"),
    "no client": ({"client_id": None}, "give its client_id= too"),
    "a method for secrets": ({"token_endpoint_auth_method": "client_secret_post"}, "Leave one of them out"),
    "a number": ({"client_key": 3}, "not the path of a file: name the file"),
    "nothing": ({"client_key": " "}, "not the path of a file: name the file"),
    "bytes": ({"client_key": b"key.pem"}, "not the path of a file: name the file"),
    "the key itself": ({"client_key": pem(EC).decode()}, "not the path of a file: name the file"),
    "the JWK itself": ({"client_key": json.dumps(jwk(EC))}, "not the path of a file: name the file"),
    "a method for keys, and none": (
        {"client_key": None, "token_endpoint_auth_method": "private_key_jwt"},
        "takes a key: give client_key=",
    ),
    "a method for keys, and a secret": (
        {"client_key": None, "client_secret": "s", "token_endpoint_auth_method": "private_key_jwt"},
        "takes a key: give client_key=",
    ),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_do_not_go_together(file: Callable[..., Path], name: str) -> None:
    """A ValueError at once, which does not have the key in it."""
    more, text = ARGUMENTS[name]
    for start in (authnb.login, authnb.signup):
        arguments: dict[str, Any] = {"client_id": "c", "client_key": file(pem(EC)), "view": None, **more}
        with pytest.raises(ValueError, match=text) as caught:
            start(provider(), **arguments)
        assert pem(EC).decode().split()[4] not in str(caught.value)
        assert jwk(EC)["d"] not in str(caught.value)


def test_what_the_provider_takes(file: Callable[..., Path]) -> None:
    """No algorithm in common, or no keys at all: said before anything is sent or shown, with what to do."""
    path = file(pem(EC_384))
    listed = provider(token_endpoint_auth_signing_alg_values_supported=FAPI)
    secrets = provider(token_endpoint_auth_methods_supported=("client_secret_basic",))
    for at, text in (
        (listed, "PS256, ES256, EdDSA.*384 bits.*ES384.*Register another"),
        (secrets, "not by a key"),
    ):
        login = authnb.login(at, client_id="c", client_key=path, mode="client_credentials", view=None)
        with pytest.raises(ProviderError, match=text) as caught:
            login.wait(20)
        assert caught.value.error == "invalid_client_key"
    chosen = Client(secrets, client_id="c", client_key=path, token_endpoint_auth_method="private_key_jwt")
    assert check_client_key(chosen) == "EC, 384 bits: ES384"


def test_nobody_there(server: KeyServer, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """``client_credentials`` with the key that the environment names; for nobody who named a secret or no client."""
    monkeypatch.setenv("AUTHNB_CLIENT_KEY_FILE", str(file(pem(EC))))

    def sign_in(**more: Any) -> Session:
        at = server.provider(*FAPI)
        options: dict[str, Any] = {"client_id": server.client_id, "mode": "client_credentials", "view": None}
        session: Session = authnb.login(at, **options | more).wait(20)
        return session

    session = sign_in()
    assert session.lasts(7 * 86400), "a client with a key renews for as long as it is registered"
    session.token["expires_at"] = 0
    session.ensure_active_token()
    assert [claims["iss"] for claims in server.claims] == [server.client_id] * 2
    monkeypatch.setenv("AUTHNB_CLIENT_SECRET", "word")
    with pytest.raises(LoginFailed, match=r"AUTHNB_CLIENT_KEY_FILE is set, and AUTHNB_CLIENT_SECRET.*Remove"):
        sign_in()
    sign_in(token_endpoint_auth_method="private_key_jwt")
    with pytest.raises(ProviderError, match="two methods"):  # this server takes no secret
        sign_in(token_endpoint_auth_method="client_secret_basic")
    with pytest.raises(ProviderError, match="two methods"):
        sign_in(client_secret="word")


def test_a_stored_sign_in_has_the_path(
    server: KeyServer, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever resumes it renews it with the key, and without an argument; what is stored has the path alone."""
    path, at, storage = file(pem(EC)), server.provider(*FAPI), MemoryStorage()
    account = Account(profile="default", issuer=at.issuer, client_id=server.client_id)
    sign_in = SignIn(token=authnb_token(), provider=at, scope="x", client_key_file=str(path))
    sign_in = SignIn.from_json(sign_in.to_json())
    storage.save(account, sign_in)
    assert not sign_in.has_secret
    assert sign_in.client(account, "secret").client_key is None
    options: dict[str, Any] = {"client_id": server.client_id, "scope": "x", "storage": storage, "view": None}
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    session = authnb.login(at, **options).wait(20)
    assert len(server.claims) == 1
    assert session.token["access_token"] == "at"
    path.unlink()
    storage.save(account, sign_in)
    with pytest.raises(StorageError, match="there is no such file"):
        authnb.login(at, **options).wait(20)
    kept = storage.load(account)
    assert kept is not None
    assert not kept.refused, "the sign-in is as good as before, once the key is back"
    file(pem(EC))
    authnb.login(at, **options).wait(20)
    path.rename(path.with_name("moved.pem"))
    storage.save(account, sign_in)
    authnb.login(at, **options, client_key=path.with_name("moved.pem")).wait(20)
    assert len(server.claims) == 3


def authnb_token(**members: Any) -> Any:
    from authnb.oauth.responses import Token  # noqa: PLC0415 - only this test needs it

    return Token({**TOKEN, "expires_at": 1, **members})


def test_a_stored_sign_in_whose_key_is_gone(
    server: KeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a person is, it becomes a new sign-in; one, not a loop."""
    at, storage = server.provider(*FAPI), MemoryStorage()
    account = Account(profile="default", issuer=at.issuer, client_id=server.client_id)
    gone = str(tmp_path / "gone.pem")
    storage.save(account, SignIn(token=authnb_token(), provider=at, scope="x", client_key_file=gone))
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "1")
    login = authnb.login(at, client_id=server.client_id, scope="x", mode="device", storage=storage, view=None)
    with pytest.raises(ProviderError, match=r"no assertion.*client_key"):
        login.wait(20)
    assert server.paths() == ["/device_authorization"]


def test_a_worker_has_no_key(file: Callable[..., Path]) -> None:
    """Its tokens come from the process that shares; the path would let it sign in as the client."""
    path = file(pem(EC))
    client = Client(provider(), client_id="c", client_key=path)
    account = Account(profile="default", issuer=client.provider.issuer, client_id="c")
    session = Session.from_sign_in(client, authnb_token(), account=account, storage=MemoryStorage())
    renewer = session.token_auth.renewer
    assert renewer is not None
    assert renewer.client.client_key == path

    class Joined:
        renew = None

    session.become_worker(Joined())  # type: ignore[arg-type] # nothing is renewed here
    renewer = session.token_auth.renewer
    assert renewer is not None
    assert renewer.client.client_key is None


def test_modes_that_want_a_confidential_client(file: Callable[..., Path]) -> None:
    """A client with a key is one."""
    at = provider(quirks=Quirks(secret_for=("code", "device"), public_scope="less", scope="more"))
    with pytest.raises(ProviderError, match="takes a client with a secret"):
        Client(at, client_id="c").usable_modes(("loopback",))
    client = Client(at, client_id="c", client_key=file(pem(EC)))
    assert client.usable_modes(("loopback", "device")) == ("loopback", "device")


def test_signing_out_without_the_key(server: KeyServer, tmp_path: Path) -> None:
    """What is stored is removed, and the text says why nothing was revoked."""
    storage, client = MemoryStorage(), server.client(tmp_path / "gone.pem")
    account = Account(profile="default", issuer=client.provider.issuer, client_id=client.client_id)
    storage.save(account, SignIn(token=authnb_token(), provider=client.provider, scope="x"))
    session = Session.from_sign_in(client, authnb_token(), account=account, storage=storage)
    outcome = session.logout()
    assert outcome.revoked == ()
    assert "there is no such file" in repr(outcome)
    assert storage.load(account) is None


def test_doctor_says_whether_the_key_is_usable(
    file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the remedy if it is not, and nothing of the key in either case."""
    path = file(pem(EC))
    monkeypatch.setenv("AUTHNB_CLIENT_KEY_FILE", str(path))
    row = next(row for row in doctor().rows if row.what == "client key")
    assert (row.state, row.found) == ("ok", "EC, 256 bits, in the file that AUTHNB_CLIENT_KEY_FILE names")
    file(public_pem(EC))
    row = next(row for row in doctor().rows if row.what == "client key")
    assert (row.state, row.found) == ("BAD", "AUTHNB_CLIENT_KEY_FILE names none that can be used")
    assert "Name the file with the private key" in row.remedy
    monkeypatch.delenv("AUTHNB_CLIENT_KEY_FILE")
    assert "client key" not in {row.what for row in doctor().rows}
