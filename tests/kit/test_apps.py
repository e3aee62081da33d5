"""Web applications in cells: cells run again, templates beside the notebooks, and the text of a page."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="module")
def apps() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(NOTEBOOKS)
        yield importlib.import_module("apps")


def cell(app: Flask, text: str) -> str:
    """A cell that defines a route and asks for it, as a learner runs it again and again."""

    @app.get("/")
    def home() -> str:
        return text

    return app.test_client().get("/").text


def test_a_cell_with_a_route_runs_again_and_the_newest_answers(apps: ModuleType) -> None:
    app = apps.app("again")
    assert [cell(app, text) for text in ("one", "two", "three")] == ["one", "two", "three"]
    plain = Flask("again")
    cell(plain, "one")
    with pytest.raises(AssertionError):
        cell(plain, "two")


def test_what_people_typed_is_escaped_on_each_page(apps: ModuleType) -> None:
    app = apps.app("pages", pages="pages")
    evil = "<script>alert(1)</script>"
    with app.test_request_context():
        for page in ("home.html", "profile.html", "problem.html"):
            shown = app.jinja_env.get_template(page).render(
                user={"name": evil, "sub": evil, "iss": evil}, code=evil
            )
            assert "script>alert" not in shown.replace("&lt;script&gt;alert", "")
            assert evil in apps.text_of(shown), page


def test_the_text_of_a_page_is_what_a_person_reads(apps: ModuleType) -> None:
    page = """<!doctype html><head><title>t</title><style>p { color: red }</style></head>
    <h1>Sign  up</h1><form><input type=hidden value=secret><label>Name</label><input value=ada></form>
    <p>Not &lt;b&gt;<script>no()</script></p>"""
    assert apps.text_of(page) == "Sign up\nName\n[ada]\nNot <b>"
