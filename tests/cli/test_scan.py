"""`authnb scan` finds what must not be in a notebook, and leaves people's own words alone."""

from __future__ import annotations

import base64
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from forked import in_fork
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from authnb.cli.main import main
from authnb.cli.scan import scan
from authnb.cli.secret_search import secrets_in

ROOT = Path(__file__).parents[2]
RANDOM = "4pZ9vQmT7rXw2LkE8sBd"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"

SECRETS = [
    (JWT, "a JSON Web Token"),
    (f"?id_token%3D{JWT}", "a JSON Web Token"),
    (f"Authorization: Bearer {RANDOM}", "a header with Bearer"),
    (f"code=learn_{RANDOM}", "a value of code"),
    (f"{{'id_token': '{JWT[:-4]}…'}}", "a JSON Web Token"),
    ("Authorization: Basic bm90ZWJvb2s6czNjcjN0", "a header with Basic"),
    (f"{{'access_token': '{RANDOM}', 'expires_in': 3600}}", "a value of access_token"),
    (f'{{"refresh_token": "{RANDOM}"}}', "a value of refresh_token"),
    (f"http://127.0.0.1:4711/callback?code={RANDOM}&state=none", "a value of code"),
    (f"https://id.example.org/authorize?client_id=n&state={RANDOM}", "a value of state"),
    (f"client_secret = {RANDOM!r}", "a value of client_secret"),
    (f'code_verifier="{RANDOM}"', "a value of code_verifier"),
    ("password = 'correct horse'", "a value of password"),
    ('login(name="ada", password="hunter22")', "a value of password"),
    ("git clone https://ada:hunter22@example.org/repo", "a password in an address"),
    ("ghp_" + 30 * "a1", "a GitHub token"),
    ("glpat-" + 10 * "a1", "a GitLab token"),
    ("hf_" + 17 * "aB", "a Hugging Face token"),
    ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
    ('{"kty": "EC", "crv": "P-256", "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}', "a private key"),
    ("{'kty': 'OKP', 'd': 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A'}", "a private key"),
    (
        "\x1b[0mclient_secret \x1b[38;5;241m=\x1b[39m \x1b[38;5;124m'" + RANDOM + "'",
        "a value of client_secret",
    ),
    (f"&quot;id_token&quot;: &quot;{RANDOM}&quot;", "a value of id_token"),
    ("state=aB-dEfGh_JkLm-nOpQ", "a value of state"),
    ("AKIAIOSFODNN7REALKEY", "an AWS key"),
    (f"client_secret = (\n    {RANDOM!r}\n)", "a value of client_secret"),
    (f"client_secret = \\\n    {RANDOM!r}", "a value of client_secret"),
    (f"curl -H 'Authorization: token {RANDOM}'", "a header with Authorization: token"),
]
HARMLESS = [
    "client_secret = os.environ['CLIENT_SECRET']",
    "client_secret=settings.oauth.client_secret_value",
    "token = session.fetch_token(token_endpoint, code=authorization_code)",
    "state = generate_token(43)",
    "code_verifier=create_s256_code_challenge(verifier)",
    "password = getpass('Password: ')",
    "password = '…'",
    "client_secret='your-client-secret'",
    "Token({'access_token': '…', 'token_type': 'Bearer', 'expires_in': 3600})",
    "The Bearer header carries the access token; state protects the redirect.",
    "<Session signed in as 'Ada'>",
    "?code=SplxlOBeZQQ…&state=xyz",
    # Of the provider for learning, the same for everybody; a token whose signature is cut away
    f"code=learn_{RANDOM}{RANDOM[:12]}",
    f"{{'id_token': '{JWT.rpartition('.')[0]}.…'}}",
    # Of a pushed request (RFC 9126): used up or expired long before a notebook is shared
    f"https://id.example.org/authorize?client_id=n&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A{RANDOM}",
    "Enter the code WDJB-MJHT",
    "token = OAuth2Session.fetchTheToken",
    "session_id = 1730284951672384096",
    "signature = 'A1A1A1A1A1A1A1A1'",
    "auth_code: 4111-1111-1111-1111",
    "password = (\n    'Enter the password of your account'\n)",
    "Authorization: token authentication_of_the_server",
    f"password = 'a long passphrase'  # not a secret\nstate = '{RANDOM}'  # not a secret",
]


def write(path: Path, *cells: Any, **metadata: Any) -> Path:
    nbformat.write(new_notebook(cells=list(cells), metadata=metadata), path)
    return path


