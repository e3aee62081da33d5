"""The pages that show a sign-in, and the cell that does: who may use it, and when a newer run makes it obsolete."""

from __future__ import annotations

import sys
import time
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from authnb.messages import N_
from authnb.signin.presence import current_kernel, current_request

if TYPE_CHECKING:
    from authnb.signin.login import Login

_MISSING = 10.0  # seconds without a message of a page, while others send theirs
# What a person does to sign in, by action of the panel
_PARTICIPATING = {"opened", "submit_form", "submit_redirect"}
_NEW_ATTEMPT = {"start_over", "switch_account", "choose"}


@dataclass(frozen=True, kw_only=True)
class CellRun:
    """The request that a kernel processes. ``session``: of the page that sent it, a new one after each reload.

    ``cell``: the notebook's id of the cell, if it is one and the front end tells (JupyterLab, Notebook).
    """

    session: str | None
    message: str | None
    cell: str | None


def current_run() -> CellRun:
    """The request that this kernel processes now."""
    request = current_request(current_kernel())
    header = request.get("header", {})
    cell = request.get("metadata", {}).get("cellId")
    return CellRun(session=header.get("session"), message=header.get("msg_id"), cell=cell)


@dataclass(kw_only=True)
class Pages:
    """The pages that show one sign-in, by the random id in each of their messages: of the browser, a dot, of the page.

    ``session``: of the page that ran the cell. An id is no proof: whoever has a page may run code in the kernel. It
    keeps people who share a notebook from taking another's sign-in by mistake. Pages of one browser are one person's.
    """

    session: str | None = None
    _seen: dict[str, float] = field(default_factory=dict)  # time of the last message
    _by_session: dict[str, str] = field(default_factory=dict)
    _participated: list[str] = field(default_factory=list)  # in this attempt, in order

    def on_message(self, message: dict[str, Any], session: str | None) -> None:
        """Take notice of a page's message."""
        page, action = message.get("page_id"), message.get("action")
        if not isinstance(page, str) or len(page) > 40:  # noqa: PLR2004 - longer than any that the panel makes
            return
        now = time.monotonic()
        if not self.several and page not in self._seen:
            self._seen = dict.fromkeys(self._seen, now)  # it has time to say that it is present
        self._seen[page] = now
        if session is not None:
            self._by_session[session] = page
        if action in _NEW_ATTEMPT:
            self._participated.clear()
        if action in _PARTICIPATING:
            self._participated.append(page)

    @property
    def several(self) -> bool:
        """Whether there was more than one page: then each says every second that it is present."""
        return len(self._seen) > 1

    @property
    def began(self) -> str | None:
        """The page that began the sign-in: that ran the cell or, if a server runs cells, took part first."""
        first = self._participated[0] if self._participated else None
        return self._by_session.get(self.session or "", first)

    @property
    def asked(self) -> str | None:
        """The page that is asked whether to use the sign-in; None for any.

        It is the one that began the sign-in or, once that is gone, the latest of the same browser.
        """
        present = self._present()
        if self.began in present:
            return self.began
        began_in = _browser(self.began)
        return next((page for page in reversed(present) if _browser(page) == began_in), None)

    @property
    def why_asked(self) -> str:
        """The question whether to use the sign-in, with how it was finished and who began it; marked with `N_`."""
        if self.asked is None:
            return N_("{name} signed in. The page that began this sign-in is gone. Use it?")
        elsewhere = self._participants() and _browser(self.asked) not in self._participants()
        if elsewhere:
            return N_("{name} signed in from another page. You began this sign-in here. Use it?")
        return N_("{name} signed in, perhaps from another page. You began this sign-in here. Use it?")

    def must_ask(self) -> bool:
        """Whether another person than those who can answer may have finished the sign-in."""
        present = {_browser(page) for page in self._present()}
        answering = present if self.asked is None else {_browser(self.asked)}
        participants = self._participants()
        if participants == answering and len(answering) == 1:
            return False
        return len(present) > 1 or bool(participants - answering)

    def _participants(self) -> set[str]:
        return {_browser(page) for page in self._participated}

    def _present(self) -> list[str]:
        """In the order in which they came.

        A page is gone if others were heard since: where none is, it is alone and sends nothing, or this kernel was
        busy or suspended and processed nobody's messages.
        """
        latest = max(self._seen.values(), default=0.0)
        return [page for page, seen in self._seen.items() if latest - seen < _MISSING]


def _browser(page: str | None) -> str:
    return (page or "").partition(".")[0]


_shown: dict[str, tuple[CellRun, weakref.ref[Login]]] = {}  # by cell: the latest run that showed a sign-in


def replace_in_cell(login: Login, run: CellRun) -> None:
    """Cancel the sign-in that an earlier run of this cell showed: its panel is gone. One that is awaited goes on."""
    if run.cell is None:
        return
    earlier = _shown.get(run.cell)
    _shown[run.cell] = (run, weakref.ref(login))
    if earlier is None or earlier[0].message == run.message:
        return
    other = earlier[1]()
    if other is not None and other is not login and not other.awaited:
        other.cancel()


def make_way(login: Login) -> None:
    """Cancel the sign-in that the running cell awaits, as the same cell is to run again.

    The error in which that ends does not abort the queued run (``stop_on_error`` of the Jupyter message protocol).
    """
    if not login.awaited:
        return
    events = sys.modules["IPython"].get_ipython().events

    def forget_error(result: Any) -> None:
        events.unregister("post_run_cell", forget_error)
        if result is not None and result.error_in_exec is login.error:
            result.error_in_exec = None

    events.register("post_run_cell", forget_error)
    login.cancel()
