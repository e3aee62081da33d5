"""The baseline: ``import requests``, then a line that looks like a link."""

import requests

print("Open", "http://127.0.0.1:9/authorize?", requests.__version__, flush=True)
