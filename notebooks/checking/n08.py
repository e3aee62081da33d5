"""The exercises of notebook 08."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from copy import deepcopy
from typing import Any

from checking.judge import labels, name, no, number, secret_in, shuffled, word, yes
from checking.outcome import ensure, exercise


@exercise(
    "08",
    task="Give a dictionary: what was mended, and the error it was for.",
    praise="Five lines, five reasons.",
)
def what_broke(answer: Any) -> None:
    labels(
        answer,
        {
            "import Flask and url_for": ("NameError", "Python did not know a word."),
            "code_challenge_method='S256'": ("invalid_request", "The provider refused the request."),
            "token['userinfo'] in place of parse_id_token(token)": ("missing 'nonce'", "A call has changed since the tutorial was written."),
            "return ...": ("no valid response", "Flask had nothing to send."),
            "prompt='create'": ("nothing was stored", "It said thank you, and then?"),
        },
    )


@exercise(
    "08",
    task="Give a small dictionary for the session cookie: who it is, and no token.",
    praise="The cookie is signed, not encrypted: whoever has it can read it, but there is nothing to steal.",
)
def what_to_keep(keep: Any) -> None:
    for _ in range(2):
        tokens = {kind: secrets.token_urlsafe(32) for kind in ("access_token", "refresh_token", "id_token")}
        sub, nonce = secrets.token_hex(8), secrets.token_urlsafe(32)
        person = {"iss": f"https://{name()}.example", "sub": sub, "name": word().title(), "email": f"{name()}@example.org"}
        token = {**tokens, "token_type": "Bearer", "expires_in": 3600, "userinfo": {**person, "nonce": nonce}}
        kept = keep(deepcopy(token))
        ensure(isinstance(kept, dict), f"Give a dictionary, not {type(kept).__name__}.")
        kept = json.loads(json.dumps(kept))
        parts = {kind: [value, value[:16], value[-16:]] for kind, value in {**tokens, "nonce": nonce}.items()}
        told = {
            "access_token": "A Flask cookie can be read by whoever has it: leave the tokens out.",
            "refresh_token": "A Flask cookie can be read by whoever has it: leave the tokens out.",
            "id_token": "The ID token has done its work; leave it out.",
            "nonce": "The nonce was for one sign-in and is used up.",
        }
        for kind, why in told.items():
            ensure(not any(secret_in(kept, part, (_reversed, _hex, _base64)) for part in parts[kind]), why)
        ensure(kept.get("sub") == sub, "Without `sub` you cannot know this person again.")


def _reversed(text: str) -> str:
    return text[::-1]


def _hex(text: str) -> str:
    return text.encode().hex()


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()[:16]


def elsewhere(host: str) -> list[str]:
    """Values of ``next`` that lead a browser to this host, or that are no path.

    The URL Standard's parser drops tabs and line ends wherever they stand, and blanks and control characters at both
    ends; it reads a backslash as a slash (https://url.spec.whatwg.org/#concept-basic-url-parser).
    """
    dropped = ["\t", "\n", "\r", "\r\n"]
    slashes = ["//", "///", "/\\", "\\/", "\\\\", "/\\/", "\\"]
    found = [f"{slash}{host}{end}" for slash in slashes for end in ("", "/", "/data")]
    found += [f"/{drop}{slash}{host}/" for drop in dropped for slash in ("/", "\\")]
    found += [f"{drop}//{host}/" for drop in (*dropped, " ", "\x00", "\x1f")]
    found += [f"{scheme}{host}/" for scheme in ("https://", "https:", "https:/", "HTTPS://", "http:\\\\", "ht\ttps://")]
    return [*found, f"javascript:alert('{host}')", f"data:text/html,{host}", host, f"user@{host}", f"/data\r\nLocation: https://{host}"]


@exercise(
    "08",
    task="Give True for a path of our own, False for everything else.",
    praise="A link with ?next= can no longer send your people to somebody else's page.",
)
def safe_next(is_ours: Any) -> None:
    ours = ["/", "/data", f"/{word()}?page={number(1, 99)}", f"/{word()}/{word()}", f"/{name()}/#{word()}", "/data?page=2"]
    for path in shuffled(ours):
        yes(is_ours(path), f"{path} is ours, and it refuses it.")
    no(is_ours(None), "Without `next` there is no path: give False for None.")
    no(is_ours(""), "An empty text is no path.")
    no(is_ours(f"//{name()}.example/"), "It would send people to '//evil.example/': two slashes begin a host.")
    for path in shuffled(elsewhere(f"{name()}.example")):
        no(is_ours(path), f"It would send people to {path!r}." + _why(path))


def _why(path: str) -> str:
    if any(sign in path for sign in "\t\r\n"):
        return " Browsers drop tabs and line ends before they read an address."
    return " Browsers take a backslash for a slash." if "\\" in path else ""
