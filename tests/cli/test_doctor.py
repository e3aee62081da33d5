"""doctor(): a row for each thing that may be in the way, with the remedy beside it; and it never hangs."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
import trustme
from network import Network
from servers import Server
from support import free_port, nobody_listens

import authnb
from authnb.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.cli.doctor import Finding, Findings
    from authnb.demo import DemoProvider


WELL_KNOWN = "/.well-known/openid-configuration"


def row(findings: Findings, what: str) -> Finding:
    """That row; beside each red one stands what to do."""
    assert all(row.remedy for row in findings.rows if row.state == "BAD")
    return next(row for row in findings.rows if row.what == what)


@pytest.fixture
def authority() -> trustme.CA:
    """A company's."""
    return trustme.CA()


@pytest.fixture
def company(authority: trustme.CA, demo: DemoProvider) -> Iterator[Server]:
    """A provider with a certificate that only the company's machines trust."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with Server(tls=tls) as server:
        publish(server, demo)
        yield server


def publish(server: Server, demo: DemoProvider) -> None:
    """What a provider publishes, at this server."""
    metadata = requests.get(f"{demo.issuer}{WELL_KNOWN}", timeout=20).json()
    server.json(WELL_KNOWN, {**metadata, "issuer": server.url, "jwks_uri": f"{server.url}/jwks"})
    server.json("/jwks", requests.get(metadata["jwks_uri"], timeout=20).json())


def test_all_is_well(demo: DemoProvider) -> None:
    findings = authnb.doctor(demo.issuer)
    assert findings.ok, findings
    assert row(findings, "mode='auto'").found.startswith("loopback.")
    assert row(findings, "keys").found == "1 to verify ID tokens"
    assert row(findings, "clock").state == "ok"
    assert row(findings, "mode='device'").found == "works"


def test_without_a_provider() -> None:
    assert row(authnb.doctor(), "loopback").state == "ok"


def test_on_a_hub_it_is_a_code(demo: DemoProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTHNB_REMOTE")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    findings = authnb.doctor(demo.issuer)
    assert "JupyterHub" in row(findings, "the browser").found
    assert row(findings, "mode='auto'").found.startswith("device.")
    assert "another machine" in row(findings, "mode='loopback'").found


def test_nobody_there_has_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    assert "client_credentials" in row(authnb.doctor(), "a person").remedy


def test_nobody_answers() -> None:
    with nobody_listens() as url:
        findings = authnb.doctor(url)
    assert not findings.ok
    bad = row(findings, "provider")
    assert (bad.state, bad.found) == ("BAD", "unreachable")
    assert "Check the address" in bad.remedy


def test_no_provider_there() -> None:
    with Server() as server:
        server.text("/.well-known/openid-configuration", "<html>hello</html>")
        assert row(authnb.doctor(server.url), "provider").found == "invalid_response"


def test_it_never_hangs() -> None:
    """A provider that accepts the connection and sends nothing costs one row."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        findings = authnb.doctor(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=1)
    assert row(findings, "provider").found == "no result within 1 second"
    assert row(findings, "loopback").state == "ok", "the rest is told all the same"


