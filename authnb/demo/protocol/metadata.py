"""What the provider says about itself: discovery, keys, scopes in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authnb.demo.protocol import client_keys
from authnb.demo.protocol.dpop import ALGORITHMS
from authnb.demo.protocol.resources import resources
from authnb.demo.protocol.step_up import LEVELS

if TYPE_CHECKING:
    from authnb.demo.context import Settings

SCOPES = {
    "openid": "know that it is you",
    "profile": "see your name",
    "email": "see your e-mail address",
    "measurements:read": "read the air measurements",
    "archive:read": "read the whole archive",
    "offline_access": "stay signed in while you are away",
}
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - RFC 8693 section 2.1
RESPONSE_MODES = ("query", "fragment")
PROMPTS = ("none", "login", "consent", "create", "select_account")
AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"]


def in_words(scope: str) -> list[str]:
    """Give the scopes as a person reads them."""
    return [SCOPES[word] for word in scope.split() if word in SCOPES]


def provider_metadata(issuer: str, settings: Settings) -> dict[str, Any]:
    """The discovery document: RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3."""
    registration = {"registration_endpoint": f"{issuer}/register"} if settings.registration else {}
    levels = {"acr_values_supported": list(LEVELS)} if settings.second_factor else {}
    dpop = {"dpop_signing_alg_values_supported": list(ALGORITHMS)} if settings.dpop else {}
    pushed: dict[str, Any] = {}
    if settings.pushed_requests:  # RFC 9126 section 5
        pushed["pushed_authorization_request_endpoint"] = f"{issuer}/par"
        pushed["require_pushed_authorization_requests"] = settings.pushed_requests == "required"
    auth_methods, algorithms = AUTH_METHODS, {}
    if settings.client_keys is not None:
        auth_methods = [*AUTH_METHODS, "private_key_jwt"]
        algorithms["token_endpoint_auth_signing_alg_values_supported"] = list(client_keys.ALGORITHMS)
        algorithms["revocation_endpoint_auth_signing_alg_values_supported"] = list(client_keys.ALGORITHMS)
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "revocation_endpoint": f"{issuer}/revoke",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "end_session_endpoint": f"{issuer}/logout",
        **registration,
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
            TOKEN_EXCHANGE,
        ],
        **levels,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": auth_methods,
        "revocation_endpoint_auth_methods_supported": auth_methods,
        **algorithms,
        "code_challenge_methods_supported": ["S256"],
        **dpop,
        **pushed,
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "nonce", "at_hash"),
            *("name", "preferred_username", "email", "email_verified"),
        ],
        "prompt_values_supported": list(PROMPTS),
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "protected_resources": list(resources()),  # RFC 9728 section 4
        "authnb_demo": True,  # for learning: what it gives opens nothing
        "authnb_signup": sign_up_form(issuer),
        "service_documentation": f"{issuer}/",
    }


def sign_up_form(issuer: str) -> dict[str, Any]:
    """What a client needs to show the sign-up form itself; RFC 8414 section 2 allows members of one's own.

    The fields go to the endpoint as a JSON object of texts. The answer is 201 with the account's `name`, or 422 with
    `errors`: a list of messages for each field that has some.
    """
    return {
        "endpoint": f"{issuer}/signup",
        "content_type": "application/json",
        "fields": [
            {
                "name": "name",
                "label": "Name",
                "kind": "text",
                "required": True,
                "rule": {"pattern": "[A-Za-z0-9][A-Za-z0-9._-]{1,31}"},
                "help": "You sign in with it.",
            },
            {
                "name": "full_name",
                "label": "Full name",
                "kind": "text",
                "required": False,
                "rule": {"max_length": 80},
                "help": "Optional. What notebooks call you.",
            },
            {
                "name": "email",
                "label": "E-mail",
                "kind": "email",
                "required": True,
                "rule": {"max_length": 254},
                "help": "Nothing is sent. A made-up one at example.org will do.",
            },
            {
                "name": "password",
                "label": "Password",
                "kind": "password",
                "required": True,
                "rule": {"min_length": 8, "max_length": 128},
                "help": "At least 8 characters. Long beats complicated.",
            },
            {
                "name": "password_again",
                "label": "Password again",
                "kind": "password",
                "required": True,
                "rule": {"same_as": "password"},
                "help": "",
            },
        ],
    }
