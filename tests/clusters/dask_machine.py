"""A kernel on a machine of its own: does what a test says, a line of JSON at a time.

``dask_machine.py FOLDER API``: certificates are in the folder, and the API listens at that address.
"""

from __future__ import annotations

import json
import pickle
import socket
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.append(str(Path(__file__).parents[1] / "helpers"))

from demo_session import sign_in
from distributed import Client, Security, as_completed
from measurement_api import MeasurementAPI
from token_endpoint_proxy import TokenEndpointProxy

from authnb.demo import DemoProvider
from authnb.errors import AuthnbError

if TYPE_CHECKING:
    from distributed import Future

    from authnb.session.session import Session

LIFETIME = 2  # seconds of a token
IN_FLIGHT = 4
LIMIT = 120.0  # seconds for a task


class Machine:
    """Its methods are what can be asked; each returns what JSON can say."""

    api: Session
    client: Client
    calls: list[Future]

    def __init__(self, folder: Path, api: MeasurementAPI, demo: DemoProvider) -> None:
        self._folder, self._resource, self._demo = folder, api, demo
        self._renewals: list[float] = []
        self._tokens = TokenEndpointProxy(demo.issuer, self._on_renewal)
        self._tokens.__enter__()

    def _on_renewal(self) -> str:
        self._renewals.append(time.monotonic())
        return "pass"

    def connect(self, address: str) -> None:
        names = {"tls_ca_file": "ca_file", "tls_client_cert": "cert", "tls_client_key": "key"}
        files = {option: str(self._folder / f"{name}.pem") for option, name in names.items()}
        security = Security(**files, require_encryption=True) if address.startswith("tls") else Security()
        self.client = Client(address, security=security, timeout=LIMIT)

    def sign_in(self, clock_error: float) -> int:
        """The port of the token endpoint."""
        self._signed_in = time.monotonic()
        self.api = sign_in(self._demo, self._tokens, api=self._resource.url, clock_error=clock_error)
        return int(self._tokens.url.rpartition(":")[2])

    def share(self, allow_unencrypted: bool) -> str:
        """The session as it is pickled, in hexadecimal."""
        self.api.share_with(self.client, allow_unencrypted=allow_unencrypted)
        return pickle.dumps(self.api).hex()

    def call_until(self, expiries: int) -> dict[str, Any]:
        """Tasks until the token was renewed so often: statuses, workers, renewals, and lifetimes since the sign-in."""
        task, number = self._task(calls=4), IN_FLIGHT
        seen: list[tuple[str, int]] = []
        done = as_completed(self.client.map(task, range(IN_FLIGHT), pure=False), with_results=True)
        for _, results in done:
            seen += results
            if len(self._renewals) < expiries:
                done.add(self.client.submit(task, number, pure=False))
                number += 1
        return {
            "calls": len(seen),
            "statuses": sorted({status for _, status in seen}),
            "workers": sorted({worker for worker, _ in seen}),
            "renewals": len(self._renewals),
            "lived": (self._renewals[-1] - self._signed_in) / LIFETIME,
            "passed": set(self._tokens.outcomes) == {"pass"},
        }

    def start_calls(self, calls: int) -> None:
        """A task for each of two workers that calls so often, ten times a second at most."""
        self.calls = self.client.map(self._task(calls), range(2), pure=False)

    def finish_calls(self) -> list[int]:
        """Their statuses."""
        return [status for task in self.calls for _, status in task.result(LIMIT)]

    def _task(self, calls: int) -> Any:
        api = self.api

        def task(_: int) -> list[tuple[str, int]]:
            from distributed import get_worker  # noqa: PLC0415 - on the worker

            pause, seen = threading.Event(), []
            for _ in range(calls):
                seen.append((get_worker().address, api.get("/measurements").status_code))
                pause.wait(0.1)
            return seen

        return task

    def outlive(self, text: str) -> str:
        """The error that ends the calls of a session that was pickled elsewhere."""
        pickled = bytes.fromhex(text)

        def task() -> None:
            api, pause = pickle.loads(pickled), threading.Event()  # noqa: S301 - of this test
            deadline = time.monotonic() + LIMIT
            while time.monotonic() < deadline and api.get("/measurements").ok:
                pause.wait(0.1)

        self.client.submit(task, pure=False).result(2 * LIMIT)
        return "none"

    def held(self) -> int:
        """How many workers hold a token."""

        def tokens() -> int:
            from authnb.cluster.member import _members  # noqa: PLC0415 - on the worker

            return sum(bool(each.session.token["access_token"]) for each in _members.by_name.values())

        return sum(count for count in self.client.run(tokens).values())

    def clocks(self) -> list[list[float]]:
        """Of the workers: by how much `time.time` and `time.monotonic` are ahead of this machine's."""
        found = self.client.run(lambda: (time.time(), time.monotonic()))
        now = time.time(), time.monotonic()
        return [[wall - now[0], monotonic - now[1]] for wall, monotonic in found.values()]

    def reach(self, host: str, port: int) -> dict[str, list[bool]]:
        """Whether a connection there succeeds: from here, from the scheduler, from each worker."""

        def reached() -> bool:
            try:
                socket.create_connection((host, port), timeout=20).close()
            except OSError:
                return False
            return True

        return {
            "kernel": [reached()],
            "scheduler": [bool(self.client.run_on_scheduler(reached))],
            "workers": [bool(each) for each in self.client.run(reached).values()],
        }

    def api_port(self) -> int:
        return self._resource.port


if __name__ == "__main__":
    folder, host = Path(sys.argv[1]), sys.argv[2]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "api.pem")
    with (
        DemoProvider(access_token_lifetime=LIFETIME) as demo,
        MeasurementAPI(demo.issuer, host=host, tls=tls) as api,
    ):
        machine = Machine(folder, api, demo)
        for line in sys.stdin:
            name, arguments = json.loads(line)
            try:
                answer = {"result": getattr(machine, name)(**arguments)}
            except AuthnbError as error:
                answer = {"error": str(error)}
            print(json.dumps(answer), flush=True)
