"""DPoP proofs (RFC 9449) as the tests of the provider make them: with joserfc, apart from authnb's own."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

import requests
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo_helpers import Clock

    from authnb.demo import DemoProvider

KEY: ECKey = ECKey.generate_key("P-256")
OTHER_KEY: ECKey = ECKey.generate_key("P-256")


def digest_of(text: str) -> str:
    """The SHA-256 of a text, as `ath` has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Prover:
    """Who sends requests with proofs: a key, the clock of the provider, and the nonce that it gave last."""

    def __init__(self, clock: Clock, key: ECKey | OKPKey = KEY, algorithm: str = "ES256") -> None:
        self.clock = clock
        self.key = key
        self.algorithm = algorithm
        self.nonce: str | None = None

    @property
    def jkt(self) -> str:
        return self.key.thumbprint()

    def proof(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        header: dict[str, Any] | None = None,
        signed_with: Any = None,
        **claims: Any,
    ) -> str:
        """Give a proof with these changes; a claim or a header parameter that is None is left out."""
        head = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.key.as_dict(private=False)} | (
            header or {}
        )
        body = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url,
            "iat": int(self.clock()),
            "nonce": self.nonce,
            "ath": digest_of(token) if token is not None else None,
        } | claims
        head = {name: value for name, value in head.items() if value is not None}
        body = {name: value for name, value in body.items() if value is not None}
        key = signed_with or self.key
        return jws.serialize_compact(head, json.dumps(body), key, [head["alg"]])

    def send(
        self, method: str, url: str, *, made: Callable[[], str] | None = None, **given: Any
    ) -> requests.Response:
        """Send a request with a proof, once more if the server wants its nonce in it."""
        answer = self._once(method, url, made, given)
        if answer.status_code in {400, 401} and answer.json()["error"] == "use_dpop_nonce":
            answer = self._once(method, url, made, given)
        return answer

    def post(self, url: str, **data: Any) -> requests.Response:
        return self.send("POST", url, data=data)

    def get(self, url: str, token: str, *, scheme: str = "DPoP", **changes: Any) -> requests.Response:
        """Call an API with a bound token."""
        return self.send(
            "GET",
            url,
            made=lambda: self.proof("GET", url.partition("?")[0], **({"token": token} | changes)),
            headers={"Authorization": f"{scheme} {token}"},
        )

    def _once(
        self, method: str, url: str, made: Callable[[], str] | None, given: dict[str, Any]
    ) -> requests.Response:
        proof = made() if made else self.proof(method, url)
        headers = {**given.get("headers", {}), "DPoP": proof}
        answer = requests.request(method, url, timeout=20, **{**given, "headers": headers})
        self.nonce = answer.headers.get("DPoP-Nonce", self.nonce)
        return answer


def as_job(demo: DemoProvider, proofs: list[str]) -> requests.Response:
    """A token request that uses nothing up, with these DPoP headers."""
    return requests.post(
        f"{demo.issuer}/token",
        data={"grant_type": "client_credentials"},
        headers={"DPoP": ", ".join(proofs)} if proofs else {},
        auth=(demo.job_client_id, demo.job_client_secret),
        timeout=20,
    )


def with_nonce(demo: DemoProvider, prover: Prover) -> Prover:
    """The prover, which knows the provider's nonce now."""
    answer = as_job(demo, [prover.proof("POST", f"{demo.issuer}/token")])
    prover.nonce = answer.headers["DPoP-Nonce"]
    return prover


def outcome(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", "ok")
