"""What the stored outputs of a notebook must not hold: secrets, and values that change from run to run."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of RFC 7636 Appendix B, the state and nonce of OpenID Connect Core 1.0 section 3.1.2.1, and the software_id of authnb
PUBLISHED = {
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "af0ifjsldkj",
    "n-0S6_WzA2Mj",
    "2f6c1a52-6a0e-4f0b-9a57-6d5c0f6d5f3e",
}
NEVER = {
    "a port that is not of kit.py": r"(?:127\.0\.0\.1|localhost)(?::|%3A)(?!2\d{4}\b)\d+",
    "an object's address": r"at 0x[0-9a-f]{6,}",
    "a path of a machine": r"(/home/|/root/|/tmp/|/work/|/Users/|[A-Z]:\\\\)",
}
# Their values are published or made by kit.provider, however short they are
NAMED = re.compile(
    r"\b(?:state|code|code_verifier|code_challenge|nonce)=([^&\s'\"\\]{8,})|[Bb]earer ([\w.~+/-]{16,})"
)
JWT = re.compile(r"eyJ[\w-]+\.[\w-]*\.?[\w-]*…?")
LONG = re.compile(r"[\w-]{20,}", re.ASCII)
# Names of parameters whose values follow from others and open nothing (OpenID Connect Core 1.0 section 3.1.3.6)
AT_HASH = re.compile(r"'at_hash': '[\w-]{22}'")


def texts(notebook: Any) -> str:
    """What is written in the outputs; pictures are looked at by people."""
    return "\n".join(
        text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" not in output.get("data", {})
        for text in _strings(output)
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def findings(text: str) -> list[str]:
    """Give what must not be there: what it is, and how it begins."""
    found = [f"{what}: {match[0]}" for what, pattern in NEVER.items() for match in re.finditer(pattern, text)]
    found += [f"a JWT: {match[0][:12]}…" for match in JWT.finditer(text) if not _is_unsigned_lesson(match[0])]
    rest = AT_HASH.sub("", JWT.sub("", text))
    for match in NAMED.finditer(rest):
        value = match[1] or match[2]
        if not _is_known(value):
            found.append(f"a state, code, verifier or token: {value[:4]}…")
    found += [
        f"a random value: {value[:4]}…"
        for value in LONG.findall(rest)
        if _looks_random(value) and not _is_known(value)
    ]
    return found


def _is_known(value: str) -> bool:
    return value in PUBLISHED or value.startswith("learn_")


def _looks_random(value: str) -> bool:
    """Digits and letters of both cases, or hexadecimal digits."""
    mixed = all(re.search(kind, value) for kind in ("[A-Z]", "[a-z]", r"\d"))
    return mixed or re.fullmatch("[0-9a-f-]{20,}", value) is not None


def _is_unsigned_lesson(token: str) -> bool:
    """Whether this JWT is one of kit.provider, without its signature."""
    header, _, rest = token.partition(".")
    claims, _, signature = rest.partition(".")
    try:
        kid = _decoded(header).get("kid", "")
        subject = _decoded(claims).get("sub", "")
    except (TypeError, ValueError):
        return False
    return signature == "…" and str(kid).startswith("learn_") and str(subject).startswith("learn_")


def _decoded(part: str) -> dict[str, Any]:
    return dict(json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))))
