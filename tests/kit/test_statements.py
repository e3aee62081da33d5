"""What the notebooks state stands in a table, with the section of the standard that says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import statements_page
from statements_page import ROOT, is_standard, label, links, paths, plain, statements, texts

WRITTEN = [path for path in paths() if statements(path) is not None]


def test_each_notebook_has_its_file_of_statements() -> None:
    names = {path.stem for path in statements_page.FOLDER.glob("*.toml")}
    assert names == {path.name[:2] for path in paths()}
    assert paths() == WRITTEN


def test_the_page_is_made_of_them() -> None:
    """If not: ``make statements``."""
    assert statements_page.PAGE.read_text(encoding="utf-8") == statements_page.page()


def test_each_statement_stands_in_its_notebook() -> None:
    for path in WRITTEN:
        said = texts(path)
        for one in statements(path) or []:
            assert any(plain(one.text) in text for text in said), f"{path.name}: {one.text}"


def test_each_link_to_a_standard_has_a_row() -> None:
    for path in WRITTEN:
        rows = {one.source for one in statements(path) or []}
        assert links(path) <= rows, f"{path.name}: {sorted(links(path) - rows)}"


def test_each_source_is_a_section() -> None:
    for path in WRITTEN:
        for one in statements(path) or []:
            assert re.fullmatch(r"https://[^\s()#]+#[^\s()#]+", one.source), f"{path.name}: {one.source}"
            assert is_standard(one.source), f"{path.name}: {one.source}"
            if "rfc-editor" in one.source:
                assert re.fullmatch(
                    r"https://www\.rfc-editor\.org/rfc/rfc\d+\.html#(section|appendix)-[\w.]+", one.source
                ), f"{path.name}: {one.source}"


def test_what_shows_a_statement_exists() -> None:
    """A test, or a line of a cell of the notebook."""
    for path in WRITTEN:
        for one in statements(path) or []:
            if one.test.startswith("tests/"):
                file, _, name = one.test.partition("::")
                assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{path.name}: {one.test}"
            else:
                assert any(plain(one.test) in text for text in texts(path)), f"{path.name}: {one.test}"


def test_no_statement_is_said_in_its_own_words() -> None:
    """What the section says is told in other words than the notebook's, and stands only once."""
    for path in WRITTEN:
        found = statements(path) or []
        assert len({one.text for one in found}) == len(found), path.name
        assert all(plain(one.says) != plain(one.text) for one in found), path.name


def test_unknown_and_empty_values_are_refused(tmp_path: Path) -> None:
    row = '[[statement]]\ntext = "x"\nsource = "https://x.example/#y"\nsays = "z"\n'
    (tmp_path / "98.toml").write_text(row)
    assert [one.says for one in statements(Path("98_x.ipynb"), tmp_path) or []] == ["z"]
    for wrong in ('by = "me"', 'test = " "'):
        (tmp_path / "99.toml").write_text(row + wrong)
        with pytest.raises(TypeError, match="99"):
            statements(Path("99_x.ipynb"), tmp_path)
    (tmp_path / "99.toml").write_text(row.replace('says = "z"', ""))
    with pytest.raises(TypeError, match="says"):
        statements(Path("99_x.ipynb"), tmp_path)


def test_sections_have_short_names() -> None:
    assert label("https://www.rfc-editor.org/rfc/rfc7636.html#section-4.1") == "RFC 7636, 4.1"
    assert label("https://www.rfc-editor.org/rfc/rfc7636.html#appendix-B") == "RFC 7636, B"
    assert (
        label("https://openid.net/specs/openid-connect-core-1_0.html#IDToken")
        == "openid-connect-core-1_0, IDToken"
    )
    assert label("https://url.spec.whatwg.org/#url-parsing") == "url.spec.whatwg.org, url-parsing"
