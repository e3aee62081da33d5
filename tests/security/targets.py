"""Every parser at the door, as a function of bytes that gives something or raises an `AuthnbError`."""

from __future__ import annotations

import hashlib
import json
import re
import time
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from joserfc import jwk, jws

from authnb.errors import AuthnbError
from authnb.flows.inbox import Inbox
from authnb.flows.signup import read_account, read_form
from authnb.flows.workload import _token
from authnb.oauth.challenge import MAX_CHALLENGES_LENGTH, read_challenges
from authnb.oauth.dpop import DPoPKey
from authnb.oauth.id_token import verify_id_token
from authnb.oauth.key_set import KeySet
from authnb.oauth.provider import Provider, _read_metadata
from authnb.oauth.responses import AuthorizationResponse, read_device_authorization, read_token
from authnb.oauth.userinfo import read_userinfo
from authnb.recording.redact import Redactor
from authnb.session.auth import TokenAuth
from authnb.storage.cipher import _fernet
from authnb.storage.files import _parse
from authnb.transport.clock import Clock
from authnb.transport.documents import MAX_AGE, freshness_lifetime
from authnb.transport.exchange import HTTPExchange
from authnb.transport.http import read_object

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUER, CLIENT, NONCE = "https://id.example.org", "notebook", "n"
PROVIDER = Provider(ISSUER, authorization_response_iss_parameter_supported=True)
TOKEN = {"access_token": "at-SECRET", "userinfo": {"sub": "1"}}
KEY = jwk.generate_key("EC", "P-256", {"kid": "k"}, private=True)
PUBLIC = KEY.as_dict(private=False)
PASTED = b"https://hub.example.org/callback.html"
DPOP_KEY, MAX_PROOF = DPoPKey.generate(), 2000
STATUSES = (200, 400, 401, 500)


def _answer(data: bytes) -> requests.Response:
    """The answer with this body, but for the first byte, which chooses the status."""
    response = requests.Response()
    response.status_code = STATUSES[data[0] % len(STATUSES)] if data else STATUSES[0]
    response._content = data[1:]  # noqa: SLF001 - as if it had been read
    return response


def _json(**members: Any) -> bytes:
    return json.dumps(members).encode()


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


CLAIMS = _json(
    iss=ISSUER,
    sub="1",
    aud=[CLIENT],
    exp=9_999_999_999,
    iat=1,
    nonce=NONCE,
    azp=CLIENT,
    at_hash=_base64(hashlib.sha256(b"at").digest()[:16]).decode(),
)


def _verify(token: str, published: Any) -> None:
    keys = KeySet(None)
    keys._keys = published  # noqa: SLF001 - as if fetched just now
    keys._renewed = time.monotonic()  # noqa: SLF001 - and not to be fetched again
    verify_id_token(token, keys=keys, issuer=ISSUER, client_id=CLIENT, nonce=NONCE, access_token="at")


def _compact(header: bytes, payload: bytes) -> str:
    """A JWS of these two parts, whatever they are, with a signature that holds."""
    parts = _base64(header) + b"." + _base64(payload)
    signature = jws.JWSRegistry.algorithms["ES256"].sign(parts, KEY)
    return (parts + b"." + _base64(signature)).decode()


def callback(data: bytes) -> None:
    """The query that comes back to the listener."""
    for query in (data.decode("latin-1"), "state=s&" + data.decode("latin-1")):
        response = AuthorizationResponse.parse(query, "s")
        if response is not None:
            response.check(PROVIDER)


def pasted(data: bytes) -> None:
    """An address that a person pastes, or a page hands over."""
    for address in (data, PASTED + data):
        inbox = Inbox()
        inbox.expect(PASTED.decode(), "s")
        with suppress(AuthnbError):
            inbox.submit(address.decode("latin-1"))
        response = inbox.answer()
        if response is not None:
            response.check(PROVIDER)


def metadata(data: bytes) -> None:
    """A discovery document, and the sign-up form it may describe."""
    provider = Provider(**_read_metadata(read_object(_answer(data), "Reading"), ISSUER, {}))
    if provider.authnb_signup is not None:
        read_form(provider)


def token(data: bytes) -> None:
    """A token answer."""
    read_token(_answer(data), "Asking", ["SECRET"])


def device(data: bytes) -> None:
    """A device authorization answer."""
    read_device_authorization(_answer(data), "Asking", "https://id.example.org")


def userinfo(data: bytes) -> None:
    """What the provider tells of the person."""
    read_userinfo(_answer(data), TOKEN, PROVIDER, CLIENT)


def account(data: bytes) -> None:
    """The answer to a sign-up form."""
    _, errors = read_account(_answer(data), {"name", "password"}, ["SECRET"])
    for message in errors.values():
        if not message.isprintable() or "SECRET" in message:
            raise AssertionError(f"{message!r} tells too much")


def id_token(data: bytes) -> None:
    """An ID token."""
    _verify(data.decode("latin-1"), [PUBLIC])


def claims(data: bytes) -> None:
    """The claims of an ID token whose signature holds."""
    _verify(_compact(b'{"alg":"ES256","kid":"k"}', data), [PUBLIC])


def header(data: bytes) -> None:
    """The header of an ID token whose signature holds."""
    _verify(_compact(data, CLAIMS), [PUBLIC])


def jwks(data: bytes) -> None:
    """A set of keys."""
    keys = read_object(_answer(data), "Reading").get("keys")
    if isinstance(keys, list):
        _verify(_compact(b'{"alg":"ES256"}', CLAIMS), [key for key in keys if isinstance(key, dict)])


