"""Elements of a card as plain data, rendered by panel.js.

An element is a string, or a list of tag, attributes and children. A button or form with ``data-action`` sends its
``data-…`` attributes as a custom message and shows ``data-pending`` meanwhile; ``data-copy`` is copied to the
clipboard, after which the button says ``data-copied``; ``data-announce`` replaces the status text when a link is
followed. Custom elements: ``countdown``, ``bar``, ``clock`` and ``sign-up-form``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from authnb.messages import N_, gettext

if TYPE_CHECKING:
    from collections.abc import Iterable

Node = str | list[Any]

_STARTING = N_("Starting …")
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
    hidden = ["span", {"class": "authnb-hidden"}, " ", gettext("(opens a new tab)")]
    return ["a", attributes, text, ["span", {"aria-hidden": "true"}, " ↗"], hidden]


def action_button(text: str, kind: str, action: str, *, pending: str = _STARTING, **data: str) -> Node:
    """A button that sends ``action`` and ``data`` as a custom message; ``pending``: a sentence marked with `N_`."""
    attributes = {"type": "button", "class": kind, "data-action": action, "data-pending": gettext(pending)}
    return ["button", attributes | {f"data-{name}": value for name, value in data.items()}, text]


def cancel() -> Node:
    """The Cancel button."""
    return action_button(gettext("Cancel"), "authnb-plain", "cancel", pending=N_("Cancelling …"))


def copy(text: str) -> Node:
    """A button that copies ``text`` to the clipboard."""
    label, copied = gettext("Copy"), gettext("Copied")
    return [
        "button",
        {"type": "button", "data-copy": text, "data-label": label, "data-copied": copied},
        label,
    ]


def with_nodes(sentence: str, **nodes: Node) -> list[Node]:
    """The parts of a sentence marked with `N_`, with an element in place of each placeholder."""
    parts = in_parts(sentence, *nodes)
    return [node for n, part in enumerate(parts) if (node := nodes[part] if n % 2 else part)]


def spaced(sentences: Iterable[Node]) -> list[Node]:
    """Sentences one after the other, each as it is: those that are made can still be had in another language."""
    return [node for n, sentence in enumerate(sentences) for node in ([" ", sentence] if n else [sentence])]


def in_parts(sentence: str, *names: str) -> list[str]:
    """A sentence marked with `N_`: texts and names of placeholders in turn."""
    braced = {name: f"{{{name}}}" for name in names}
    return re.split(r"\{(\w+)\}", gettext(sentence, **braced))
