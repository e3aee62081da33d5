"""Elements of a card, as plain data that panel.js makes real.

An element is a text, or a list of its tag, its attributes and its children. A button or form with ``data-do``
sends its ``data-…`` as a message; ``data-busy`` is shown meanwhile, ``data-copy`` what is copied, ``data-says``
what a link leaves to be read. Tags of our own: ``countdown``, ``bar``, ``clock`` and ``sign-up-form``.
"""

from __future__ import annotations

from typing import Any

Node = str | list[Any]

ELSEWHERE = {"target": "_blank", "rel": "noopener noreferrer"}


def row(*children: Node) -> Node:
    """Beside each other."""
    return ["div", {"class": "authnb-row"}, *children]


def quiet(*children: Node) -> Node:
    """What need not be read."""
    return ["p", {"class": "authnb-quiet"}, *children]


def link(address: str, text: str, says: str | None = None) -> Node:
    """A real link: the browser opens it in the click itself, so no popup blocker minds."""
    attributes = {"class": "authnb-primary", "href": address, "data-says": says, **ELSEWHERE}
    hidden = ["span", {"class": "authnb-hidden"}, " (opens a new tab)"]
    return ["a", attributes, text, ["span", {"aria-hidden": "true"}, " ↗"], hidden]


def deed(text: str, kind: str, do: str, *, busy: str = "Starting …", **more: str) -> Node:
    """A button that sends a message."""
    attributes = {"type": "button", "class": kind, "data-do": do, "data-busy": busy}
    return ["button", attributes | {f"data-{name}": value for name, value in more.items()}, text]


def cancel() -> Node:
    """The button that ends a sign-in."""
    return deed("Cancel", "authnb-plain", "cancel", busy="Cancelling …")


def copy(text: str) -> Node:
    """The button that copies this."""
    return ["button", {"type": "button", "data-copy": text}, "Copy"]
