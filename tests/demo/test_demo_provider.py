"""The provider as a whole: starting and stopping, its documents, its logs, its person."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
import requests
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from demo_helpers import (
    DEVICE_GRANT,
    PASSWORD,
    Window,
    allow,
    api_status,
    ask,
    at_once,
    get_tokens,
    redeem,
    refresh,
    signed_in_window,
    token_request,
)

from authnb.demo import DemoProvider, PersonError, PortInUse, RunningProvider, demo_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """Give the redirect URI of a client that listens, and the paths that it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<h1>Back at the client</h1>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/callback", paths
        server.shutdown()
        thread.join()


def test_idle_browser_connections_do_not_exhaust_the_server(demo: DemoProvider) -> None:
    """A class of 150 has the page open, and the next one is answered."""
    with ExitStack() as browsers:
        for _ in range(150):
            browser = browsers.enter_context(requests.Session())
            assert browser.get(f"{demo.issuer}/jwks", timeout=20).ok


def test_a_closed_provider_leaves_nothing() -> None:
    """Port and threads are gone; closing twice is closing once."""
    threads = set(threading.enumerate())
    with DemoProvider() as demo:
        get_tokens(demo)
        port = int(demo.issuer.rsplit(":", 1)[1])
    demo.close()
    assert set(threading.enumerate()) <= threads
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_no_file_is_written_that_a_killed_provider_could_leave(tmp_path: Path) -> None:
    """Nothing on disk while it works, so whatever ends the process leaves nothing there."""
    program = (
        "import os; from authnb.demo import DemoProvider; demo = DemoProvider().start();"
        "demo.sign_up('ada', 'a long passphrase'); print(demo.visit(demo.issuer + '/device').status);"
        "print(os.listdir(os.environ['TMPDIR'])); demo.close()"
    )
    command, environment = (
        [sys.executable, "-W", "error", "-c", program],
        os.environ | {"TMPDIR": str(tmp_path)},
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "200\n[]\n", "")
    assert not list(tmp_path.iterdir())


def test_many_providers_start_and_stop(demo: DemoProvider) -> None:
    for _ in range(10):
        with DemoProvider() as another:
            assert {
                answer.status_code for answer in at_once(lambda: requests.get(demo.issuer, timeout=20))
            } == {200}
            at_once(lambda url=another.issuer: requests.get(url, timeout=20))


def test_a_port_in_use_is_said_clearly(demo: DemoProvider) -> None:
    port = int(demo.issuer.rsplit(":", 1)[1])
    with pytest.raises(PortInUse, match=f"Port {port} on 127.0.0.1 is in use. .*port=0 takes a free one"):
        DemoProvider(port=port).start()
    assert requests.get(demo.issuer, timeout=20).ok


