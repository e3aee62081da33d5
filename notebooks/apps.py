"""Web applications in cells: one whose cells can be run again, and the text of its pages.

Notebooks call them as `kit.app` and `kit.text_of`.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flask import Flask

_UNSEEN = {"head", "style", "script", "title"}
_BLOCKS = {"p", "h1", "h2", "li", "label", "button", "form", "main", "header", "div", "dt", "dd", "nav"}


class _App(Flask):
    """A Flask application that takes a route again: the newest view function of a name answers."""

    def add_url_rule(self, rule: str, endpoint: Any = None, view_func: Any = None, *rest: Any, **options: Any) -> None:
        endpoint = endpoint or view_func.__name__
        if endpoint in self.view_functions:
            self.view_functions[endpoint] = view_func
        else:
            super().add_url_rule(rule, endpoint, view_func, *rest, **options)

    def _check_setup_finished(self, f_name: str) -> None:
        """Flask would refuse changes after the first request, when other workers may serve the application too."""


def app(name: str, pages: str | None = None) -> Flask:
    """A Flask application for a notebook; ``pages`` is the folder of its templates, beside this file."""
    here = Path(__file__).parent
    return _App(name, root_path=str(here), template_folder=pages, static_folder=None)


def text_of(page: str) -> str:
    """What a person reads on an HTML page, line by line."""
    reader = _Reader()
    reader.feed(page)
    lines = (" ".join(line.split()) for line in "".join(reader.parts).splitlines())
    return "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        self._line_for(tag)
        given = dict(attrs)
        if tag == "input" and given.get("type") != "hidden":
            self.parts.append(f" [{given.get('value') or ' ' * 12}] ")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN
        self._line_for(tag)

    def _line_for(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data.replace("\n", " "))
