import os

import authnb

login = authnb.login(os.environ["ISSUER"], client_id=os.environ["CLIENT_ID"], mode="loopback", view="text")
api = login.wait()
print("signed in", api.user["sub"])
