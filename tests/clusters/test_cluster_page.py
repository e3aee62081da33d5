"""docs/cluster.md: its blocks run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ray
from code_blocks import Block, Page
from dask_clusters import local_cluster
from demo_session import sign_in
from measurement_api import ROWS, MeasurementAPI
from support import folder_for_sockets

if TYPE_CHECKING:
    from authnb.demo import DemoProvider

PAGE = Page("docs/cluster.md")


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


@PAGE.block("Ray")
async def test_ray(block: Block, demo: DemoProvider) -> None:
    api = sign_in(demo)
    names: dict[str, Any] = {"api": api}
    with folder_for_sockets() as folder:
        options = f"num_cpus=1, include_dashboard=False, log_to_driver=False, _temp_dir={folder!r}"
        smaller = block.replacing({"ray.init()": f"ray.init({options})", "5000": "1000"})
        try:
            await smaller.run(names)
        finally:
            ray.shutdown()
    rows = [row for page in names["pages"] for row in page]
    assert rows == api.get("/measurements", params={"limit": 1000}).json()["measurements"]
