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
    from servers import Request

    Answer = tuple[int, dict[str, str], bytes]


def header(request: Request, name: str) -> str | None:
    """A header of a request, whatever the case of its name."""
    return next((value for known, value in request.headers.items() if known.lower() == name.lower()), None)


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
            problem = self._problem(request)
            if problem is None:
                self.accepted.append(request)
                return answer
            self.refused.append(problem)
            error = "use_dpop_nonce" if problem == "nonce" else "invalid_dpop_proof"
            challenge = f'DPoP error="{error}", algs="ES256"'
            return 401, {"WWW-Authenticate": challenge, "DPoP-Nonce": self.nonce}, b""

        self.routes[path] = respond

    def _problem(self, request: Request) -> str | None:
        """What is wrong with the proof: the name of a claim, of its header, or of its absence."""
        scheme, _, token = (header(request, "Authorization") or "").partition(" ")
        proof = header(request, "DPoP")
        if scheme != "DPoP" or proof is None:
            return "no proof"
        encoded = proof.partition(".")[0]
        key = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))["jwk"]
        claims = json.loads(
            jws.deserialize_compact(proof, ECKey.import_key(key), algorithms=["ES256"]).payload
        )
        digest = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
        host = header(request, "Host")
        wanted: dict[str, Any] = {
            "htm": request.method,
            "htu": f"http://{host}{request.path.partition('?')[0]}",
            "ath": digest,
            "nonce": self.nonce,
        }
        problem = next((name for name, value in wanted.items() if claims.get(name) != value), None)
        if problem is None and claims["jti"] in self._used:
            problem = "jti"
        self._used.add(claims["jti"])
        return problem
