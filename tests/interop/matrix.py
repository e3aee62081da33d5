"""The matrix of providers and capabilities: `make tables` runs it, prints it, and keeps it in docs/interop.md.

What does not work there needs its reason in WHY, or the tests fail.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "helpers")]

from capabilities import CAPABILITIES, outcome  # noqa: E402 - the folder above has to be known first
from providers import NAMES, running  # noqa: E402 - found by the path above

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "interop.md"
WORKS = "works"

_NO_SIGN_UP = "It has no page for it."
_NO_DEVICE = "It has no device flow."
_NO_RESOURCE = "It ignores `resource`."
_NO_EXCHANGE = "It has no token exchange."
_ALL_OR_NOTHING = "Its page for consent has no choice."
WHY = {
    ("oidc-provider", "another_api_by_token_exchange"): (
        "It has no token exchange of its own; in the column beside it a grant that we registered there."
    ),
    ("oidc-provider", "scope_granted_in_part"): _ALL_OR_NOTHING,
    ("oidc-provider", "sign_up"): _NO_SIGN_UP,
    (
        "canaille",
        "loopback_on_any_port",
    ): "It sends browsers only to addresses that are registered with their port.",
    ("canaille", "device"): _NO_DEVICE,
    ("canaille", "denial_on_the_device"): _NO_DEVICE,
    ("canaille", "token_for_one_api"): _NO_RESOURCE,
    ("canaille", "another_api_by_refresh_token"): _NO_RESOURCE,
    ("canaille", "another_api_by_token_exchange"): _NO_EXCHANGE,
    ("canaille", "scope_granted_in_part"): _ALL_OR_NOTHING,
    ("canaille", "revocation_by_a_public_client"): "It revokes only for clients with a secret.",
    ("oidc-provider-mock", "public_client"): "It knows only clients with a secret.",
    ("oidc-provider-mock", "wrong_secret"): "It is a mock: no secret is wrong.",
    ("oidc-provider-mock", "device"): _NO_DEVICE,
    ("oidc-provider-mock", "denial_in_the_browser"): (
        "Its denial comes without `state`, so it is no answer to this sign-in (RFC 6749 section 4.1.2.1); the page "
        "that the browser ends on says to cancel in the notebook."
    ),
    ("oidc-provider-mock", "denial_on_the_device"): _NO_DEVICE,
    ("oidc-provider-mock", "token_for_one_api"): _NO_RESOURCE,
    ("oidc-provider-mock", "another_api_by_refresh_token"): _NO_RESOURCE,
    ("oidc-provider-mock", "another_api_by_token_exchange"): _NO_EXCHANGE,
    ("oidc-provider-mock", "scope_granted_in_part"): _ALL_OR_NOTHING,
    ("oidc-provider-mock", "revocation_by_a_public_client"): "It knows only clients with a secret.",
    ("oidc-provider-mock", "revocation_by_a_client_with_a_secret"): "It has no revocation endpoint.",
    ("oidc-provider-mock", "sign_up"): _NO_SIGN_UP,
    ("canaille", "api_by_its_address_and_a_device_code"): _NO_DEVICE,
    ("canaille", "registration_deleted_by_us"): (
        "Its management endpoint fails. A registration there is kept as it is; a sign-in makes another when it is gone."
    ),
    ("oidc-provider-mock", "api_by_its_address_alone"): (
        "It registers clients without a secret, and then knows only clients with one."
    ),
    ("oidc-provider-mock", "api_by_its_address_and_a_device_code"): _NO_DEVICE,
    ("oidc-provider-mock", "registration_deleted_by_us"): "It registers clients for good.",
}

_HEAD = """# authnb at providers that others wrote

The tests in `tests/interop/` start these providers and use authnb there as a person does: `make interop` installs
them and runs the tests, `make tables` prints this table. Where it names an error, the provider lacks the capability
and authnb says so with that error; the reason is below. The other way round, clients that others wrote sign in at the
provider for learning: Authlib's Flask client, requests_oauth2client, openid-client, oauth4webapi, and curl by the
device flow as RFC 8628 writes it.

Where more is demanded than a bearer token, it is oidc-provider again, with an API that checks each proof: once as the
FAPI 2.0 Security Profile wants it, with keys for ES256 and PS256, and once as a public client with DPoP alone. authnb
signs in there by browser and by device code, calls, renews once for 32 threads, signs out, and goes on in another
process; a thief with the tokens and without the key gets nothing (`tests/interop/test_fapi.py`;
[the profile, point by point](fapi2.md)).

By its address alone, a notebook also signs in at MCP servers, and hands its session to MCP's client: one with an
authorization server of its own, which is the MCP SDK's, and one that takes oidc-provider's tokens
(`tests/clients/test_mcp_by_address.py`, in `make clients`).

"""


def spoken(name: str) -> str:
    """A capability's name in words."""
    return name.replace("_", " ")


def kept() -> dict[tuple[str, str], str]:
    """The matrix in the document, by provider and capability."""
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    columns, *body = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {
        (provider, capability.__name__): cells[columns.index(provider)].strip("`")
        for capability in CAPABILITIES
        for cells in body
        if cells[0] == spoken(capability.__name__)
        for provider in NAMES
    }


def _run() -> dict[tuple[str, str], tuple[str, str]]:
    found = {}
    for name in NAMES:
        with running(name) as stranger:
            for capability in CAPABILITIES:
                found[name, capability.__name__] = outcome(capability, stranger)
    return found


def _written(found: dict[tuple[str, str], tuple[str, str]]) -> str:
    lines = [f"| capability | {' | '.join(NAMES)} |", "| --- |" + " --- |" * len(NAMES)]
    for capability in CAPABILITIES:
        codes = [found[name, capability.__name__][0] for name in NAMES]
        cells = [code if code == WORKS else f"`{code}`" for code in codes]
        lines.append(f"| {spoken(capability.__name__)} | {' | '.join(cells)} |")
    lines += ["", "## Why not, and what authnb says", ""]
    for (name, capability), (code, said) in found.items():
        if code != WORKS:
            lines += [
                f"- **{name}, {spoken(capability)}.** {WHY.get((name, capability), 'Nobody knows yet.')}",
                f"  > {said}",
                "",
            ]
    return _HEAD + "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    os.environ.setdefault("AUTHNB_INTERACTIVE", "1")  # a scripted person is there
    document = _written(_run())
    print(document)
    DOCUMENT.write_text(document, encoding="utf-8")
