"""`Session.serve`: programs that cannot call back stay signed in. Attacks: tests/adapters/test_serve.py."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pandas as pd
import polars as pl
import pytest
import requests
from demo_session import age, sign_in
from installed import from_pypi
from streaming_api import StreamingAPI, curl

from authnb.errors import AuthnbError, LoginRequired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

TABLE = pl.DataFrame({"id": range(200_000), "station": ["harbour", "park"] * 100_000})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    TABLE.write_parquet(tmp_path / "table.parquet", row_group_size=20_000)
    TABLE.write_csv(tmp_path / "table.csv")
    TABLE.head(100).write_ndjson(tmp_path / "table.json")
    (tmp_path / "bytes").write_bytes(bytes(range(256)) * 1000)
    return tmp_path


@pytest.fixture
def api(folder: Path) -> Iterator[StreamingAPI]:
    with StreamingAPI(folder) as running:
        yield running


@pytest.fixture
def session(demo: DemoProvider, token_proxy: TokenEndpointProxy, api: StreamingAPI) -> Session:
    return sign_in(demo, token_proxy, api=api.url)


def read_with_duckdb(function: str, url: str) -> int:
    """The sum of the ids that DuckDB reads with its extension httpfs, of which PyPI has this version."""
    code = f"""if True:
        import duckdb, duckdb_ext, pathlib
        (httpfs,) = pathlib.Path(duckdb_ext.__path__[0]).rglob("httpfs.duckdb_extension")
        duckdb.load_extension(str(httpfs))
        print(duckdb.sql("select sum(id) from {function}('{url}')").fetchone()[0])
    """  # noqa: S608 - of the test's own parts
    python = from_pypi("duckdb==1.4.4", "duckdb-ext-httpfs==1.4.4.20260205")
    return int(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(
    ("read", "total"),
    [
        (lambda url: read_with_duckdb("read_parquet", url + "/files/table.parquet"), sum(range(200_000))),
        (lambda url: read_with_duckdb("read_csv", url + "/files/table.csv"), sum(range(200_000))),
        (lambda url: read_with_duckdb("read_json", url + "/files/table.json"), sum(range(100))),
        (
            lambda url: (
                pl.scan_parquet(url + "/files/table.parquet").select(pl.col("id").sum()).collect().item()
            ),
            sum(range(200_000)),
        ),
        (
            lambda url: pl.scan_csv(url + "/files/table.csv").select(pl.col("id").sum()).collect().item(),
            sum(range(200_000)),
        ),
        (lambda url: int(pd.read_csv(url + "/files/table.csv")["id"].sum()), sum(range(200_000))),
        (lambda url: sum(curl(url + "/files/bytes", "-r", "32-99").encode()), sum(range(32, 100))),
    ],
    ids=["duckdb parquet", "duckdb csv", "duckdb json", "polars parquet", "polars csv", "pandas", "curl"],
)
def test_a_program_stays_signed_in(
    session: Session,
    token_proxy: TokenEndpointProxy,
    api: StreamingAPI,
    read: Callable[[str], int],
    total: int,
) -> None:
    """Through two expiries, at one address."""
    with session.serve() as proxy:
        for _ in range(2):
            age(session)
            assert read(proxy.base_url) == total
    assert token_proxy.outcomes == ["pass"] * 2
    assert None not in api.tokens


def test_polars_reads_by_range(session: Session, api: StreamingAPI) -> None:
    with session.serve() as proxy:
        found = pl.scan_parquet(proxy.url("/files/table.parquet")).filter(pl.col("id") == 150_000).collect()
    assert found["station"].to_list() == ["harbour"]
    assert any("Range" in headers for _, _, headers in api.requests)


def test_32_at_once_across_expiries(session: Session, token_proxy: TokenEndpointProxy) -> None:
    with session.serve() as proxy, ThreadPoolExecutor(32) as threads:
        for _ in range(2):
            age(session)
            found = threads.map(lambda _: requests.get(proxy.url("/files/bytes"), timeout=30), range(32))
            assert {(each.status_code, len(each.content)) for each in found} == {(200, 256_000)}
    assert token_proxy.outcomes == ["pass"] * 2


@pytest.mark.parametrize("data", [None, b"bytes", b"z" * 100_000])
def test_a_401_is_retried(
    session: Session, token_proxy: TokenEndpointProxy, api: StreamingAPI, data: bytes | None
) -> None:
    api.refused.add(session.token["access_token"])
    with session.serve() as proxy:
        assert requests.post(proxy.url("/echo"), data=data, timeout=30).content == (data or b"")
    assert api.bodies == [data or b""] * 2
    assert token_proxy.outcomes == ["pass"]


def test_signed_out_in_the_middle(session: Session, api: StreamingAPI) -> None:
    with session.serve() as proxy:
        assert curl(proxy.url("/files/bytes"), "-o", "/dev/null", "-w", "%{http_code}") == "200"
        session.logout()
        refused = requests.get(proxy.url("/files/bytes"), timeout=30)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "signed out" in refused.text
    assert len(api.requests) == 1
    with pytest.raises(LoginRequired):
        session.serve()


def test_an_address_outside_api(session: Session) -> None:
    with session.serve() as proxy, pytest.raises(AuthnbError, match="is not the API"):
        pl.scan_parquet(proxy.url("https://other.example/table.parquet"))
