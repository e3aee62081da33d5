"""The committed notebooks: executed, without secrets and without values that change from run to run."""

from __future__ import annotations

import importlib
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import nbformat
import pytest
from nbval.plugin import get_sanitize_patterns
from notebook_outputs import findings, texts

import authnb
from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
# The library that is missing where `make test` runs, and what the Makefile calls the notebook and the environment
WITH_OTHER_LIBRARIES = {
    "12_one_sign_in.ipynb": ("mcp", "OTHER_LIBRARIES", "CLIENTS_PY"),
    "13_workers.ipynb": ("distributed", "WORKERS_NOTEBOOK", "CLUSTERS_PY"),
}


@pytest.fixture(scope="module")
def kit() -> Iterator[ModuleType]:
    """The module of the notebooks, as they import it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "notebooks")
        yield importlib.import_module("kit")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_hold_nothing_secret_and_nothing_random(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert findings(texts(notebook)) == []
    assert "widgets" not in notebook.metadata


def sign_in(demo: DemoProvider) -> tuple[dict[str, Any], str]:
    """The token response of a sign-in, and the address that the person opened."""
    login = authnb.login(demo.issuer, client_id=demo.client_id, mode="loopback", view=None)
    address = login.verification().uri
    demo.visit(address)
    with login.wait(30) as session:
        return {name: value for name, value in session.token.items() if name != "userinfo"}, address


def test_what_the_provider_of_the_kit_makes_is_shown(kit: ModuleType) -> None:
    with kit.provider() as demo:
        token, _ = sign_in(demo)
        shown = repr(kit.show(token))
        code = "learn_SZP5XEJOqeh4qEmo87f-A4OLpRqiQP5k"
        callback = repr(kit.show(f"{demo.issuer}/callback?state=af0ifjsldkj&code={code}&iss={demo.issuer}"))
    assert token["access_token"] in shown
    assert token["id_token"].rpartition(".")[0] in shown
    assert callback.splitlines()[1:3] == ["  ?state=af0ifjsldkj", f"  &code={code}"]
    assert findings(f"{shown}\n{callback}") == []
    assert findings(token["id_token"]) != []  # whoever has the signature has the token


def test_a_provider_makes_the_same_values_again_also_where_its_port_is_taken(kit: ModuleType) -> None:
    first = kit.provider("lesson")
    kernel = runpy.run_path(str(ROOT / "notebooks" / "kit.py"))  # another notebook's
    with kernel["provider"]("lesson") as other:
        ports = [urlsplit(each.issuer).port for each in (first, other)]
        secret = other.web_client_secret
        assert secret == first.web_client_secret
    with kit.provider("lesson") as again, kit.provider("another") as another:
        ports.append(urlsplit(again.issuer).port)
        assert again.web_client_secret == secret
        assert another.web_client_secret != secret
        with pytest.raises(RuntimeError, match="not running"):
            _ = first.web_client_secret
    assert ports[0] not in ports[1:]
    assert all(20_000 <= port < 30_000 for port in ports)


def test_what_another_provider_makes_is_found(kit: ModuleType) -> None:
    with DemoProvider() as demo:
        token, address = sign_in(demo)
    secrets = [token["access_token"], token["refresh_token"], token["id_token"], kit.query(address)["state"]]
    unsigned = token["id_token"].rpartition(".")[0] + ".…"
    others = [f"Authorization: Bearer {secrets[0]}", address, unsigned, "http://127.0.0.1:51234/callback"]
    assert [text for text in secrets + others if not findings(text)] == []
    hidden = repr(kit.show(token))
    assert not any(secret in hidden for secret in secrets)


def test_ports_and_times_are_left_out_when_outputs_are_compared_and_values_are_not() -> None:
    patterns = get_sanitize_patterns((ROOT / "tests" / "kit" / "sanitize.cfg").read_text(encoding="utf-8"))

    def compared(port: int, moment: int, code: str) -> str:
        text = f"http://127.0.0.1:{port}/a?b=http%3A%2F%2Flocalhost%3A{port}&code={code} 'iat': {moment}, {moment}.5"
        for pattern, replacement in patterns:
            text = re.sub(pattern, replacement, text)
        return text

    assert compared(20123, 1772442000, "learn_a") == compared(51234, 1796000000, "learn_a")
    assert compared(20123, 1772442000, "learn_a") != compared(20123, 1772442000, "learn_b")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_executed_from_top_to_bottom(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not any(output.get("name") == "stderr" for output in cell.outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_cells_are_short_enough_to_read(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 12
        else:
            assert all(len(paragraph.split()) <= 90 for paragraph in cell.source.split("\n\n"))


def test_every_notebook_is_run_by_make() -> None:
    """By `make test`, or by `make clients` and `make clusters` where only those environments have its libraries."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--nbval-lax", "notebooks"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    missing = {name for name, (library, *_) in WITH_OTHER_LIBRARIES.items() if find_spec(library) is None}
    assert {path.name for path in NOTEBOOKS if path.name not in said} == missing
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, (_, variable, python) in WITH_OTHER_LIBRARIES.items():
        assert f"\n{variable} := notebooks/{name}\n" in makefile
        assert f"$({python}) -m pytest --nbval-lax $({variable})" in makefile


def test_what_is_missing_is_named_with_the_command() -> None:
    code = "import kit; kit.need('json', 'no_such_library', 'nor_this')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "notebooks", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "%pip install no_such_library nor_this" in done.stderr
