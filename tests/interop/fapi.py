"""Providers that demand more than a bearer token, in one process (fapi_provider.mjs), and what a client sends them.

`Fapi.bank` is configured as the FAPI 2.0 Security Profile wants it, `Fapi.open` has a public client with DPoP alone.
Each has an API that checks the proof with each call. What is sent by hand here shows that these servers refuse what
they must; authnb has its own code for it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import installed
import requests
from joserfc import jwk, jwt
from providers import OIDC_PROVIDER
from window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from joserfc.jwk import Key

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "openid profile offline_access"
REDIRECT_URI = "http://127.0.0.1:1/callback"  # nobody listens: the test reads where the browser was sent
HERE = Path(__file__).parent


def new_key(alg: str) -> Key:
    """A key of a client, for ES256 or PS256."""
    kind: dict[str, Any] = (
        {"key_type": "EC", "crv_or_size": "P-256"} if alg == "ES256" else {"key_type": "RSA"}
    )
    return jwk.generate_key(**kind, parameters={"alg": alg, "use": "sig", "kid": alg}, private=True)


def proof(key: Key, method: str, url: str, token: str | None = None, **changes: Any) -> str:
    """A DPoP proof (RFC 9449 section 4.2) by hand; ``changes``: other claims, None for none."""
    claims = {"jti": secrets.token_urlsafe(12), "htm": method, "htu": url, "iat": int(time.time())}
    if token is not None:
        digest = hashlib.sha256(token.encode()).digest()
        claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key, ["ES256"])


@dataclass(frozen=True, kw_only=True)
class Place:
    """One of the providers; ``client_id`` and ``key``: of the client that signs in there, None for a public one."""

    issuer: str
    client_id: str
    key: Key | None = field(default=None, repr=False)

    @property
    def api(self) -> str:
        """The API below the provider."""
        return f"{self.issuer}/api"

    @property
    def url(self) -> str:
        """What the API has."""
        return f"{self.api}/measurements"

    def told(self) -> dict[str, Any]:
        """What came so far.

        ``calls``: those that the API answered, each with a hash of its token; ``refused``: why others were not;
        ``requests``: those to the provider, with the names in their queries; ``grants``: outcomes of token requests.
        """
        told: dict[str, Any] = requests.get(f"{self.issuer}/told", timeout=20).json()
        return told

    def set(self, **settings: Any) -> None:
        """From now on: ``lifetime`` of new access tokens in seconds; ``nonce=True``: a new one of the API's."""
        requests.post(f"{self.issuer}/set", json=settings, timeout=20).raise_for_status()

    def metadata(self) -> dict[str, Any]:
        """Its metadata."""
        found: dict[str, Any] = requests.get(
            f"{self.issuer}/.well-known/openid-configuration", timeout=20
        ).json()
        return found

    def assertion(self, **changes: Any) -> dict[str, str]:
        """The client's authentication (RFC 7523 section 2.2), or its name alone; ``changes``: other claims."""
        if self.key is None:
            return {"client_id": self.client_id}
        now = int(time.time())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.issuer,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(12),
            **changes,
        }
        alg = str(self.key.alg)
        signed = jwt.encode({"alg": alg, "kid": alg}, claims, self.key, [alg])
        return {"client_assertion_type": ASSERTION, "client_assertion": signed}

    def post(
        self,
        path: str,
        key: Key,
        form: dict[str, str],
        *,
        assertion: dict[str, str] | None = None,
        **changes: Any,
    ) -> requests.Response:
        """A request to the provider with a proof, sent again with the nonce that it wants."""
        url = f"{self.issuer}{path}"
        nonce: str | None = None
        for _ in range(2):
            headers = {"DPoP": proof(key, "POST", url, **{"nonce": nonce, **changes})}
            data = {**form, **(self.assertion() if assertion is None else assertion)}
            answer = requests.post(url, data, headers=headers, timeout=20)
            nonce = answer.headers.get("DPoP-Nonce")
            if not (answer.status_code == 400 and answer.json()["error"] == "use_dpop_nonce"):
                break
        return answer

    def call(
        self, token: str, key: Key | None, *, scheme: str = "DPoP", method: str = "GET", **changes: Any
    ) -> requests.Response:
        """A call of the API with the nonce that it wants."""
        headers = {"Authorization": f"{scheme} {token}"}
        if key is not None:
            nonce = self.told()["nonce"]
            headers["DPoP"] = proof(key, method, self.url, token, **{"nonce": nonce, **changes})
        return requests.get(self.url, headers=headers, timeout=20)

    def pushed(self, key: Key, verifier: str, **changes: Any) -> dict[str, str]:
        """An authorization request; ``changes``: other parameters, None for none."""
        digest = hashlib.sha256(verifier.encode()).digest()
        request = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
            "state": "a-state",
            "prompt": "consent",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "dpop_jkt": key.thumbprint(),
            **changes,
        }
        return {name: value for name, value in request.items() if value is not None}

    def code(self, key: Key, verifier: str) -> dict[str, str]:
        """Sign ada in; the authorization response."""
        request = self.pushed(key, verifier)
        if self.key is not None:
            answer = self.post("/request", key, request)
            assert answer.status_code == 201, answer.text
            request = {"client_id": self.client_id, "request_uri": answer.json()["request_uri"]}
        with Window() as person:
            try:
                person.visit(f"{self.issuer}/auth?{urlencode(request)}")
            except requests.ConnectionError as error:
                sent = error.request
        assert sent is not None
        assert str(sent.url).startswith(REDIRECT_URI)
        return {name: values[0] for name, values in parse_qs(urlsplit(str(sent.url)).query).items()}


@dataclass(frozen=True, kw_only=True)
class Fapi:
    """Both of them; the second client of the bank signs with RSA."""

    bank: Place
    bank_rsa: Place
    open: Place


@contextmanager
def running() -> Iterator[Fapi]:
    """Both, until the end of the block."""
    keys = {alg: new_key(alg) for alg in ("ES256", "PS256")}
    public = json.dumps({"keys": [key.as_dict(private=False) for key in keys.values()]})
    command = [installed.node(), str(HERE / "fapi_provider.mjs"), public]
    place = installed.from_npm(OIDC_PROVIDER)
    with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said, "it did not start; what it said is above"
            issuers = json.loads(said)
            bank, rsa = (
                Place(issuer=issuers["bank"], client_id=f"bank-{alg}", key=key) for alg, key in keys.items()
            )
            yield Fapi(bank=bank, bank_rsa=rsa, open=Place(issuer=issuers["open"], client_id="notebook"))
        finally:
            process.terminate()
