"""The cache in a JSON file: not encrypted, no lock. msal requires https: its requests are redirected to loopback."""

import os
from pathlib import Path

import requests
from msal import PublicClientApplication, SerializableTokenCache

ISSUER, HTTPS = os.environ["ISSUER"], "https://id.example.org/lab"


class Through(requests.Session):
    def request(self, method, url, **more):
        response = super().request(method, url.replace(HTTPS, ISSUER), **more)
        response._content = response.content.replace(ISSUER.encode(), HTTPS.encode())
        return response


cache = SerializableTokenCache()
cache.deserialize(Path(os.environ["KEPT"], "msal.json").read_text())
application = PublicClientApplication(
    os.environ["CLIENT_ID"], oidc_authority=HTTPS, token_cache=cache, http_client=Through()
)
(account,) = application.get_accounts()
result = application.acquire_token_silent(["measurements:read"], account)
headers = {"Authorization": f"Bearer {result['access_token']}"}
print(requests.get(os.environ["API"] + "/stations", headers=headers, timeout=10).status_code)
