"""A kernel as a front end drives it, message by message, without the front end."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager
from support import free_port

from authnb.views.panel import _RESEND_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

PATIENCE = 60  # seconds
LINK_AFTER = 10  # seconds in which a link follows where no panel is
_DROPPED = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "AUTHNB_INTERACTIVE", "JPY_")


class Kernel:
    """One cell at a time: its messages, and what a front end replies to them."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.messages: list[dict[str, Any]] = []  # on iopub

    def begin(self, code: str, *, allow_stdin: bool, **metadata: str) -> None:
        """Send a cell, as a front end with this metadata does."""
        content = {"code": code, "allow_stdin": allow_stdin, "silent": False, "store_history": True}
        message = self.client.session.msg("execute_request", {**content, "user_expressions": {}})
        message["metadata"] = metadata
        self.client.shell_channel.send(message)

    def until(self, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first message on iopub from now on of which this is true; `queue.Empty` if none comes in time."""
        deadline = time.monotonic() + PATIENCE
        while True:
            message: dict[str, Any] = self.client.get_iopub_msg(timeout=max(0, deadline - time.monotonic()))
            self.messages.append(message)
            if wanted(message):
                return message

    def until_displayed(self, text: str) -> str:
        """The plain text of the next new output with this text; an update of an old one does not count."""
        message = self.until(lambda each: each["msg_type"] == "display_data" and text in plain(each))
        return plain(message)

    def finish(self) -> str:
        """The error that ends the cell, empty if none does; all its messages are in ``messages`` then."""
        self.until(lambda each: each["content"].get("execution_state") == "idle" and self._is_cell(each))
        errors = [each for each in self.messages if each["msg_type"] == "error"]
        return f"{errors[-1]['content']['ename']}: {errors[-1]['content']['evalue']}" if errors else ""

    def outputs(self) -> list[str]:
        """The plain text of each output, as a front end that applies updates has them at the end."""
        shown: dict[str, str] = {}
        for number, message in enumerate(self.messages):
            if message["msg_type"] in {"display_data", "update_display_data"}:
                shown[message["content"].get("transient", {}).get("display_id", str(number))] = plain(message)
        return list(shown.values())

    def panel(self) -> str:
        """The id of the panel's comm."""
        opened = self.until(
            lambda each: (
                each["msg_type"] == "comm_open" and "card" in each["content"]["data"].get("state", {})
            )
        )
        return str(opened["content"]["comm_id"])

    def next_state(self, key: str) -> dict[str, Any]:
        """What the panel is sent next, of messages with this key."""
        message = self.until(lambda each: key in each["content"].get("data", {}).get("content", {}))
        return dict(message["content"]["data"]["content"])

    def waited(self) -> float:
        """Seconds for which the panel has waited for the person, by its own clock: it says so at an interval."""
        said = [each["content"].get("data", {}).get("content", {}) for each in self.messages]
        return _RESEND_INTERVAL * len([each for each in said if each.get("phase") == "waiting"])

    def reply(self, msg_type: str, comm: str, *, session: str | None = None, **action: str) -> None:
        """Send a message to a comm over a subshell, as JupyterLab does; ``session``: of another page than ours."""
        shell = self._control("create_subshell_request")["subshell_id"]
        data = {"method": "custom", "content": action} if action else {}
        message = self.client.session.msg(msg_type, {"comm_id": comm, "data": data})
        message["header"] |= {"subshell_id": shell, **({"session": session} if session else {})}
        self.client.shell_channel.send(message)

    def interrupt(self) -> None:
        """As the front end's ■ does."""
        self._control("interrupt_request")

    def _control(self, request: str) -> dict[str, Any]:
        self.client.control_channel.send(self.client.session.msg(request, {}))
        answer: dict[str, Any] = self.client.get_control_msg(timeout=PATIENCE)["content"]
        return answer

    def _is_cell(self, message: dict[str, Any]) -> bool:
        return bool(message["parent_header"].get("msg_type") == "execute_request")


def plain(message: dict[str, Any]) -> str:
    """The plain text of an output."""
    return str(message["content"].get("data", {}).get("text/plain", ""))


@contextmanager
def client_of_kernel(name: str, **options: Any) -> Iterator[BlockingKernelClient]:
    """A new kernel of this kernelspec, until the block ends.

    jupyter_client takes ports that the system gives to whoever asks next, before the kernel binds them.
    """
    ports = {f"{channel}_port": free_port() for channel in ("shell", "iopub", "stdin", "hb", "control")}
    manager = KernelManager(kernel_name=name, cache_ports=False, **ports)
    manager.start_kernel(**options)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@contextmanager
def kernel(name: str = "python3", **environ: str) -> Iterator[Kernel]:
    """A kernel of this kernelspec, with no other environment that tells of a person."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)}
    with client_of_kernel(name, env={**env, **environ}) as client:
        yield Kernel(client)
