"""Run into every error there is and write down what people see: ``python tests/security/errors_page.py``."""

from __future__ import annotations

import ast
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("helpers", "hostile")]

import error_cases  # noqa: E402 - found by the path above
from error_cases import ACCOUNT, raised  # noqa: E402 - the same

import authnb  # noqa: E402 - the same
from authnb.oauth.error_responses import REMEDIES  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from error_cases import ErrorCase

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

    case: Callable[[ErrorCase], AuthnbError]
    advice: str


def of_behaviour(name: str) -> Callable[[ErrorCase], AuthnbError]:
    """Run into what a behaviour of a provider ends in."""
    return lambda case: case.behaviour(name)


ERRORS: dict[str, Known] = {
    "login_required": Known(
        error_cases.login_required,
        "Run the cell that signs in, or finish the sign-in it began. A session that can no longer be renewed says "
        "the same.",
    ),
    "interaction_required": Known(
        error_cases.interaction_required,
        "Run the notebook by hand once, with `remember=True`, or let a program approve. It is a `LoginRequired` too.",
    ),
    "access_denied": Known(
        of_behaviour("callback: denied by the person"), "You said no, or the provider did for you."
    ),
    "consent_required": Known(
        of_behaviour("callback: denied with consent_required"), "The same, in another provider's words."
    ),
    "cancelled": Known(error_cases.cancelled, "Nothing is left behind: the port is free again."),
    "expired_token": Known(error_cases.expired_token, "The link or the code was not used in time."),
    "unknown_language": Known(
        error_cases.unknown_language,
        "Languages are catalogues: `docs/languages.md` says how to add one.",
    ),
    "port_in_use": Known(
        error_cases.port_in_use,
        "Often a sign-in in another kernel, or of another account, that still waits: cancel it. One of the same "
        "account in this kernel makes way by itself.",
    ),
    "shared_redirect_uri": Known(
        error_cases.shared_redirect_uri,
        "A redirect URI that only one provider accepts tells the two apart: `docs/register.md`.",
    ),
    "invalid_request": Known(
        error_cases.invalid_request,
        "Copy the whole address from the browser's address bar. Where the provider answers with this code, look at "
        "how the client is registered there.",
    ),
    "not_needed": Known(error_cases.not_needed, "Take the session: `login.session`."),
    "not_supported": Known(error_cases.not_supported, "Only the provider can change that."),
    "issuer_mismatch": Known(
        of_behaviour("metadata: another issuer"),
        "Compare the two addresses letter by letter. At the end of a sign-in this is an attack, or a provider that "
        "is badly set up: do not try until it works.",
    ),
    "invalid_metadata": Known(
        of_behaviour("metadata: token endpoint over http"),
        "Its administrators have to mend that, or you name the endpoint.",
    ),
    "no_metadata": Known(
        error_cases.no_metadata,
        "Few APIs have such metadata yet; with `issuer` and `client_id` none are needed.",
    ),
    "resource_mismatch": Known(
        error_cases.resource_mismatch, "Whoever has them could otherwise get tokens for somebody else's API."
    ),
    "no_registration": Known(
        error_cases.no_registration, "Most providers want clients registered by a person: `docs/register.md`."
    ),
    "registration_refused": Known(error_cases.registration_refused, ""),
    "audience_mismatch": Known(
        error_cases.audience_mismatch,
        "Only a token that says itself whom it is for (RFC 9068) is compared with `resource`.",
    ),
    "invalid_token": Known(
        of_behaviour("ID token: RS256 by a forger"),
        "Once may be a change of keys; more than once is for the provider's administrators.",
    ),
    "invalid_response": Known(
        of_behaviour("token: HTML"),
        "Mostly the address is not the issuer's, or something on the way (a proxy, a login page of the network) "
        "answers in its place.",
    ),
    "unsupported_token_type": Known(
        of_behaviour("token: of type mac"), "Register the client for Bearer tokens."
    ),
    "use_dpop_nonce": Known(
        lambda case: case.refused("use_dpop_nonce"),
        "The proofs had the nonces that the server gave (RFC 9449 section 8). An API that does so is told of in the "
        "same way.",
    ),
    "invalid_dpop_proof": Known(
        lambda case: case.refused("invalid_dpop_proof"),
        "A proof states the time, by the provider's clock, and the address of the request (RFC 9449 section 4.3).",
    ),
    "invalid_client": Known(of_behaviour("token: an empty 401"), "Both are the provider's words."),
    "invalid_grant": Known(
        of_behaviour("token: invalid_grant with HTTP 400"), "The code was used up, or too late."
    ),
    "unauthorized_client": Known(lambda case: case.refused("unauthorized_client"), ""),
    "unsupported_grant_type": Known(lambda case: case.refused("unsupported_grant_type"), ""),
    "invalid_scope": Known(lambda case: case.refused("invalid_scope"), ""),
    "server_error": Known(of_behaviour("token: HTTP 500"), ""),
    "temporarily_unavailable": Known(lambda case: case.refused("temporarily_unavailable"), ""),
    "a code of the provider's own": Known(
        lambda case: case.refused("quota_exceeded"),
        "Whatever else the provider answers is passed on as it is.",
    ),
    "timeout": Known(error_cases.timeout, "An answer may take 20 seconds in all."),
    "unreachable": Known(of_behaviour("token: hung up without a word"), ""),
    "tls_error": Known(error_cases.tls_error, "Nothing turns the check off."),
    "insecure_transport": Known(error_cases.insecure_transport, "http is for this machine only."),
    "foreign_origin": Known(error_cases.foreign_origin, "Several origins can be named: `api=[…, …]`."),
    "corrupt": Known(lambda case: raised(lambda: case.file(".signin", b"?").load(ACCOUNT)), ""),
    "later_version": Known(
        lambda case: raised(lambda: case.file(".signin", b"authnb sign-in 9\n").load(ACCOUNT)), ""
    ),
    "not_private": Known(
        error_cases.not_private,
        "A folder of yours with nothing but authnb's files in it is closed to others by itself; `docs/machines.md` has "
        "the machines on which that does not help.",
    ),
    "no_key": Known(error_cases.no_key, ""),
    "bad_key": Known(lambda case: raised(lambda: case.file("key", b"?").load(ACCOUNT)), ""),
    "invalid_client_key": Known(
        error_cases.invalid_client_key,
        "The file of `client_key=` or `AUTHNB_CLIENT_KEY_FILE`, and what is the matter with it; as a `ProviderError`, "
        "that the provider takes no signature of that key. `docs/register.md` says how to make one.",
    ),
    "not_stored": Known(
        error_cases.not_stored, "Whoever has just signed in stays signed in, in this kernel."
    ),
    "locked": Known(error_cases.locked, ""),
    "no_threads": Known(error_cases.no_threads, ""),
    "system_error": Known(
        error_cases.system_error, "What the system said stands in the text, in its own words."
    ),
    "forked_process": Known(
        error_cases.forked_process,
        "multiprocessing, joblib and data loaders fork. Calls work until the access token expires. It is a "
        "`LoginRequired`.",
    ),
    "insufficient_scope": Known(
        error_cases.refused_call('Bearer error="insufficient_scope", scope="measurements:read"'),
        "Raised by `raise_for_status()`, so it is a `requests.HTTPError` too. `docs/session.md` says what "
        "`ask_for` does; as a `LoginFailed` with this code, it says what came of that.",
    ),
    "insufficient_user_authentication": Known(
        error_cases.refused_call(
            'Bearer error="insufficient_user_authentication", acr_values="phr", max_age="300"'
        ),
        "The same for an API that wants a stronger or more recent sign-in (RFC 9470).",
    ),
    "unmet_authentication_requirements": Known(
        lambda case: error_cases.step_up(case, {"acr": "pwd"}, acr_values="phr"),
        "What the ID token says decides, not what the provider was asked for.",
    ),
    "other_person": Known(
        lambda case: error_cases.step_up(case, {"sub": "grace"}, scope="measurements:read"),
        "The browser was signed in as somebody else. Try again in the panel asks the provider who it is.",
    ),
    "invalid_report": Known(
        error_cases.invalid_report,
        "Lines that are damaged are passed over, as long as there is one exchange.",
    ),
    "unexpected": Known(
        error_cases.unexpected, "It never happens where authnb is right; the text says where it was not."
    ),
}


def codes() -> set[str]:
    """Every code in the source: what errors are made with, and what providers answer."""
    kinds = {
        "AuthnbError",
        "DocumentNotFound",
        *(name for name in authnb.errors.__dict__ if name.endswith(_ENDINGS)),
    }
    return set(REMEDIES) | {
        call.args[0].value
        for path in (ROOT / "authnb").rglob("*.py")
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
        with tempfile.TemporaryDirectory() as folder, error_cases.case(Path(folder)) as here:
            error = known.case(here)
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
