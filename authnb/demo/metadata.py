"""What the provider says about itself: discovery, keys, scopes in words."""

from __future__ import annotations

from typing import Any

SCOPES = {
    "openid": "know that it is you",
    "profile": "see your name",
    "email": "see your e-mail address",
    "measurements:read": "read the air measurements",
    "offline_access": "stay signed in while you are away",
}
AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"]


def in_words(scope: str) -> list[str]:
    """Give the scopes as a person reads them."""
    return [SCOPES[word] for word in scope.split() if word in SCOPES]


def provider_metadata(issuer: str) -> dict[str, Any]:
    """The discovery document: RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "revocation_endpoint": f"{issuer}/revoke",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "end_session_endpoint": f"{issuer}/logout",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash"),
            *("name", "preferred_username", "email", "email_verified"),
        ],
        "prompt_values_supported": ["none", "login", "consent", "create", "select_account"],
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "service_documentation": f"{issuer}/",
    }
