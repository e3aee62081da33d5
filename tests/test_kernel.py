"""What a kernel does with the panel's messages when pages come and go, without a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

    from authnb.demo import DemoProvider

CELL = """
import authnb
from authnb.storage import MemoryStorage
signin = authnb.login({issuer!r}, client_id={client_id!r}, mode="loopback", view="panel", storage=MemoryStorage())
signin
"""
PATIENCE = 30  # seconds


@pytest.fixture
def kernel() -> Iterator[BlockingKernelClient]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_page_is_heard_after_the_page_before_it_is_gone(
    kernel: BlockingKernelClient, demo: DemoProvider
) -> None:
    """Each page of JupyterLab has a thread of its own in the kernel to hear its widgets, which ends with the page."""
    kernel.execute(CELL.format(issuer=demo.issuer, client_id=demo.client_id))
    panel = next(
        message["content"]["comm_id"]
        for message in heard(kernel)
        if message["msg_type"] == "comm_open" and "card" in message["content"]["data"]["state"]
    )
    for deed, follows in [("cancel", "cancelled"), ("hello", "cancelled"), ("again", "waiting")]:
        page = ask(kernel, "create_subshell_request")["subshell_id"]
        content = {"comm_id": panel, "data": {"method": "custom", "content": {"do": deed}}}
        message = kernel.session.msg("comm_msg", content)
        message["header"]["subshell_id"] = page
        kernel.shell_channel.send(message)
        assert next(news for news in news_of(kernel) if news.get("phase") == follows)
        ask(kernel, "delete_subshell_request", subshell_id=page)


def heard(kernel: BlockingKernelClient) -> Iterator[dict[str, Any]]:
    """What the kernel publishes from now on."""
    while True:
        yield kernel.get_iopub_msg(timeout=PATIENCE)


def news_of(kernel: BlockingKernelClient) -> Iterator[dict[str, Any]]:
    """What the panel is told from now on."""
    messages = (message["content"] for message in heard(kernel) if message["msg_type"] == "comm_msg")
    return (content["data"].get("content", {}) for content in messages)


def ask(kernel: BlockingKernelClient, request: str, **content: str) -> dict[str, Any]:
    """The answer on the control channel."""
    kernel.control_channel.send(kernel.session.msg(request, content))
    answer: dict[str, Any] = kernel.get_control_msg(timeout=PATIENCE)["content"]
    assert answer["status"] == "ok", answer
    return answer
