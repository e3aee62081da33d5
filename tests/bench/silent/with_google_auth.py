"""The credentials in a JSON file: not encrypted, no lock."""

import os

from google.auth.transport.requests import AuthorizedSession
from google.oauth2.credentials import Credentials

credentials = Credentials.from_authorized_user_file(os.environ["KEPT"] + "/google.json")
session = AuthorizedSession(credentials)
print(session.get(os.environ["API"] + "/stations").status_code)