def test_it_listens_on_loopback_only(demo: DemoProvider) -> None:
    port = int(demo.issuer.rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.2", port)):
        pass


def test_a_database_file_outlives_the_provider(tmp_path: Path) -> None:
    """Accounts, keys, secrets and tokens are there after a restart, and no code or token is in the file."""
    file = tmp_path / "demo.sqlite3"
    with DemoProvider(file) as demo:
        port, secret = int(demo.issuer.rsplit(":", 1)[1]), demo.web_client_secret
        window, asked = signed_in_window(demo), ask(demo)
        code = allow(window, asked)["code"]
        tokens = redeem(demo, asked, code).json()
        device = requests.post(
            f"{demo.issuer}/device_authorization", data={"client_id": "notebook"}, timeout=20
        ).json()
        keys = requests.get(f"{demo.issuer}/jwks", timeout=20).json()
    assert [path.name for path in tmp_path.iterdir()] == [file.name], (
        "SQLite's own files go when it is closed"
    )
    content = file.read_bytes()
    for planted in (code, tokens["access_token"], tokens["refresh_token"], device["device_code"], PASSWORD):
        assert planted.encode() not in content
    with DemoProvider(f"sqlite:///{file}", port) as demo:
        assert requests.get(f"{demo.issuer}/jwks", timeout=20).json() == keys
        assert demo.web_client_secret == secret
        assert api_status(demo, tokens["access_token"]) == 200
        assert refresh(demo, tokens["refresh_token"]).ok
        assert window.get("/").title == "ada"


def test_secrets_differ_between_databases(demo: DemoProvider) -> None:
    with DemoProvider(":memory:") as another:
        assert another.web_client_secret != demo.web_client_secret
        assert (
            requests.get(f"{another.issuer}/jwks", timeout=20).json()
            != requests.get(f"{demo.issuer}/jwks", timeout=20).json()
        )


def test_a_database_that_cannot_be_opened_leaves_no_port_open(tmp_path: Path) -> None:
    (tmp_path / "not a database").write_bytes(b"plain text" * 100)
    demo = DemoProvider(tmp_path / "not a database")
    with pytest.raises(Exception, match="not a database") as caught:
        demo.start()
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
    demo.close()


def test_both_discovery_documents_say_the_same_and_are_in_order(demo: DemoProvider) -> None:
    documents = [
        requests.get(f"{demo.issuer}/.well-known/{name}", timeout=20)
        for name in ("openid-configuration", "oauth-authorization-server")
    ]
    metadata = documents[0].json()
    assert metadata == documents[1].json()
    assert metadata["issuer"] == demo.issuer
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert "create" in metadata["prompt_values_supported"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "max-age" in documents[0].headers["Cache-Control"]
    on_https = {
        name: value.replace("http://", "https://") if isinstance(value, str) else value
        for name, value in metadata.items()
    }
    AuthorizationServerMetadata(on_https).validate()
    for name, address in metadata.items():
        if name.endswith(("_endpoint", "_uri")):
            assert requests.get(address, timeout=20).status_code in {200, 400, 401, 405}, name


def test_keys_are_public_and_may_be_cached(demo: DemoProvider) -> None:
    answer = requests.get(f"{demo.issuer}/jwks", timeout=20)
    (key,) = answer.json()["keys"]
    assert key.keys() == {"kty", "kid", "use", "alg", "n", "e"}
    assert "public" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "host", ["example.org", "127.0.0.1.example.org", "localhost.example.org", "", "[", "a:b:c"]
)
def test_another_host_name_is_refused(onlooker: Window, host: str) -> None:
    """DNS rebinding: a name of an attacker that points to 127.0.0.1 gets nothing."""
    for path in ("/", "/login", "/token", "/.well-known/openid-configuration"):
        answer = requests.get(f"{onlooker.demo.issuer}{path}", headers={"Host": host}, timeout=20)
        assert answer.status_code == 400


def test_a_forwarded_header_changes_nothing(demo: DemoProvider) -> None:
    headers = {
        "X-Forwarded-Host": "example.org",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=example.org",
    }
    answer = requests.get(f"{demo.issuer}/.well-known/openid-configuration", headers=headers, timeout=20)
    assert "//example.org" not in answer.text
    page = requests.get(f"{demo.issuer}/device", headers=headers, timeout=20, allow_redirects=False)
    assert page.headers["Location"].startswith("/login")


def test_nothing_secret_is_logged(listener: tuple[str, list[str]], caplog: pytest.LogCaptureFixture) -> None:
    """Everything at DEBUG, as in a notebook that looks for an error, and with the person in the same process."""
    caplog.set_level(logging.DEBUG)
    redirect_uri, paths = listener
    with DemoProvider() as demo:
        demo.sign_up("ada", PASSWORD)
        asked = ask(demo, redirect_uri=redirect_uri)
        demo.visit(asked.url)
        code = paths[-1].split("code=")[1].split("&")[0]
        tokens = redeem(demo, asked, code).json()
        newer = refresh(demo, tokens["refresh_token"]).json()
        device = requests.post(
            f"{demo.issuer}/device_authorization", data={"client_id": "notebook"}, timeout=20
        ).json()
        demo.approve(device["user_code"])
        last = token_request(demo, grant_type=DEVICE_GRANT, device_code=device["device_code"]).json()
        secrets = [
            code,
            asked.verifier,
            PASSWORD,
            device["device_code"],
            device["user_code"],
            demo.web_client_secret,
        ]
        secrets += [
            answer[name] for answer in (tokens, newer, last) for name in answer if name.endswith("_token")
        ]
    assert len(secrets) == 15
    for shown in ("Issue token", "<token response>", "<Client notebook>"):
        assert shown in caplog.text, "Authlib logs them at DEBUG"
    for secret in secrets:
        assert secret not in caplog.text


def test_the_person_ends_on_the_clients_page(demo: DemoProvider, listener: tuple[str, list[str]]) -> None:
    redirect_uri, paths = listener
    page = demo.visit(ask(demo, redirect_uri=redirect_uri).url)
    assert "Back at the client" in page.text
    assert paths[-1].startswith("/callback?code=")
    assert "code=" not in repr(page)
    demo.visit(ask(demo, redirect_uri=redirect_uri, prompt="consent").url, allow=False)
    assert "error=access_denied" in paths[-1]
    demo.visit(ask(demo, redirect_uri=redirect_uri, prompt="create").url, name="bob")
    assert "code=" in paths[-1]


def test_the_person_knows_the_password_they_chose(
    demo: DemoProvider, listener: tuple[str, list[str]]
) -> None:
    demo.sign_up("carol", "a passphrase of her own")
    assert demo.visit(ask(demo, redirect_uri=listener[0]).url, name="carol").status == 200
    with pytest.raises(PersonError, match="This name is taken"):
        demo.sign_up("carol", "another passphrase")
    with pytest.raises(PersonError, match="At least 8 characters"):
        demo.sign_up("dave", "short")
    with pytest.raises(PersonError, match="do not belong together"):
        RunningProvider(demo.issuer).visit(ask(demo, redirect_uri=listener[0]).url, name="carol")


def test_the_person_says_what_the_page_said(demo: DemoProvider) -> None:
    with pytest.raises(PersonError, match="not supported"):
        demo.visit(ask(demo, redirect_uri="http://example.org/").url)
    with pytest.raises(PersonError, match="no user code"):
        demo.approve(None)
    with pytest.raises(PersonError, match="No device waits"):
        demo.approve("BBBB-BBBB")
    with pytest.raises(PersonError, match="refused"):
        demo.visit(ask(demo).url)  # nobody listens at the client's address
    with pytest.raises(PersonError, match="not an http"):
        demo.visit("file:///etc/passwd")


def person(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "authnb.demo.person", url, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_person_as_a_browser_command(demo: DemoProvider, listener: tuple[str, list[str]]) -> None:
    """`BROWSER="python -m authnb.demo.person %s"`: silent when it went well, twice in a row too."""
    redirect_uri, paths = listener
    for _ in range(2):
        done = person(ask(demo, redirect_uri=redirect_uri).url)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert paths[-1].startswith("/callback?code=")
    done = person(ask(demo, redirect_uri=redirect_uri).url, "--deny", "--name", "bob")
    assert (done.returncode, done.stderr) == (0, "")
    assert "access_denied" in paths[-1]
    device = requests.post(
        f"{demo.issuer}/device_authorization", data={"client_id": "notebook"}, timeout=20
    ).json()
    assert person(device["verification_uri_complete"]).returncode == 0
    answer = token_request(demo, grant_type=DEVICE_GRANT, device_code=device["device_code"])
    assert answer.status_code == 200


def test_the_person_as_a_command_says_what_went_wrong(demo: DemoProvider) -> None:
    done = person(ask(demo, scope="openid", client_id="nobody").url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    asked = ask(demo)
    done = person(asked.url)
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "some state" not in done.stderr


def test_attached_to_a_provider_elsewhere(demo: DemoProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """`authnb lab` tells by AUTHNB_DEMO where its provider is."""
    monkeypatch.setenv("AUTHNB_DEMO", demo.issuer)
    attached = demo_provider()
    assert not isinstance(attached, DemoProvider)
    assert (attached.issuer, attached.client_id, attached.api) == (demo.issuer, demo.client_id, demo.api)
    attached.sign_up("ada", PASSWORD)
    assert Window(demo).sign_in("ada").title == "Ada"


def test_a_provider_of_ones_own_is_started_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHNB_DEMO", "http://127.0.0.1:9")
    program = (
        "from authnb.demo import demo_provider; a = demo_provider(); assert a is demo_provider();"
        "import urllib.request as r; print(r.urlopen(a.issuer + '/jwks').status)"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ)
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "200\n", "")


def test_the_demo_imports_nothing_else_of_authnb() -> None:
    """Each side is the other's independent test; and the person needs neither Flask nor requests."""
    program = (
        "import sys; import authnb.demo.server; names = {n for n in sys.modules if n.startswith('authnb.')};"
        "print(sorted(n for n in names if not n.startswith('authnb.demo')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
    program = (
        "import sys; import authnb.demo.person; print({'flask', 'requests', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "set()\n"


def test_eight_people_at_once(demo: DemoProvider) -> None:
    """Whole sign-ins side by side, from sign-up to the API."""
    names = [f"person{number}" for number in range(8)]
    statuses = at_once(lambda: api_status(demo, get_tokens(demo, names.pop())["access_token"]))
    assert statuses == [200] * 8
