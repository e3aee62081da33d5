"""How long a sign-in lasts, as far as its provider states it or its renewals showed: for jobs that start later."""

from __future__ import annotations

import math
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from authnb.errors import StorageError
from authnb.flows.workload import token_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authnb.oauth.responses import Token
    from authnb.session.auth import TokenAuth
    from authnb.session.renewal import TokenRenewer

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}  # seconds
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s*[smhdw]\s*)+", re.ASCII)
_LATEST = 253_402_214_400.0  # seconds; the last day that has a date


@dataclass(frozen=True)
class Lifetime:
    """Whether a sign-in lasts as long as was asked, as `Session.lasts` tells it; true if that is known.

    ``until``: the end that the provider states, None if it states none. ``reason``: a sentence that begins with
    Yes, No or Not known, and says what to do.
    """

    lasts: bool
    until: datetime | None
    reason: str

    def __bool__(self) -> bool:
        return self.lasts

    def __repr__(self) -> str:
        return self.reason


def read_duration(duration: str | float | timedelta) -> float:
    """Seconds in ``"24h"``, ``"90m"``, ``"7d"``, ``"1h30m"``, in a number of seconds, or in a `timedelta`.

    Raises `ValueError` for anything else.
    """
    seconds = math.nan
    if isinstance(duration, timedelta):
        seconds = duration.total_seconds()
    elif isinstance(duration, str):
        text = duration.strip().lower()
        if _DURATION.fullmatch(text):
            parts = re.findall(r"([\d.]+)\s*([smhdw])", text)
            seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        elif re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
            seconds = float(text)
    elif isinstance(duration, int | float) and not isinstance(duration, bool):
        try:
            seconds = float(duration)
        except OverflowError:
            seconds = math.inf
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(
            f"{duration!r:.80} is no length of time. Give one such as '24h', '90m', '7d', a number of seconds, or a "
            "timedelta."
        )
    return seconds


def lifetime(auth: TokenAuth, duration: str | float | timedelta, source: str | None = None) -> Lifetime:
    """See `Session.lasts`; ``auth`` signs the session's requests, with tokens from ``source`` if it is given."""
    seconds, renewer, token = read_duration(duration), auth.renewer, auth.token
    if token is None:
        ended = _date(time.time())
        return Lifetime(lasts=False, until=ended, reason="No: the session is signed out. Sign in again.")
    if renewer is None:
        return _Judge("the provider", time.time(), seconds).of_access_token(token)
    provider = renewer.client.provider
    judge = _Judge(provider.host, provider.clock.now(), seconds)
    if renewer.reissue is not None:
        client = renewer.client
        has_secret = source is None and (client.client_secret or client.client_key) is not None
        source = source or token_source(os.environ) or "the environment"
        return judge.of_client() if has_secret else judge.of_source(token, source)
    token, ended_by = _stored(auth, renewer, token)
    if ended_by is not None:
        return judge.no(judge.now, f"{ended_by} Sign in again.")
    if "refresh_token" not in token:
        return judge.of_access_token(token, forked=renewer.forked)
    return judge.of_refresh_token(token, _offline_access(token, renewer))


def _stored(auth: TokenAuth, renewer: TokenRenewer, token: Token) -> tuple[Token, str | None]:
    """The stored token, which another process may have renewed; and what ended the sign-in, if that is known."""
    refused = not auth.usable
    try:
        stored = renewer.storage.load(renewer.account)
    except StorageError:  # what the session itself has counts then
        pass
    else:
        if stored is None:
            return token, "it is not stored any more, because authnb logout or another process ended it."
        refused = stored.refused or (refused and stored.token["access_token"] == token["access_token"])
        token = stored.token
    return token, f"{renewer.client.provider.host} no longer renews it." if refused else None


