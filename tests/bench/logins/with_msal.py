"""msal does not check the ID token's signature. It requires https: its requests are redirected to loopback."""

import os

import requests
from msal import PublicClientApplication

ISSUER, HTTPS = os.environ["ISSUER"], "https://id.example.org/lab"


class Through(requests.Session):
    def request(self, method, url, **more):
        response = super().request(method, url.replace(HTTPS, ISSUER), **more)
        response._content = response.content.replace(ISSUER.encode(), HTTPS.encode())
        return response


application = PublicClientApplication(
    os.environ["CLIENT_ID"], oidc_authority=HTTPS, http_client=Through(), enable_pii_log=False
)
result = application.acquire_token_interactive(
    ["email"], auth_uri_callback=lambda uri: print("Open", uri.replace(HTTPS, ISSUER), flush=True)
)
print("signed in", result["id_token_claims"]["sub"])
