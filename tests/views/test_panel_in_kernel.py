"""The panel's comm messages in a real kernel as pages of JupyterLab come and go, without a browser."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty
from typing import TYPE_CHECKING, Any

import pytest
from kernels import client_of_kernel
from support import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

    from authnb.demo import DemoProvider

CELL = """
import authnb
from authnb.storage.base import MemoryStorage
signin = authnb.login({issuer!r}, client_id={client_id!r}, mode="loopback", view={view!r},
    redirect_port={port}, storage=MemoryStorage(), timeout=60)
signin
"""
PATIENCE = 30  # seconds


def started_kernel() -> Iterator[BlockingKernelClient]:
    with client_of_kernel("python3") as client:
        yield client


kernel = pytest.fixture(started_kernel, name="kernel")
other_kernel = pytest.fixture(started_kernel, name="other_kernel")


def begin(kernel: BlockingKernelClient, demo: DemoProvider, *, view: str = "panel", port: int = 0) -> None:
    """Run a cell that ends in a sign-in."""
    kernel.execute(CELL.format(issuer=demo.issuer, client_id=demo.client_id, view=view, port=port))


def test_messages_of_the_next_page_are_processed(kernel: BlockingKernelClient, demo: DemoProvider) -> None:
    """Each JupyterLab page has a subshell for its widget messages, deleted when the page closes."""
    begin(kernel, demo)
    panel = panel_id(kernel)
    for action, phase in [("cancel", "cancelled"), ("ready", "cancelled"), ("start_over", "waiting")]:
        page = control_request(kernel, "create_subshell_request")["subshell_id"]
        send(kernel, panel, action, subshell_id=page)
        assert next(state for state in panel_messages(kernel) if state.get("phase") == phase)
        control_request(kernel, "delete_subshell_request", subshell_id=page)


def test_each_cell_ends_though_pages_send_messages(kernel: BlockingKernelClient, demo: DemoProvider) -> None:
    """Also if they come just as one cell that awaits something ends and the next begins."""
    begin(kernel, demo)
    panel = panel_id(kernel)
    cells = {kernel.execute("import asyncio\nawait asyncio.sleep(0)") for _ in range(40)}
    last, ended = kernel.execute("'last'"), set()
    while last not in ended:
        send(kernel, panel, "present")
        with suppress(Empty):
            while True:
                message = kernel.get_iopub_msg(timeout=0.002)
                if message["content"].get("execution_state") == "idle":
                    ended.add(message["parent_header"]["msg_id"])
    assert cells - ended == set()


def test_a_click_signs_the_session_of_a_cell_in_again(
    kernel: BlockingKernelClient, demo: DemoProvider
) -> None:
    """The one that a variable has, if the same person signs in; else the panel says which cell to run."""
    begin(kernel, demo)
    panel = panel_id(kernel)
    asked = (
        "api = globals().get('api') or signin.session\n"
        f"print(api.signed_in and api.get({demo.issuer + '/userinfo'!r}).ok)"
    )
    shown: dict[str, Any] = {}
    answers = []
    for name in ("ada", "ada", "grace"):
        demo.visit(
            next(state["address"] for state in panel_messages(kernel) if "address" in state), name=name
        )
        shown = next(state for state in panel_messages(kernel) if state.get("phase") == "signed_in")
        kernel.execute(asked)
        answers.append((printed(kernel).strip(), "Run the cell that signs in" in str(shown)))
        send(kernel, panel, "sign_out")
        assert next(state for state in panel_messages(kernel) if state.get("phase") == "signed_out")
        send(kernel, panel, "start_over")
    assert answers == [("True", False), ("True", False), ("False", True)]


@pytest.mark.parametrize("view", ["panel", "text"])
def test_a_port_of_another_kernel_is_waited_for(
    kernel: BlockingKernelClient, other_kernel: BlockingKernelClient, demo: DemoProvider, view: str
) -> None:
    """And the cell says so; once the other kernel's sign-in has ended, this one goes on by itself."""
    port = free_port()
    begin(other_kernel, demo, port=port)
    address = next(state["address"] for state in panel_messages(other_kernel) if "address" in state)
    begin(kernel, demo, view=view, port=port)
    waits = f"Port {port} is in use by another sign-in; waiting for it."
    kinds = {"comm_open", "comm_msg"} if view == "panel" else {"display_data"}
    shown = (str(message["content"]) for message in iopub_messages(kernel) if message["msg_type"] in kinds)
    assert any(waits in content for content in shown)
    demo.visit(address)
    assert any("redirect_uri=" in content for content in shown)


def test_the_panel_and_errors_are_in_the_language_of_the_page(
    kernel: BlockingKernelClient, demo: DemoProvider
) -> None:
    """Of the one that came last; the kernel was started in English."""
    begin(kernel, demo)
    panel = panel_id(kernel)
    for language, title, opener in [
        ("ko-KR", "127.0.0.1 로그인", "로그인 페이지 열기"),
        ("fr", "Sign in to 127.0.0.1", "Open the sign-in page"),
        ("ko", "127.0.0.1 로그인", "로그인 페이지 열기"),
    ]:
        send(kernel, panel, "ready", language)
        messages = (
            each["content"]["data"] for each in iopub_messages(kernel) if each["msg_type"] == "comm_msg"
        )
        assert next(data for data in messages if data.get("state", {}).get("card", {}).get("title") == title)
        assert next(data for data in messages if opener in str(data.get("content")))
    kernel.execute("try: authnb.language('fr')\nexcept authnb.AuthnbError as error: print(error)")
    assert printed(kernel).startswith("authnb가 지원하지 않는 언어입니다")


def iopub_messages(kernel: BlockingKernelClient) -> Iterator[dict[str, Any]]:
    """Messages on iopub from now on."""
    while True:
        yield kernel.get_iopub_msg(timeout=PATIENCE)


def printed(kernel: BlockingKernelClient) -> str:
    """What is printed next."""
    return next(
        message["content"]["text"] for message in iopub_messages(kernel) if message["msg_type"] == "stream"
    )


def panel_id(kernel: BlockingKernelClient) -> str:
    """The comm of the panel that is opened next."""
    return next(
        message["content"]["comm_id"]
        for message in iopub_messages(kernel)
        if message["msg_type"] == "comm_open" and "card" in message["content"]["data"]["state"]
    )


def send(
    kernel: BlockingKernelClient, panel: str, action: str, language: str | None = None, **header: str
) -> None:
    """Send the panel what a page sends."""
    data = {"method": "custom", "content": {"action": action, "language": language}}
    content = {"comm_id": panel, "data": data}
    message = kernel.session.msg("comm_msg", content)
    message["header"].update(header)
    kernel.shell_channel.send(message)


def panel_messages(kernel: BlockingKernelClient) -> Iterator[dict[str, Any]]:
    """Custom messages to the panel from now on."""
    messages = (message["content"] for message in iopub_messages(kernel) if message["msg_type"] == "comm_msg")
    return (content["data"].get("content", {}) for content in messages)


def control_request(kernel: BlockingKernelClient, request: str, **content: str) -> dict[str, Any]:
    """The reply on the control channel."""
    kernel.control_channel.send(kernel.session.msg(request, content))
    answer: dict[str, Any] = kernel.get_control_msg(timeout=PATIENCE)["content"]
    assert answer["status"] == "ok", answer
    return answer
