"""Kernel, scheduler and workers on three machines, which are network namespaces joined by a bridge.

The provider listens on the loopback address of the kernel's machine; the API on a link between that machine and the
workers'. Everything is inside: no address of the real network is used, and the namespaces end with their processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from dask_clusters import LONG, CommandedCluster
from support import give_up, require, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")

MACHINE = str(Path(__file__).with_name("dask_machine.py"))
# On the cluster's network (RFC 5737), and where the API is
ADDRESSES = {"kernel": "192.0.2.1", "scheduler": "192.0.2.2", "workers": "192.0.2.3"}
API = "203.0.113.1"
RENEWED_AT = 0.75  # of a token's lifetime: not before, or a renewal was one too many
OUTAGE = 4.0  # seconds
AHEAD = 700.6  # seconds


class Network:
    """Three machines. The scheduler's has the bridge."""

    def __init__(self) -> None:
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        require("ip")
        try:
            self._hold("scheduler", require("unshare"), "--map-root-user", "--net")
            for name in ("kernel", "workers"):
                self._hold(name, *self._enter("scheduler", "user"), require("unshare"), "--net")
            self.ip("scheduler", "link", "add", "bridge", "type", "bridge")
            self._address("scheduler", "bridge", ADDRESSES["scheduler"])
            for name in ("kernel", "workers"):
                self._link(name, "cluster", "scheduler", f"to-{name}")
                self._address(name, "cluster", ADDRESSES[name])
                self.ip("scheduler", "link", "set", f"to-{name}", "up", "master", "bridge")
            self._link("kernel", "api", "workers", "api")
            self._address("kernel", "api", API)
            self._address("workers", "api", "203.0.113.3")
        except subprocess.CalledProcessError as error:
            self.close()
            give_up(f"network namespaces are not permitted: {error.stderr!r}")

    def python(self, name: str, *before: str) -> tuple[str, ...]:
        """The command that runs Python on a machine; it is killed with this process."""
        killed = (require("setpriv"), "--pdeathsig", "KILL")
        return (*self._enter(name, "user", "net"), *killed, *before, sys.executable)

    def unplug(self, name: str) -> None:
        """Let every packet from and to the machine be lost. It does not notice."""
        self.ip("scheduler", "link", "set", f"to-{name}", "nomaster")

    def plug(self, name: str) -> None:
        """Undo `unplug`."""
        self.ip("scheduler", "link", "set", f"to-{name}", "master", "bridge")

    def ip(self, name: str, *arguments: str) -> None:
        command = [*self._enter(name, "user", "net"), "ip", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def close(self) -> None:
        for holder in self._holders.values():
            holder.kill()
            holder.communicate()

    def _hold(self, name: str, *unshare: str) -> None:
        """A process whose namespaces are the machine. It ends with its standard input, so with this process."""
        command = [*unshare, "sh", "-c", "echo ready; exec cat"]
        holder = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._holders[name] = holder
        assert holder.stdout
        if holder.stdout.readline() != b"ready\n":
            raise subprocess.CalledProcessError(1, command, stderr=holder.communicate()[1])
        self.ip(name, "link", "set", "lo", "up")

    def _enter(self, name: str, *kinds: str) -> tuple[str, ...]:
        pid = self._holders[name].pid
        return (
            require("nsenter"),
            "--preserve-credentials",
            *(f"--{kind}=/proc/{pid}/ns/{kind}" for kind in kinds),
        )

    def _link(self, name: str, device: str, other: str, its: str) -> None:
        pid = str(self._holders[other].pid)
        self.ip(name, "link", "add", device, "type", "veth", "peer", "name", its, "netns", pid)

    def _address(self, name: str, device: str, address: str) -> None:
        self.ip(name, "address", "add", f"{address}/24", "dev", device)
        self.ip(name, "link", "set", device, "up")


class Machine:
    """`dask_machine` on one of them."""

    token_port: int  # of the kernel's provider

    def __init__(self, network: Network, name: str, folder: Path, host: str) -> None:
        command = [*network.python(name), MACHINE, str(folder), host]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, name: str, **arguments: Any) -> Any:
        """The result. Raises AssertionError with the error that was raised there."""
        self.tell(name, **arguments)
        return self.answer()

    def tell(self, name: str, **arguments: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps([name, arguments]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the process ended with {self._process.wait(30)}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Place:
    """The network, and a cluster on it."""

    def __init__(self, network: Network, folder: Path, port: int = 8786, *, tls: bool = True) -> None:
        self.network, self.folder = network, folder
        self.cluster = CommandedCluster(folder, port, host=ADDRESSES["scheduler"], tls=tls)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "authority.pem"))
        authority.issue_cert(API).private_key_and_cert_chain_pem.write_to_path(str(folder / "api.pem"))
        self.environment = {
            **os.environ,
            "REQUESTS_CA_BUNDLE": str(folder / "authority.pem"),
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s",  # the least that Dask takes; 30 by default
        }

    def start(self, workers: int) -> None:
        self.cluster.scheduler(environment=self.environment, python=self.network.python("scheduler"))
        for _ in range(workers):
            self.worker()

    def worker(self, *before: str, **more: str) -> subprocess.Popen[bytes]:
        """Start one. It returns when the scheduler has it."""
        python = self.network.python("workers", *before)
        worker = self.cluster.worker(
            "--host", ADDRESSES["workers"], environment={**self.environment, **more}, python=python
        )
        log = self.cluster.logs[-1]
        wait_for(lambda: b"Registered to" in log.read_bytes(), "the worker to register", LONG)
        return worker

    @contextmanager
    def kernel(self, clock_error: float = 0.0) -> Iterator[Machine]:
        """Signed in, and connected to the cluster."""
        with closing(Machine(self.network, "kernel", self.folder, API)) as machine:
            machine.token_port = machine.ask("sign_in", clock_error=clock_error)
            machine.ask("connect", address=self.cluster.address)
            yield machine


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with closing(Network()) as network:
        yield network


