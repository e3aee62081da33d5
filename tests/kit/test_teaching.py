"""The teaching kit as a whole: complete, of the right length, with the tutorial explained line by line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from minutes import STEP, minutes

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
RECIPES = LIBRARIES, WORKERS = [path for path in PATHS if path.name[:2] in {"12", "13"}]
LESSONS = [path for path in PATHS if path not in RECIPES]
TEACHING = (NOTEBOOKS / "TEACHING.md").read_text(encoding="utf-8")
GLOSSARY = (NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8")
TERMS = re.findall(
    r"^\| (.+?) \| (.+?) \| \[.+?\]\((https://.+?)\) \| \[(\d\d)\]\((.+?)\) \|$", GLOSSARY, re.MULTILINE
)
TWO_HOURS = ["00", "02", "03", "09"]
TOLERANCE = 10  # minutes of a route
MOST_WORDS = 900
LONGER = dict.fromkeys(("00", "01", "02", "03", "15"), 1000)  # to be shortened to MOST_WORDS


def cells(path: Path, kind: str) -> list[str]:
    notebook: Any = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def prose(path: Path) -> list[str]:
    """The text cells without their code blocks and diagrams."""
    return [re.sub(r"```.*?```", "", source, flags=re.DOTALL) for source in cells(path, "markdown")]


def table() -> list[list[str]]:
    """The rows of the table in TEACHING.md: a line of the tutorial, a notebook, a part of a cell."""
    return [
        [part.strip().strip("`") for part in row.strip("|").split("|")]
        for row in TEACHING.splitlines()
        if re.match(r"\| `.+` \| \d\d \| `.+` \|$", row)
    ]


def printed() -> list[str]:
    """The tutorial's code, as notebook 08 shows it."""
    (path,) = NOTEBOOKS.glob("08_*.ipynb")
    (block,) = [
        found
        for text in cells(path, "markdown")
        for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    ]
    return [line.strip() for line in block.splitlines() if line.strip()]


