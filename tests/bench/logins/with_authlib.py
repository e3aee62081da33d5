"""With every check of the ID token, as in the documentation of Authlib and joserfc."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jwt


class Callback(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.answer = self.path
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this tab.")

    def log_message(self, *_):
        pass


issuer, client_id = os.environ["ISSUER"], os.environ["CLIENT_ID"]
metadata = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()
server = HTTPServer(("127.0.0.1", 0), Callback)
redirect_uri = f"http://127.0.0.1:{server.server_port}/callback"
session = OAuth2Session(
    client_id,
    scope="openid profile email",
    redirect_uri=redirect_uri,
    code_challenge_method="S256",
    token_endpoint_auth_method="none",
    token_endpoint=metadata["token_endpoint"],
)
verifier, nonce = generate_token(48), generate_token(24)
uri, state = session.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
print("Open", uri, flush=True)
server.handle_request()
token = session.fetch_token(
    metadata["token_endpoint"],
    authorization_response=redirect_uri + server.answer.removeprefix("/callback"),
    state=state,
    code_verifier=verifier,
)
keys = jwk.KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
decoded = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
claims = CodeIDToken(
    decoded.claims,
    decoded.header,
    options={"iss": {"value": issuer}, "aud": {"value": client_id}},
    params={"nonce": nonce, "access_token": token["access_token"], "client_id": client_id},
)
claims.validate(leeway=60)
print("signed in", claims["sub"])
