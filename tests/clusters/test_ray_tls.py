"""A sign-in shared with a Ray that uses TLS: with every node, and with nothing to allow."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import ray
import trustme
from ray_clusters import Cluster, start
from support import folder_for_sockets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider

HERE, ELSEWHERE = ray.util.get_node_ip_address(), "127.0.0.2"  # the addresses of two nodes
# Loads Ray itself: it reads its settings once
DRIVER = """
import sys

import ray
from demo_session import sign_in

from authnb.demo import DemoProvider
from authnb.demo.running import RunningProvider


class Running(RunningProvider):
    client_id = DemoProvider.client_id


@ray.remote
def call(api):
    return ray.util.get_node_ip_address(), api.get("/stations").status_code


address, issuer = sys.argv[1:]
ray.init(address, log_to_driver=False)
api = sign_in(Running(issuer))
with api.share_with(ray):
    here = {"node:__internal_head__": 0.1}
    nodes = [call.options(resources=each) for each in (here, {"elsewhere": 1})]
    print(ray.get([node.remote(api) for node in nodes], timeout=240))
"""


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of Ray that turn on TLS, with certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", HERE, ELSEWHERE, "localhost")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    return {
        "RAY_USE_TLS": "1",
        "RAY_TLS_CA_CERT": str(folder / "ca.pem"),
        "RAY_TLS_SERVER_CERT": str(folder / "cert.pem"),
        "RAY_TLS_SERVER_KEY": str(folder / "key.pem"),
    }


@pytest.fixture(scope="module")
def cluster(variables: dict[str, str]) -> Iterator[Cluster]:
    with (
        folder_for_sockets() as folder,
        closing(start(Path(folder), dashboard=False, **variables)) as cluster,
    ):
        cluster.add_node(ELSEWHERE, "elsewhere", **variables)
        yield cluster


def test_every_node_is_served(cluster: Cluster, demo: DemoProvider, variables: dict[str, str]) -> None:
    """Though there are several addresses."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, cluster.address, demo.issuer],
        env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert done.stdout.decode() == f"[({HERE!r}, 200), ({ELSEWHERE!r}, 200)]\n", done.stderr.decode()
