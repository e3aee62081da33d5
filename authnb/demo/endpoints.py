"""What clients call directly: discovery, keys, tokens, devices, revocation, claims."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request

from authnb.demo.bearer import bearer_token
from authnb.demo.context import provider
from authnb.demo.metadata import provider_metadata
from authnb.demo.openid import user_claims

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from authnb.demo.grants import Server


def client_endpoints(server: Server) -> Blueprint:
    """Give the endpoints that answer in JSON."""
    endpoints = Blueprint("endpoints", __name__)

    @endpoints.get("/.well-known/openid-configuration")
    @endpoints.get("/.well-known/oauth-authorization-server")
    def metadata() -> ResponseReturnValue:
        return _cached(jsonify(provider_metadata(provider().issuer)))

    @endpoints.get("/jwks")
    def jwks() -> ResponseReturnValue:
        return _cached(jsonify(keys=[provider().signing_key.as_dict(private=False)]))

    @endpoints.post("/token")
    def token() -> ResponseReturnValue:
        return _malformed() or server.create_token_response()

    @endpoints.post("/revoke")
    def revoke() -> ResponseReturnValue:
        return _malformed() or server.create_endpoint_response("revocation")

    @endpoints.post("/device_authorization")
    def device_authorization() -> ResponseReturnValue:
        return _malformed() or server.create_endpoint_response("device_authorization")

    @endpoints.route("/userinfo", methods=["GET", "POST"])
    def userinfo() -> ResponseReturnValue:
        token = bearer_token("openid")
        return jsonify(user_claims(token.authorization.account, token.scope))

    return endpoints


def _malformed() -> ResponseReturnValue | None:
    """RFC 6749 section 3.2: parameters come in the body, each once."""
    if request.args:
        problem = "Parameters belong in the body, not in the URL."
    elif any(len(values) > 1 for values in request.form.listvalues()):
        problem = "A parameter was sent twice."
    else:
        return None
    return jsonify(error="invalid_request", error_description=problem), 400


def _cached(response: Response) -> Response:
    response.cache_control.public = True
    response.cache_control.max_age = 300
    return response
