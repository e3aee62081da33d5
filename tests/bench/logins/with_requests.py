"""No login: the minimum for all of them, the metadata read with plain ``requests``."""

import os

import requests

metadata = requests.get(os.environ["ISSUER"] + "/.well-known/openid-configuration", timeout=10).json()
print("Open", metadata["authorization_endpoint"] + "?", flush=True)
