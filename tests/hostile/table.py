"""Run every behaviour and write the outcomes to docs/hostile.md: ``python tests/hostile/table.py``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parents[1] / "helpers")]

from behaviours import BEHAVIOURS, HOSTILE, LAWFUL  # noqa: E402 - the folder above has to be known first
from provider import FOREIGN_ORIGIN  # noqa: E402 - found by the path above
from runner import run_all  # noqa: E402 - found by the path above

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = Path(__file__).parents[2] / "docs" / "hostile.md"
TEXT = """\
# Hostile provider responses

authnb signs in at a provider with each of these behaviours, one sign-in each, over real HTTP; in those of DPoP it goes
on to call an API and to renew the token. `make hostile` runs them and writes this page; `tests/hostile` runs them with
the other tests, and checks that a hostile behaviour yields no session but that of the honest sign-in before it, leaves
no port open, contacts no other origin, and shows no token, code or password in a text. What people are shown, whatever
the behaviour, is printable, and its HTML has no element of the provider's.

## Hostile: {hostile} of {hostile} end in this error code

| behaviour | error |
| --- | --- |
{rows}

## Unusual but conforming, or text that is shown as text: {lawful} of {lawful} are accepted

{items}
"""


def table(errors: Mapping[str, str | None]) -> str:
    """The page, with the error code that each behaviour ended in."""
    return TEXT.format(
        hostile=len(HOSTILE),
        lawful=len(LAWFUL),
        rows="\n".join(f"| {behaviour.name} | `{errors[behaviour.name]}` |" for behaviour in HOSTILE),
        items="\n".join(f"- {behaviour.name}" for behaviour in LAWFUL),
    )


def main() -> int:
    """Run the behaviours; 1 if one has another outcome than expected."""
    errors: dict[str, str | None] = {}
    with run_all(BEHAVIOURS) as outcomes:
        for name, outcome in outcomes.items():
            error = outcome.result().error
            errors[name] = error.error if error else None
    wrong = [behaviour for behaviour in BEHAVIOURS if errors[behaviour.name] != behaviour.error]
    for behaviour in wrong:
        print(f"{behaviour.name}: {errors[behaviour.name]}, not {behaviour.error}", file=sys.stderr)
    if wrong or FOREIGN_ORIGIN.visits:
        return 1
    page = table(errors)
    PAGE.write_text(page, encoding="utf-8")
    print(page, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
