"""Behaviours of every endpoint the client reads: malformed, endless, redirecting or no responses; and userinfo."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from behaviour import EVIL, behaviour, override, rows
from provider import Answer, as_json, forever

if TYPE_CHECKING:
    from collections.abc import Callable

    from behaviour import Do
    from provider import Scenario

# Every endpoint the client reads


BOMB = gzip.compress(b" " * (20 << 20), 9)  # 20 MiB in 20 KiB
NONSENSE: dict[str, Callable[[], Answer]] = {
    "HTML": lambda: Answer(200, b"<html>Welcome", {"Content-Type": "text/html"}),
    "empty": lambda: Answer(200, b""),
    "a list": lambda: as_json([1, 2]),
    "a number": lambda: as_json(7),
    "null": lambda: as_json(None),
    "not UTF-8": lambda: Answer(200, b'{"a": "\xff\xfe"}', {"Content-Type": "application/json"}),
    "cut off": lambda: Answer(200, b'{"access_token": "at', {"Content-Type": "application/json"}),
    "nested without end": lambda: Answer(200, b"[" * 100_000, {"Content-Type": "application/json"}),
    "nested, but not without end": lambda: Answer(
        200, b'{"access_token": "at", "x": ' + b"[" * 900 + b"]" * 900 + b"}"
    ),
    "three megabytes": lambda: as_json({"x": "x" * (3 << 20)}),
    "a bomb of gzip": lambda: Answer(
        200,
        BOMB,
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ),
    "gzip said, none sent": lambda: Answer(200, b"{}", {"Content-Encoding": "gzip"}),
    "HTTP 404": lambda: Answer(404, b"gone"),
    "a redirect elsewhere": lambda: Answer(302, b"", {"Location": f"{EVIL}/token"}),
    "a redirect to no address": lambda: Answer(302, b"", {"Location": "https://["}),
    "a redirect with control characters": lambda: Answer(302, b"", {"Location": "https://a\x1b[2J/"}),
    "a 307 elsewhere": lambda: Answer(307, b"", {"Location": f"{EVIL}/token"}),
    "a 308 to nowhere": lambda: Answer(308, b"", {"Location": "//"}),
}
ENDPOINTS = {"openid-configuration": "loopback", "token": "loopback", "jwks": "loopback", "device": "device"}
UNUSABLE = "invalid_response"


for _endpoint, _mode in ENDPOINTS.items():
    for _name, _answer in NONSENSE.items():
        behaviour(f"{_endpoint}: {_name}", UNUSABLE, _mode)(override(_endpoint, _answer))
    behaviour(f"{_endpoint}: HTTP 500", "server_error", _mode)(
        override(_endpoint, lambda: Answer(500, b"oops"))
    )


def endless(endpoint: str, pause: float) -> Do:
    """The endpoint never stops sending."""

    def do(scenario: Scenario) -> None:
        piece = b" " * (1 << 16) if not pause else b" "
        override(endpoint, lambda: Answer(200, forever(piece, scenario.stopped, pause)))(scenario)

    return do


for _endpoint, _mode in ENDPOINTS.items():
    behaviour(f"{_endpoint}: without end", UNUSABLE, _mode)(endless(_endpoint, 0))
behaviour("token: a byte a second", "timeout")(endless("token", 1))


@behaviour("token: silence", "timeout")
def _(scenario: Scenario) -> None:
    def silence() -> Answer:
        scenario.stopped.wait()
        return Answer()

    scenario.overrides["token"] = silence


def slow_head(line: bytes, pause: float) -> Do:
    """The token endpoint sends this repeatedly before its response, and never the response."""

    def do(scenario: Scenario) -> None:
        scenario.overrides["token"] = lambda: Answer(body=forever(line, scenario.stopped, pause), raw=True)

    return do


behaviour("token: a byte of the head a second", "timeout")(slow_head(b"H", 1))
behaviour("token: continue, second after second", "timeout")(
    slow_head(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01)
)
behaviour("token: headers without end", "unreachable")(
    slow_head(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200, 0)
)
behaviour("token: a header without end", "unreachable")(
    slow_head(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 99_999, 0)
)
behaviour("token: hung up without a word", "unreachable")(
    override("token", lambda: Answer(body=[], raw=True))
)
behaviour("token: a piece of an answer, and hung up", "unreachable")(
    override(
        "token",
        lambda: Answer(
            body=[b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"access_token": "at"}'], raw=True
        ),
    )
)
behaviour("token: no HTTP", "unreachable")(slow_head(b"SSH-2.0-OpenSSH_9.9\r\n", 0))


# Userinfo is optional: the ID token says who signed in

for _name, _answer in NONSENSE.items():
    behaviour(f"userinfo: {_name}", None)(override("userinfo", _answer))
rows(
    "userinfo",
    "invalid_token",
    {"of another": {"sub": "mallory"}, "of a number": {"sub": 7}, "of a list": {"sub": ["ada"]}},
    lambda scenario, told: override("userinfo", lambda: as_json(told))(scenario),
)
behaviour("userinfo: of nobody", None)(override("userinfo", lambda: as_json({"name": "Mallory"})))
