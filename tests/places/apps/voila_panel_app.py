"""Voilà: each visitor has a panel of their own. This is the notebook's cell."""

import os

import authnb

authnb.login(os.environ["ISSUER"], client_id=os.environ["CLIENT_ID"], mode="device")
