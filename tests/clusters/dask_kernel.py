"""A kernel in a process of its own: signs in, shares with a cluster, runs a task, and waits to be killed.

``dask_kernel.py ISSUER ADDRESS CA CERTIFICATE KEY``; prints the pickled session in hexadecimal.
"""

from __future__ import annotations

import pickle
import sys
import threading
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "helpers"))

from demo_session import sign_in
from distributed import Client, Security

from authnb.demo import DemoProvider
from authnb.demo.running import RunningProvider


class Running(RunningProvider):
    client_id = DemoProvider.client_id


if __name__ == "__main__":
    issuer, address, ca_file, certificate, key = sys.argv[1:]
    security = Security(
        tls_ca_file=ca_file, tls_client_cert=certificate, tls_client_key=key, require_encryption=True
    )
    api = sign_in(Running(issuer))  # type: ignore[arg-type] # all that it needs of one
    with Client(address, security=security) as client, api.share_with(client):
        assert client.submit(lambda: api.get("/stations").status_code).result() == 200
        print(pickle.dumps(api).hex(), flush=True)
        threading.Event().wait()
