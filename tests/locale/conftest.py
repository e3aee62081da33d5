"""Each test begins in English, and leaves no language behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pseudo
import pytest

from authnb import messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    folders, before = [*messages.FOLDERS], {**messages._current}  # noqa: SLF001 - nothing public forgets the page
    yield
    messages.FOLDERS[:] = folders
    messages._current.update(before)  # noqa: SLF001 - the same


@pytest.fixture
def qps(tmp_path: Path) -> str:
    """The pseudo-language, known to `authnb.language`."""
    messages.FOLDERS.append(pseudo.write(tmp_path))
    return pseudo.LANGUAGE
