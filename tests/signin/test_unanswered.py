"""Where no front end draws the panel: a real kernel, and what each front end sends it and hears of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from kernels import LINK_AFTER, Kernel, kernel

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

CELL = {"cellId": "2f1a"}  # as JupyterLab, Notebook and VS Code send
SERVED = {"JPY_SESSION_NAME": "/home/ada/notebook.ipynb"}
ADDRESS = re.compile(r"http://127\S+/authorize\S+")


def login(demo: DemoProvider, more: str = "", *, verb: str = "login") -> str:
    options = f"client_id={demo.client_id!r}, storage=MemoryStorage(){more}"
    return (
        "import authnb\nfrom authnb.storage.base import MemoryStorage\n"
        f"api = await authnb.{verb}({demo.issuer!r}, {options})\nprint('user:', api.user['name'])"
    )


def follow(demo: DemoProvider, shown: str) -> None:
    """What the person does with the text."""
    address = ADDRESS.search(shown)
    assert address is not None, shown
    demo.visit(address[0], name="ada")


def said(cell: Kernel) -> str:
    return "".join(each["content"]["text"] for each in cell.messages if each["msg_type"] == "stream")


@pytest.fixture
def served() -> Iterator[Kernel]:
    """Below a Jupyter server that runs the cells itself, as jupyter-server-documents does."""
    with kernel(**SERVED) as cell:
        yield cell


@pytest.fixture
def plain_kernel() -> Iterator[Kernel]:
    with kernel() as cell:
        yield cell


def test_a_link_follows_where_no_panel_answers(plain_kernel: Kernel, demo: DemoProvider) -> None:
    """In an output of its own, with the reason; it is gone once it has served."""
    plain_kernel.begin(login(demo), allow_stdin=True, **CELL)
    shown = plain_kernel.until_displayed("open this address")
    assert "no panel is shown here" in shown.lower()
    assert 0 < plain_kernel.waited() <= LINK_AFTER
    follow(demo, shown)
    assert plain_kernel.finish() == ""
    assert "user: Ada" in said(plain_kernel)
    assert not ADDRESS.search("".join(plain_kernel.outputs()))


def test_a_front_end_that_refuses_the_panel_is_there(served: Kernel, demo: DemoProvider) -> None:
    """It closes a comm whose target it does not know: proof of a front end, and that widgets are missing there."""
    served.begin(login(demo), allow_stdin=False)
    served.reply("comm_close", served.panel())
    shown = served.until_displayed("open this address")
    assert "pip install authnb" in shown
    assert served.waited() <= LINK_AFTER
    follow(demo, shown)
    assert served.finish() == ""
    assert "user: Ada" in said(served)


def test_a_page_that_answers_is_a_person(served: Kernel, demo: DemoProvider) -> None:
    """Though it allows no stdin; then no link is displayed."""
    served.begin(login(demo, ", mode='loopback'"), allow_stdin=False)
    panel = served.panel()
    served.reply("comm_msg", panel, action="ready")
    waiting = served.until(lambda each: "address" in each["content"].get("data", {}).get("content", {}))
    demo.visit(waiting["content"]["data"]["content"]["address"], name="ada")
    assert served.finish() == ""
    assert not [text for text in served.outputs() if "open this address" in text]


def test_no_answer_is_nobody(served: Kernel, demo: DemoProvider) -> None:
    """A Jupyter server's variable is no proof: `!papermill` inherits it."""
    served.begin(login(demo), allow_stdin=False)
    error = served.finish()
    assert error.startswith("InteractionRequired")
    assert "no front end answered" in error
    assert "AUTHNB_INTERACTIVE" in error


def test_no_text_is_shown_to_nobody(served: Kernel, demo: DemoProvider) -> None:
    """view='text' asks for no answer, so allow_stdin decides."""
    served.begin(login(demo, ", view='text'"), allow_stdin=False)
    assert served.finish().startswith("InteractionRequired")
    assert demo.issuer not in str(served.outputs())


def test_voila_shows_nothing_while_a_cell_waits(demo: DemoProvider) -> None:
    with kernel(VOILA_REQUEST_URL="http://127.0.0.1:8866/") as voila:
        voila.begin(login(demo), allow_stdin=False)
        assert "without await" in voila.finish()


def test_the_choice_of_providers_by_text(plain_kernel: Kernel, demo: DemoProvider) -> None:
    """Where nobody can click on one, the kernel asks."""
    with DemoProvider() as other:
        cell = login(demo).replace(repr(demo.issuer), repr({"One": other.issuer, "Two": demo.issuer}))
        plain_kernel.begin(cell, allow_stdin=True, **CELL)
        assert "2  Two" in plain_kernel.until_displayed("Where do you want to sign in?")
        asked = plain_kernel.client.get_stdin_msg(timeout=30)
        assert asked["content"]["prompt"] == "Number: "
        plain_kernel.client.input("2")
        follow(demo, plain_kernel.until_displayed("open this address"))
        assert plain_kernel.finish() == ""
        assert "user: Ada" in said(plain_kernel)


def test_the_choice_where_nothing_can_be_typed(served: Kernel, demo: DemoProvider) -> None:
    """The error says how to go on."""
    cell = login(demo).replace(repr(demo.issuer), repr({"One": "https://one.invalid", "Two": demo.issuer}))
    served.begin(cell, allow_stdin=False)
    served.reply("comm_close", served.panel())
    error = served.finish()
    assert "One or Two" in error
    assert "Name one provider" in error


def test_the_sign_up_form_without_a_panel(plain_kernel: Kernel, demo: DemoProvider) -> None:
    """The provider's own pages instead."""
    plain_kernel.begin(login(demo, verb="signup"), allow_stdin=True, **CELL)
    shown = plain_kernel.until_displayed("open this address")
    address = ADDRESS.search(shown)
    assert address is not None
    assert "prompt=create" in address[0]
    plain_kernel.interrupt()
    assert plain_kernel.finish()


def test_text_is_displayed_anew(plain_kernel: Kernel, demo: DemoProvider) -> None:
    """Qt Console, Spyder and Jupyter Console apply no updates to what they displayed."""
    plain_kernel.begin(login(demo, ", view='text'"), allow_stdin=True)
    follow(demo, plain_kernel.until_displayed("open this address"))
    assert plain_kernel.finish() == ""
    assert not ADDRESS.search("".join(plain_kernel.outputs()))


@pytest.mark.parametrize("wait", ["await authnb.login(", "authnb.login("])
def test_an_interrupt_removes_the_text(plain_kernel: Kernel, demo: DemoProvider, wait: str) -> None:
    """A saved notebook keeps no address, however the sign-in ends."""
    cell = login(demo, ", view='text'").replace("await authnb.login(", wait)
    if "await" not in wait:
        cell = cell.replace("MemoryStorage(), view='text')", "MemoryStorage(), view='text').wait()")
    plain_kernel.begin(cell, allow_stdin=True)
    plain_kernel.until_displayed("open this address")
    plain_kernel.interrupt()
    assert plain_kernel.finish()
    assert not ADDRESS.search("".join(plain_kernel.outputs()))
