"""A server as the FAPI 2.0 Security Profile wants it, strict with its client, that misbehaves in one way if told so.

The OpenID Foundation tests relying parties against such a one, a module for each way; `Modules` of test_fapi2.py are
theirs. A client that does something wrong itself is noted in `FapiServer.violations`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode

from joserfc import jwk, jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from servers import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from servers import Request

    Answer = tuple[int, dict[str, str], bytes]

CLIENT = "relying-party"
ACCESS_TOKEN, REFRESH_TOKEN, CODE = "at-SECRET", "rt-SECRET", "code-SECRET"
ENOUGH = 22  # characters of base64 for 128 bits: section 5.4.1 (4)
LONGEST_NONCE = 64  # characters: section 5.3.3.2 (7)
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# One kid for all, as the Foundation's server has it: whoever takes the first is wrong (section 5.4.3)
SIGNING = jwk.generate_key("EC", "P-256", {"kid": "one", "alg": "ES256", "use": "sig"}, private=True)
RSA = jwk.generate_key("RSA", 2048, {"kid": "one", "alg": "PS256", "use": "sig"}, private=True)
EDWARDS = jwk.generate_key("OKP", "Ed25519", {"kid": "one", "alg": "EdDSA", "use": "sig"}, private=True)
UNSAFE = jwk.generate_key("RSA", 2048, {"kid": "rs"}, private=True)


def signed(claims: dict[str, Any], key: Key = SIGNING, alg: str = "ES256") -> str:
    """The claims as a JWT."""
    return jwt.encode({"alg": alg, "kid": key.kid}, claims, key, [alg])


def honest(parameters: dict[str, str]) -> Mapping[str, str | None]:
    """They as they are."""
    return parameters


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What this server does; the defaults are honest.

    ``metadata``, ``claims`` of the ID token and ``token`` response: members to change, None to leave one out.
    ``callback``: the parameters of the authorization response, from the honest ones. ``nonces``: whether proofs need
    one of the server's. ``scheme``: of the challenge of the API. ``sign``: the ID token, from its claims.
    """

    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    callback: Callable[[dict[str, str]], Mapping[str, str | None]] = honest
    nonces: bool = True
    scheme: str = "DPoP"
    sign: Callable[[dict[str, Any]], str] = signed


def unsigned(claims: dict[str, Any]) -> str:
    """The claims as a JWT of the algorithm ``none``."""
    return ".".join((_encoded({"alg": "none"}), _encoded(claims), ""))