@dataclass(frozen=True)
class _Judge:
    """Compares ends, in seconds by the provider's clock, with ``now`` and the ``seconds`` that were asked for."""

    host: str
    now: float
    seconds: float

    def yes(self, end: float | None, reason: str) -> Lifetime:
        return Lifetime(lasts=True, until=self._local(end), reason=f"Yes: {reason}")

    def no(self, end: float | None, reason: str) -> Lifetime:
        return Lifetime(lasts=False, until=self._local(end), reason=f"No: {reason}")

    def unknown(self, end: float | None, reason: str) -> Lifetime:
        return Lifetime(lasts=False, until=self._local(end), reason=f"Not known: {reason}")

    def of_client(self) -> Lifetime:
        """Of a session whose client signs in for itself."""
        return self.yes(
            None,
            "the client signs in by itself, and is given another token whenever one expires, as long as "
            f"{self.host} accepts its secret.",
        )

    def of_source(self, token: Mapping[str, Any], source: str) -> Lifetime:
        """Of a session whose tokens come from elsewhere."""
        end = token.get("expires_at")
        if end is not None and self._covers(end):
            return self.yes(end, f"the token from {source} is valid until {self._shown(end)}.")
        if end is not None and end <= self.now:  # the next call reads another
            end = None
        until = (
            "is valid for a time that is not known" if end is None else f"is valid until {self._shown(end)}"
        )
        return self.unknown(
            end,
            f"the token from {source} {until}, and the sign-in lasts for as long as there is a fresh one then.",
        )

    def of_access_token(self, token: Mapping[str, Any], *, forked: bool = False) -> Lifetime:
        """Of a session that cannot renew its token."""
        why, remedy = f"{self.host} gave no refresh token", "The scope 'offline_access' may give one."
        if forked:
            why = "this process was forked from the one that signed in, which alone renews the token"
            remedy = "Sign in with remember=True, and each process renews it."
        end = token.get("expires_at")
        if end is None:
            return self.unknown(None, f"{why}, and nothing says when the access token expires. {remedy}")
        valid = f"the access token is valid until {self._shown(end)}"
        if self._covers(end):
            return self.yes(end, f"{valid}.")
        return self.no(end, f"{why}, and {valid}. {remedy}")

    def of_refresh_token(self, token: Mapping[str, Any], advice: str) -> Lifetime:
        """Of a session that renews its token; ``advice`` is added where the refresh token may not last."""
        access_token_end, bound = token.get("expires_at"), token.get("authorization_expires_at")
        if access_token_end is not None and self._covers(access_token_end):
            shown = self._shown(access_token_end)
            return self.yes(access_token_end, f"the access token alone is valid until {shown}.")
        if bound is not None and not self._covers(bound):
            return self.no(
                bound,
                f"{self.host} states that no renewal helps after {self._shown(bound)}. "
                f"{self._sign_in_again(token, bound)}",
            )
        if token.get("refresh_token_expires_at") is not None:
            return self._of_expiring(token, advice)
        if bound is None and not token.keys() & {"refresh_token_expires_at", "authorization_expires_at"}:
            return self.unknown(
                None,
                f"{self.host} does not state how long it renews the sign-in, which {self._measured(token)}. Ask its "
                f"administrator for the lifetime and the idle limit of refresh tokens.{advice}",
            )
        end = "without end" if bound is None else f"until {self._shown(bound)}"
        return self.yes(
            bound,
            f"{self.host} states that it renews the sign-in {end}. It may have an idle limit that it does not state: "
            "let this kernel or authnb agent run, which renew it.",
        )

    def _of_expiring(self, token: Mapping[str, Any], advice: str) -> Lifetime:
        """Of a session whose refresh token expires unless it is used."""
        end, bound = token["refresh_token_expires_at"], token.get("authorization_expires_at")
        shown, extended = self._shown(end), token.get("refresh_token_extended")
        if self._covers(end):
            return self.yes(end, f"{self.host} renews the sign-in until {shown}, if nobody ends it.")
        if end <= self.now:
            return self.no(end, f"the refresh token expired at {shown}. Sign in again.")
        if "authorization_expires_at" in token:
            return self.yes(
                bound,
                f"the refresh token expires at {shown}, but each renewal extends that. Let this kernel or authnb agent "
                "run, which renew it.",
            )
        if extended is False:
            return self.no(
                end,
                f"{self.host} renews the sign-in until {shown}, which the last renewal did not extend. "
                f"{self._sign_in_again(token, end)}{advice}",
            )
        seen = "whether a renewal extends that shows at the first one"
        if extended:
            seen = f"the last renewal extended that, up to a limit that {self.host} does not state"
        return self.unknown(
            end,
            f"the refresh token expires at {shown} unless it is used, and {seen}. The sign-in "
            f"{self._measured(token)}.{advice}",
        )

    def _sign_in_again(self, token: Mapping[str, Any], end: float) -> str:
        """What a new sign-in would give, by what this one gave."""
        total = end - token.get("signed_in_at", token.get("issued_at", self.now))
        if total >= self.seconds:
            return f"Sign in again when you submit the job: this sign-in was for {_span(total)}."
        return f"A sign-in is for {_span(total)} there: split the job, or ask the administrator for more."

    def _measured(self, token: Mapping[str, Any]) -> str:
        """When the person signed in and when the token was renewed, as a part of a sentence."""
        issued_at, signed_in_at = token.get("issued_at"), token.get("signed_in_at")
        if issued_at is None:
            return "was made by an earlier authnb"
        if signed_in_at is None:
            return f"is from {self._shown(issued_at)} and has not been renewed yet"
        return f"is from {self._shown(signed_in_at)} and was last renewed at {self._shown(issued_at)}"

    def _covers(self, end: float) -> bool:
        return end >= self.now + self.seconds

    def _local(self, end: float | None) -> datetime | None:
        return None if end is None else _date(round(end + time.time() - self.now))

    def _shown(self, end: float) -> str:
        """The time by this machine's clock and in its zone."""
        return f"{_date(end + time.time() - self.now).astimezone():%Y-%m-%d %H:%M}"


def _offline_access(token: Mapping[str, Any], renewer: TokenRenewer) -> str:
    """The advice to ask for that scope, where the provider has it and it was not asked for."""
    word = "offline_access"
    asked = {*renewer.client.scope.split(), *str(token.get("scope", "")).split()}
    if word in asked or word not in renewer.client.provider.scopes_supported:
        return ""
    return f" The scope {word!r}, which the provider has, may last longer."


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, 0.0), _LATEST), UTC)


def _span(seconds: float) -> str:
    """The length of time in its largest unit: ``90 minutes``, ``24 hours``, ``7 days``."""
    for unit, size in (("day", 2 * 86400), ("hour", 2 * 3600), ("minute", 2 * 60)):
        if seconds >= size:
            return f"{seconds / (size / 2):.3g} {unit}s"
    return f"{seconds:.0f} seconds"
