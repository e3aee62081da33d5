"""docs/presets.md, made of presets.toml and of the tests of what is odd about each; `make tables` does it."""

from __future__ import annotations

import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parents[1] / "helpers")]

if TYPE_CHECKING:
    from collections.abc import Callable

from rows import ODDITIES  # noqa: E402 - the folder above has to be known first

from authnb.oauth.presets import Preset, known  # noqa: E402 - found by the path above

TESTS = ("test_presets", "test_presets_others")  # they fill the table
COMPARED = Path(__file__).parent / "compared.toml"
DATE = "2026-11-25"  # of the comparison
FACTS = {
    "issuer": "issuer, endpoints",
    "ways": "ways to sign in",
    "redirects": "redirect address",
    "sign_up": "sign-up",
    "client_page": "where clients are registered",
}
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "presets.md"

WHOSE = {
    "gitlab": "HOST",
    "entra": "TENANT",
    "auth0": "DOMAIN",
    "okta": "DOMAIN",
    "keycloak": "HOST/realms/REALM",
    "cognito": "REGION_POOL",
}
_HEAD = """# Providers by name

`authnb.login("github", client_id=…)`; with a colon, whose: `authnb.login("auth0:dev-1.eu.auth0.com", client_id=…)`,
`"entra:TENANT"`, `"keycloak:id.example.org/realms/lab"`, `"cognito:eu-west-1_AbCdEf"`. `authnb.preset(name)` gives the
`Provider`. All of it is data, in [authnb/oauth/presets.toml](../authnb/oauth/presets.toml), tested against small
servers that behave as the documentation linked here says. Each fact was compared with that documentation, or with
what else the provider made public, as far as it was at hand on {date}:
[with what, and what was not found](#what-was-compared). Stored copies were read, some older than that day; no
preset was tried at the provider itself. You register a client of your own there: [how](register.md).

"""


def rows() -> list[tuple[str, str, str, Callable[..., None]]]:
    """What is odd about each, in the order of the presets."""
    for module in TESTS:
        import_module(module)
    return sorted(ODDITIES, key=lambda row: list(known()).index(row[0]))


def table() -> str:
    """The whole document."""
    lines = ["| name | provider | ways to sign in | redirect address to register | sign-up |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for name, preset in known().items():
        whose = f":{WHOSE[name]}" if name in WHOSE else ""
        title = f"[{preset.title}]({preset.documentation})"
        cells = [f"`{name}{whose}`", title, _ways(preset), preset.redirects, _sign_up(preset)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "## What each does its own way",
        "",
        f"Each row is a test in `tests/interop/test_presets.py` or beside it, compared on {DATE} with what the last",
        "column names.",
        "",
    ]
    lines += ["| provider | what | documented | compared with |", "| --- | --- | --- | --- |"]
    for name, documentation, read, test in rows():
        said = (test.__doc__ or "").strip()
        lines.append(f"| {known()[name].title} | {said} | [there]({documentation}) | {_read(read)} |")
    lines += ["", *_compared()]
    return _HEAD.format(date=DATE) + "\n".join(lines) + "\n"


def _compared() -> list[str]:
    lines = [
        "## What was compared",
        "",
        f"On {DATE}. *this*: what was read; it says what the preset does. *elsewhere*: the provider's own",
        "documentation at hand does not have it, others mention it. *not found*: nothing at hand has it, so take it",
        "with care. No address was opened.",
        "",
        f"| provider | {' | '.join(FACTS.values())} |",
        f"| --- |{' --- |' * len(FACTS)}",
    ]
    with_what = tomllib.loads(COMPARED.read_text(encoding="utf-8"))
    for name, preset in known().items():
        cells = [preset.title, *(_read(with_what[name][fact]) for fact in FACTS)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _read(what: str) -> str:
    return f"[this]({what})" if what.startswith("https://") else what


def _ways(preset: Preset) -> str:
    wanting = preset.quirks.get("secret_for", ())
    grants = {"loopback": "code", "device": "device"}
    return ", ".join(f"{mode}, with a secret" if grants[mode] in wanting else mode for mode in preset.modes)


def _sign_up(preset: Preset) -> str:
    quirks, page = preset.quirks, preset.provider.get("sign_up_page", "")
    if "sign_up_parameters" in quirks or "sign_up_endpoint" in quirks:
        return "its page, which then signs in"
    if page:
        return f"{'its page' if '{' in page else f'[its page]({page})'}, then the sign-in"
    return str(quirks["sign_up_note"])


if __name__ == "__main__":
    DOCUMENT.write_text(table(), encoding="utf-8")
