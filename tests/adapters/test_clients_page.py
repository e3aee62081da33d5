"""docs/clients.md says what the tests with the real libraries show."""

from __future__ import annotations

import re

import foreign_origins
import proofs
import pytest
from clients_table import DOCUMENT, ROWS, UNSERVED, Row, page, versions_in

from authnb.adapters.credentials import Adapter, Credentials

TESTS = DOCUMENT.parents[1] / "tests" / "clients"


def test_the_document_is_up_to_date() -> None:
    """Made by `make tables`, which fills in the versions it ran with."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == page(versions_in(text))
    assert "?" not in versions_in(text).values()


def test_every_adapter_has_a_row() -> None:
    adapters = {name for name, each in vars(Credentials).items() if isinstance(each, Adapter)}
    assert {row.adapter for row in ROWS if row.adapter} == adapters
    assert not {row.name for row in ROWS} & set(UNSERVED)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_names_tests_that_exist(row: Row) -> None:
    source = (TESTS / f"{row.module}.py").read_text(encoding="utf-8")
    defined = set(re.findall(r"^(?:async )?def (test_\w+)", source, re.MULTILINE))
    assert {fact for fact in row.facts if fact.startswith("test_")} <= defined


def test_every_row_proves_possession_or_names_what_does() -> None:
    """Or is carried by one that does: httpx, fsspec, or serve()."""
    carried = {"DuckDB (fsspec)", "gql (async)", "mcp", "polars (http)"}
    assert {row.name for row in ROWS} - carried <= {*proofs.PROVING, *proofs.INSTEAD}
    assert not set(proofs.PROVING) & set(proofs.INSTEAD)


def test_every_row_says_what_is_done_elsewhere() -> None:
    """In the second table, in words under it, or by what carries the token: httpx, fsspec, or serve()."""
    elsewhere = {"Arrow Flight", "confluent-kafka", "gRPC", "kafka-python"}
    elsewhere |= {"DuckDB (fsspec)", "gql (async)", "mcp", "polars (http)"}
    assert {row.name for row in ROWS} - elsewhere <= set(foreign_origins.OUTCOMES)
    configured = {
        name for name, outcomes in foreign_origins.OUTCOMES.items() if foreign_origins.CONFIGURED in outcomes
    }
    unseen = {row.name for row in ROWS if row.foreign_origin == "not told the URL"}
    assert configured <= unseen == set(foreign_origins.DECIDES)
