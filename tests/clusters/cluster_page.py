"""docs/cluster.md, whose blocks are tested where their cluster is."""

from __future__ import annotations

from code_blocks import Page

PAGE = Page("docs/cluster.md")
