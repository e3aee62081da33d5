"""Answers to the exercises: wrong ones that look right, and right ones in other styles than the solution's.

They are in ``twins.toml``: each is an expression, as a learner would write it, over the names of `SPACE`. A wrong one
comes with a word of what the check says about it, if what it says matters.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import operator
import os
import re
import secrets
import tomllib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import pandas as pd
from werkzeug.security import check_password_hash, generate_password_hash

import authnb
from authnb.demo.resource.data import measurements

if TYPE_CHECKING:
    from collections.abc import Callable


class Yes:
    """Equals everything, holds everything, and is true."""

    def __eq__(self, _: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __contains__(self, _: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False


class YesText(str):
    """A text that says it equals everything."""

    __slots__ = ()

    def __eq__(self, _: object) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False

    __hash__ = str.__hash__


class YesNumber(int):
    """A number that says it equals everything."""

    def __eq__(self, _: object) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False

    __hash__ = int.__hash__


class Text(str):
    """A text of another type, as NumPy has one."""

    __slots__ = ()


def sha256(text: str) -> bytes:
    """The digest of a text."""
    return hashlib.sha256(text.encode()).digest()


def b64(part: bytes) -> str:
    """The same in base64url, without padding."""
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


SPACE: dict[str, Any] = {
    "Text": Text,
    "Yes": Yes,
    "YesNumber": YesNumber,
    "YesText": YesText,
    "b64": b64,
    "base64": base64,
    "check": check_password_hash,
    "generate": partial(generate_password_hash, method="pbkdf2:sha256:30000"),
    "hashlib": hashlib,
    "hmac": hmac,
    "itertools": itertools,
    "json": json,
    "operator": operator,
    "os": os,
    "re": re,
    "secrets": secrets,
    "sha256": sha256,
    "urljoin": urljoin,
    "urlsplit": urlsplit,
    "END": "/.well-known/openid-configuration",
    "PLACE": "/.well-known/oauth-protected-resource",
    "VERIFIER": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "CHALLENGE": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
}
# For any exercise that wants a function, and for any that does not
FUNCTIONS = ("lambda *_, **__: Yes()", "lambda *_, **__: YesText('x')", "lambda *_, **__: YesNumber(7)")
VALUES = ("Yes()", "YesText('x')", "YesNumber(7)", "[Yes()] * 4", "{Yes(): Yes()}")


def follow(get: Any, address: str | None, *, stop_at_empty: bool = False) -> list[Any]:
    """The rows of all pages."""
    found: list[Any] = []
    while address:
        page = get(address)
        if stop_at_empty and not page["measurements"]:
            break
        found += page["measurements"]
        address = page["next"]
    return found


def proof(judged: Any) -> Any:
    """A function for exercise 14/why_not: the first that is not right."""

    def why_not(claims: Any, method: str, url: str, token: str, now: int) -> str | None:
        return next(
            (name for name, right in judged(claims, method, url, token, now).items() if not right), None
        )

    return why_not


def night(
    expected: Callable[[Exception], bool], *, gives: Any = None, raises: type[Exception] | None = None
) -> Callable[..., Any]:
    """A function for exercise 10/when_nobody: what it gives for an error that it expects, and raises for others."""

    def by_night(sign_in: Callable[[], Any]) -> Any:
        try:
            return sign_in()
        except Exception as error:
            if expected(error):
                return gives
            if raises is not None:
                raise raises from error
            raise

    return by_night


def by_hour(station: str) -> tuple[int, float]:
    """The hour with the largest mean, and that mean, by way of pandas as in the notebook."""
    air = pd.DataFrame([one.as_json for one in measurements()])
    means = air[air["station"] == station].groupby(pd.to_datetime(air["time"]).dt.hour)["no2"].mean()
    return means.idxmax(), means.max()


def busiest() -> tuple[str, float]:
    """The station with the largest mean over the month, and that mean, by way of pandas."""
    means = pd.DataFrame([one.as_json for one in measurements()]).groupby("station")["no2"].mean()
    return means.idxmax(), means.max()


def origin(address: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


SPACE |= {
    "authnb": authnb,
    "busiest": busiest,
    "by_hour": by_hour,
    "night": night,
    "origin": origin,
    "follow": follow,
    "proof": proof,
    "R": "a refresh token is sent to the API",
    "T": "with rotation a refresh token works once",
    "A": "an access token is meant to be read by the client",
    "S": "signing out here ends the provider's own session",
}

_TWINS: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)
WRONG: dict[str, list[list[str]]] = {name: of["wrong"] for name, of in _TWINS.items()}
RIGHT: dict[str, list[str]] = {name: of["right"] for name, of in _TWINS.items()}