@pytest.mark.parametrize(("text", "reason"), SECRETS)
def test_finds(tmp_path: Path, text: str, reason: str) -> None:
    """In a source, in each kind of output, in a saved widget; never repeating it."""
    outputs = [
        new_output("stream", text=text),
        new_output("display_data", data={"text/plain": text}),
        new_output("display_data", data={"text/html": f"<p>\n{text}</p>"}),
        new_output("error", ename="E", evalue=text, traceback=["a", text]),
    ]
    widget = {"application/vnd.jupyter.widget-state+json": {"state": {"m": {"state": {"value": text}}}}}
    cells = new_markdown_cell("Text"), new_code_cell(text, outputs=outputs)
    path = write(tmp_path / "n.ipynb", *cells, widgets=widget)
    found = [finding for finding in scan(path) if finding.reason == reason]
    places = {(2, "source"), *((2, f"output {number}") for number in range(1, 5))}
    places.add((None, "saved state of widgets"))
    assert {(finding.cell, finding.part) for finding in found} >= places
    assert text not in str(found)


@pytest.mark.parametrize(
    "text", [f"github_token = 'ghp_{15 * 'a1'}'", f"Authorization: Bearer {JWT}", f"token={JWT}"]
)
def test_a_secret_is_found_once(text: str) -> None:
    """By its format, although its name would tell too."""
    assert len(list(secrets_in(text))) == 1


def test_a_short_password_is_not_told(tmp_path: Path) -> None:
    """Not even in part: what a hook prints is kept by others."""
    (found,) = scan(write(tmp_path / "n.ipynb", new_code_cell("password = 'abcd'")))
    assert "abcd" not in str(found)


def test_a_picture_that_is_text_is_read(tmp_path: Path) -> None:
    drawn = new_output("display_data", data={"image/svg+xml": f"<text>\ncode={RANDOM}</text>"})
    raster = new_output("display_data", data={"image/png": f"code={RANDOM}"})
    path = write(tmp_path / "n.ipynb", new_code_cell("1", outputs=[drawn, raster]))
    assert [finding.part for finding in scan(path)] == ["output 1"]


@pytest.mark.parametrize("text", HARMLESS)
def test_leaves_alone(text: str) -> None:
    assert list(secrets_in(text)) == []


def write_json(path: Path, notebook: dict[str, Any]) -> Path:
    path.write_text(json.dumps(notebook))
    return path


def test_older_formats_are_read(tmp_path: Path) -> None:
    """Worksheets of formats 2 and 3: inputs, outputs and metadata."""
    outputs = [{"output_type": "pyout", "text": [f"token={RANDOM}"], "png": f"token={RANDOM}"}]
    cells = [
        {"cell_type": "markdown", "source": "Text"},
        {"cell_type": "code", "input": [f"token={RANDOM}"], "outputs": outputs},
    ]
    worksheet = {"cells": cells, "metadata": {"token": RANDOM}}
    path = write_json(tmp_path / "n.ipynb", {"worksheets": [worksheet], "metadata": {}, "nbformat": 3})
    found = [(finding.cell, finding.part) for finding in scan(path)]
    assert found == [(None, "a worksheet's metadata"), (2, "source"), (2, "output 1")]


def test_attachments_and_metadata_are_read(tmp_path: Path) -> None:
    """Attachments are base64, and pictures among them are left alone."""
    wrapped = base64.b64encode(f"api_key = {RANDOM!r}".encode()).decode()
    cell = new_markdown_cell("[f](attachment:f.txt)", attachments={"f.txt": {"text/plain": wrapped}})
    cell.attachments["p.png"] = {"image/png": wrapped}
    cell.metadata["papermill"] = {"parameters": {"api_key": RANDOM}}
    found = scan(write(tmp_path / "n.ipynb", cell, papermill={"parameters": {"token": RANDOM}}))
    assert [(finding.cell, finding.part, finding.reason) for finding in found] == [
        (1, "attachments", "a value of api_key, in base64"),
        (1, "metadata", "a value of api_key"),
        (None, "the notebook's metadata", "a value of token"),
    ]


def test_members_that_no_format_names_are_read(tmp_path: Path) -> None:
    cell = {"cell_type": "raw", "source": "", "metadata": {}, "left_by_a_tool": f"token={RANDOM}"}
    path = write_json(tmp_path / "n.ipynb", {"cells": [cell], "metadata": {}, "tool": {"token": RANDOM}})
    assert [(finding.cell, finding.part) for finding in scan(path)] == [
        (1, "other members"),
        (None, "other members"),
    ]


