"""Who is asked whether to use a sign-in that several pages show."""

from __future__ import annotations

import pytest

from authnb.views.pages import Pages

RUN = "session of the page that ran the cell"


def after(*messages: tuple[str, str, str]) -> Pages:
    """The pages once these messages came: page, its session, action."""
    pages = Pages(session=RUN)
    for page, session, action in messages:
        pages.on_message({"page_id": page, "action": action}, session)
    return pages


# Of each page the id: its browser, a dot, its own
READY = ("a.1", RUN, "ready"), ("b.1", "other", "ready")
RESTARTED = ("a.2", "after a restart", "ready")


@pytest.mark.parametrize(
    ("messages", "asks"),
    [
        ([READY[0]], False),
        ([READY[0], ("a.1", "after a reload", "ready")], False),
        ([*READY, ("a.1", RUN, "opened")], False),
        ([*READY], True),
        ([*READY, ("b.1", "other", "opened")], True),
        ([*READY, ("a.1", RUN, "opened"), ("b.1", "other", "submit_redirect")], True),
        ([*READY, ("b.1", "other", "opened"), ("b.1", "other", "start_over"), ("a.1", RUN, "opened")], False),
        ([READY[0], RESTARTED], False),
        ([READY[0], RESTARTED, ("a.1", RUN, "opened"), ("a.2", "after a restart", "opened")], False),
        ([*READY, RESTARTED, ("a.2", "after a restart", "opened")], False),
    ],
)
def test_the_page_that_ran_the_cell_is_asked_unless_its_browser_finished(
    messages: list[tuple[str, str, str]], *, asks: bool
) -> None:
    """Of several pages; each attempt counts for itself, and pages of one browser are one person's."""
    pages = after(*messages)
    assert pages.must_ask() is asks
    assert pages.asked == "a.1"


def test_any_page_is_asked_where_none_began() -> None:
    """Where a server runs the cells, who took part first began; before, nobody did."""
    pages = after(("a.1", "one", "ready"), ("b.1", "other", "ready"))
    assert pages.asked is None
    assert pages.must_ask()
    pages.on_message({"page_id": "b.1", "action": "opened"}, "other")
    assert pages.asked == "b.1"
    assert not pages.must_ask()


def test_a_person_who_left_is_not_forgotten() -> None:
    """Somebody may open the link, close the notebook, and then sign in: the page that began it is asked."""
    pages = after(*READY, ("b.1", "other", "opened"))
    pages._seen["b.1"] -= 60  # noqa: SLF001 - silent for a minute
    assert pages.must_ask()
    assert pages.asked == "a.1"


@pytest.mark.parametrize("pages", [READY[:1], READY])
def test_silence_of_all_pages_is_no_absence(pages: tuple[tuple[str, str, str], ...]) -> None:
    """Of one that is alone no message is due; of several none arrives while the kernel or the machine is busy."""
    silent = after(*pages, ("a.1", RUN, "opened"))
    for page in silent._seen:  # noqa: SLF001 - by a minute, one of them by another two seconds
        silent._seen[page] -= 62 if page == "a.1" else 60  # noqa: SLF001 - as above
    assert not silent.must_ask()
    assert silent.asked == "a.1"


def test_the_question_says_what_is_known() -> None:
    """Who began the sign-in, and whether another page certainly finished it."""
    asks = after(*READY).why_asked
    assert asks == "{name} signed in, perhaps from another page. You began this sign-in here. Use it?"
    asks = after(*READY, ("b.1", "other", "opened")).why_asked
    assert asks == "{name} signed in from another page. You began this sign-in here. Use it?"
    pages = after(*READY, ("a.1", RUN, "opened"))
    pages._seen["a.1"] -= 60  # noqa: SLF001 - silent for a minute
    assert pages.why_asked == "{name} signed in. The page that began this sign-in is gone. Use it?"
    assert pages.must_ask()


def test_a_message_without_a_page_is_of_none() -> None:
    """An id that the panel would not make is kept nowhere."""
    pages = after(READY[0])
    for page in (None, 1, "x" * 41):
        pages.on_message({"page_id": page, "action": "ready"}, "other")
    assert not pages.several
