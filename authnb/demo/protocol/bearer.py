"""Who may come in with which access token: a bearer token (RFC 6750), or one that is bound to a key (RFC 9449)."""
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
from authnb.demo.protocol.dpop import ALGORITHMS, InvalidDPoPProofError, UseDPoPNonceError, proof_key
from authnb.demo.protocol.resources import resources
from authnb.demo.protocol.step_up import InsufficientUserAuthenticationError, is_reached

if TYPE_CHECKING:
    from collections.abc import Iterable

    from authnb.demo.protocol.resources import ProtectedResource

REALM = "authnb demo"

_GOOD_TOKEN = (
    select(
        AccessToken.scope,
        AccessToken.resource,
        AccessToken.jkt,
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
    """A token of RFC 6750, looked up by its digest."""

    def authenticate_token(self, token_string: str) -> Any:
        """Give the scope of a token that is still good, and whose it is; not of a bound one (RFC 9449 section 7.2)."""
        found = _good_token(token_string)
        if found and found.jkt is not None:
            raise InvalidTokenError(
                "The access token is bound to a key: send it as 'Authorization: DPoP ...'."
            )
        return found

    def validate_token(self, token: Any, scopes: list[str], request: object) -> None:  # noqa: ARG002 - Authlib calls it with a request
        """Refuse none. What one is for, and whether its scope is enough, `access_token` decides."""
        if not token:
            raise InvalidTokenError


class BoundTokenValidator(TokenValidator):
    """A token of RFC 9449 section 7.1, with the proof that the sender has its key."""

    TOKEN_TYPE = "dpop"  # noqa: S105 - no secret

    def authenticate_token(self, token_string: str) -> Any:
        """Give the scope of a token that is still good and is bound to the key of the proof, and whose it is."""
        jkt = proof_key(token_string)
        found = _good_token(token_string)
        if found and found.jkt != jkt:
            raise InvalidTokenError("The access token is not bound to the key of the DPoP proof.")
        return found


def _good_token(token_string: str) -> Any:
    which = {"digest": digest(token_string), "moment": now()}
    with provider().reading.connect() as connection:  # free again before the answer is made
        return connection.execute(_GOOD_TOKEN, which).one_or_none()


def _protector(*validators: TokenValidator) -> ResourceProtector:
    protector = ResourceProtector()
    for validator in validators:
        protector.register_token_validator(validator)
    return protector


# by the provider's setting `dpop`
_PROTECTORS = {
    None: _protector(TokenValidator()),
    "offered": _protector(TokenValidator(), BoundTokenValidator()),
    "required": _protector(BoundTokenValidator()),
}
_SCHEMES = {None: ("Bearer",), "offered": ("Bearer", "DPoP"), "required": ("DPoP",)}


def access_token(
    scope: str, api: ProtectedResource | None = None, *, acr: str | None = None, max_age: int | None = None
) -> Any:
    """Give the scope of the request's access token and whose it is; answers 401 or 403 if it does not open `scope`.

    ``api``: the API that the token has to be for (RFC 8707), None for the provider's own endpoints. ``acr`` is how the
    person must have signed in, ``max_age`` how many seconds ago at most (RFC 9470 section 3).
    """
    try:
        token = _PROTECTORS[provider().settings.dpop].validate_request([], request)
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

    It has no error code if no token was sent, and the scope that is needed if there is no token or it lacks one. With
    DPoP there is a challenge for each scheme, that of the request first (RFC 9449 sections 7.1 and 7.2).
    """
    schemes = _SCHEMES[provider().settings.dpop]
    common = [f'realm="{REALM}"']
    if api and provider().settings.resource_metadata == "challenge":
        common.append(f'resource_metadata="{api.metadata_url}"')
    needed = [f'scope="{scope}"']
    status = error.status_code
    if isinstance(error, MissingAuthorizationError | UnsupportedTokenTypeError):
        ways = " or ".join(f"'Authorization: {scheme} ...'" for scheme in schemes)
        body = {"error": "unauthorized", "error_description": f"Send an access token: {ways}."}
        challenges = [_challenge(scheme, [*common, *(needed if api else ())]) for scheme in schemes]
    else:
        description = error.description
        if isinstance(error, InvalidDPoPProofError | UseDPoPNonceError):
            status = 401
        elif isinstance(error, InsufficientScopeError):
            description = f"The access token lacks the scope {scope}. Request it when you sign in."
        elif isinstance(error, InsufficientUserAuthenticationError):
            needed = [f'{name}="{value}"' for name, value in error.parameters.items()]
        elif not api:
            needed = []
        body = {"error": str(error.error), "error_description": description}
        problem = [f'error="{error.error}"', f'error_description="{description}"', *needed]
        used = request.headers["Authorization"].split()[0].casefold()
        schemes = tuple(sorted(schemes, key=lambda scheme: scheme.casefold() != used))
        challenges = [_challenge(schemes[0], [*common, *problem])]
        challenges += [_challenge(scheme, common) for scheme in schemes[1:]]
    headers = {"WWW-Authenticate": ", ".join(challenges)}
    return Response(json.dumps(body), status, headers, content_type="application/json")


def _challenge(scheme: str, parameters: Iterable[str]) -> str:
    algorithms = [f'algs="{" ".join(ALGORITHMS)}"'] if scheme == "DPoP" else []
    return f"{scheme} {', '.join([*parameters, *algorithms])}"
