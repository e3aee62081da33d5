"""Run into every error there is and write down what people see: ``python tests/security/errors_page.py``."""

from __future__ import annotations

import ast
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import scenes
from scenes import ACCOUNT, raised

import authnb
from authnb.answers import _REMEDIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenes import Scene

    from authnb.errors import AuthnbError

_ENDINGS = ("Required", "Failed", "Token", "ProviderError", "StorageError")
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"
TEXT = """\
# Errors

Every error is an `authnb.AuthnbError`: `.error` holds its code, `.description` the text. Codes are those of OAuth 2.0
and OpenID Connect where there is one. This page is made by running into each error (`make errors`); a test does so
again and compares. `id.example.org` stands for your provider.

{sections}"""


@dataclass(frozen=True)
class Known:
    """How to run into an error, and what more there is to say about it."""

    scene: Callable[[Scene], AuthnbError]
    advice: str


def of_deed(name: str) -> Callable[[Scene], AuthnbError]:
    """Run into what a deed of a provider ends in."""
    return lambda scene: scene.deed(name)


ERRORS: dict[str, Known] = {
    "login_required": Known(
        scenes.login_required,
        "Run the cell that signs in, or finish the sign-in it began. A session that can no longer be renewed says "
        "the same.",
    ),
    "interaction_required": Known(
        scenes.interaction_required,
        "Run the notebook by hand once, with `remember=True`, or let a program approve. It is a `LoginRequired` too.",
    ),
    "access_denied": Known(of_deed("callback: the person's no"), "You said no, or the provider did for you."),
    "consent_required": Known(
        of_deed("callback: the person's no, in other words"), "The same, in another provider's words."
    ),
    "cancelled": Known(scenes.cancelled, "Nothing is left behind: the port is free again."),
    "expired_token": Known(scenes.expired_token, "The link or the code was not used in time."),
    "port_in_use": Known(
        scenes.port_in_use,
        "Often a sign-in in another kernel, or of another account, that still waits: cancel it. One of the same "
        "account in this kernel makes way by itself.",
    ),
    "invalid_request": Known(
        scenes.invalid_request,
        "Copy the whole address from the browser's address bar. Where the provider answers with this code, look at "
        "how the client is registered there.",
    ),
    "not_needed": Known(scenes.not_needed, "Take the session: `login.session`."),
    "not_supported": Known(scenes.not_supported, "Only the provider can change that."),
    "issuer_mismatch": Known(
        of_deed("metadata: another issuer"),
        "Compare the two addresses letter by letter. At the end of a sign-in this is an attack, or a provider that "
        "is badly set up: do not try until it works.",
    ),
    "invalid_metadata": Known(
        of_deed("metadata: token endpoint over http"),
        "Its administrators have to mend that, or you name the endpoint.",
    ),
    "invalid_token": Known(
        of_deed("ID token: RS256 by a forger"),
        "Once may be a change of keys; more than once is for the provider's administrators.",
    ),
    "invalid_response": Known(
        of_deed("token: HTML"),
        "Mostly the address is not the issuer's, or something on the way (a proxy, a login page of the network) "
        "answers in its place.",
    ),
    "unsupported_token_type": Known(of_deed("token: of type mac"), "Register the client for Bearer tokens."),
    "invalid_client": Known(of_deed("token: an empty 401"), "Both are the provider's words."),
    "invalid_grant": Known(
        of_deed("token: invalid_grant with HTTP 400"), "The code was used up, or too late."
    ),
    "unauthorized_client": Known(lambda scene: scene.refused("unauthorized_client"), ""),
    "unsupported_grant_type": Known(lambda scene: scene.refused("unsupported_grant_type"), ""),
    "invalid_scope": Known(lambda scene: scene.refused("invalid_scope"), ""),
    "server_error": Known(of_deed("token: HTTP 500"), ""),
    "temporarily_unavailable": Known(lambda scene: scene.refused("temporarily_unavailable"), ""),
    "a code of the provider's own": Known(
        lambda scene: scene.refused("quota_exceeded"),
        "Whatever else the provider answers is passed on as it is.",
    ),
    "timeout": Known(scenes.timeout, "An answer may take 20 seconds in all."),
    "unreachable": Known(of_deed("token: hung up without a word"), ""),
    "tls_error": Known(scenes.tls_error, "Nothing turns the check off."),
    "insecure_transport": Known(scenes.insecure_transport, "http is for this machine only."),
    "foreign_origin": Known(scenes.foreign_origin, "Several origins can be named: `api=[…, …]`."),
    "corrupt": Known(lambda scene: raised(lambda: scene.file(".signin", b"?").load(ACCOUNT)), ""),
    "later_version": Known(
        lambda scene: raised(lambda: scene.file(".signin", b"authnb sign-in 9\n").load(ACCOUNT)), ""
    ),
    "not_private": Known(
        lambda scene: raised(lambda: scene.file(".signin", b"?", 0o644).load(ACCOUNT)),
        "If others may have read it, sign out: `authnb logout`.",
    ),
    "no_key": Known(scenes.no_key, ""),
    "bad_key": Known(lambda scene: raised(lambda: scene.file("key", b"?").load(ACCOUNT)), ""),
    "not_stored": Known(scenes.not_stored, "Whoever has just signed in stays signed in, in this kernel."),
    "locked": Known(scenes.locked, ""),
    "unexpected": Known(
        scenes.unexpected, "It never happens where authnb is right; the text says where it was not."
    ),
}


def codes() -> set[str]:
    """Every code in the source: what errors are made with, and what providers answer."""
    kinds = {
        "AuthnbError",
        "NoDocument",
        *(name for name in authnb.errors.__dict__ if name.endswith(_ENDINGS)),
    }
    return set(_REMEDIES) | {
        call.args[0].value
        for path in (ROOT / "authnb").glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in kinds
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


def seen() -> dict[str, AuthnbError]:
    """Every error, run into."""
    errors = {}
    for name, known in ERRORS.items():
        with tempfile.TemporaryDirectory() as folder, scenes.scene(Path(folder)) as here:
            error = known.scene(here)
            text = error.description.replace(folder, "~/.local/share/authnb")
            errors[name] = type(error)(error.error, text)
    return errors


def page(errors: Mapping[str, AuthnbError]) -> str:
    """The page in the docs."""
    sections = []
    for name, error in errors.items():
        heading = f"## `{name}`" if name == error.error else f"## {name.capitalize()}"
        sections.append(f"{heading}\n\n`{type(error).__name__}`: {error.description}\n")
        if ERRORS[name].advice:
            sections.append(f"{ERRORS[name].advice}\n")
    return TEXT.format(sections="\n".join(sections))


if __name__ == "__main__":
    PAGE.write_text(page(seen()), encoding="utf-8")
