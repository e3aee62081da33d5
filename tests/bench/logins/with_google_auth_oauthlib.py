"""The endpoints are given, so it fetches no metadata. The ID token is not validated. It always sends a secret."""

import os

from google_auth_oauthlib.flow import InstalledAppFlow

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the provider is on this machine
issuer = os.environ["ISSUER"]
flow = InstalledAppFlow.from_client_config(
    {
        "installed": {
            "client_id": os.environ["WEB_CLIENT_ID"],
            "client_secret": os.environ["WEB_CLIENT_SECRET"],
            "auth_uri": f"{issuer}/authorize",
            "token_uri": f"{issuer}/token",
        }
    },
    scopes=["openid", "profile", "email"],
)
credentials = flow.run_local_server(port=0, open_browser=False)
print("signed in", len(credentials.id_token))
