"""The checks of the exercises: three outcomes for each, no exception, and progress that holds names only."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
import twins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
sys.path.append(str(NOTEBOOKS))
checks: Any = importlib.import_module("checks")
judge: Any = importlib.import_module("checking.judge")
elsewhere: Any = importlib.import_module("checking.n08").elsewhere
ALL = [name for names in checks.EXERCISES.values() for name in names]


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Progress is stored in a folder of the test; nobody has tried anything yet."""
    judge.tries.clear()
    monkeypatch.setenv("AUTHNB_CLASS", str(tmp_path))
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    return tmp_path


def check_of(name: str) -> Callable[..., Any]:
    check: Callable[..., Any] = getattr(checks, name.partition("/")[2])
    return check


def solution(name: str) -> Path:
    return NOTEBOOKS / "solutions" / f"{name.replace('/', '_')}.py"


def cell_with(name: str) -> str:
    """The notebook cell that holds the exercise."""
    notebook, _, check = name.partition("/")
    (path,) = NOTEBOOKS.glob(f"{notebook}_*.ipynb")
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    (source,) = [source for source in cells if f"checks.{check}(" in source]
    assert isinstance(source, str)
    return source


def run(source: str) -> Any:
    """The outcome of a cell or solution: the value of its last line."""
    *lines, last = source.strip().splitlines()
    names: dict[str, Any] = {"checks": checks}
    exec("\n".join(lines), names)  # noqa: S102 - our own notebooks
    return eval(last, names)  # noqa: S307 - the same


@pytest.mark.parametrize("name", ALL)
def test_as_given_an_exercise_is_not_attempted(name: str) -> None:
    outcome = run(cell_with(name))
    assert (outcome.exercise, outcome.status) == (name, "not attempted")
    assert outcome.text.endswith(".")
    assert checks.passed() == set()


@pytest.mark.parametrize("name", ALL)
def test_its_solution_is_correct(name: str) -> None:
    outcome = run(solution(name).read_text(encoding="utf-8"))
    assert (outcome.status, outcome.exercise) == ("correct", name), outcome.text
    assert checks.passed() == {name}


def explode(*_: Any, **__: Any) -> None:
    raise RuntimeError("on purpose")


