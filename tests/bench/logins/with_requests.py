"""No login at all: what any of them takes at the least, the metadata read with a bare ``requests``."""

import os

import requests

metadata = requests.get(os.environ["ISSUER"] + "/.well-known/openid-configuration", timeout=10).json()
print("Open", metadata["authorization_endpoint"] + "?", flush=True)
