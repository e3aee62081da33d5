"""requests_oauth2client signs in: `python client_requests_oauth2client.py ISSUER CLIENT_ID REDIRECT_URI SCOPE`.

It prints the address to open, reads the one the browser ended on, and prints who that is and what it could do.
"""

from __future__ import annotations

import json
import sys

from requests_oauth2client import InvalidGrant, OAuth2Client

issuer, client_id, redirect_uri, scope = sys.argv[1:]
client = OAuth2Client.from_discovery_endpoint(
    issuer=issuer,
    client_id=client_id,
    redirect_uri=redirect_uri,
    testing=True,  # http, on loopback
    id_token_signed_response_alg="RS256",
)
request = client.authorization_request(scope=scope)
print(request.uri, flush=True)

response = request.validate_callback(sys.stdin.readline().strip())
token = client.authorization_code(response)
claims = token.id_token.claims
userinfo = client.userinfo(token)
renewed = client.refresh_token(token)
client.revoke_refresh_token(renewed.refresh_token)
try:
    client.refresh_token(renewed.refresh_token)
    after = None
except InvalidGrant as error:
    after = error.error
done = {
    "name": claims["name"],
    "userinfo": userinfo["name"],
    "renewed": renewed.access_token != token.access_token,
    "after": after,
}
print(json.dumps(done))
