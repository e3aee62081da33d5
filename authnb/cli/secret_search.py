"""Secrets in a text: by format, by name, in headers, URLs and base64. Time is linear in the length of the text.

Starts and names are found with ``str.find``; only bounded or possessive patterns are matched there.
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from html import unescape
from typing import TYPE_CHECKING

from authnb.cli.secret_rules import AZURE_FORMAT, FORMATS, INNER, PASSWORDS, SETTINGS, TOKENS, WHOLE
from authnb.cli.secret_values import is_made_of_words, is_password, is_placeholder, is_random, is_text

if TYPE_CHECKING:
    from collections.abc import Iterator

EXEMPT = "# not a secret"
_MAX_DEPTH = 2  # of base64 in base64
_IN_BASE64 = ", in base64"

_COLOUR = re.compile(r"\x1b\[[\d;]*+m")  # in tracebacks
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z]\w{1,30});")
_NAMES = {name.replace("_", ""): name for name in (*TOKENS, *PASSWORDS)}
_LAST_WORDS = sorted({name.rpartition("_")[2] for name in (*TOKENS, *WHOLE, *PASSWORDS)})
_IDENTIFIER = re.compile(r"[\w-]{0,60}\Z")
_QUOTE = r"\\{0,3}(?:[\"'`]{3}|[\"'`]|%22)"
_SUFFIX = (
    r"(?:[_-]?(?:\d{1,3}|prod|production|dev|test|staging|live|new|old|value|text|str|b64|base64))?(?![\w-])"
)
_TYPE = r"(?:\s{0,4}:\s{0,4}[A-Za-z_][\w.]{0,30}(?:\[[\w. ]{1,30}\])?(?:\s?\|\s?\w{1,20})?(?=\s{0,4}=))?"
_AFTER = re.compile(
    rf"{_SUFFIX}(?P<closing>{_QUOTE})?\s{{0,4}}\]?\)?{_TYPE}\s{{0,20}}"
    r"(?P<separator>:=|=>|={1,2}|:|%3D|%3A|,|<-|value=|\s)\s{0,20}"
    r"(?:\\\r?\n\s{0,20}|\(\s{0,20}(?=[rbfuRBFU]{0,2}[\"']))?"  # in parentheses, or on the next line
    r"(?:(?:[\w.]{0,20}Secret(?:Str)?|str|bytes)\(\s{0,4})?[rbfuRBFU]{0,2}"
    rf"(?:(?P<opening>{_QUOTE})(?P<quoted>[^\"'`\\\n]{{3,500}})|(?P<bare>[^\s\"'`\\,;&<>()\[\]{{}}=]{{4,500}}={{0,2}}))"
    r"(?P<next>[(\[]?)",
    re.IGNORECASE,
)
_SCHEME = re.compile(
    r"(?:Bearer|Basic|Token|Bot|Digest|ApiKey|SharedKey|Key|Splunk|GenieKey)\s++", re.IGNORECASE
)
_ENVIRONMENT = re.compile(r"(?:%(?:set_)?env|\bexport|\bsetx?|\bSET|\b-e|\bENV|--env)[ \t]{1,8}\Z")
_ENVIRONMENT_CALL = re.compile(
    r"(?:setdefault|putenv|setenv|getenv|environ\.get|set_key|config\.set)\([^()\n]{0,30}\Z"
)
_LINE_START = re.compile(r"(?:^|\n)(?:export )?[\w-]{0,40}\Z")
_CREDENTIALS = re.compile(r"(?P<user>[^\s/:@\"'<>]{0,100}):(?P<value>[^\s/@\"'<>]{3,200})@")
_USER_TOKEN = re.compile(r"(?P<value>[\w-]{20,200})@")
_HEADER_VALUE = re.compile(r"\s{1,4}(?P<value>[\w.~+/-]{12,2000}={0,2})")
_PAIR = re.compile(
    r"(?:\s{0,2}=\s{0,2}|HTTPBasicAuth|HTTPDigestAuth)?\(\s{0,8}[\"'][^\"'\n]{1,80}[\"']\s{0,4},\s{0,4}[\"'](?P<value>[^\"'\n]{4,200})[\"']"
)
_USER_OPTION = re.compile(
    r"(?:-u|--user|--proxy-user)[ =]{1,2}[\"']?[\w.@-]{1,60}:(?P<value>[^\s\"']{4,100})"
)
_OPTION = re.compile(r"sshpass -p ?[\"']?(?P<value>[^\s\"']{4,100})")
_SETTING = re.compile(r"(?:\.[\w.-]{1,100})?[\"']\s{0,4}[,:=]\s{0,4}[\"'](?P<value>[^\"'\s]{12,500})[\"']")
_COOKIE = re.compile(
    r"(?:\\{0,3}[\"'])?\s{0,4}[:=,]\s{0,4}(?:\\{0,3}[\"'])?(?P<pairs>[\w.%-]{1,60}=[^\s;\"'\\]{1,4000}"
    r"(?:;\s?[\w.%-]{1,60}(?:=[^\s;\"'\\]{0,4000})?){0,40})"
)
_BASE64 = re.compile(
    r"(?:[A-Za-z0-9+/]{76}\r?\n)++[A-Za-z0-9+/]{0,76}+={0,2}"  # in lines, as base64 -w 76 writes it
    r"|[A-Za-z0-9+/_-]{24,}+={0,2}"
)

_FORMATS = [(reason, start, re.compile(rest)) for reason, start, rest in FORMATS]
_AZURE = re.compile(AZURE_FORMAT)
_JWT = re.compile(r"eyJ[\w-]{10,500}\.[\w-]{10}")


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A secret in a text: what it is, how its format starts ("" if known by its name), where it starts, and itself."""

    reason: str
    prefix: str = ""
    position: int
    value: str


