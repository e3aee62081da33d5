"""What clients call directly, and what answers in JSON: discovery, keys, tokens, devices, revocation, claims."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import Blueprint, Response, jsonify, request

from authnb.demo.context import provider
from authnb.demo.protocol.bearer import bearer_token
from authnb.demo.protocol.metadata import provider_metadata
from authnb.demo.protocol.openid import user_claims

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

endpoints: Blueprint = Blueprint("endpoints", __name__)


@endpoints.get("/.well-known/openid-configuration")
@endpoints.get("/.well-known/oauth-authorization-server")
def metadata() -> ResponseReturnValue:
    """OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3."""
    return _cached(jsonify(provider_metadata(provider().issuer)))


@endpoints.get("/jwks")
def jwks() -> ResponseReturnValue:
    """RFC 7517 section 5."""
    return _cached(jsonify(keys=[provider().signing_key.as_dict(private=False)]))


@endpoints.post("/token")
def token() -> ResponseReturnValue:
    """RFC 6749 section 3.2."""
    return _malformed() or cast("Response", provider().server.create_token_response())


@endpoints.post("/revoke")
def revoke() -> ResponseReturnValue:
    """RFC 7009 section 2."""
    return _malformed() or cast("Response", provider().server.create_endpoint_response("revocation"))


@endpoints.post("/device_authorization")
def device_authorization() -> ResponseReturnValue:
    """RFC 8628 section 3.1."""
    return _malformed() or cast(
        "Response", provider().server.create_endpoint_response("device_authorization")
    )


@endpoints.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> ResponseReturnValue:
    """OpenID Connect Core 1.0 section 5.3."""
    access = bearer_token("openid")
    return jsonify(user_claims(access, access.scope))


def _malformed() -> Response | None:
    """RFC 6749 section 3.2: parameters come in the body, each once but for ``resource`` (RFC 8707 section 2)."""
    if request.args:
        problem = "Parameters belong in the body, not in the URL."
    elif any(len(values) > 1 for name, values in request.form.lists() if name != "resource"):
        problem = "A parameter was sent twice."
    else:
        return None
    response = jsonify(error="invalid_request", error_description=problem)
    response.status_code = 400
    return response


def _cached(response: Response) -> Response:
    response.cache_control.public = True
    response.cache_control.max_age = 300
    return response
