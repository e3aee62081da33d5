"""docs/presets.md, made of presets.toml and of the tests of what is odd about each; `make interop` does it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

from test_presets import ODDITIES  # noqa: E402 - the folder above has to be known first

from authnb.presets import Preset, known  # noqa: E402 - found by the path above

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
`Provider`. All of it is data, in [authnb/presets.toml](../authnb/presets.toml), tested against small servers that
behave as the documentation linked here says. Not everything was compared with it: what stands there of Entra,
Auth0's and Globus' sign-in, Copernicus and Okta's sign-up, most addresses of consoles, and the redirect addresses but
Okta's and Cognito's await a check, and no preset was tried at the provider itself. You register a client of your own
there: [how](register.md).

"""


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
        "Each row is a test in `tests/interop/test_presets.py`.",
        "",
    ]
    lines += ["| provider | what | documented |", "| --- | --- | --- |"]
    for name, documentation, test in ODDITIES:
        said = (test.__doc__ or "").strip()
        lines.append(f"| {known()[name].title} | {said} | [there]({documentation}) |")
    return _HEAD + "\n".join(lines) + "\n"


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
