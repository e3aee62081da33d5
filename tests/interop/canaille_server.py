"""Canaille for one test run, in memory. Prints its issuer, then serves until it is terminated."""

from __future__ import annotations

import json
import logging
import socket
import sys
from typing import Any

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from canaille.backends.memory.backend import MemoryBackend
from joserfc.jwk import RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

FIXED = sys.argv[1]  # the one redirect address of its confidential clients
SCOPE = ["openid", "profile", "email", "offline_access"]


def settings(place: str) -> dict[str, Any]:
    """The configuration."""
    return {
        "SECRET_KEY": "of the tests",
        "SERVER_NAME": place,
        "PREFERRED_URL_SCHEME": "http",
        "SESSION_COOKIE_NAME": "canaille",
        "CANAILLE": {
            "NAME": "canaille",
            "ENABLE_REGISTRATION": True,
            "CAPTCHA_ENABLED": False,
            "EMAIL_CONFIRMATION": False,
            "JAVASCRIPT": False,
            "HTMX": False,
            "TIMEZONE": "UTC",
        },
        "CANAILLE_OIDC": {
            "ACTIVE_JWKS": [RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)],
            "DYNAMIC_CLIENT_REGISTRATION_OPEN": True,
        },
    }


def client(client_id: str, **more: Any) -> Any:
    """Register a client for all grant types, for which consent is requested."""
    made = models.Client(
        client_id=client_id,
        client_name=client_id,
        client_uri="https://notebook.example.org",
        redirect_uris=["http://127.0.0.1/callback", FIXED],
        response_types=["code"],
        grant_types=["authorization_code", "refresh_token"],
        scope=SCOPE,
        **more,
    )
    Backend.instance.save(made)
    made.audience = [made]  # without one its ID tokens are for nobody: "aud": []
    Backend.instance.save(made)


def populate() -> None:
    """Ada, and the two clients of a notebook."""
    ada = models.User(
        user_name="ada",
        password="a long passphrase of ada",
        emails=["ada@example.org"],
        given_name="Ada",
        family_name="Byron",
        formatted_name="Ada Byron",
    )
    Backend.instance.save(ada)
    client("notebook", token_endpoint_auth_method="none", application_type="native")
    for name, method in (("hub", "client_secret_basic"), ("hub-post", "client_secret_post")):
        client(name, client_secret="s3cret", token_endpoint_auth_method=method)


_find_any = MemoryBackend.do_query


def find_all(memory: MemoryBackend, model: Any, *args: Any, **conditions: Any) -> list[Any]:
    """Match all conditions: canaille's memory backend matches any, and so confuses codes."""
    if not conditions:
        return list(_find_any(memory, model, *args))
    found = [_find_any(memory, model, *args, **{name: value}) for name, value in conditions.items()]
    in_all = set.intersection(*({each.id for each in some} for some in found))
    return [each for each in found[0] if each.id in in_all]


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Log no requests."""


listener = socket.create_server(("127.0.0.1", 0))
place = f"127.0.0.1:{listener.getsockname()[1]}"
MemoryBackend.do_query = find_all
app = create_app(settings(place))
logging.disable(logging.CRITICAL)
with app.app_context(), Backend.instance.session():
    populate()
server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet, fd=listener.fileno())
print(json.dumps({"issuer": f"http://{place}"}), flush=True)
server.serve_forever()
