"""docs/cluster.md: its blocks run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import test_ray  # noqa: F401 - it has the test of the block with Ray, and a Ray
from cluster_page import PAGE
from dask_clusters import local_cluster
from demo_session import sign_in
from measurement_api import ROWS, MeasurementAPI

if TYPE_CHECKING:
    from code_blocks import Block

    from authnb.demo import DemoProvider


def test_every_python_block_has_a_test() -> None:
    assert not PAGE.untested()


@PAGE.block("Dask")
async def test_dask(block: Block, demo: DemoProvider) -> None:
    smaller = block.replacing(
        {
            "LocalCluster(": 'LocalCluster(n_workers=1, dashboard_address=":0", ',
            "5000": "1000",
        }
    )
    api = sign_in(demo)
    names: dict[str, Any] = {"api": api}
    await smaller.run(names)
    assert names["found"] == api.get("/measurements", params={"limit": 1000}).json()["measurements"]


@PAGE.block("Collections")
async def test_collections(block: Block, demo: DemoProvider) -> None:
    with MeasurementAPI(demo.issuer) as server, local_cluster(n_workers=1) as client:
        names = {"api": sign_in(demo, api=server.url), "client": client}
        await block.replacing({"https://api.example.org": server.url}).run(names)
    assert names["rows"] == len(ROWS)
