"""Two pages at one kernel, message by message: who may use the sign-in that the other page finished."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from kernels import Kernel, kernel

if TYPE_CHECKING:
    from authnb.demo import DemoProvider

CELL = """
import authnb
from authnb.storage.base import MemoryStorage
api = await authnb.login({issuer!r}, client_id={client_id!r}, mode="loopback", storage=MemoryStorage())
print("user:", api.user["name"])
"""
OTHER = "session of page b"


def state(cell: Kernel, panel: str, phase: str) -> dict[str, Any]:
    """What both pages are sent once the panel is in this phase; until then they say that they are there."""
    while True:
        for page, session in (("a", None), ("b", OTHER)):
            cell.reply("comm_msg", panel, session=session, action="present", page_id=page)
        found = cell.next_state("phase")
        if found["phase"] == phase:
            return found


def test_only_the_page_that_is_asked_can_agree(demo: DemoProvider) -> None:
    """Page a ran the cell. The other's yes counts for nothing, though its panel shows no such button."""
    with kernel() as cell:
        code = CELL.format(issuer=demo.issuer, client_id=demo.client_id)
        cell.begin(code, allow_stdin=True, cellId="2f1a")
        panel = cell.panel()
        address = state(cell, panel, "waiting")["address"]
        cell.reply("comm_msg", panel, session=OTHER, action="opened", page_id="b")
        visit = threading.Thread(target=demo.visit, args=(address,), kwargs={"name": "grace"})
        visit.start()
        assert state(cell, panel, "confirm")["asked"] == "a"
        visit.join()
        cell.reply("comm_msg", panel, session=OTHER, action="confirm", page_id="b")
        for _ in range(4):
            state(cell, panel, "confirm")
        cell.reply("comm_msg", panel, action="confirm", page_id="a")
        assert cell.finish() == ""
    printed = "".join(each["content"]["text"] for each in cell.messages if each["msg_type"] == "stream")
    assert "user: Grace" in printed
