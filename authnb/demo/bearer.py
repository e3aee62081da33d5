"""RFC 6750: who may come in with which access token."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

import json

from authlib.integrations.flask_oauth2 import ResourceProtector
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import MissingAuthorizationError, UnsupportedTokenTypeError
from authlib.oauth2.rfc6750 import BearerTokenValidator, InsufficientScopeError, InvalidTokenError
from flask import Response, abort

from authnb.demo.context import find, now
from authnb.demo.models import AccessToken

REALM = "authnb demo"


class TokenValidator(BearerTokenValidator):
    """Look the token up by its digest."""

    def authenticate_token(self, token_string: str) -> AccessToken | None:
        """Give the token if it is still good."""
        token = find(AccessToken, token_string)
        if not token or token.revoked_at or token.authorization.revoked_at or token.expires_at <= now():
            return None
        return token

    def validate_token(self, token: AccessToken | None, scopes: list[str], request: object) -> None:  # noqa: ARG002 - Authlib calls it with a request
        """Refuse none, and one whose scope is too small."""
        if not token:
            raise InvalidTokenError
        if self.scope_insufficient(token.scope, scopes):
            raise InsufficientScopeError


_protector = ResourceProtector()
_protector.register_token_validator(TokenValidator())


def bearer_token(scope: str) -> AccessToken:
    """Give the request's access token; answers 401 or 403 if it does not open `scope`."""
    try:
        token: AccessToken = _protector.acquire_token(scope)
    except OAuth2Error as error:
        abort(_refusal(error, scope))
    return token


def _refusal(error: OAuth2Error, scope: str) -> Response:
    """RFC 6750 section 3: no error code for one who sent no token at all."""
    challenge = f'Bearer realm="{REALM}"'
    if isinstance(error, MissingAuthorizationError | UnsupportedTokenTypeError):
        body = {
            "error": "unauthorized",
            "error_description": "Send an access token: 'Authorization: Bearer ...'.",
        }
    else:
        body = {"error": str(error.error), "error_description": error.description}
        challenge += f', error="{error.error}", error_description="{error.description}"'
    if isinstance(error, InsufficientScopeError):
        challenge += f', scope="{scope}"'
    return Response(
        json.dumps(body), error.status_code, {"WWW-Authenticate": challenge}, content_type="application/json"
    )