@pytest.mark.parametrize(
    "model",
    [
        {"model_name": "PasswordModel", "state": {"value": "hunter22"}},
        {"model_name": "TextModel", "state": {"description": "API key:", "value": RANDOM}},
    ],
)
def test_what_was_typed_into_a_saved_widget_is_found(tmp_path: Path, model: dict[str, Any]) -> None:
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": {"m": model}}}
    (found,) = scan(write(tmp_path / "n.ipynb", new_code_cell("1"), widgets=widgets))
    assert found.part == "saved state of widgets"


def test_a_saved_widget_without_a_secret_is_left_alone(tmp_path: Path) -> None:
    models = {
        "p": {"model_name": "PasswordModel", "state": {"value": "", "description": "Password:"}},
        "t": {"model_name": "TextModel", "state": {"description": "Token count:", "value": "4096"}},
    }
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": models}}
    assert scan(write(tmp_path / "n.ipynb", new_code_cell("1"), widgets=widgets)) == []


@pytest.mark.parametrize("hostile", [f"password='\x1b]0;x\x07{RANDOM}'", f"password='\u202e{RANDOM}'"])
def test_nothing_from_a_notebook_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hostile: str
) -> None:
    """A finding holds the scan's own words and numbers: no escape sequence, and no part of a secret."""
    path = tmp_path / "\x1b[2J\u202en.ipynb"
    write_json(path, {"cells": [{"source": hostile, "\x1b[2J": hostile}], "metadata": {"\x1b[2J": hostile}})
    assert main(["scan", str(path)]) == 1
    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isprintable()
    assert RANDOM[:4] not in printed
    path.write_text("{")
    assert main(["scan", str(path)]) == 2
    assert capsys.readouterr().err.replace("\n", "").isprintable()


def test_a_secret_and_a_file_name_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The format and an honest file name are shown as they are."""
    path = write(tmp_path / "Übung 1.ipynb", new_code_cell(JWT))
    assert main(["scan", str(path)]) == 1
    finding = f"{path}: cell 1, source: a JSON Web Token (eyJ…, {len(JWT)} characters)"
    assert capsys.readouterr().out.splitlines()[0] == finding


def test_an_endless_character_reference_does_not_stop_the_scan(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", new_code_cell(f"&#{5000 * '9'};\ntoken={RANDOM}"))
    assert len(scan(path)) == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("part", ["a", "aa1", "Aa", "aA", "A", "a.", "a-1", "Correct horse, ", "éa", "="])
def test_no_value_hangs_the_scan(part: str) -> None:
    """An expression that tries one text in many ways would take years for these."""
    text = f"{part * (490 // len(part))}!"
    for line in (
        f"token = '{text}'",
        f"password: {text}",
        f"https://u:{text}@",
        f"sk-{text}",
        f"eyJ{text}.eyJ",
    ):
        in_fork(lambda line=line: [secret.reason for secret in secrets_in(line)])


def test_the_repositorys_own_notebooks_are_clean(tmp_path: Path) -> None:
    """And a token in any of them would be found."""
    paths = sorted((ROOT / "notebooks").rglob("*.ipynb"))
    assert len(paths) >= 12
    assert [(path.name, finding) for path in paths for finding in scan(path)] == []
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.append(new_code_cell("1", outputs=[new_output("stream", text=JWT)]))
        nbformat.write(notebook, tmp_path / path.name)
        (found,) = scan(tmp_path / path.name)
        assert found.reason == "a JSON Web Token"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 for clean, 1 for a finding with its cell and reason, 2 for what is no notebook."""
    clean = write(tmp_path / "clean.ipynb", new_code_cell("1 + 1"))
    cell = new_code_cell("token", outputs=[new_output("stream", text=JWT)])
    bad = write(tmp_path / "bad.ipynb", new_code_cell("1"), cell)
    assert main(["scan", str(clean)]) == 0
    assert capsys.readouterr().out == "1 notebook scanned: nothing found.\n"
    assert main(["scan", str(clean), str(bad)]) == 1
    said = f"{bad}: cell 2, output 1: a JSON Web Token (eyJ…, {len(JWT)} characters)\n"
    assert capsys.readouterr().out == f"{said}2 notebooks scanned: 1 finding.\n"