def secrets_in(text: str) -> Iterator[Secret]:
    """The secrets in a text. Lines that end in ``# not a secret`` are left out."""
    if EXEMPT in text:
        text = "\n".join(line for line in text.splitlines() if not line.rstrip().endswith(EXEMPT))
    text = _ENTITY.sub(lambda entity: unescape(entity[0]), _COLOUR.sub("", text))
    return _search(text, 0)


def _search(text: str, depth: int) -> Iterator[Secret]:
    lowered = text.replace("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "I").lower()  # as long as the text
    known = sorted(_by_format(text), key=lambda secret: secret.position)
    yield from known
    starts = [secret.position for secret in known]
    named = (*_by_name(text, lowered), *_by_setting(text, lowered), *_in_headers(text, lowered))
    for found in (*named, *_in_urls_and_commands(text), *_in_logins(text)):
        following = bisect_left(starts, found.position)
        inside = following < len(starts) and starts[following] < found.position + len(found.value)
        before = known[following - 1] if following else None
        if not inside and not (before and found.position < before.position + len(before.value)):
            yield found
    if depth < _MAX_DEPTH:
        for position, decoded in _decoded(text):
            for found in _search(decoded, depth + 1):
                reason = f"{found.reason.removesuffix(_IN_BASE64)}{_IN_BASE64}"
                yield replace(found, reason=reason, position=position)


def _positions(text: str, part: str) -> Iterator[int]:
    position = text.find(part)
    while position >= 0:
        yield position
        position = text.find(part, position + len(part))


def _by_format(text: str) -> Iterator[Secret]:
    for reason, prefix, rest in _FORMATS:
        end = 0
        for position in _positions(text, prefix):
            if position < end or (prefix not in INNER and _in_a_word(text, position)):
                continue
            match = rest.match(text, position + len(prefix))
            if match and not is_placeholder(value := text[position : match.end()]) and len(set(match[0])) > 1:
                end = match.end()
                yield Secret(reason=reason, prefix=prefix, position=position, value=value)
    for position in _positions(text, "Q~"):
        if match := _AZURE.match(text, max(0, position - 4)):
            yield Secret(reason="an Azure client secret", position=match.start(), value=match[0])


def _in_a_word(text: str, position: int) -> bool:
    before = text[max(0, position - 3) : position]
    if not before or not (before[-1].isalnum() or before[-1] in "_-"):
        return False
    return not (before[-2:] in {"\\n", "\\t", "\\r"} or re.fullmatch("%[0-9A-Fa-f]{2}", before))


def _by_name(text: str, lowered: str) -> Iterator[Secret]:
    for word in _LAST_WORDS:
        for position in _positions(lowered, word):
            match = _AFTER.match(text, position + len(word))
            name = _name(text, position, word) if match else None
            if (
                match
                and name
                and _is_assigned(text, position, match)
                and _is_secret(text, position, name, match)
            ):
                group = "quoted" if match["quoted"] else "bare"
                yield Secret(reason=f"a value of {name}", position=match.start(group), value=match[group])


def _by_setting(text: str, lowered: str) -> Iterator[Secret]:
    for name in SETTINGS:
        for position in _positions(lowered, name):
            match = _SETTING.match(text, position + len(name))
            if match and is_random(match["value"]):
                yield Secret(reason=f"a value of {name}", position=match.start("value"), value=match["value"])


def _name(text: str, position: int, word: str) -> str | None:
    """The name that ends with the word at a position, as it stands in the table; None if it is not in the table."""
    head = _IDENTIFIER.search(text, max(0, position - 60), position)
    prefix = head[0] if head else ""
    if word in WHOLE and not prefix.strip("-_"):
        return word
    squashed = re.sub("[_-]", "", prefix).lower() + word
    for length in range(min(len(squashed), 20), len(word) - 1, -1):
        name = _NAMES.get(squashed[-length:])
        if name is None:
            continue
        short = name in {"pass", "pwd", "pw", "jwt"}
        joined = prefix and prefix[-1].isalpha() and not (prefix[-1].islower() and text[position].isupper())
        return None if short and joined and "pg" not in prefix.lower() else name
    return None


def _is_assigned(text: str, position: int, match: re.Match[str]) -> bool:
    """Whether what stands between name and value assigns one to the other."""
    before = _before(text, position)
    separator = match["separator"]
    if separator in {",", "value="}:  # the latter of a field in HTML, after its name
        return bool(match["closing"] and match["quoted"])
    if separator.isspace():
        return separator != "\n" and bool(
            _ENVIRONMENT.search(before) or before.endswith("--") or re.search(r"\blogin \S{1,60} \Z", before)
        )
    return separator != "==" or bool(match["quoted"])


def _before(text: str, position: int) -> str:
    """What stands before the identifier that a position is in: at most 80 characters."""
    start = max(0, position - 80)
    head = _IDENTIFIER.search(text, max(start, position - 60), position)
    prefix = head[0].lstrip("-") if head else ""
    return text[start : position - len(prefix)]


def _is_secret(text: str, position: int, name: str, match: re.Match[str]) -> bool:
    value = _SCHEME.sub("", match["quoted"] or match["bare"], count=1).rstrip(".:")
    if name not in PASSWORDS:
        if _JWT.match(value):  # found by its format, unless its signature is cut away
            return False
        opaque = name != "key" or re.fullmatch("[A-Za-z0-9]{24,}", value)
        return bool(opaque) and not match["next"] and is_random(value)
    if not is_password(value):
        return False
    if not match["quoted"]:
        return not match["next"] and _is_bare_password(text, position, match)
    return (
        match["separator"] != ","
        or is_random(value)
        or bool(_ENVIRONMENT_CALL.search(_before(text, position)))
    )


def _is_bare_password(text: str, position: int, match: re.Match[str]) -> bool:
    """Whether an unquoted value of a password's name is one, rather than a variable or a type."""
    value = match["bare"]
    if not re.search(r"\d|[^\w.]", value) or not re.search(r"[^\W\d_]", value):
        return False
    if not is_made_of_words(value) or match["separator"].isspace() or text[position : position + 4].isupper():
        return True
    if _ENVIRONMENT.search(_before(text, position)):
        return True
    whole_line = match.end() == len(text) or text[match.end()] in "\r\n;"
    at_start = _LINE_START.search(text, max(0, position - 50), position)
    spaced = match.end("separator") < match.start("bare")
    return whole_line and (match["separator"] == ":" or (bool(at_start) and not spaced))


def _in_headers(text: str, lowered: str) -> Iterator[Secret]:
    for scheme in ("Bearer", "Basic", "Authorization: token"):
        for position in _positions(lowered, scheme.lower()):
            match = _HEADER_VALUE.match(text, position + len(scheme))
            if match and is_random(match["value"]):
                yield Secret(
                    reason=f"a header with {scheme}", position=match.start("value"), value=match["value"]
                )
    for position in _positions(lowered, "cookie"):
        if match := _COOKIE.match(text, position + len("cookie")):
            for pair in match["pairs"].split(";"):
                value = pair.partition("=")[2]
                if is_random(value):
                    yield Secret(reason="a cookie", position=match.start("pairs"), value=value)


def _in_logins(text: str) -> Iterator[Secret]:
    for position in _positions(text, ".login("):
        match = _PAIR.match(text, position + len(".login"))
        if match and is_password(match["value"]) and not is_text(match["value"]):
            yield Secret(reason="a password", position=match.start("value"), value=match["value"])


def _in_urls_and_commands(text: str) -> Iterator[Secret]:
    for position in _positions(text, "://"):
        if match := _CREDENTIALS.match(text, position + 3):
            value = match["value"]
            if value != match["user"] and is_password(value):
                yield Secret(reason="a password in an address", position=match.start("value"), value=value)
        elif (match := _USER_TOKEN.match(text, position + 3)) and is_random(match["value"]):
            yield Secret(reason="a token in an address", position=match.start("value"), value=match["value"])
    for start, pattern, skipped in (
        ("auth", _PAIR, 4),
        ("HTTPBasicAuth", _PAIR, 13),
        ("HTTPDigestAuth", _PAIR, 14),
        ("-u", _USER_OPTION, 0),
        ("--proxy-user", _USER_OPTION, 0),
        ("sshpass -p", _OPTION, 0),
    ):
        for position in _positions(text, start):
            match = pattern.match(text, position + skipped)
            if match and is_password(match["value"]):
                yield Secret(reason="a password", position=match.start("value"), value=match["value"])


def _decoded(text: str) -> Iterator[tuple[int, str]]:
    """What base64 in a text says, where that is text, and its position."""
    for match in _BASE64.finditer(text):
        encoded = re.sub(r"\s", "", match[0]).rstrip("=").replace("-", "+").replace("_", "/")
        encoded = encoded[: len(encoded) - (len(encoded) % 4 == 1)]
        if _base64_text(encoded[:24]) is not None:
            decoded = _base64_text(encoded + "=" * (-len(encoded) % 4))
            if decoded is not None:
                yield match.start(), decoded


def _base64_text(encoded: str) -> str | None:
    try:
        text = base64.b64decode(encoded).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if all(character.isprintable() or character in "\r\n\t" for character in text[:24]) else None
