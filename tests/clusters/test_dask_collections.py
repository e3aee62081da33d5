"""Dask's collections, read on workers by the adapter of aiohttp: docs/cluster.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.dataframe as dd
import fsspec
import pandas as pd
import pytest
from dask_clusters import LONG, local_cluster, workers_of
from demo_session import renewer, sign_in
from measurement_api import COLUMNS, ROWS, MeasurementAPI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider

PARTS = 6
ALL = len(ROWS) * PARTS


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local_cluster() as client:
        yield client


@pytest.fixture
def measurements(demo: DemoProvider) -> Iterator[MeasurementAPI]:
    with MeasurementAPI(demo.issuer) as server:
        yield server


def options(api: Any) -> dict[str, Any]:
    return {"client_kwargs": {"middlewares": (api.credentials.aiohttp,)}}


def test_a_data_frame_outlives_its_token(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, measurements: MeasurementAPI, client: Client
) -> None:
    """It is made under one token and computed under another, which is renewed once for all its parts."""
    api = sign_in(demo, token_proxy, api=measurements.url)
    urls = [f"{measurements.url}/measurements.csv?part={number}" for number in range(PARTS)]
    with api.share_with(client):
        frame = dd.read_csv(urls, storage_options=options(api), blocksize=None)
        first = frame.compute()
        assert (len(first), list(first.columns)) == (ALL, COLUMNS)
        old = api.token["access_token"]
        assert set(measurements.tokens) == {old}
        assert token_proxy.outcomes == []
        measurements.tokens.clear()
        renewer(api).client.revoke(old, "access_token")
        assert frame.compute().equals(first)
        assert token_proxy.outcomes == ["pass"]
        assert set(measurements.tokens) == {api.token["access_token"]} != {old}


def test_files_of_fsspec_on_each_worker(
    demo: DemoProvider, measurements: MeasurementAPI, client: Client
) -> None:
    """As pandas, xarray and others open them."""
    api = sign_in(demo, api=measurements.url)
    url = f"{measurements.url}/measurements.csv"
    with api.share_with(client):
        given = options(api)

        def rows() -> int:
            with fsspec.open(url, **given) as file:
                return len(pd.read_csv(file))

        read = [client.submit(rows, workers=[worker], pure=False) for worker in workers_of(client)]
        assert [each.result(LONG) for each in read] == [len(ROWS)] * 2
    assert set(measurements.tokens) == {api.token["access_token"]}
