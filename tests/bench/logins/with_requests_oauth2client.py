"""Fetches the keys with the metadata and validates the ID token."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from requests_oauth2client import OAuth2Client, PublicApp


class Callback(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.answer = self.path
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this tab.")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Callback)
redirect_uri = f"http://127.0.0.1:{server.server_port}/callback"
client = OAuth2Client.from_discovery_endpoint(
    issuer=os.environ["ISSUER"],
    auth=PublicApp(os.environ["CLIENT_ID"]),
    redirect_uri=redirect_uri,
    testing=True,  # the provider is on this machine
)
request = client.authorization_request(scope="openid profile email")
print("Open", request.uri, flush=True)
server.handle_request()
response = request.validate_callback(redirect_uri + server.answer.removeprefix("/callback"))
token = client.authorization_code(response, validate=True)
print("signed in", token.id_token.sub)
