"""The token in a JSON file: not encrypted, no lock."""

import json
import os
from pathlib import Path

from authlib.integrations.requests_client import OAuth2Session

path = Path(os.environ["KEPT"], "token.json")
session = OAuth2Session(
    os.environ["CLIENT_ID"],
    token=json.loads(path.read_text()),
    token_endpoint=os.environ["ISSUER"] + "/token",
    update_token=lambda token, **_: path.write_text(json.dumps(token)),
)
print(session.get(os.environ["API"] + "/stations").status_code)