class Odd:
    """An answer that raises when it is inspected or compared."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = object.__hash__


WRONG: list[Any] = [
    None,
    0,
    "",
    "wrong",
    [],
    {},
    {"wrong": "wrong"},
    ["wrong"],
    explode,
    lambda *_, **__: "wrong",
    lambda *_, **__: True,
    lambda *_, **__: [],
    lambda *_, **__: {},
    lambda first, *_, **__: first,
    lambda: 1,
    sys.exit,
    object(),
]


@pytest.mark.parametrize("name", ALL)
def test_wrong_answers_are_incorrect_and_are_told_why(name: str) -> None:
    for answer in WRONG:
        outcome = check_of(name)(answer)
        assert outcome.status == "incorrect", answer
        assert len(outcome.text) > 10
    assert checks.passed() == set()


@pytest.mark.parametrize("name", ALL)
def test_a_check_never_raises(name: str) -> None:
    assert check_of(name)(Odd()).status == "incorrect"
    assert check_of(name)().status == "not attempted"


def right_answer(name: str) -> Any:
    """What the solution gives to the check."""
    given: list[Any] = []
    *lines, last = solution(name).read_text(encoding="utf-8").strip().splitlines()
    recorder = SimpleNamespace(**{name.partition("/")[2]: given.append})
    with_checks = "\n".join(line for line in lines if line != "import checks")
    names: dict[str, Any] = {"checks": recorder}
    exec(f"{with_checks}\n{last}", names)  # noqa: S102 - our own solutions
    (answer,) = given
    return answer


@pytest.mark.parametrize("name", ALL)
def test_a_cell_asks_for_what_its_solution_gives(name: str) -> None:
    """With the same names of a dictionary, where the answer is one."""
    given: list[Any] = []
    *lines, last = cell_with(name).strip().splitlines()
    names: dict[str, Any] = {"checks": SimpleNamespace(**{name.partition("/")[2]: given.append})}
    exec("\n".join([line for line in lines if line != "import checks"] + [last]), names)  # noqa: S102 - our own
    asked, right = given[0], right_answer(name)
    if isinstance(asked, dict):
        assert list(asked) == list(right)
    elif asked is not ...:
        assert type(asked) is type(right)


def answers(name: str, sources: Iterable[str]) -> list[Any]:
    """The answers of `twins` to an exercise."""
    space = {**twins.SPACE, "right": right_answer(name)}
    return [eval(source, space) for source in sources]  # noqa: S307 - our own tests


def rounds(name: str, wanted: int) -> int:
    """How often to try, as the values are others each time; once where a slow hash makes it long."""
    return 1 if name == "04/keep_and_fits" else wanted


LABELS = [name for name in ALL if name not in twins.WRONG]


@pytest.mark.parametrize("name", twins.WRONG)
def test_an_answer_that_looks_right_is_incorrect(name: str) -> None:
    """Each with another reason, and what the check says helps with that one."""
    assert len(twins.WRONG[name]) >= 4
    said = [word for _, word in twins.WRONG[name]]
    for _ in range(rounds(name, 2)):
        sources = [source for source, _ in twins.WRONG[name]]
        for source, answer, word in zip(sources, answers(name, sources), said, strict=True):
            outcome = check_of(name)(answer)
            assert outcome.status == "incorrect", source
            assert word in outcome.text, f"{source}: {outcome.text}"
    odd = twins.FUNCTIONS if callable(right_answer(name)) else twins.VALUES
    for source, answer in zip(odd, answers(name, odd), strict=True):
        assert check_of(name)(answer).status == "incorrect", source
    assert checks.passed() == set()


@pytest.mark.parametrize("name", twins.RIGHT)
def test_a_right_answer_in_another_style_is_correct(name: str) -> None:
    assert len(twins.RIGHT[name]) >= 2
    for _ in range(rounds(name, 3)):
        for source, answer in zip(twins.RIGHT[name], answers(name, twins.RIGHT[name]), strict=True):
            outcome = check_of(name)(answer)
            assert outcome.status == "correct", f"{source}: {outcome.text}"


def test_each_exercise_has_twins() -> None:
    """Those with labels have them made of the right answer, below."""
    assert twins.WRONG.keys() == twins.RIGHT.keys()
    assert twins.WRONG.keys() | set(LABELS) == set(ALL)
    for name in LABELS:
        assert all(isinstance(label, str) for label in right_answer(name).values()), name


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_judged_together_until_the_third_try(name: str) -> None:
    """Until then nobody learns which is wrong, neither by the text nor by its difference."""
    check, right = check_of(name), right_answer(name)
    keys, labels = list(right), sorted(set(right.values()))

    def swapped(key: str) -> dict[str, str]:
        return {**right, key: next(label for label in labels if label != right[key])}

    first = check(swapped(keys[0]))
    assert check(swapped(keys[0])).text == first.text, "the same answer again is no other try"
    second = check(swapped(keys[1]))
    for outcome in (first, second):
        assert outcome.status == "incorrect"
        assert not any(key in outcome.text for key in keys)
    for key in keys[2:] + keys[:2]:
        outcome = check(swapped(key))
        assert outcome.status == "incorrect"
        assert f"Think again about: {key}. " in outcome.text
    assert check(right).status == "correct"
    assert check(dict(reversed(right.items()))).status == "correct"
    assert check({twins.Text(key): twins.Text(label) for key, label in right.items()}).status == "correct"


@pytest.mark.parametrize("name", LABELS)
def test_what_is_no_label_is_told_at_once(name: str) -> None:
    right = right_answer(name)
    key, label = next(iter(right.items()))
    for wrong in (
        True,
        None,
        1,
        twins.Yes(),
        [label],
        label.encode(),
        label.swapcase(),
        f"{label} ",
        twins.YesText("x"),
    ):
        outcome = check_of(name)({**right, key: wrong})
        assert outcome.status == "incorrect", wrong
        assert key in outcome.text
    for wrong in (
        list(right),
        dict.fromkeys(right, label),
        {**right, key: ...},
        {twins.Yes(): label},
        twins.Yes(),
    ):
        assert check_of(name)(wrong).status in {"incorrect", "not attempted"}, wrong
    assert "missing" in check_of(name)({k: v for k, v in right.items() if k != key}).text
    assert checks.passed() == set()


def test_addresses_that_lead_elsewhere() -> None:
    """The URL Standard reads each as another host, or as no path; `tests/browser` has a browser's word for it."""
    found = elsewhere("evil.example")
    for path in (
        "//evil.example",
        "/\t/evil.example/",
        "/\\evil.example",
        "/\\/evil.example",
        "/\n\\evil.example/",
    ):
        assert path in found
    for path in (
        "https:evil.example/",
        " //evil.example/",
        "\x1f//evil.example/",
        "javascript:alert('evil.example')",
    ):
        assert path in found
    assert len(set(found)) == len(found) > 40


def test_what_a_sentence_says() -> None:
    """A word behind a "not" is not said; the other half of the sentence is."""
    says = judge.mentions
    assert says("To the token endpoint!", ["token endpoint"])
    assert says("not to the API, but to the Token Endpoint", ["token endpoint"])
    assert not says("not to the API, but to the token endpoint", ["apis?"])
    assert not says("it isn\u2019t the API's", ["apis?"])
    assert says("the API\u2019s", ["apis?"])
    assert says("not only the browser", ["browser"])
    assert not says("capital", ["api"])
    assert not says("", ["api"])


@pytest.mark.parametrize("name", ALL)
def test_a_solution_goes_into_its_cell(name: str) -> None:
    """It ends in the same line, so that it uses the notebook's name for the answer."""
    given = cell_with(name).strip().splitlines()[-1]
    text = solution(name).read_text(encoding="utf-8")
    assert text.strip().splitlines()[-1] == given
    assert ("import checks" in text) == ("import checks" in cell_with(name)), "it replaces the cell"


