"""What a value looks like: a placeholder, words, a password, or a random string."""

from __future__ import annotations

import math
import re
from collections import Counter

from authnb.cli.secret_rules import EXAMPLES

_MIN_LENGTH = 12  # characters of a value that is a secret by its randomness alone
_MIN_ENTROPY = 3.0  # bits per character
_MIN_PASSWORD = 4  # characters
# Identifiers made of words: oauth.client_secret, OAuth2Session, s256_code, census_2020
_WORD = r"(?:(?:[A-Z]*+[a-z]{2,}+\d?|[A-Z]++)*|[a-z])\d{0,3}"
_WORDS = re.compile(rf"{_WORD}(?:[._-](?:(?:19|20)\d\d(?!\w)|{_WORD}))*")
_PLACEHOLDER = re.compile(
    r"…|\.\.\.|^<.*>$|^\[.*\]$|\{|\}|^\$|^%\(|^%s|\byour|\bmy[_-]|example|placeholder|change.?me|x{4,}|[*•·]{3,}|redacted"
    r"|dummy|\bfake|insert|replace|\btodo\b|0{8}|1234567890|0123456789|abcdef12|^https?:|^arn:|^\.{0,2}/"
    r"|^learn_[\w-]{32}$",  # of the provider for learning, which makes the same ones for everybody
    re.IGNORECASE,
)
_ORDINARY_PASSWORD = re.compile(
    r"(?:(?:your|my|the|a|new|old|user|confirm|current|enter|db)?[\s_-]*(?:password|passwd|passphrase|pwd|pass|secret|token)\d?"
    r"|none|null|true|false|str|string|text|required|optional|hidden|body|form|hash|bytes|object|bearer|basic|password"
    r"|secretstr|varchar|char|invalid|missing|weak|strong|wrong|correct|valid|input|n/a|unknown|field|plain|sha256)[:?!.]?\s*"
    r"|[^\w]*",
    re.IGNORECASE,
)
_PROSE = re.compile(r"[A-Z][a-z']++[,:]?(?: [a-z']{1,20}+[,:.!?]?)++")


def is_placeholder(value: str) -> bool:
    """Whether the value stands for another, or is from an example."""
    return bool(_PLACEHOLDER.search(value)) or any(example in value for example in EXAMPLES)


def is_password(value: str) -> bool:
    """Whether the value of a password's name is one, rather than a placeholder, a label or a message."""
    if len(value) < _MIN_PASSWORD or is_placeholder(value):
        return False
    return not (_ORDINARY_PASSWORD.fullmatch(value) or _PROSE.fullmatch(value))


def is_made_of_words(value: str) -> bool:
    """Whether the value can be an identifier of words: settings.client_secret, hunter22."""
    return bool(_WORDS.fullmatch(value))


def is_text(value: str) -> bool:
    """Whether the value has letters only, or words that are not all of four letters, as Google's app passwords are."""
    if re.fullmatch("[a-z]{4}(?: [a-z]{4}){3}", value):
        return False
    return not re.search(r"\d|[^\w\s.,:'!?-]", value) or " " in value


def is_random(value: str) -> bool:
    """Whether the value looks randomly generated."""
    if len(value) < _MIN_LENGTH or is_placeholder(value) or re.search(r"\s", value):
        return False
    if _WORDS.fullmatch(value):
        return False
    mixed = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", r"\d")) > 1
    counts = Counter(value).values()
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
    return mixed and entropy >= _MIN_ENTROPY
