"""A small API that says which provider it trusts (RFC 9728), and asks it about each token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from providers import SECRET
from servers import Server

if TYPE_CHECKING:
    from providers import OtherProvider
    from servers import Request

SCOPE = "measurements:read"
ROWS = [{"station": "harbour", "no2": 21.0}]


class GuardedAPI:
    """An API whose tokens a provider issues, and that takes them as bearer tokens; 401 with a challenge to all others.

    ``credentials``: those by which it may ask the provider about a token (RFC 7662). ``checks_audience``: whether a
    token has to be for this API, which not every provider can say. ``scope``: the scope that its challenge asks for.
    """

    def __init__(
        self,
        issuer: str,
        *,
        credentials: tuple[str, str],
        checks_audience: bool = True,
        scope: str = SCOPE,
    ) -> None:
        self._server = Server()
        self._issuer, self._credentials, self._checks_audience = issuer, credentials, checks_audience
        self._scope = scope
        self.url = f"{self._server.url}/v1"
        self.accepted: list[dict[str, Any]] = []  # what the tokens said
        self._server.json(
            "/.well-known/oauth-protected-resource/v1",
            {
                "resource": self.url,
                "authorization_servers": [issuer],
                "scopes_supported": scope.split(),
                "bearer_methods_supported": ["header"],
                "resource_name": "A small API",
            },
        )
        for path in ("/v1", "/v1/measurements"):
            self._server.routes[path] = self._answer

    @classmethod
    def at(cls, provider: OtherProvider) -> Self:
        """One that trusts this provider; of these, oidc-provider alone says which API a token is for."""
        checks = provider.name.startswith("oidc-provider") and provider.name != "oidc-provider-mock"
        return cls(provider.issuer, credentials=("hub", SECRET), checks_audience=checks)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.__exit__(*exception)

    def _answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        token = value if scheme == "Bearer" else ""
        claims = self._claims(token) if token else None
        if claims is None or (self._checks_audience and self.url not in _listed(claims.get("aud"))):
            metadata = f"{self._server.url}/.well-known/oauth-protected-resource/v1"
            error = ', error="invalid_token"' if token else ""
            challenge = f'Bearer resource_metadata="{metadata}", scope="{self._scope}"{error}'
            return 401, {"WWW-Authenticate": challenge}, b""
        self.accepted.append(claims)
        return 200, {"Content-Type": "application/json"}, str(ROWS).replace("'", '"').encode()

    def _claims(self, token: str) -> dict[str, Any] | None:
        """What the provider says of a token, or has signed; None for one that is not good."""
        metadata = requests.get(f"{self._issuer}/.well-known/openid-configuration", timeout=20).json()
        if token.count(".") == 2:  # RFC 9068
            keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=20).json())
            try:
                claims: dict[str, Any] = jwt.decode(token, keys, ["RS256"]).claims
            except JoseError:
                return None
            return claims if claims["iss"] == self._issuer else None
        data = {"token": token}
        endpoint = metadata["introspection_endpoint"]
        answer = requests.post(endpoint, data, auth=self._credentials, timeout=20).json()
        return answer if answer["active"] else None


def _listed(audience: str | list[str] | None) -> list[str]:
    return [audience] if isinstance(audience, str) else audience or []
