import os

import authnb

api = authnb.login(os.environ["ISSUER"], client_id=os.environ["CLIENT_ID"], view="text").wait()
print("signed in", api.user["sub"])
