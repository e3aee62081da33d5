from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """A certificate authority, and the file with its certificate."""
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return authority, path


@pytest.fixture
def ca_file(authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    """The authority's certificate, which requests trusts too; and MLflow uses the session, and does not retry."""
    path = str(authority[1])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", path)  # it would win over verify=
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "authnb")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return path