def _encoded(part: Any) -> str:
    return _base64url(json.dumps(part).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Refused(Exception):
    """What the server answers in place of what was asked for."""

    def __init__(self, status: int, error: str, **headers: str) -> None:
        super().__init__(error)
        self.answer = as_json({"error": error}, status, **headers)


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer in JSON."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return status, {"Content-Type": "application/json", **named}, json.dumps(value).encode()


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


class FapiServer:
    """Authorization server and API; ``client_key``: the client's public key, for `private_key_jwt` by ES256."""

    def __init__(self, client_key: Key, behaviour: Behaviour) -> None:
        self._server = Server()
        self._client_key, self._does = client_key, behaviour
        self.issuer = self._server.url
        self.api = f"{self.issuer}/accounts"
        self.violations: list[str] = []
        self._pushed: dict[str, dict[str, str]] = {}
        self._asked: dict[str, str] = {}
        self._seen: set[str] = set()
        self._bound_to = ""
        self._nonces = {"server": secrets.token_urlsafe(9), "api": secrets.token_urlsafe(9)}
        routes: dict[str, Callable[[Request], Answer]] = {
            "/.well-known/openid-configuration": lambda _: as_json(self._metadata()),
            "/jwks": lambda _: as_json(
                {"keys": [key.as_dict(private=False) for key in (EDWARDS, SIGNING, RSA, UNSAFE)]}
            ),
            "/par": self._par,
            "/authorize": self._authorize,
            "/token": self._token,
            "/accounts": self._accounts,
        }
        for path, route in routes.items():
            self._server.routes[path] = lambda request, route=route: self._answer(route, request)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.__exit__(*exception)

    def paths(self) -> list[str]:
        """The paths requested so far."""
        return self._server.paths()

    def _metadata(self) -> dict[str, Any]:
        return _present(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "pushed_authorization_request_endpoint": f"{self.issuer}/par",
                "require_pushed_authorization_requests": True,
                "jwks_uri": f"{self.issuer}/jwks",
                "scopes_supported": ["openid", "accounts"],
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256"],
                "id_token_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
                "dpop_signing_alg_values_supported": ["ES256"],
                **self._does.metadata,
            }
        )

    def _answer(self, route: Callable[[Request], Answer], request: Request) -> Answer:
        try:
            return route(request)
        except _Refused as refused:
            return refused.answer

    def _wrong(self, what: str) -> _Refused:
        self.violations.append(what)
        return _Refused(400, "invalid_request")

    def _par(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        self._authenticate(form)
        expected = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256"}
        for name, value in expected.items():
            if form.get(name) != value:
                raise self._wrong(f"{name} of the pushed request is {form.get(name)!r}")
        missing = {"redirect_uri", "code_challenge", "scope", "state", "nonce"} - form.keys()
        if missing or {"request_uri", "request"} & form.keys():
            raise self._wrong(f"the pushed request lacks {missing}, or has what it must not")
        if not ENOUGH <= len(form["nonce"]) <= LONGEST_NONCE or len(form["state"]) < ENOUGH:
            raise self._wrong("a nonce that is too long, or a value that can be guessed")
        request_uri = f"urn:ietf:params:oauth:request_uri:{secrets.token_urlsafe(9)}"
        self._pushed[request_uri] = form
        return as_json({"request_uri": request_uri, "expires_in": 60}, 201)

    def _authenticate(self, form: dict[str, str]) -> None:
        if form.get("client_assertion_type") != ASSERTION or "client_secret" in form:
            raise self._wrong("no client assertion")
        try:
            token = jwt.decode(form["client_assertion"], self._client_key, ["ES256"])
        except JoseError as error:
            raise self._wrong(f"the client assertion: {error}") from None
        claims = token.claims
        if claims.get("aud") != self.issuer:  # as a string: section 5.3.3.1 (5)
            raise self._wrong(f"the client assertion is for {claims.get('aud')}")
        if {claims.get("iss"), claims.get("sub"), form.get("client_id", CLIENT)} != {CLIENT}:
            raise self._wrong("the client assertion is of another client")
        self._fresh(claims["jti"])
        if not time.time() < claims["exp"] < time.time() + 300:
            raise self._wrong("the client assertion has expired, or never does")

    def _fresh(self, jti: str) -> None:
        if jti in self._seen or len(jti) < ENOUGH:
            raise self._wrong("a jti that was used before, or can be guessed")
        self._seen.add(jti)

    def _authorize(self, request: Request) -> Answer:
        query = dict(parse_qsl(request.path.partition("?")[2]))
        if query.keys() != {"client_id", "request_uri"}:  # section 5.3.3.2 (6)
            raise self._wrong(f"the authorization request has {sorted(query)}")
        self._asked = self._pushed[query["request_uri"]]
        honest = {"code": CODE, "state": self._asked["state"], "iss": self.issuer}
        sent = urlencode(_present(dict(self._does.callback(honest))))
        return 303, {"Location": f"{self._asked['redirect_uri']}?{sent}"}, b""

    def _token(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        self._authenticate(form)
        self._bound_to = self._proven(request, f"{self.issuer}/token", "server")
        if form["grant_type"] == "authorization_code":
            challenge = _base64url(hashlib.sha256(form["code_verifier"].encode()).digest())
            if (form["code"], form["redirect_uri"]) != (CODE, self._asked["redirect_uri"]):
                raise self._wrong("the code or its redirect_uri")
            if challenge != self._asked["code_challenge"]:
                raise self._wrong("the code verifier")
        elif (form["grant_type"], form["refresh_token"]) != ("refresh_token", REFRESH_TOKEN):
            raise self._wrong("the refresh token")
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": self._asked["nonce"],
            **self._does.claims,
        }
        token = {
            "access_token": ACCESS_TOKEN,
            "refresh_token": REFRESH_TOKEN,
            "token_type": "DPoP",
            "expires_in": 3600,
            "id_token": self._does.sign(_present(claims)),
            **self._does.token,
        }
        return as_json(_present(token))

    def _accounts(self, request: Request) -> Answer:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if (scheme, token) != ("DPoP", ACCESS_TOKEN):
            raise self._wrong(f"the API was called with {scheme!r}")
        if self._proven(request, self.api, "api", ACCESS_TOKEN) != self._bound_to:
            raise self._wrong("the API was called with a proof of another key")
        return as_json([{"account": 1}])

    def _proven(self, request: Request, url: str, place: str, token: str | None = None) -> str:
        """The thumbprint of the key that made the proof (RFC 9449 section 4.3)."""
        proof = request.headers.get("DPoP", "")
        try:
            header = json.loads(base64.urlsafe_b64decode(proof.partition(".")[0] + "=="))
            key = JWKRegistry.import_key(header["jwk"])
            claims = jwt.decode(proof, key, ["ES256"]).claims
        except (JoseError, ValueError, KeyError) as error:
            raise self._wrong(f"the proof for {url}: {error!r}") from None
        ath = None if token is None else _base64url(hashlib.sha256(token.encode()).digest())
        expected = {"htm": request.method, "htu": url, "ath": ath}
        if (
            header.get("typ") != "dpop+jwt"
            or key.is_private
            or {n: claims.get(n) for n in expected} != expected
        ):
            raise self._wrong(f"a proof that is not for {url}")
        self._fresh(claims["jti"])
        if self._does.nonces and claims.get("nonce") != self._nonces[place]:
            error = {"WWW-Authenticate": f'{self._does.scheme} error="use_dpop_nonce"'} if token else {}
            status = 401 if token else 400
            raise _Refused(status, "use_dpop_nonce", **{"DPoP-Nonce": self._nonces[place], **error})
        return key.thumbprint()
