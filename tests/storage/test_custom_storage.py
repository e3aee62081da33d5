"""The custom storage in docs/session.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from demo_session import age, renewer, sign_in
from sqlite_storage import SQLiteStorage
from token_endpoint_proxy import TokenEndpointProxy

if TYPE_CHECKING:
    from authnb.demo import DemoProvider

ROOT = Path(__file__).parents[2]


def test_sqlite_storage_saves_renews_and_removes(demo: DemoProvider, tmp_path: Path) -> None:
    with TokenEndpointProxy(demo.issuer) as token_proxy:
        session = sign_in(demo, token_proxy, storage=SQLiteStorage(str(tmp_path / "sign-ins.sqlite3")))
        kept = renewer(session)
        first = session.token
        other = type(session).from_sign_in(
            kept.client, first, account=kept.account, storage=kept.storage, api=demo.api
        )
        age(session)
        other.token = session.token
        assert session.get("/stations").ok
        assert other.get("/stations").ok
        assert other.token["access_token"] == session.token["access_token"] != first["access_token"]
        assert token_proxy.outcomes == ["pass"]
        session.logout()
        assert kept.storage.load(kept.account) is None


def test_docs_show_this_storage() -> None:
    code = (ROOT / "tests" / "helpers" / "sqlite_storage.py").read_text(encoding="utf-8")
    assert code in (ROOT / "docs" / "session.md").read_text(encoding="utf-8")
