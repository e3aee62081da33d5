"""A storage of one's own, as docs/session.md shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from between import Between
from signed_in import age, keeper, sign_in
from sqlite_storage import SQLiteStorage

if TYPE_CHECKING:
    from authnb.demo import DemoProvider

HERE = Path(__file__).parent


def test_it_keeps_renews_and_forgets(demo: DemoProvider, tmp_path: Path) -> None:
    with Between(demo.issuer) as between:
        session = sign_in(demo, between, storage=SQLiteStorage(str(tmp_path / "sign-ins.sqlite3")))
        kept = keeper(session)
        first = session.token
        other = type(session).signed_in(
            kept.client, first, account=kept.account, storage=kept.storage, api=demo.api
        )
        age(session)
        other.token = session.token
        assert session.get("/stations").ok
        assert other.get("/stations").ok
        assert other.token["access_token"] == session.token["access_token"] != first["access_token"]
        assert between.fates == ["pass"]
        session.logout()
        assert kept.storage.load(kept.account) is None


def test_the_page_shows_this_code() -> None:
    code = (HERE / "sqlite_storage.py").read_text(encoding="utf-8")
    assert code in (HERE.parent / "docs" / "session.md").read_text(encoding="utf-8")
