"""The exercises of notebook 06."""

from __future__ import annotations

from typing import Any

from checking.judge import mentions, name, no, number, shuffled, text, yes
from checking.outcome import ensure, exercise


@exercise(
    "06",
    task="True if the token can be used at the time `now` (seconds). Renew a minute early.",
    praise="A token that ends on the way is no use; a minute is enough for the way.",
)
def is_fresh(fresh: Any) -> None:
    now = number(10_000, 2_000_000_000)
    cases = [
        (3600 + number(0, 900), True, "It refuses a token that has more than an hour."),
        (62, True, "It refuses a token that has more than a minute."),
        (number(90, 3000), True, "It refuses a token that has more than a minute."),
        (-number(1, 3600), False, "It uses a token that has ended."),
        (0, False, "At the second itself it has ended."),
        (30, False, "Half a minute before the end it is time to renew."),
        (58, False, "Less than a minute before the end it is time to renew."),
        (-now, False, "An end at 0 seconds is an end, long ago; only a token without `expires_at` does not end."),
    ]
    for left, right, why in shuffled(cases):
        token = {"access_token": name(), "expires_at": now + left}
        (yes if right else no)(fresh(token, now), why)
    yes(fresh({"access_token": name()}, now), "Without expires_at nobody says that it ends: use it.")


# Of each sentence: what must be said if it is false (its words, and what is wrongly said), and a question
_FALSE: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "a refresh token is sent to the API": (
        ("token endpoint", "provider", "authorization server", "authorisation server", "issuer", "idp"),
        ("apis?", "resource server"),
        "To whom is it sent?",
    ),
    "an access token is meant to be read by the client": (
        ("apis?", "resource server", "opaque", "not (?:made |meant )?for the client", "(?:cannot|can not|may not|must not|should not) (?:be )?(?:read|understand|open)"),
        (r"clients? (?:can|may|reads|understands)\b", "meant for the client", "for the client"),
        "For whom is that letter?",
    ),
    "signing out here ends the provider's own session": (
        ("browser", "still", "remains?", "stays?", "goes on", "continues?", "only here", "separate", "end.session", "cookie", "lives on"),
        ("ends the provider", "provider signs"),
        "That session belongs to the browser: what becomes of it?",
    ),
}
_TRUE = {
    "with rotation a refresh token works once": "With each renewal came a new one.",
    "a used refresh token that comes again ends the whole sign-in": "Look at part 4: who was out?",
}


@exercise(
    "06",
    task="Put True behind a true sentence; behind a false one write, in a few words, how it really is.",
    praise="That is why a refresh token needs more care than an access token.",
)
def true_or_false(answer: Any) -> None:
    ensure(isinstance(answer, dict), f"Give a dictionary, not {type(answer).__name__}.")
    for sentence in (*_FALSE, *_TRUE):
        ensure(dict.__contains__(answer, sentence), f"This one is missing: {sentence}.")
        got = dict.__getitem__(answer, sentence)
        ensure(isinstance(got, (bool, str)), f"Give True, or a few words, for: {sentence}.")
    for sentence, why in _TRUE.items():
        ensure(dict.__getitem__(answer, sentence) is True, f"Think again about: {sentence}. {why}")
    for sentence, (right, wrong, question) in _FALSE.items():
        got = dict.__getitem__(answer, sentence)
        ensure(got is not True, f"Think again about: {sentence}. {question}")
        ensure(got is not False, f"It is false, yes: {sentence}. Write in a few words how it really is. {question}")
        said = text(got)
        ensure(len(said) <= 300, f"A few words are enough for: {sentence}.")
        ensure(not mentions(said, wrong), f"Part of what you write is not so, about: {sentence}. {question}")
        ensure(mentions(said, right), f"What you write does not say it yet, about: {sentence}. {question} Use the words of this notebook.")