def test_certificates_that_are_not_there(demo: DemoProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    assert row(authnb.doctor(demo.issuer), "certificates").state == "BAD"


def test_only_the_certificates_in_use_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As ``requests`` does, which reads ``CURL_CA_BUNDLE`` where ``REQUESTS_CA_BUNDLE`` is not set."""
    used = tmp_path / "ca.pem"
    used.touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(used))
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere/ca.pem")

    def named() -> list[str]:
        findings = authnb.doctor("http://127.0.0.1:9")
        return [each.found for each in findings.rows if each.what == "certificates"]

    assert named() == [f"those in {used} (REQUESTS_CA_BUNDLE)"]
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert named() == ["CURL_CA_BUNDLE names no file"]


def test_http_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything is sent to it."""
    with Network(tmp_path) as network:
        monkeypatch.setenv("HTTP_PROXY", network.proxy)
        refused = row(authnb.doctor("http://id.example.org"), "provider")
        assert not network.received
    assert (refused.state, refused.found) == ("BAD", "http:// is not encrypted")
    assert "Give its https address" in refused.remedy


@pytest.mark.parametrize(("hours", "says"), [(3, "behind"), (-3, "ahead of")])
def test_a_clock_that_is_off(demo: DemoProvider, hours: float, says: str) -> None:
    """By hours: told, with what to do, and no reason to give up."""
    with Server() as server:
        publish(server, demo)
        server.clock_offset = hours * 3600
        findings = authnb.doctor(server.url)
    clock = row(findings, "clock")
    assert clock.state == "note"
    assert clock.found.endswith(f"seconds {says} the provider's")
    assert int(clock.found.split()[0]) == pytest.approx(3 * 3600, abs=60)
    assert "Synchronize the system clock" in clock.remedy
    assert findings.ok


def test_a_companys_certificate(
    company: Server, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unknown it is red, and the remedy beside it helps."""
    unknown = row(authnb.doctor(company.url), "provider")
    assert (unknown.state, unknown.found) == ("BAD", "tls_error")
    assert "set REQUESTS_CA_BUNDLE to its certificate file" in unknown.remedy
    bundle = tmp_path / "company.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    findings = authnb.doctor(company.url)
    assert findings.ok, findings
    assert row(findings, "certificates").found == f"those in {bundle} (REQUESTS_CA_BUNDLE)"
    assert row(findings, "metadata").found == f"of {company.url}"


def test_through_a_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The one that is set; what is on this machine goes past it, and what `NO_PROXY` names."""
    with Network(tmp_path) as network:
        monkeypatch.setenv("HTTPS_PROXY", network.proxy)
        monkeypatch.setenv("HTTP_PROXY", network.proxy)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", network.ca_file)
        findings = authnb.doctor("https://id.example.org")
        assert row(findings, "connection").found == "through 127.0.0.1"
        assert row(findings, "reached").found == "id.example.org answers"
        assert {received.origin for received in network.received} == {"https://id.example.org:443"}
        network.received.clear()
        assert row(authnb.doctor(f"http://127.0.0.1:{free_port()}"), "connection").found == "directly"
        assert not network.received
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert row(authnb.doctor("https://127.0.0.1:9"), "connection").found == "directly"


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}127.0.0.1:{free_port()}")
    findings = authnb.doctor("https://id.example.org")
    connection = row(findings, "connection")
    assert (connection.state, connection.found) == ("BAD", "through 127.0.0.1, which does not answer")
    assert "NO_PROXY" in connection.remedy
    assert row(findings, "provider").found == "unreachable"


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.touch()
    monkeypatch.setenv("AUTHNB_HOME", str(taken / "below"))
    storage = row(authnb.doctor(), "storage")
    assert (storage.state, storage.remedy) == ("BAD", "Name another folder with AUTHNB_HOME.")


def test_a_keyring_that_never_answers() -> None:
    """It costs one row, which says what to do; the program ends all the same."""
    helpers = Path(__file__).parents[1] / "helpers"
    environ = {"PYTHONPATH": str(helpers), "PYTHON_KEYRING_BACKEND": "stuck_keyring.Keyring"}
    done = subprocess.run(
        [sys.executable, "-m", "authnb", "doctor", "--timeout", "2"],
        cwd=helpers.parents[1],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "BAD   storage          no result within 2 seconds" in done.stdout
    assert "PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring" in done.stdout
    assert "a port on 127.0.0.1 opens and answers" in done.stdout


def test_as_text_and_as_a_table(demo: DemoProvider) -> None:
    findings = authnb.doctor(demo.issuer)
    assert "ok    mode='auto'" in repr(findings)
    assert "<td>mode=&#x27;auto&#x27;</td>" in findings._repr_html_()


def test_the_command(demo: DemoProvider, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", demo.issuer]) == 0
    assert "metadata" in capsys.readouterr().out
    assert main(["doctor", "http://127.0.0.1:9"]) == 1
    assert main(["doctor", demo.issuer, "--timeout", "0"]) == 2
    assert "timeout=0.0 is not a time: give the seconds that the checks may take" in capsys.readouterr().err
