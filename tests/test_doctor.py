"""doctor(): a row for each thing that may be in the way, with the remedy beside it; and it never hangs."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from servers import Server

import authnb
from authnb.__main__ import main

if TYPE_CHECKING:
    import pytest

    from authnb.demo import DemoProvider
    from authnb.diagnosis import Finding, Findings


def row(findings: Findings, what: str) -> Finding:
    return next(row for row in findings.rows if row.what == what)


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
    with Server() as gone:
        pass
    findings = authnb.doctor(gone.url)
    assert not findings.ok
    bad = row(findings, "provider")
    assert (bad.state, bad.found) == ("BAD", "unreachable")
    assert "Check the address" in bad.remedy


def test_no_provider_there() -> None:
    with Server() as server:
        server.text("/.well-known/openid-configuration", "<html>hello</html>")
        assert row(authnb.doctor(server.url), "provider").found == "invalid_response"


def test_it_never_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that takes the connection and says nothing costs a row, not an hour."""
    monkeypatch.setattr("authnb.diagnosis.LONGEST", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        findings = authnb.doctor(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert row(findings, "provider").found == "no answer within 1 seconds"
    assert row(findings, "loopback").state == "ok", "the rest is told all the same"


def test_certificates_that_are_not_there(demo: DemoProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    assert row(authnb.doctor(demo.issuer), "certificates").state == "BAD"


def test_as_text_and_as_a_table(demo: DemoProvider) -> None:
    findings = authnb.doctor(demo.issuer)
    assert "ok    mode='auto'" in repr(findings)
    assert "<td>mode=&#x27;auto&#x27;</td>" in findings._repr_html_()


def test_the_command(demo: DemoProvider, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", demo.issuer]) == 0
    assert "metadata" in capsys.readouterr().out
    assert main(["doctor", "http://127.0.0.1:9"]) == 1
