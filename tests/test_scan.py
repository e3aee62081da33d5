"""`authnb scan` finds what must not be in a notebook, and leaves people's own words alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from authnb.__main__ import main
from authnb.scan import scan, secrets_in

ROOT = Path(__file__).parent.parent
RANDOM = "4pZ9vQmT7rXw2LkE8sBd"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"

SECRETS = [
    (JWT, "a JSON Web Token"),
    (f"?id_token%3D{JWT}", "a JSON Web Token"),
    (f"Authorization: Bearer {RANDOM}", "a header with Bearer"),
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
    (
        "\x1b[0mclient_secret \x1b[38;5;241m=\x1b[39m \x1b[38;5;124m'" + RANDOM + "'",
        "a value of client_secret",
    ),
    (f"&quot;id_token&quot;: &quot;{RANDOM}&quot;", "a value of id_token"),
    ("state=aB-dEfGh_JkLm-nOpQ", "a value of state"),
    ("AKIAIOSFODNN7REALKEY", "an AWS key"),
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
    "Enter the code WDJB-MJHT",
    "token = OAuth2Session.fetchTheToken",
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


def test_the_repositorys_own_notebooks_are_clean() -> None:
    paths = sorted((ROOT / "notebooks").rglob("*.ipynb"))
    assert paths
    assert [(path.name, finding) for path in paths for finding in scan(path)] == []


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 for clean, 1 for a finding with its cell and reason, 2 for what is no notebook."""
    clean = write(tmp_path / "clean.ipynb", new_code_cell("1 + 1"))
    cell = new_code_cell("token", outputs=[new_output("stream", text=JWT)])
    bad = write(tmp_path / "bad.ipynb", new_code_cell("1"), cell)
    assert main(["scan", str(clean)]) == 0
    assert capsys.readouterr().out == ""
    assert main(["scan", str(clean), str(bad)]) == 1
    said = f"{bad}: cell 2, output 1: a JSON Web Token (eyJh…, {len(JWT)} characters)\n"
    assert capsys.readouterr().out == said


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
    assert said.err == f"{none}: not a notebook that can be read\n"
    assert "a JSON Web Token" in said.out
