"""An API that takes a token only with a proof of possession for this very request (RFC 9449), checked by joserfc."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from joserfc import jws
from joserfc.jwk import ECKey
from servers import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servers import Request

    Answer = tuple[int, dict[str, str], bytes]


def header(request: Request, name: str) -> str | None:
    """A header of a request, whatever the case of its name."""
    return next((value for known, value in request.headers.items() if known.lower() == name.lower()), None)


def problem(method: str, url: str, headers: Mapping[str, str], nonce: str) -> str | None:
    """What is wrong with the proof in a request: the name of a claim, or that there is none."""
    sent = {name.lower(): value for name, value in headers.items()}
    scheme, _, token = sent.get("authorization", "").partition(" ")
    proof = sent.get("dpop")
    if scheme != "DPoP" or proof is None:
        return "no proof"
    claims = claims_of(proof)
    digest = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
    wanted = {"htm": method, "htu": url.partition("?")[0], "ath": digest, "nonce": nonce}
    return next((name for name, value in wanted.items() if claims.get(name) != value), None)


def claims_of(proof: str) -> dict[str, Any]:
    """The claims of a proof, whose signature is checked by the key in it."""
    encoded = proof.partition(".")[0]
    key = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))["jwk"]
    claims: dict[str, Any] = json.loads(
        jws.deserialize_compact(proof, ECKey.import_key(key), algorithms=["ES256"]).payload
    )
    return claims


def refusal(problem: str, nonce: str) -> Answer:
    """The answer to a request with that problem (RFC 9449 sections 7.1 and 9)."""
    error = "use_dpop_nonce" if problem == "nonce" else "invalid_dpop_proof"
    return 401, {"WWW-Authenticate": f'DPoP error="{error}", algs="ES256"', "DPoP-Nonce": nonce}, b""


class ProvingAPI(Server):
    """Proofs need its ``nonce``, for which it asks.

    ``accepted``: the requests whose proof was right; ``refused``: why each other one was answered with 401.
    """

    def __init__(self) -> None:
        super().__init__()
        self.nonce = "first"
        self.accepted: list[Request] = []
        self.refused: list[str] = []
        self._used: set[str] = set()

    def guard(self, path: str, answer: Answer = (200, {}, b"in")) -> None:
        """Answer like this at that path, and only to a request with a proof for it."""

        def respond(request: Request) -> Answer:
            url = f"http://{header(request, 'Host')}{request.path}"
            found = problem(request.method, url, request.headers, self.nonce)
            if found is None:
                identifier = claims_of(header(request, "DPoP") or "")["jti"]
                found = "jti" if identifier in self._used else None
                self._used.add(identifier)
            if found is None:
                self.accepted.append(request)
                return answer
            self.refused.append(found)
            return refusal(found, self.nonce)

        self.routes[path] = respond
