"""The sign-up form as plain data: fields that form.js brings to life. What is typed never comes here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authnb.views.elements import row

if TYPE_CHECKING:
    from authnb.flows import Field, Form
    from authnb.views.elements import Node

_AUTOCOMPLETE = {"email": "email", "name": "username"}
_BARS = 4  # of the meter that shows how strong a password is
_ADDRESS = r"[^@\s]+@[^@\s]+\.[^@\s.]+"  # browsers take one without a dot


def form_of(form: Form, *buttons: Node) -> Node:
    """The form, empty, with these buttons beside its own."""
    note = ["p", {"class": "authnb-note", "role": "alert"}]
    send = ["button", {"class": "authnb-primary", "data-busy": "Creating the account …"}, "Create account"]
    return ["sign-up-form", {}, *map(_field, form.fields), note, row(send, *buttons)]


def _field(field: Field) -> Node:
    """A label; the input with its rules, and a button where it hides what is typed; a meter; what is to be said."""
    secret = field.kind == "password"
    email = field.kind == "email" and field.pattern is None
    rules = {
        "aria-required": "true" if field.required else None,
        "pattern": _ADDRESS if email else field.pattern,
        "data-least": field.min_length,
        "data-most": field.max_length,
        "data-same": field.same_as,
        "data-misfit": "This address is not complete." if email else field.help or "This does not fit.",
    }
    attributes = {
        "type": field.kind,
        "name": field.name,
        "class": "authnb-grow",
        "autocomplete": "new-password" if secret else _AUTOCOMPLETE.get(field.name, "off"),
        "spellcheck": "false",
        "autocapitalize": "none",
        "data-help": field.help,
    }
    show = [
        "button",
        {"type": "button", "aria-label": f"Show {field.label}", "aria-pressed": "false"},
        "Show",
    ]
    meter = ["span", {"class": "authnb-meter", "aria-hidden": "true"}, *([["i", {}]] * _BARS)]
    return [
        "div",
        {"class": "authnb-field"},
        ["label", {}, field.label],
        row(["input", attributes | rules], *([show] if secret else [])),
        *([meter] if secret and not field.same_as else []),
        ["small", {"aria-live": "polite"}],
    ]
