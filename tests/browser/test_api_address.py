"""The address of an API and nothing else, in JupyterLab: who vouches for whom is on the card before the click."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from api_alone import ApiAlone
from harness import violations
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import JupyterPage

    from authnb.demo import DemoProvider

CELL = "import authnb\napi = await authnb.login(api={!r})"


@pytest.fixture
def lab() -> Iterator[ApiAlone]:
    with ApiAlone() as running:
        yield running


def test_one_line_and_one_click(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(
        CELL.format(demo.api), "print('rows', len(api.get('/measurements').json()))"
    ) as notebook:
        notebook.run_all()
        notebook.phase("waiting")
        expect(notebook.panel).to_contain_text(
            "127.0.0.1, the API whose address was given, signs its users in itself."
        )
        expect(notebook.panel).to_contain_text("127.0.0.1 has just registered this notebook as a client.")
        expect(notebook.panel).to_contain_text("This notebook asks for measurements:read")
        assert not violations(notebook.page, ".authnb")
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        notebook.idle()
        assert "rows" in notebook.outputs(1)


def test_the_person_chooses_where_an_api_names_several(jupyter: JupyterPage, lab: ApiAlone) -> None:
    with ApiAlone() as other:
        lab.resource_metadata["authorization_servers"] = [lab.issuer, other.issuer]
        with jupyter.notebook(CELL.format(lab.api), "print('rows', api.get('/rows').json())") as notebook:
            notebook.run_all()
            notebook.phase("choosing")
            expect(notebook.panel).to_contain_text("names these as where its users sign in")
            assert not violations(notebook.page, ".authnb")
            notebook.panel.get_by_role("button", name=other.issuer.partition("://")[2]).click()
            notebook.phase("waiting")
            there = other.url.partition("://")[2]
            expect(notebook.panel).to_contain_text(f"says that its users sign in at {there}")
            other.visit(notebook.address())
            notebook.phase("signed_in")