def recorded(data: bytes) -> None:
    """An exchange in a record."""
    seen = HTTPExchange(
        sender="client",
        method="POST",
        url=f"{ISSUER}/token?{data.decode('latin-1')}",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=data,
        status=200,
        response_headers={"Content-Type": "application/json", "Location": data.decode("latin-1")},
        response_body=data,
    )
    Redactor(reveal=False).exchange(1, seen, "provider")


def vouched(data: bytes) -> None:
    """A token that another place gives: its end is read, if it is a JWT."""
    _token(data.decode("latin-1"))
    _token(f"a.{_base64(data).decode()}.a")


def freshness(data: bytes) -> None:
    """For how long an answer may be used again."""
    lines = data.decode("latin-1").partition("\n")
    if not 0 <= freshness_lifetime({"Cache-Control": lines[0], "Age": lines[2]}) <= MAX_AGE:
        raise AssertionError("kept too long")


def challenges(data: bytes) -> None:
    """What an API asks for."""
    text = data.decode("latin-1")
    found = read_challenges(text)
    if len(found) > len(text) or (len(text) > MAX_CHALLENGES_LENGTH and found):
        raise AssertionError("read more than there is")
    for one in found:
        if one.scheme != one.scheme.lower() or not one.scheme.isascii() or not one.scheme.isprintable():
            raise AssertionError(f"{one.scheme!r} is no scheme")
        for name, value in one.parameters.items():
            if not name.isascii() or not name.isprintable() or len(value) > len(text):
                raise AssertionError(f"{name!r} is no parameter")


def proof_nonce(data: bytes) -> None:
    """A nonce for proofs of possession: a proof is always a JWT, whatever was given."""
    DPOP_KEY.keep_nonce(ISSUER, data.decode("latin-1"), is_api=True)
    proof = DPOP_KEY.proof("GET", ISSUER, 0, access_token="at-SECRET")
    if not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", proof, re.ASCII) or len(proof) > MAX_PROOF:
        raise AssertionError(f"{proof!r} is no value of a header")


def refused_proof(data: bytes) -> None:
    """What an API says of a proof, and the error for it."""
    TokenAuth(dict(TOKEN)).check_proof(ISSUER, 401, data.decode("latin-1"), can_resend=data[:1] != b"D")


def date(data: bytes) -> None:
    """The provider's clock."""
    Clock().synchronize(data.decode("latin-1"))


def stored(data: bytes) -> None:
    """The content of a stored sign-in, decrypted."""
    _parse(data, Path("x.signin"))


def key(data: bytes) -> None:
    """The key of the stored sign-ins."""
    _fernet(data, Path("x"))


# Each with an honest example
TARGETS: dict[Callable[[bytes], None], bytes] = {
    callback: b"code=c&state=s&iss=https%3A%2F%2Fid.example.org",
    pasted: b"?code=c&state=s&iss=https%3A%2F%2Fid.example.org",
    metadata: b"\0"
    + _json(
        issuer=ISSUER,
        token_endpoint=ISSUER + "/t",
        jwks_uri=ISSUER + "/k",
        scopes_supported=["openid"],
        authnb_signup={
            "endpoint": ISSUER + "/s",
            "fields": [{"name": "name", "kind": "text", "rule": {"min_length": 3, "pattern": "a*"}}],
        },
    ),
    token: b"\0"
    + _json(access_token="at", token_type="Bearer", expires_in=60, scope="a", refresh_token="rt"),
    device: b"\0" + _json(device_code="d", user_code="W", verification_uri=ISSUER, expires_in=60, interval=5),
    userinfo: b"\0" + _json(sub="1", name="Ada"),
    account: b"\1" + _json(errors={"name": ["It is taken."], "password": "SECRET is too short."}),
    id_token: _compact(b'{"alg":"ES256","kid":"k"}', CLAIMS).encode(),
    claims: CLAIMS,
    header: _json(alg="ES256", kid="k", typ="JWT", x5t="AA"),
    jwks: b"\0" + _json(keys=[PUBLIC, {"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "sig"}]),
    recorded: _json(
        access_token="at-SECRET", expires_at=1_800_000_000, id_token=_compact(b'{"alg":"ES256"}', CLAIMS)
    ),
    vouched: b'{"exp": 1800000000}',
    freshness: b"public, max-age=3600\n10",
    challenges: b'Bearer realm="a", error="insufficient_scope", scope="b c", Negotiate YWJj==, Basic realm="d"',
    proof_nonce: b"eyJ7S_zG.eyJH0-Z.HX4w-7v",
    refused_proof: b'Bearer realm="a", DPoP error="invalid_token", algs="ES256 EdDSA"',
    date: b"Mon, 23 Nov 2026 12:00:00 GMT",
    stored: _json(
        account={"profile": "p", "issuer": ISSUER, "client_id": CLIENT},
        sign_in=json.dumps(
            {"token": {"access_token": "at"}, "provider": {"issuer": ISSUER}, "scope": "openid"}
        ),
    ),
    key: b"A" * 43 + b"=",
}


def tried(target: Callable[[bytes], None], data: bytes) -> None:
    """Try one input: what is raised but an `AuthnbError` comes out, and so does a text that could deceive."""
    try:
        target(data)
    except AuthnbError as error:
        if not str(error).isprintable():
            raise AssertionError(f"{str(error)!r} can deceive who reads it") from error
