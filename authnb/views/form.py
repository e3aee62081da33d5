"""The sign-up form as plain data, rendered by form.js. It holds no values: those stay in the browser until sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authnb.messages import gettext
from authnb.views.elements import row

if TYPE_CHECKING:
    from authnb.flows.steps import Field, Form
    from authnb.views.elements import Node

_AUTOCOMPLETE = {"email": "email", "name": "username"}
_METER_BARS = 4  # of the password strength meter
_EMAIL_PATTERN = r"[^@\s]+@[^@\s]+\.[^@\s.]+"  # type="email" accepts a domain without a dot


def form_element(form: Form, *buttons: Node) -> Node:
    """The empty form; ``buttons`` stand beside its own."""
    error = ["p", {"class": "authnb-error", "role": "alert"}]
    submit = [
        "button",
        {"class": "authnb-primary", "data-pending": gettext("Creating the account …")},
        gettext("Create account"),
    ]
    return ["sign-up-form", {}, *map(_field, form.fields), error, row(submit, *buttons)]


def _field(field: Field) -> Node:
    """A label, the input with its constraints, for a password a Show button and a strength meter, and a hint."""
    secret = field.kind == "password"
    email = field.kind == "email" and field.pattern is None
    constraints = {
        "aria-required": "true" if field.required else None,
        "pattern": _EMAIL_PATTERN if email else field.pattern,
        "data-missing": gettext("Please fill this in.") if field.required else None,
        "data-min": field.min_length,
        "data-short": field.min_length and gettext("At least {n} characters.", n=field.min_length),
        "data-max": field.max_length,
        "data-long": field.max_length and gettext("At most {n} characters.", n=field.max_length),
        "data-same-as": field.same_as,
        "data-differs": gettext("The two differ.") if field.same_as else None,
        "data-invalid": gettext("This address is not complete.")
        if email
        else field.help or gettext("This does not fit."),
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
        {
            "type": "button",
            "aria-label": gettext("Show {label}", label=field.label),
            "aria-pressed": "false",
            "data-show": gettext("Show"),
            "data-hide": gettext("Hide"),
        },
        gettext("Show"),
    ]
    meter = ["span", {"class": "authnb-meter", "aria-hidden": "true"}, *([["i", {}]] * _METER_BARS)]
    return [
        "div",
        {"class": "authnb-field"},
        ["label", {}, field.label],
        row(["input", attributes | constraints], *([show] if secret else [])),
        *([meter] if secret and not field.same_as else []),
        ["small", {"aria-live": "polite"}],
    ]
