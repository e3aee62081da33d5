import os

import authnb

login = authnb.login(
    os.environ["ISSUER"], client_id=os.environ["CLIENT_ID"], api=os.environ["API"], remember=True, view=None
)
api = login.wait()
print(api.get("/stations").status_code)