def test_every_solution_belongs_to_an_exercise() -> None:
    assert {path.name for path in (NOTEBOOKS / "solutions").glob("*.py")} == {
        solution(name).name for name in ALL
    }


def test_each_exercise_has_three_hints_and_then_its_solution() -> None:
    """One at each call; a solution is shown when it is asked for, not before."""
    for name in sorted(ALL):
        wanted = name.replace("/", "_")
        code = solution(name).read_text(encoding="utf-8").strip()
        given = [repr(checks.hint(wanted)) for _ in range(5)]
        assert [text.partition(":")[0] for text in given[:3]] == [f"Hint {n} of 3" for n in (1, 2, 3)], name
        assert len(set(given)) == 4, name
        assert given[3] == f'These were the 3 hints. `checks.solution("{wanted}")` shows a solution.'
        assert not any(code in text for text in given), name
        assert repr(checks.solution(wanted)) == code
    hints = tomllib.loads((NOTEBOOKS / "solutions" / "hints.toml").read_text(encoding="utf-8"))
    assert sorted(hints) == sorted(name.replace("/", "_") for name in ALL)
    texts = [text for of in hints.values() for text in of]
    assert len(set(texts)) == len(texts) == 3 * len(ALL)


def test_the_text_of_each_exercise_names_its_hints() -> None:
    """As code to run; nothing is loaded into a cell."""
    notebooks = {path.name[:2]: nbformat.read(path, as_version=4).cells for path in NOTEBOOKS.glob("*.ipynb")}
    for number, cells in notebooks.items():
        said = "\n".join(cell.source for cell in cells)
        assert "%load" not in said, number
        for name in checks.EXERCISES.get(number, []):
            assert "checks.hint(" in said, number
            assert f'"{name.replace("/", "_")}"' in said, name


def test_a_wrong_name_is_told_the_right_ones() -> None:
    for ask in (checks.hint, checks.solution):
        for name in ("2_pkce", "../kit", "02/state_matches", ["02_state_matches"], None):
            assert "02_state_matches" in repr(ask(name)), name


def test_hints_are_shown_as_text_and_not_as_markup() -> None:
    assert "<b>" not in checks.hint("<b>")._repr_html_()
    assert "<code>" in checks.hint("08_safe_next")._repr_html_()
    assert checks.solution("08_safe_next")._repr_html_().startswith("<pre>def is_ours")


def test_without_the_folder_of_solutions_they_say_so(tmp_path: Path) -> None:
    """As where a teacher keeps them."""
    shutil.copy(NOTEBOOKS / "checks.py", tmp_path)
    shutil.copytree(NOTEBOOKS / "checking", tmp_path / "checking")
    code = "import checks; print(checks.hint('02_state_matches'), checks.solution('02_state_matches'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("not beside checks.py") == 2


def test_outcomes_are_shown_as_text_and_not_as_markup() -> None:
    outcome = checks.Outcome("02/x", "incorrect", "<script>")
    assert "<script>" not in outcome._repr_html_()
    assert repr(outcome) == "✗ incorrect: <script>"


def test_progress_is_a_bar_for_each_notebook() -> None:
    assert repr(checks.progress("02")) == "02  ░░░░░░░░░░░░  0 of 3"
    run(solution("02/state_matches").read_text(encoding="utf-8"))
    assert repr(checks.progress("02")) == "02  ████░░░░░░░░  1 of 3"
    assert repr(checks.progress("02")) in repr(checks.progress())


def test_a_class_sees_names_of_exercises_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(solution("02/pkce_challenge").read_text(encoding="utf-8"))
    monkeypatch.setenv("JUPYTERHUB_USER", "../grace hopper")
    run(solution("03/half_hash").read_text(encoding="utf-8"))
    kept = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.iterdir()}
    assert kept == {
        "ada.json": {"passed": ["02/pkce_challenge"]},
        ".._grace_hopper.json": {"passed": ["03/half_hash"]},
    }
    monkeypatch.setenv("JUPYTERHUB_USER", "alan")
    check_of("02/pkce_challenge")("wrong")
    assert json.loads((folder / "alan.json").read_text(encoding="utf-8")) == {"passed": []}
    (folder / "broken.json").write_text("[", encoding="utf-8")
    (folder / "liar.json").write_text('{"passed": ["99/all", "<b>", 7]}', encoding="utf-8")
    table = subprocess.run(
        [sys.executable, NOTEBOOKS / "checks.py", folder],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert re.search(r"^ada +· +· +1 ", table, re.MULTILINE)
    assert re.search(r"^alan( +·)+$", table, re.MULTILINE), "who has passed nothing is seen too"
    assert len(table.splitlines()) == 7
    assert "<b>" not in table


def test_a_folder_that_cannot_be_written_to_spoils_nothing(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("AUTHNB_CLASS", str(folder / "not there"))
    assert run(solution("02/state_matches").read_text(encoding="utf-8")).status == "correct"
    assert checks.passed() == set()
