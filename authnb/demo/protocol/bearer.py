"""RFC 6750: who may come in with which access token."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from authlib.oauth2 import OAuth2Error, ResourceProtector
from authlib.oauth2.rfc6749 import MissingAuthorizationError, UnsupportedTokenTypeError
from authlib.oauth2.rfc6750 import BearerTokenValidator, InsufficientScopeError, InvalidTokenError
from flask import Response, abort, request
from sqlalchemy import bindparam, select

from authnb.demo.context import now, provider
from authnb.demo.database.models import AccessToken, Account, Authorization, digest
from authnb.demo.protocol.resources import resources
from authnb.demo.protocol.step_up import InsufficientUserAuthenticationError, is_reached

if TYPE_CHECKING:
    from authnb.demo.protocol.resources import ProtectedResource

REALM = "authnb demo"

_GOOD_TOKEN = (
    select(
        AccessToken.scope,
        AccessToken.resource,
        Authorization.auth_time,
        Authorization.acr,
        Account.id,
        Account.name,
        Account.full_name,
        Account.email,
    )
    .join(Authorization, Authorization.id == AccessToken.authorization_id)
    .outerjoin(Account, Account.id == Authorization.account_id)  # none: the client itself
    .where(AccessToken.digest == bindparam("digest"), AccessToken.expires_at > bindparam("moment"))
    .where(AccessToken.revoked_at.is_(None), Authorization.revoked_at.is_(None))
)


class TokenValidator(BearerTokenValidator):
    """Look the token up by its digest."""

    def authenticate_token(self, token_string: str) -> Any:
        """Give the scope of a token that is still good, and whose it is."""
        which = {"digest": digest(token_string), "moment": now()}
        with provider().reading.connect() as connection:  # free again before the answer is made
            return connection.execute(_GOOD_TOKEN, which).one_or_none()

    def validate_token(self, token: Any, scopes: list[str], request: object) -> None:  # noqa: ARG002 - Authlib calls it with a request
        """Refuse none. What one is for, and whether its scope is enough, `bearer_token` decides."""
        if not token:
            raise InvalidTokenError


_protector = ResourceProtector()
_protector.register_token_validator(TokenValidator())


def bearer_token(
    scope: str, api: ProtectedResource | None = None, *, acr: str | None = None, max_age: int | None = None
) -> Any:
    """Give the scope of the request's access token and whose it is; answers 401 or 403 if it does not open `scope`.

    ``api``: the API that the token has to be for (RFC 8707), None for the provider's own endpoints. ``acr`` is how the
    person must have signed in, ``max_age`` how many seconds ago at most (RFC 9470 section 3).
    """
    try:
        token = _protector.validate_request([], request)
        if api is not None and (token.resource or resources()[0]) != api.identifier:
            raise InvalidTokenError("The access token is for another API.")
        if TokenValidator.scope_insufficient(token.scope, [scope]):
            raise InsufficientScopeError
        is_old = max_age is not None and (token.id is None or token.auth_time + max_age < now())
        if is_old or not is_reached(acr, token.acr):
            raise InsufficientUserAuthenticationError(acr=acr, max_age=max_age)
    except OAuth2Error as error:
        abort(_refusal(error, scope, api))
    return token


def _refusal(error: OAuth2Error, scope: str, api: ProtectedResource | None) -> Response:
    """The answer of RFC 6750 section 3, with where to ask for a token (RFC 9728 section 5.1).

    It has no error code if no token was sent, and the scope that is needed if there is no token or it lacks one.
    """
    challenge = f'Bearer realm="{REALM}"'
    if api and provider().settings.resource_metadata == "challenge":
        challenge += f', resource_metadata="{api.metadata_url}"'
    needed = f', scope="{scope}"'
    if isinstance(error, MissingAuthorizationError | UnsupportedTokenTypeError):
        body = {
            "error": "unauthorized",
            "error_description": "Send an access token: 'Authorization: Bearer ...'.",
        }
        challenge += needed if api else ""
    else:
        description = error.description
        if isinstance(error, InsufficientScopeError):
            description = f"The access token lacks the scope {scope}. Request it when you sign in."
        elif isinstance(error, InsufficientUserAuthenticationError):
            needed = "".join(f', {name}="{value}"' for name, value in error.parameters.items())
        elif not api:
            needed = ""
        body = {"error": str(error.error), "error_description": description}
        challenge += f', error="{error.error}", error_description="{description}"{needed}'
    return Response(
        json.dumps(body), error.status_code, {"WWW-Authenticate": challenge}, content_type="application/json"
    )
