"""The security documents promise nothing without a test; the tests, modules and behaviours that they name exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from mutants import MUTANTS

ROOT = Path(__file__).parents[2]
# The headings under which each paragraph, list item and table row is a promise, and the others of each page
PROMISES = {
    "SECURITY.md": ("Guarantees", "Threat model", "On a machine with other users"),
    "docs/rfc9700.md": ("RFC 9700, section by section",),
    "docs/fapi2.md": ("FAPI 2.0 Security Profile", "The OpenID Foundation's tests of relying parties"),
    "docs/attacks.md": ("Attacks and their tests",),
    "docs/panel.md": ("Several pages", "What is saved", "What is sent"),
    "docs/scan.md": ("What is read and reported", "Recall and false alarms", "Time"),
}
OTHERS = {
    "SECURITY.md": ("Security", "Reporting", "Out of scope"),
    "docs/rfc9700.md": (),
    "docs/fapi2.md": (),
    "docs/attacks.md": (),
    "docs/panel.md": (
        "The panel",
        "Signing in",
        "Creating an account",
        "When the panel is out of sight",
        "Without a panel",
        "Which kernels process clicks while a cell waits",
    ),
    "docs/scan.md": ("What `authnb scan` finds", "Compared with other scanners"),
}
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+(?:::\w+)?)`")
NOT_DONE = "**not done**"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def sections(page: str) -> dict[str, str]:
    """The text under each heading of a page."""
    _, *parts = re.split(r"^#+ (.+)\n", read(page), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def promises(text: str) -> list[str]:
    """The table rows, list items and paragraphs of a section, but for an introduction and the heads of tables."""
    rows = re.sub(r"^\|.*\n\| ---.*\n", "", text, flags=re.MULTILINE)
    first, *others = re.split(r"\n{2,}|\n(?=[|-] )", rows.strip())
    return [first, *others] if first[0] in "|-" else others


@cache
def defined_in(file: str) -> frozenset[str]:
    """The tests of a file: of the module, and of its classes as ``Class::name``."""
    names = set()
    for node in ast.parse(read(file)).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)
            }
    return frozenset(names)


@pytest.mark.parametrize("page", PROMISES)
def test_every_promise_names_a_test(page: str) -> None:
    """Or says that it is not done. A new heading is put into one of the two lists."""
    found = sections(page)
    assert set(found) == {*PROMISES[page], *OTHERS[page]}
    for heading in PROMISES[page]:
        made = promises(found[heading])
        assert made, heading
        assert [one for one in made if not TEST.search(one) and NOT_DONE not in one] == []


def test_a_promise_without_a_test_is_noticed() -> None:
    section = """
An introduction.

| promise | tested by |
| --- | --- |
| kept | `tests/a.py::test_a` |
| bare | |

- an item
  of two lines

A sentence.
"""
    kept, *bare = promises(section)
    assert kept == "| kept | `tests/a.py::test_a` |"
    assert bare == ["| bare | |", "- an item\n  of two lines", "A sentence."]


@pytest.mark.parametrize("page", PROMISES)
def test_every_test_and_module_named_exists(page: str) -> None:
    text = read(page)
    named = TEST.findall(text)
    assert named
    assert len(named) == text.count(".py::"), "each is in the form that is checked"
    for file, name in named:
        assert name in defined_in(file), name
    for file in re.findall(r"`([\w/]+\.(?:py|md))`", text) + re.findall(r"\]\((docs/[^)#]+)[)#]", text):
        if "/" in file:
            assert (ROOT / file).is_file(), file


def test_every_attack_has_a_test_and_an_honest_twin() -> None:
    """Two different tests, so that no measure refuses legitimate use unnoticed."""
    table = read("docs/attacks.md").partition("| --- |")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert len(rows) >= 9
    for row in rows:
        attack, twin = (set(re.findall(r"::(\w+)`", cell)) for cell in row.split(" | ")[2:])
        assert attack, row
        assert twin, row
        assert not attack & twin, row


def test_every_attack_has_a_mutant() -> None:
    """Its test is among those that must notice when a check is disabled."""
    covered = {re.sub(r"\[.*", "", test) for mutant in MUTANTS for test in mutant.tests}
    covered |= {
        f"tests/session/localhost_cases.py::{case}"
        for mutant in MUTANTS
        for test in mutant.tests
        for case in re.findall(r"test_localhost\.py::test_case\[(\w+)\]", test)
    }
    table = read("docs/attacks.md").partition("| --- |")[2]
    attacks = {
        test
        for row in table.splitlines()
        if row.startswith("| ")
        for test in re.findall(r"`(tests/[^`]+)`", row.split(" | ")[2])
    }
    assert attacks - covered == set()


def test_every_section_of_the_standard_is_there() -> None:
    """RFC 9700: 2.1 to 2.6, and 4.1 to 4.17."""
    rows = re.findall(r"^\| ([\d.]+) \|", read("docs/rfc9700.md"), re.MULTILINE)
    named = {".".join(row.split(".")[:2]) for row in rows}
    assert named == {f"2.{n}" for n in range(1, 7)} | {f"4.{n}" for n in range(1, 18)}


@pytest.mark.parametrize("page", ["docs/rfc9700.md", "docs/fapi2.md"])
def test_every_behaviour_named_exists(page: str) -> None:
    done = read("docs/hostile.md")
    named = re.findall(r'\("(\w[^"]*)"\)', read(page))
    assert len(named) >= 2
    for behaviour in named:
        assert f"| {behaviour} |" in done


def test_every_mutant_applies() -> None:
    """Or ``make mutants`` could not."""
    assert len(MUTANTS) > 30
    for mutant in MUTANTS:
        mutant.apply(read(f"authnb/{mutant.file}"))
        for test in mutant.tests:
            file, _, name = test.partition("::")
            assert name.partition("[")[0] in defined_in(file), test