def test_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every notebook below it, checkpoints too; other hidden folders and other files are left out."""
    for folder in ("deep/er", ".ipynb_checkpoints", ".venv", "empty.ipynb"):
        (tmp_path / folder).mkdir(parents=True)
    bad = [
        write(tmp_path / name, new_code_cell(JWT))
        for name in (".ipynb_checkpoints/a-checkpoint.ipynb", "deep/er/b.ipynb", "deep/c.ipynb")
    ]
    write(tmp_path / "clean.ipynb", new_code_cell("1"))
    write(tmp_path / ".venv" / "hidden.ipynb", new_code_cell(JWT))
    (tmp_path / "notes.txt").write_text(JWT)
    assert main(["scan", str(tmp_path)]) == 1
    *found, last = capsys.readouterr().out.splitlines()
    assert sorted(line.partition(":")[0] for line in found) == sorted(map(str, bad))
    assert last == "4 notebooks scanned: 3 findings."
    assert main(["scan", str(tmp_path / ".venv")]) == 1, "named, it is not left out"
    capsys.readouterr()
    assert main(["scan", str(tmp_path / "empty.ipynb"), str(tmp_path / "clean.ipynb")]) == 2
    printed = capsys.readouterr()
    assert printed.err == f"{tmp_path / 'empty.ipynb'}: no notebook (.ipynb) in this folder\n"
    assert printed.out == "1 notebook scanned: nothing found.\n"


def test_a_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    """It is named, and the rest is scanned."""
    tmp_path.chmod(0o755)
    (tmp_path / "closed").mkdir(0)
    write(tmp_path / "bad.ipynb", new_code_cell(JWT))

    def command() -> tuple[int, str, str]:
        os.chdir(tmp_path)
        if os.getuid() == 0:  # root can list every folder
            os.setuid(65534)
        with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
            return main(["scan", "."]), out.getvalue(), err.getvalue()

    code, out, err = in_fork(command)
    assert (code, err) == (2, "closed: Permission denied\n")
    assert out.startswith("bad.ipynb: cell 1, source: a JSON Web Token")


@pytest.mark.skipif(os.name != "posix", reason="devices are files on POSIX systems")
def test_what_may_never_end_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As pipes and devices may; this one ends, for the sake of the test."""
    (tmp_path / "device.ipynb").symlink_to(os.devnull)
    write(tmp_path / "z.ipynb", new_code_cell(f"client_secret = {RANDOM!r}"))
    assert main(["scan", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.err.endswith("device.ipynb: not a regular file\n")
    assert told.out.endswith("1 notebook scanned: 1 finding.\n")


@pytest.mark.parametrize(
    "text",
    [
        '{"cells": [{"source": "SECRET"}], "cells": [], "metadata": {}}',
        '{"cells": [{"source": "SECRET", "source": "x = 1"}], "metadata": {}}',
        '{"cells": [{"source": "x", "outputs": {"0": {"text": "SECRET"}}}], "metadata": {}}',
    ],
)
def test_what_json_would_drop_is_read(tmp_path: Path, text: str) -> None:
    """Members of the same name, of which a reader keeps the last, and outputs that are no list."""
    path = tmp_path / "a.ipynb"
    path.write_text(text.replace("SECRET", f"client_secret = '{RANDOM}'"))
    assert [finding.reason for finding in scan(path)] == ["a value of client_secret"]


def test_the_ending_of_a_name_may_be_in_capitals(tmp_path: Path) -> None:
    """As Windows writes it."""
    write(tmp_path / "A.IPYNB", new_code_cell(f"client_secret = {RANDOM!r}"))
    assert main(["scan", str(tmp_path)]) == 1


@pytest.mark.parametrize("text", ["[]", "{}", '{"cells": ["x"], "metadata": {}}', "{", 50_000 * "[", None])
def test_what_is_no_notebook_hides_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    """Exit code 2, a line that says which, and the rest is still looked at."""
    none, bad = tmp_path / "none.ipynb", write(tmp_path / "bad.ipynb", new_code_cell(JWT))
    if text is not None:
        none.write_text(text)
    assert main(["scan", str(none), str(bad)]) == 2
    said = capsys.readouterr()
    why = "No such file or directory" if text is None else "not a notebook that can be read"
    assert said.err == f"{none}: {why}\n"
    assert "a JSON Web Token" in said.out
