"""The token in a JSON file: not encrypted, no lock."""

import json
import os
from pathlib import Path

from requests_oauthlib import OAuth2Session

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the provider is on this machine
path = Path(os.environ["KEPT"], "token.json")
session = OAuth2Session(
    os.environ["CLIENT_ID"],
    token=json.loads(path.read_text()),
    auto_refresh_url=os.environ["ISSUER"] + "/token",
    token_updater=lambda token: path.write_text(json.dumps(token)),
)
print(session.get(os.environ["API"] + "/stations").status_code)
