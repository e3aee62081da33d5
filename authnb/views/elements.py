"""Elements of a card as plain data, rendered by panel.js.

An element is a string, or a list of tag, attributes and children. A button or form with ``data-action`` sends its
``data-…`` attributes as a custom message and shows ``data-pending`` meanwhile; ``data-copy`` is copied to the
clipboard; ``data-announce`` replaces the status text when a link is followed. Custom elements: ``countdown``,
``bar``, ``clock`` and ``sign-up-form``.
"""

from __future__ import annotations

from typing import Any

from authnb.transport.addresses import may_be_loopback

Node = str | list[Any]

NEW_TAB = {"target": "_blank", "rel": "noopener noreferrer"}


def row(*children: Node) -> Node:
    """A row of elements."""
    return ["div", {"class": "authnb-row"}, *children]


def muted(*children: Node) -> Node:
    """A paragraph in the secondary text colour."""
    return ["p", {"class": "authnb-muted"}, *children]


def link(address: str, text: str, announce: str | None = None) -> Node:
    """A link to a new tab: opened by the click itself, so no popup blocker intervenes."""
    attributes = {"class": "authnb-primary", "href": address, "data-announce": announce, **NEW_TAB}
    hidden = ["span", {"class": "authnb-hidden"}, " (opens a new tab)"]
    return ["a", attributes, text, ["span", {"aria-hidden": "true"}, " ↗"], hidden]


def action_button(text: str, kind: str, action: str, *, pending: str = "Starting …", **data: str) -> Node:
    """A button that sends ``action`` and ``data`` as a custom message."""
    attributes = {"type": "button", "class": kind, "data-action": action, "data-pending": pending}
    return ["button", attributes | {f"data-{name}": value for name, value in data.items()}, text]


def cancel() -> Node:
    """The Cancel button."""
    return action_button("Cancel", "authnb-plain", "cancel", pending="Cancelling …")


def copy(text: str) -> Node:
    """A button that copies ``text`` to the clipboard."""
    return ["button", {"type": "button", "data-copy": text}, "Copy"]


def where_to_open(address: str) -> str:
    """Where a person can open the page for a user code: one on a loopback address, on no other device."""
    return "in your browser" if may_be_loopback(address) else "on any device"
