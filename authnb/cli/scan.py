"""``authnb scan``: find secrets in notebook files: tokens, codes, passwords. Also for a pre-commit hook.

Scans everything but raster images: sources, outputs, tracebacks, attachments, metadata and saved widget state, of
all notebook formats. A line that ends in the comment ``# not a secret`` is skipped. Nothing in a finding is taken
from the notebook but numbers.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authnb.cli.counting import counted
from authnb.cli.secret_search import secrets_in
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CHECKPOINTS = ".ipynb_checkpoints"  # Jupyter's copies hold the same secrets
_RASTER = {"png", "jpeg", "pdf", "application/pdf"}  # and image/…; short names are those of formats 1 to 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A secret found: the cell (counted from 1; None outside cells), the part of it, and the reason."""

    cell: int | None
    part: str
    reason: str
    hint: str

    def __str__(self) -> str:
        where = f"cell {self.cell}, {self.part}" if self.cell is not None else self.part
        return f"{where}: {self.reason} ({self.hint})"


def run(paths: Iterable[Path]) -> int:
    """Print the findings in these notebooks, and in those below these folders.

    Returns the exit code: 0 if nothing was found, 1 if something was, 2 if a notebook or a folder could not be read.
    """
    scanned = findings = unread = 0
    for path, problem in _notebooks(paths):
        try:
            if problem is not None:
                raise problem
            found = scan(path)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a notebook that can be read"
            print(f"{printable(path)}: {why}", file=sys.stderr)
            unread += 1
            continue
        scanned, findings = scanned + 1, findings + len(found)
        for finding in found:
            print(f"{printable(path)}: {finding}")
    if scanned:
        outcome = counted(findings, "finding") if findings else "nothing found"
        print(f"{counted(scanned, 'notebook')} scanned: {outcome}.")
    if unread:
        return 2
    return 1 if findings else 0


def _notebooks(paths: Iterable[Path]) -> Iterator[tuple[Path, OSError | None]]:
    """Each file, and each notebook below each folder; with the error, what cannot be listed.

    Hidden folders are left out, such as ``.git`` and ``.venv``, except for checkpoints.
    """
    for path in paths:
        if not path.is_dir():
            yield path, None
            continue
        problems: list[OSError] = []
        count = 0
        for folder, names, files in os.walk(path, onerror=problems.append):
            names[:] = sorted(name for name in names if not name.startswith(".") or name == _CHECKPOINTS)
            for name in sorted(files):
                if name.lower().endswith(".ipynb"):
                    count += 1
                    yield Path(folder, name), None
        if not count and not problems:
            problems.append(FileNotFoundError(errno.ENOENT, "no notebook (.ipynb) in this folder", str(path)))
        for problem in problems:
            yield Path(problem.filename), problem


def scan(path: Path) -> list[Finding]:
    """The findings in a notebook file of any format, in file order, without duplicates.

    Raises ``OSError`` if the file cannot be read, ``ValueError`` if it is not a notebook.
    """
    if path.exists() and not path.is_file():  # a pipe or a device may never end
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    try:
        notebook = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_members)
        return list(dict.fromkeys(_findings(notebook)))
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not a notebook.") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of members with the same name, which are in the file all the same, each."""
    members = dict(pairs)
    if len(members) < len(pairs):
        members["repeated"] = [{name: value} for name, value in pairs if members[name] is not value]
    return members


def _findings(notebook: dict[str, Any]) -> Iterator[Finding]:
    rest = dict(notebook)
    worksheets = rest.pop("worksheets", ())  # formats 2 and 3
    cells = list(rest.pop("cells", ())) if not worksheets else []
    for worksheet in worksheets:
        sheet = dict(worksheet)
        cells += sheet.pop("cells", ())
        yield from _findings_in(None, "a worksheet's metadata", sheet)
    if not cells and "metadata" not in rest:
        raise KeyError("cells")
    for number, cell in enumerate(cells, 1):
        yield from _findings_in_cell(number, dict(cell))
    metadata = dict(rest.pop("metadata"))
    yield from _findings_in(None, "saved state of widgets", metadata.pop("widgets", None))
    yield from _findings_in(None, "the notebook's metadata", metadata)
    yield from _findings_in(None, "other members", rest)


def _findings_in_cell(number: int, cell: dict[str, Any]) -> Iterator[Finding]:
    for member in ("source", "input"):
        yield from _findings_in(number, "source", cell.pop(member, None))
    outputs = cell.pop("outputs", ())
    for place, output in enumerate([outputs] if isinstance(outputs, dict) else outputs, 1):
        yield from _findings_in(number, f"output {place}", output)
    for member in ("attachments", "metadata"):
        yield from _findings_in(number, member, cell.pop(member, None))
    yield from _findings_in(number, "other members", cell)


def _findings_in(cell: int | None, part: str, value: Any) -> Iterator[Finding]:
    for text in _texts(value):
        for secret in secrets_in(text):
            hint = f"{secret.prefix}…, {len(secret.value)} characters"
            yield Finding(cell=cell, part=part, reason=secret.reason, hint=hint)


def _texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value; a list of strings is joined, as in a cell's source; members keep their names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        yield "".join(value)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _typed(value)
        for name, member in value.items():
            if name in _RASTER or (name.startswith("image/") and name != "image/svg+xml"):
                continue
            if isinstance(member, str) and "\n" not in member:
                yield f'"{name}": "{member}"'
            else:
                yield from _texts(member)


def _typed(value: dict[str, Any]) -> Iterator[str]:
    """What was typed into a saved widget, under the label or the kind of the field."""
    state = value.get("state", value)
    typed = state.get("value") if isinstance(state, dict) else None
    if not isinstance(typed, str) or not typed:
        return
    if value.get("model_name") == "PasswordModel" or state.get("_model_name") == "PasswordModel":
        yield f'"password": "{typed}"'
    elif state is value and isinstance(label := state.get("description"), str):
        yield f'"{label.strip().rstrip(":").replace(" ", "_")}": "{typed}"'