@pytest.fixture(scope="module")
def place(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(network, tmp_path_factory.mktemp("machines"))
    with closing(place.cluster):
        place.start(workers=2)
        yield place


def test_only_the_kernel_renews(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """The others cannot reach the token endpoint; no call is lost, and each expiry takes one renewal."""
    with place.kernel() as kernel:
        kernel.ask("share", allow_unencrypted=False)
        seen = kernel.ask("call_until", expiries=4)
        assert (seen["statuses"], seen["passed"], len(seen["workers"])) == ([200], True, 2)
        assert seen["renewals"] * RENEWED_AT <= seen["lived"]
        assert kernel.ask("reach", host="127.0.0.1", port=kernel.token_port) == {
            "kernel": [True],
            "scheduler": [False],
            "workers": [False, False],
        }
        for host in (ADDRESSES["kernel"], API):
            assert not any(map(any, kernel.ask("reach", host=host, port=kernel.token_port).values()))
        assert kernel.ask("reach", host=API, port=kernel.ask("api_port"))["workers"] == [True, True]
    with capsys.disabled():
        print(f"\n{seen}")


def test_a_kernel_that_is_cut_off(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """No connection is closed. If it is back soon, calls go on; else they end with an error, and no token is left."""
    with (
        place.kernel() as kernel,
        closing(Machine(place.network, "scheduler", place.folder, "127.0.0.1")) as observer,
    ):
        observer.ask("connect", address=place.cluster.address)
        text = kernel.ask("share", allow_unencrypted=False)
        kernel.ask("start_calls", calls=30)
        try:
            place.network.unplug("kernel")
            threading.Event().wait(OUTAGE)
            place.network.plug("kernel")
            assert kernel.ask("finish_calls") == [200] * 60
            assert observer.ask("held") > 0
            place.network.unplug("kernel")
            began = time.monotonic()
            with pytest.raises(
                AssertionError, match=r"the client that shared it is closed or gone.*share_ended"
            ):
                observer.ask("outlive", text=text)
            took = time.monotonic() - began
            wait_for(lambda: observer.ask("held") == 0, "the tokens to be forgotten")
        finally:
            place.network.plug("kernel")
    with capsys.disabled():
        print(f"\nended after {took:.0f} s")


def test_clocks_that_differ(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The kernel's is behind, those of a worker are ahead: no call is lost, and each expiry takes one renewal.

    In the worker Python's `time.time` is replaced before anything else is loaded; its monotonic clock is Linux's.
    """
    (tmp_path / "sitecustomize.py").write_text(
        f"import time\nof = time.time\ntime.time = lambda: of() + {AHEAD}\n"
    )
    ahead = f"--monotonic={int(AHEAD)}", f"--boottime={int(AHEAD)}"
    worker = place.worker("unshare", "--time", *ahead, "--fork", "--kill-child", PYTHONPATH=str(tmp_path))
    try:
        with place.kernel(clock_error=-AHEAD) as kernel:
            wall, monotonic = (max(clocks) for clocks in zip(*kernel.ask("clocks"), strict=True))
            assert min(wall, monotonic) > AHEAD / 2
            kernel.ask("share", allow_unencrypted=False)
            seen = kernel.ask("call_until", expiries=10)
            assert (seen["statuses"], seen["passed"], len(seen["workers"])) == ([200], True, 3)
            assert seen["renewals"] * RENEWED_AT <= seen["lived"]
    finally:
        worker.kill()
        worker.wait(30)
    with capsys.disabled():
        print(f"\n{seen}, ahead by {wall:.1f} and {monotonic:.1f} s")


def test_an_unencrypted_channel_is_refused(network: Network, tmp_path: Path) -> None:
    """Unless it is allowed."""
    place = Place(network, tmp_path, 8787, tls=False)
    with closing(place.cluster):
        place.start(workers=1)
        with place.kernel() as kernel:
            with pytest.raises(
                AssertionError, match=r"Security\.temporary.*allow_unencrypted.*insecure_channel"
            ):
                kernel.ask("share", allow_unencrypted=False)
            kernel.ask("share", allow_unencrypted=True)
            assert kernel.ask("call_until", expiries=1)["statuses"] == [200]
