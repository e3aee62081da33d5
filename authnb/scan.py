"""Whether a notebook file holds secrets: tokens, codes, passwords. For people, and for a pre-commit hook.

Everything in the file but pictures is looked at: sources, outputs, tracebacks, attachments, and the state of
widgets that was saved with it. A line that ends in the comment ``# not a secret`` is left out.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXEMPT = "# not a secret"
_SHORTEST = 12  # characters of a value that can be a secret by its randomness alone
_RANDOM = 3.0  # bits of entropy for each character, at least
_TOLD = 4  # characters of a long secret that are told, to find it by
# Words, as in a program's names: oauth.client_secret, OAuth2Session, s256_code
_WORD = r"(?:(?:[A-Z]*+[a-z]{2,}+\d?|[A-Z]++)*|[a-z])\d{0,3}"
_WORDS = re.compile(rf"{_WORD}(?:[._-]{_WORD})*")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")  # in tracebacks

# What is a secret by its shape, wherever it stands
_SHAPES = {
    "a JSON Web Token": r"(?:(?<![\w-])|(?<=%3D))eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*(?:\.[\w-]+){0,2}",
    "a GitHub token": r"\b(?:gh[opsur]_\w{20,}|github_pat_\w{20,})",
    "a GitLab token": r"\bglpat-[\w-]{16,}",
    "a Google token": r"\bya29\.[\w-]{16,}|\b1//0[\w-]{20,}|\bGOCSPX-[\w-]{16,}|\bAIza[\w-]{30,}",
    "a Slack token": r"\bxox[abeoprs]-[\w-]{10,}",
    "a Hugging Face token": r"\bhf_[A-Za-z]{30,}",
    "a PyPI or npm token": r"\bpypi-[\w-]{30,}|\bnpm_\w{30,}",
    "an AWS key": r"\b(?:AKIA|ASIA)[A-Z\d]{16}\b",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
}
# What is a secret by its name: RFC 6749, 7636, 8628, 7662, OpenID Connect, and a few older ones
_NAMES = (
    "access_token|refresh_token|id_token|device_code|client_secret|client_assertion|code_verifier|nonce|state|"
    "code|assertion|api_key|apikey|secret|token"
)
_QUOTE = r"(?:\\?[\"'])?"
_NAMED = re.compile(
    rf"(?<![A-Za-z])(?P<name>{_NAMES}){_QUOTE}\s*(?:=|:|%3D)\s*{_QUOTE}(?P<value>[\w.~+/%-]{{{_SHORTEST},}})",
    re.IGNORECASE,
)
_HEADER = re.compile(r"\b(?P<name>Bearer|Basic)\s+(?P<value>[\w.~+/-]{12,}=*)", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"\bhttps?://(?P<name>[^\s/:@\"'<>]+):(?P<value>[^\s/@\"'<>]{3,})@")
_PASSWORD = re.compile(
    r"(?<![A-Za-z])(?P<name>password|passwd|passphrase)\w*(?:\\?[\"'])?\s*[=:]\s*\\?[\"']"
    r"(?P<value>[^\"'\\\n]{4,})\\?[\"']",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"…|\.\.\.|^<|[{}]|\b(?:your|example|placeholder|changeme)\b|x{4,}|\*{3,}", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A secret in a notebook: in which cell (counted from 1; None outside of cells), where there, and why."""

    cell: int | None
    part: str
    reason: str
    hint: str

    def __str__(self) -> str:
        where = f"cell {self.cell}, {self.part}" if self.cell is not None else self.part
        return f"{where}: {self.reason} ({self.hint})"


def scan(path: Path) -> list[Finding]:
    """What is found in a notebook file, in the file's order, each thing once for each place.

    Raises ``OSError`` if it cannot be read, ``ValueError`` if it is no notebook of format 4.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        return list(dict.fromkeys(_findings(notebook)))
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not a notebook of format 4.") from error


def _findings(notebook: dict[str, Any]) -> Iterator[Finding]:
    for number, cell in enumerate(notebook["cells"], 1):
        yield from _found(number, "source", cell["source"])
        for place, output in enumerate(cell.get("outputs", ()), 1):
            yield from _found(number, f"output {place}", output)
        yield from _found(number, "attachments", cell.get("attachments"))
        yield from _found(number, "metadata", cell.get("metadata"))
    metadata = dict(notebook["metadata"])
    yield from _found(None, "saved state of widgets", metadata.pop("widgets", None))
    yield from _found(None, "the notebook's metadata", metadata)


def _found(cell: int | None, part: str, value: Any) -> Iterator[Finding]:
    for text in _texts(value):
        for reason, secret in secrets_in(text):
            told = secret[:_TOLD] if len(secret) >= 4 * _TOLD else ""
            hint = f"{told}…, {len(secret)} characters"
            yield Finding(cell=cell, part=part, reason=reason, hint=hint)


def secrets_in(text: str) -> Iterator[tuple[str, str]]:
    """Each secret in a text, after the reason why it is taken for one."""
    lines = [line for line in text.splitlines() if not line.rstrip().endswith(EXEMPT)]
    text = unescape(_COLOUR.sub("", "\n".join(lines)))
    for reason, shape in _SHAPES.items():
        for match in re.finditer(shape, text):
            yield reason, match[0]
    for match in (*_HEADER.finditer(text), *_NAMED.finditer(text)):
        if _is_random(match["value"]):
            kind = "a header with" if match.re is _HEADER else "a value of"
            yield f"{kind} {match['name']}", match["value"]
    for match in (*_IN_ADDRESS.finditer(text), *_PASSWORD.finditer(text)):
        if not _PLACEHOLDER.search(match["value"]):
            reason = "a password in an address" if match.re is _IN_ADDRESS else f"a value of {match['name']}"
            yield reason, match["value"]


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value; a list of texts is one, as in a cell's source; a member keeps its name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        yield "".join(value)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name.startswith("image/") and name != "image/svg+xml":
                continue
            if isinstance(member, str) and "\n" not in member:
                yield f'"{name}": "{member}"'
            else:
                yield from _texts(member)


def _is_random(value: str) -> bool:
    """Whether it looks drawn by lot, rather than written by a person."""
    if len(value) < _SHORTEST or _PLACEHOLDER.search(value):
        return False
    if _WORDS.fullmatch(value):
        return False
    mixed = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", r"\d")) > 1
    counts = Counter(value).values()
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
    return mixed and entropy >= _RANDOM
