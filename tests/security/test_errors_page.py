"""The page of errors is true: each is run into again."""

from __future__ import annotations

import os

import errors_page
import pytest


@pytest.mark.skipif(os.name != "posix", reason="the operating system's own words are in it")
def test_the_page_is_what_people_see() -> None:
    """If not: ``make errors``."""
    assert errors_page.PAGE.read_text(encoding="utf-8") == errors_page.page(errors_page.seen())


def test_every_code_has_its_section() -> None:
    """If not: say in ``errors_page.ERRORS`` how to run into it, then ``make errors``."""
    codes = errors_page.codes()
    assert {"no_key", "insecure_transport", "login_required"} <= codes, "the source was not found"
    assert codes <= set(errors_page.ERRORS)
