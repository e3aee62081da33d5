"""Do every deed and write down what came of it: ``python tests/mischief/table.py`` (``make hostile``)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deeds import DEEDS, HOSTILE, LAWFUL
from outcome import done
from provider import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = Path(__file__).parents[2] / "docs" / "hostile.md"
TEXT = """\
# What may come back

authnb signs in at a provider that does each of these things, one sign-in for each, over real HTTP. `make hostile` does
them all again and writes this page; `tests/mischief` does so in every run of the tests, and looks each time that no
session came of what is hostile, no port stayed open, no other origin was asked, and no token or code stands in a text.

## Hostile: {hostile} of {hostile} end in an error of this code

| done | error |
| --- | --- |
{rows}

## Strange, but lawful: {lawful} of {lawful} are accepted

{items}
"""


def table(errors: Mapping[str, str | None]) -> str:
    """The page, with the code of the error that each deed ended in."""
    return TEXT.format(
        hostile=len(HOSTILE),
        lawful=len(LAWFUL),
        rows="\n".join(f"| {deed.name} | `{errors[deed.name]}` |" for deed in HOSTILE),
        items="\n".join(f"- {deed.name}" for deed in LAWFUL),
    )


def main() -> int:
    """Do the deeds; 1 if one came out otherwise than it must."""
    errors: dict[str, str | None] = {}
    with done(DEEDS) as outcomes:
        for name, outcome in outcomes.items():
            error = outcome.result().login.error
            errors[name] = error.error if error else None
    wrong = [deed for deed in DEEDS if errors[deed.name] != deed.error]
    for deed in wrong:
        print(f"{deed.name}: {errors[deed.name]}, not {deed.error}", file=sys.stderr)
    if wrong or ELSEWHERE.visits:
        return 1
    page = table(errors)
    PAGE.write_text(page, encoding="utf-8")
    print(page, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