def test_every_line_of_the_tutorial_is_explained_by_a_cell() -> None:
    assert [row[0] for row in table()] == printed()
    for line, number, piece in table():
        (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
        assert any(piece in source for source in cells(path, "code")), line


def test_the_printed_code_fails_in_the_known_ways() -> None:
    (path,) = NOTEBOOKS.glob("08_*.ipynb")
    notebook: Any = nbformat.read(path, as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = "\n".join(output.get("text") or output["data"]["text/plain"] for output in outputs)
    for failure in (
        "'Flask' is not defined",
        "'url_for' is not defined",
        "PKCE is required",
        "missing 1 required positional argument: 'nonce'",
        "did not return a valid response",
        "302 /login",
    ):
        assert failure in shown, failure


def test_the_notebooks_are_numbered_and_each_has_its_page_for_teachers() -> None:
    assert [path.name[:2] for path in PATHS] == [f"{number:02}" for number in range(len(PATHS))]
    for path in PATHS:
        section = re.search(rf"^## {path.name[:2]} .*?(?=^## |\Z)", TEACHING, re.DOTALL | re.MULTILINE)
        assert section is not None, path.name
        for part in ("**Goal.**", "**Expect.**", "**Discuss.**"):
            assert part in section[0], path.name


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_a_lesson_has_its_shape(path: Path) -> None:
    text, code = prose(path), cells(path, "code")
    assert text[0].startswith("# ")
    predictions = [source for source in code if re.search(r"^kit\.(predict|compare)\(", source, re.MULTILINE)]
    assert 10 <= len(code) - len(predictions) <= 25
    words = sum(len(source.split()) for source in text)
    assert 400 <= words <= LONGER.get(path.name[:2], MOST_WORDS)
    assert len(predictions) >= 4
    assert "https://" in "".join(text), "an explanation links to its standard"
    assert text[-1].startswith("## What you can now say")
    assert f'checks.progress("{path.name[:2]}")' in code
    assert 2 <= len(re.findall(r"^checks\.(?!progress)", "\n".join(code), re.MULTILINE)) <= 3


def test_the_recipe_reads_in_ten_lines() -> None:
    """One sign-in, and five libraries that read with it."""
    code = cells(LIBRARIES, "code")
    reading = [
        source for source in code if re.match(r"(async )?with |table = pd", source) and "import" not in source
    ]
    assert len(reading) == 5
    assert len("\n".join(reading).splitlines()) == 10
    for word in ("pd.read_parquet", "duckdb.", "pl.scan_parquet", "httpx2.Client", "streamable_http_client"):
        assert sum(word in source for source in reading) == 1, word
    assert "\n".join(code).count("authnb.login(") == 1


def test_the_job_on_workers_is_code_as_anywhere() -> None:
    """One line shares the session; the function that calls the API knows nothing of it."""
    code = cells(WORKERS, "code")
    assert "\n".join(code).count("share_with(") == 1
    (job,) = [source for source in code if "client.map(" in source]
    assert "api.get(" in job
    assert not re.search(r"token|share|Authorization", job.partition("with authnb.record")[0])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_no_lesson_needs_the_network(path: Path) -> None:
    for source in cells(path, "code"):
        for host in re.findall(r"https?://([\w.-]+)", source):
            assert (
                host == "id" or host.startswith("127.0.0.1") or host.endswith((".example", ".example.org"))
            ), host


def test_a_link_to_a_standard_goes_to_the_section_it_names() -> None:
    texts = "\n".join([text for path in PATHS for text in cells(path, "markdown")] + [TEACHING])
    links = re.findall(r"\[RFC (\d+)(?:, ([\d.]+))?\]\((.+?)\)", texts)
    assert len(links) >= len(PATHS)
    for number, section, link in links:
        page, _, anchor = link.partition("#section-")
        assert page == f"https://www.rfc-editor.org/rfc/rfc{number}.html"
        assert anchor
        assert section in {"", anchor}, link


def notebook(number: str) -> Path:
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    return path


def stated_minutes(path: Path) -> int:
    """What the first cell of a notebook says."""
    (stated,) = re.findall(r"about (\d+) minutes", cells(path, "markdown")[0])
    return int(stated)


def test_a_notebook_says_how_long_it_takes() -> None:
    """What `minutes` counts, or a step beside it, and the same in the table for teachers."""
    table = re.findall(r"^\| (\d\d) .+ \| (\d+) \| .+ \|$", TEACHING, re.MULTILINE)
    assert [(path.name[:2], str(stated_minutes(path))) for path in PATHS] == table
    for path in PATHS:
        assert abs(stated_minutes(path) - minutes(path)) <= STEP, path.name


def test_a_notebook_says_where_to_go_on() -> None:
    for path, following in zip(PATHS, [*PATHS[1:], PATHS[0]], strict=True):
        last = cells(path, "markdown")[-1]
        assert nbformat.read(path, as_version=4).cells[-1].source == last
        for page in (following.name, "GLOSSARY.md"):
            assert f"]({page})" in last, path.name


def test_the_short_route_takes_two_hours_with_the_game() -> None:
    route = f"without the other exercises: {', '.join(TWO_HOURS)} to the end of its part 7."
    assert f"**Two hours**, with the game of discovery in 09 and {route}" in TEACHING
    *whole, last = TWO_HOURS
    spent = [minutes(notebook(number), exercises=0) for number in whole]
    assert sum(spent) + minutes(notebook(last), exercises=1, before="## 8 ") <= 120 + TOLERANCE
    assert "With all exercises the four take three hours and a half." in TEACHING
    assert abs(sum(minutes(notebook(number)) for number in TWO_HOURS) - 210) <= TOLERANCE


def test_the_day_is_a_day() -> None:
    (route,) = re.findall(r"\*\*A day\*\*, .+?: ([\d, ]+)\.", TEACHING)
    assert 5 * 60 <= sum(minutes(notebook(number)) for number in route.split(", ")) <= 7 * 60


def test_the_glossary_is_in_order_and_each_term_stands_once() -> None:
    rows = [line for line in GLOSSARY.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == len(TERMS) > 50
    names = [name.lower() for name, *_ in TERMS]
    assert names == sorted(set(names))


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term[0])
def test_a_term_is_short_sourced_and_met(term: tuple[str, ...]) -> None:
    """In one sentence or two, with a section of a standard, in the notebook that is named."""
    name, meaning, source, number, link = term
    assert 1 <= len(re.findall(r"[.:!?](?= |$)", meaning)) <= 4
    assert "#" in source
    path = notebook(number)
    assert link == path.name
    said = " ".join(cells(path, "markdown") + cells(path, "code")).lower().replace("_", " ")
    words = re.findall(r"`(.+?)`", name) or [word[:4] for word in name.lower().replace("_", " ").split()]
    assert all(word in said for word in words)


def test_words_of_headings_are_in_the_glossary() -> None:
    """Abbreviations and code."""
    known = {word for name, *_ in TERMS for word in re.findall(r"[\w-]+", name.lower())}
    for path in PATHS:
        for heading in re.findall(r"^#+ (.+)$", "\n".join(prose(path)), re.MULTILINE):
            for word in re.findall(r"`(\w+)`|\b([A-Z]{2,})\b", heading):
                assert "".join(word).lower() in known, heading
