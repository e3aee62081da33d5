"""oidc-provider-mock for one test run. Prints its issuer, then serves until it is terminated."""

from __future__ import annotations

import json
import logging

from oidc_provider_mock import User, app
from werkzeug.serving import make_server

logging.disable(logging.INFO)
ada = User(sub="ada", claims={"name": "Ada Byron", "email": "ada@example.org"})
server = make_server("127.0.0.1", 0, app(user_claims=[ada]), threaded=True)
print(json.dumps({"issuer": f"http://127.0.0.1:{server.server_port}"}), flush=True)
server.serve_forever()
