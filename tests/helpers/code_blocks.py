"""The Python blocks of a Markdown page, each run by the test that is registered for it.

A block is named by the heading it stands under and its number there::

    PAGE = Page("README.md")

    @PAGE.block("Stay signed in")
    async def test_other_clients(block: Block) -> None:
        shown = await block.run({"api": api})
        assert shown[0] ...
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
_PART = re.compile(
    r"^(?P<fence> *)```(?P<language>\w*)\n(?P<source>.*?)^(?P=fence)```$|^#+ (?P<heading>[^\n]+)$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of a page: ``heading`` and ``number`` (from 1) name it there."""

    page: str
    heading: str
    number: int
    source: str

    def replacing(self, values: dict[str, str]) -> Block:
        """The block with the addresses and names of its example replaced by real ones; each must occur."""
        source = self.source
        for name, value in values.items():
            assert name in source, f"{name!r} does not stand in {self.page}, {self.heading}"
            source = source.replace(name, value)
        return replace(self, source=source)

    def only(self, source: str) -> Block:
        """Some lines of it."""
        assert source in self.source
        return replace(self, source=source)

    def split(self) -> list[Block]:
        """Its parts, between empty lines."""
        return [replace(self, source=part) for part in re.split(r"\n\s*\n", self.source)]

    async def run(self, names: dict[str, Any]) -> list[Any]:
        """Run it as a cell does, ``await`` included, and give the values of the lines that are expressions.

        ``names`` is the cell's namespace and holds what the block defines afterwards.
        """
        names["_shown"] = shown = []
        tree = ast.fix_missing_locations(_KeepValues().visit(ast.parse(self.source)))
        code = compile(tree, f"{self.page}, {self.heading}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)  # noqa: S307 - our own pages
        if inspect.isawaitable(result):
            await result
        return shown


class Page:
    """A Markdown page and the tests of its blocks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.blocks: dict[tuple[str, int], Block] = {}
        self.tested: set[tuple[str, int]] = set()
        heading, number = "", 0
        for part in _PART.finditer((ROOT / name).read_text(encoding="utf-8")):
            if part["heading"]:
                heading, number = part["heading"], 0
            elif part["language"] == "python":
                number += 1
                source = textwrap.dedent(part["source"])
                self.blocks[heading, number] = Block(page=name, heading=heading, number=number, source=source)

    def block(self, heading: str, number: int = 1) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a test for a block, which is passed to it as ``block``."""
        self.tested.add((heading, number))
        return pytest.mark.parametrize("block", [self.blocks[heading, number]], ids=[f"{heading}-{number}"])

    def untested(self) -> set[tuple[str, int]]:
        """The blocks without a test."""
        return set(self.blocks) - self.tested


class _KeepValues(ast.NodeTransformer):
    """Appends the value of each expression statement to ``_shown``; those of functions and classes stay."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        if isinstance(node.value, ast.Constant):
            return node  # a docstring
        node.value = ast.Call(ast.parse("_shown.append", mode="eval").body, args=[node.value], keywords=[])
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return node
