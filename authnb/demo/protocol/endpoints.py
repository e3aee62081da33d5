"""What clients call directly, and what answers in JSON: discovery, keys, tokens, devices, revocation, claims."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import Blueprint, Response, abort, jsonify, request

from authnb.demo.context import provider
from authnb.demo.protocol import pushed_requests
from authnb.demo.protocol.bearer import access_token
from authnb.demo.protocol.metadata import provider_metadata
from authnb.demo.protocol.openid import user_claims
from authnb.demo.protocol.resources import APIS

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

endpoints: Blueprint = Blueprint("endpoints", __name__)


@endpoints.get("/.well-known/openid-configuration")
@endpoints.get("/.well-known/oauth-authorization-server")
def metadata() -> ResponseReturnValue:
    """OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3."""
    return _cached(jsonify(provider_metadata(provider().issuer, provider().settings)))


@endpoints.get("/.well-known/oauth-protected-resource/<path:path>")
def resource_metadata(path: str) -> ResponseReturnValue:
    """RFC 9728 section 3, for each of the APIs."""
    api = next((api for api in APIS if api.path == f"/{path}"), None)
    if not api or provider().settings.resource_metadata is None:
        abort(404, "There is no such API here.")
    return _cached(jsonify(api.metadata))


@endpoints.post("/register")
def register() -> ResponseReturnValue:
    """RFC 7591 section 3."""
    return _registration("client_registration")


@endpoints.route("/register/<client_id>", methods=["GET", "PUT", "DELETE"])
def registration(client_id: str) -> ResponseReturnValue:  # noqa: ARG001 - the endpoint reads it from the request
    """RFC 7592 section 2."""
    return _registration("client_configuration")


def _registration(endpoint: str) -> ResponseReturnValue:
    if not provider().settings.registration:
        abort(404, "Clients cannot register themselves here.")
    if request.method in {"POST", "PUT"} and not isinstance(request.get_json(silent=True), dict):
        problem = "Send the metadata as a JSON object, with Content-Type: application/json."
        return jsonify(error="invalid_client_metadata", error_description=problem), 400
    return cast("Response", provider().server.create_endpoint_response(endpoint))


@endpoints.get("/jwks")
def jwks() -> ResponseReturnValue:
    """RFC 7517 section 5."""
    return _cached(jsonify(keys=[provider().signing_key.as_dict(private=False)]))


@endpoints.post("/token")
def token() -> ResponseReturnValue:
    """RFC 6749 section 3.2."""
    return _malformed() or cast("Response", provider().server.create_token_response())


@endpoints.post("/par")
def push() -> ResponseReturnValue:
    """RFC 9126 section 2."""
    if provider().settings.pushed_requests is None:
        abort(404, "Authorization requests cannot be pushed here.")
    return _malformed() or pushed_requests.push()


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
    access = access_token("openid")
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
