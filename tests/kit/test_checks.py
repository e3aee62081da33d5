"""The checks of the exercises: three outcomes for each, no exception, and progress that holds names only."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
_spec = importlib.util.spec_from_file_location("checks", NOTEBOOKS / "checks.py")
assert _spec is not None
assert _spec.loader is not None
checks: Any = importlib.util.module_from_spec(_spec)
sys.modules["checks"] = checks
_spec.loader.exec_module(checks)
ALL = [name for names in checks.EXERCISES.values() for name in names]


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Progress is stored in a folder of the test."""
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


def encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).decode()


# A common mistake in each exercise, and a word of the explanation
MISTAKES: dict[str, tuple[Any, str]] = {
    "00/meant_for": ({"your password": "the notebook"}, "type it"),
    "00/rush_hour": (18, "second peak"),
    "01/well_known": (lambda issuer: issuer + "/.well-known/openid-configuration", "slash"),
    "01/kinds_of_client": ({"a notebook that you share": "confidential"}, "share"),
    "07/all_rows": (lambda get, address: get(address)["measurements"], "first page"),
    "07/busiest": ("harbour", "mean"),
    "10/which_way": ({"JupyterLab on your own laptop": "device"}, "laptop"),
    "10/when_nobody": ("login_required", "brackets"),
    "11/registration": (
        {
            "redirect_uris": ["http://127.0.0.1/callback"],
            "token_endpoint_auth_method": "client_secret_basic",
        },
        "no secret",
    ),
    "11/three_values": ({"issuer", "client_id", "scope"}, "API"),
    "02/pkce_challenge": (lambda verifier: encoded(sha256(verifier.encode()).digest()), "'='"),
    "02/state_matches": (lambda sent, received: sent == received, "empty"),
    "02/who_protects_what": ({"the answer belongs to this browser": "nonce"}, "this browser"),
    "03/callback_order": (["state", "error", "iss", "code"], "error"),
    "03/half_hash": (lambda token: encoded(sha256(token.encode()).digest()).rstrip("="), "left half"),
    "03/why_refuse": (
        lambda claims, *, issuer, client_id, nonce, now: (
            (claims["iss"] != issuer and "issuer")
            or (client_id not in claims["aud"] and "aud")
            or (claims["exp"] <= now and "exp")
            or (claims.get("nonce") != nonce and "nonce")
            or None
        ),
        "whole name",
    ),
    "04/password_problem": (lambda _, password: None if len(password) >= 8 else "too short", "200"),
    "04/keep_and_fits": (
        (lambda password: sha256(password.encode()).hexdigest(), lambda kept, _: bool(kept)),
        "no salt",
    ),
    "04/what_helps": ({"the table of accounts is stolen": "CSRF token"}, "stolen"),
    "05/next_wait": (lambda interval, error: 10 if error == "slow_down" else interval, "not always"),
    "05/who_sees_what": ({"user_code": "the client"}, "user_code"),
    "06/is_fresh": (lambda token, now: token.get("expires_at", now + 1) > now, "Half a minute"),
    "06/true_or_false": ({"a refresh token is sent to the API": True}, "sent to the API"),
    "08/what_broke": ({"import Flask and url_for": "invalid_request"}, "import"),
    "08/what_to_keep": (lambda token: token, "tokens out"),
    "08/safe_next": (lambda path: bool(path) and path.startswith("/"), "//evil"),
    "14/what_stops": ({"a proof made with the thief's own key": "jti"}, "beside the token"),
    "14/why_not": (
        lambda claims, method, url, token, now: next(
            (
                name
                for name, right in {
                    "htm": claims.get("htm") == method,
                    "htu": url.startswith(claims.get("htu", "?")),
                    "ath": claims.get("ath") == encoded(sha256(token.encode()).digest()).rstrip("="),
                    "iat": abs(now - claims.get("iat", 0)) <= 60,
                }.items()
                if not right
            ),
            None,
        ),
        "/stations/hill",
    ),
    "15/where_to_look": (lambda api: api.rstrip("/") + "/.well-known/oauth-protected-resource", "between"),
    "15/whom_to_trust": (
        lambda api, read_from, document: (
            document["authorization_servers"]
            if read_from.startswith("https://data.example") and document.get("resource") == api
            else []
        ),
        "somebody else",
    ),
    "09/attack_and_defence": ({"a link signs you in as somebody else": "PKCE"}, "a link"),
    "09/pick_the_key": (
        lambda header, keys: header.get("jwk") or next(key for key in keys if key["kid"] == header["kid"]),
        "none",
    ),
}


@pytest.mark.parametrize("name", ALL)
def test_a_common_mistake_is_explained(name: str) -> None:
    answer, word = MISTAKES[name]
    outcome = check_of(name)(answer)
    assert outcome.status == "incorrect"
    assert word in outcome.text


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


def test_a_wrong_name_is_told_the_right_ones() -> None:
    for ask in (checks.hint, checks.solution):
        for name in ("2_pkce", "../kit", "02/state_matches", ["02_state_matches"], None):
            assert "02_state_matches" in repr(ask(name)), name


def test_hints_are_shown_as_text_and_not_as_markup() -> None:
    assert "<b>" not in checks.hint("<b>")._repr_html_()
    assert "<code>" in checks.hint("08_safe_next")._repr_html_()
    assert checks.solution("08_safe_next")._repr_html_().startswith("<pre>def is_ours")


def test_without_the_folder_of_solutions_the_file_says_so(tmp_path: Path) -> None:
    """The checks are one file; hints and solutions are beside it."""
    shutil.copy(NOTEBOOKS / "checks.py", tmp_path)
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
