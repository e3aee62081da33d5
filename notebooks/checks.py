"""Checks for the exercises: correct, incorrect and why, or not attempted. A check never raises.

``checks.hint("02_pkce_challenge")`` gives one hint after the other, ``checks.solution("02_pkce_challenge")`` shows the
solution, and ``checks.progress("02")`` a progress bar. The names of the exercises you passed, and nothing else, are stored beside
this file, or for a class in the folder that the environment variable ``AUTHNB_CLASS`` names, one file for each learner.
``python checks.py FOLDER`` prints the progress of a class.
"""

from __future__ import annotations

import functools
import getpass
import json
import os
import re
import sys
import tomllib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from numbers import Integral
from pathlib import Path
from typing import Any, Callable

EXERCISES: dict[str, list[str]] = {}  # notebook -> names of its exercises
_COLOURS = {"correct": "#1a7f37", "incorrect": "#b35900", "not attempted": "#6e7781"}
_MARKS = {"correct": "✓", "incorrect": "✗", "not attempted": "·"}


@dataclass(frozen=True)
class Outcome:
    """The result of a check; ``status`` is ``correct``, ``incorrect`` or ``not attempted``."""

    exercise: str
    status: str
    text: str

    def __repr__(self) -> str:
        return f"{_MARKS[self.status]} {self.status}: {self.text}"

    def _repr_html_(self) -> str:
        colour = _COLOURS[self.status]
        return (
            f'<p style="border-left: 4px solid {colour}; padding-left: .6em">'
            f"<b>{_MARKS[self.status]} {self.status}</b> {escape(self.text)}</p>"
        )


class Wrong(Exception):
    """An answer is incorrect; the text says why."""


def ensure(holds: object, why: str) -> None:
    """Raise `Wrong` with this reason unless the condition holds."""
    if not holds:
        raise Wrong(why)


def pairs(answer: Any, right: dict[str, tuple[Any, str]]) -> None:
    """Raise `Wrong` for the first name that has another value in the answer."""
    for name, (value, why) in right.items():
        got = answer.get(name)
        ensure(type(got) is type(value) and got == value, f"Think again about: {name}. {why}")


def exercise(notebook: str, *, hint: str, praise: str) -> Callable[[Callable[..., None]], Callable[..., Outcome]]:
    """A decorator: the function raises, `Wrong` or anything else, unless the answer is right; the check returns an `Outcome`."""

    def decorate(check: Callable[..., None]) -> Callable[..., Outcome]:
        name = f"{notebook}/{check.__name__}"
        EXERCISES.setdefault(notebook, []).append(name)

        @functools.wraps(check)
        def checked(answer: Any = ...) -> Outcome:
            _remember()
            try:
                if _untouched(answer):
                    return Outcome(name, "not attempted", hint)
                check(answer)
            except Wrong as wrong:
                return Outcome(name, "incorrect", str(wrong))
            except (Exception, SystemExit) as error:  # the learner's code may raise anything
                return Outcome(name, "incorrect", _raised(error))
            _remember(name)
            return Outcome(name, "correct", praise)

        return checked

    return decorate


def _raised(error: BaseException) -> str:
    try:
        return f"It raised {type(error).__name__}: {str(error)[:200]}"
    except Exception:
        return "It raised an error that cannot be shown."


def _empty() -> None: ...


def _untouched(answer: Any) -> bool:
    if answer is ...:
        return True
    if isinstance(answer, (list, tuple, set)):
        return any(_untouched(part) for part in answer)
    if isinstance(answer, dict):
        return any(_untouched(part) for part in answer.values())
    code = getattr(answer, "__code__", None)
    return code is not None and code.co_code == _empty.__code__.co_code and set(code.co_consts) <= {None}


# Hints and solutions, which are in the folder beside this file

_SOLUTIONS = Path(__file__).with_name("solutions")
_hinted: dict[str, int] = {}  # exercise -> how many of its hints were given


@dataclass(frozen=True)
class Shown:
    """A text to read: a hint, or a solution, which is code."""

    text: str
    code: bool = False

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        if self.code:
            return f"<pre>{escape(self.text)}</pre>"
        return "<p>" + re.sub(r"`(.+?)`", r"<code>\1</code>", escape(self.text)) + "</p>"


def hint(name: str) -> Shown:
    """The next hint for an exercise, as ``"02_pkce_challenge"``; after the last one, where the solution is."""
    try:
        hints = tomllib.loads((_SOLUTIONS / "hints.toml").read_text(encoding="utf-8"))
    except OSError:
        return Shown("The hints are in the folder solutions, which is not beside checks.py.")
    if name not in _names() or name not in hints:
        return _unknown(name)
    given = _hinted[name] = _hinted.get(name, 0) + 1
    of = len(hints[name])
    if given > of:
        return Shown(f'These were the {of} hints. `checks.solution("{name}")` shows a solution.')
    more = "" if given == of else " Run the cell again for the next one."
    return Shown(f"Hint {given} of {of}: {hints[name][given - 1]}{more}")


def solution(name: str) -> Shown:
    """A solution of an exercise, to read, or to copy into its cell."""
    path = _SOLUTIONS / f"{name}.py"
    if name not in _names():
        return _unknown(name)
    try:
        return Shown(path.read_text(encoding="utf-8").strip(), code=True)
    except OSError:
        return Shown("The solutions are in the folder of this name, which is not beside checks.py.")


def _names() -> list[str]:
    return sorted(name.replace("/", "_") for names in EXERCISES.values() for name in names)


def _unknown(name: object) -> Shown:
    return Shown(f"There is no exercise {str(name)[:40]!r}. There are: {', '.join(_names())}.")


# Progress, and where it is stored


def _file() -> Path:
    folder = os.environ.get("AUTHNB_CLASS")
    if folder is None:
        return Path(__file__).with_name(".progress.json")
    name = os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    return Path(folder) / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.json"


def passed(file: Path | None = None) -> set[str]:
    """The names of the exercises passed."""
    try:
        names = json.loads((file or _file()).read_text(encoding="utf-8"))["passed"]
        return {name for names_of in EXERCISES.values() for name in names_of if name in names}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _remember(*names: str) -> None:
    """Store the names of passed exercises; without one, create the learner's file in the folder of the class."""
    try:
        if names or ("AUTHNB_CLASS" in os.environ and not _file().exists()):
            _file().write_text(json.dumps({"passed": sorted({*passed(), *names})}), encoding="utf-8")
    except (OSError, KeyError):
        pass  # the exercise works without a writable folder too


@dataclass(frozen=True)
class Progress:
    """Exercises passed, as a bar for each notebook."""

    done: dict[str, tuple[int, int]]

    def __repr__(self) -> str:
        return "\n".join(
            f"{notebook}  {'█' * 4 * got}{'░' * 4 * (of - got)}  {got} of {of}"
            for notebook, (got, of) in self.done.items()
        )


def progress(notebook: str | None = None) -> Progress:
    """The progress in one notebook, or in all."""
    got = passed()
    wanted = [notebook] if notebook in EXERCISES else sorted(EXERCISES)
    return Progress({n: (len(got.intersection(EXERCISES[n])), len(EXERCISES[n])) for n in wanted})


def of_class(folder: str | Path) -> str:
    """A table for the teacher: how many exercises of each notebook each learner has passed."""
    notebooks = sorted(EXERCISES)
    lines = [f"{'':20}" + "".join(f"{n:>5}" for n in notebooks)]
    for file in sorted(Path(folder).glob("*.json")):
        got = passed(file)
        counts = [len(got.intersection(EXERCISES[n])) for n in notebooks]
        lines.append(f"{file.stem[:19]:20}" + "".join(f"{count or '·':>5}" for count in counts))
    lines.append(f"{'of':20}" + "".join(f"{len(EXERCISES[n]):>5}" for n in notebooks))
    return "\n".join(lines)


# 00_sign_in


@exercise(
    "00",
    hint="Put 'the provider', 'the notebook' or 'the API' behind each.",
    praise="Each goes to one place, and the others have no use for it.",
)
def meant_for(answer: Any) -> None:
    right = {
        "your password": ("the provider", "Into whose page did you type it?"),
        "the ID token": ("the notebook", "It answers the question: who signed in here?"),
        "the access token": ("the API", "It goes along with each call."),
    }
    pairs(answer, right)


@exercise(
    "00",
    hint="Give the hour with the largest mean, a whole number from 0 to 23.",
    praise="On the way to work. In the evening there is a second, smaller one.",
)
def rush_hour(answer: Any) -> None:
    whole = isinstance(answer, Integral) and not isinstance(answer, bool)
    ensure(whole, f"Give the hour as a whole number, not {type(answer).__name__}.")
    ensure(answer != 18, "That is the second peak. Compare the two.")
    ensure(answer == 8, "Look at the plot: where is the highest line at its highest?")


# 02_login_page


@exercise(
    "02",
    hint="Hash the verifier with SHA-256, encode it with base64url, and drop the '=' at the end.",
    praise="This is what RFC 7636 calls S256. The provider can compare, and cannot compute the verifier back.",
)
def pkce_challenge(challenge: Any) -> None:
    verifier, right = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    got = challenge(verifier)
    ensure(isinstance(got, str), f"It gives {type(got).__name__}; an address needs text. Try .decode().")
    ensure(got != verifier, "It gives the verifier itself. That is the method 'plain', and no protection.")
    ensure(not got.endswith("="), "Nearly: the '=' at the end has to go.")
    ensure("+" not in got and "/" not in got, "It uses the base64 alphabet with + and /; use urlsafe_b64encode.")
    ensure(len(got) != 64, "That looks like hexdigest(). Encode the bytes of digest() instead.")
    ensure(got == right, "For the example of RFC 7636, appendix B, something else comes out.")


@exercise(
    "02",
    hint="Refuse an answer without state, with an empty one, and with another one.",
    praise="Nobody can bring you an answer to a question that you did not ask.",
)
def state_matches(matches: Any) -> None:
    ensure(matches("sent", "sent") is True, "It refuses the state that was sent. Give True for that one.")
    ensure(not matches("sent", "other"), "It accepts the state of somebody else.")
    ensure(not matches("sent", None), "It accepts an answer that has no state at all.")
    ensure(not matches("sent", ""), "It accepts an empty state.")
    ensure(not matches("", ""), "Two empty states are equal, and prove nothing: refuse them.")
    ensure(not matches(None, None), "Without a sign-in of ours there is nothing to match: refuse None.")


@exercise(
    "02",
    hint="Put one of: 'state', 'nonce', 'code_challenge', 'scope' behind each sentence.",
    praise="Four parameters, four different promises.",
)
def who_protects_what(answer: Any) -> None:
    right = {
        "the answer belongs to this browser": ("state", "It goes out with the request, and comes back in the address."),
        "the ID token belongs to this sign-in": ("nonce", "It comes back inside something signed."),
        "a stolen code is worth nothing": ("code_challenge", "Its other half stays at home."),
        "the token opens no more than needed": ("scope", "It says what is asked for."),
    }
    pairs(answer, right)


# 03_callback


@exercise(
    "03",
    hint="Put the four names into the order in which they must be looked at.",
    praise="First whether it is ours, then who says it, then what they say.",
)
def callback_order(order: Any) -> None:
    ensure(sorted(order) == ["code", "error", "iss", "state"], "Use each of 'state', 'iss', 'error', 'code' once.")
    ensure(order[0] == "state", "Whoever is not even part of this sign-in should not be listened to any further.")
    ensure(order.index("iss") < order.index("error"), "An error, too, should come from the provider that was asked.")
    ensure(order == ["state", "iss", "error", "code"], "A code is used only when there is no error.")


@exercise(
    "03",
    hint="SHA-256 of the token, its first 16 bytes, base64url, without '='.",
    praise="An access token cannot be swapped for another one unnoticed.",
)
def half_hash(at_hash: Any) -> None:
    got = at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y")
    ensure(isinstance(got, str), "Give text: .decode() what base64 gives.")
    ensure(not got.endswith("="), "The '=' at the end has to go.")
    ensure(len(got) != 43, "That is the whole hash; take its left half, 16 of 32 bytes.")
    ensure(got == "77QmUPtjPfzWtF2AnpK9RQ", "For the example of OpenID Connect another value comes out.")


@exercise(
    "03",
    hint="Give the reason as text, or None if the claims may be believed.",
    praise="That is the heart of what a library does for you at each sign-in.",
)
def why_refuse(why: Any) -> None:
    good = {"iss": "https://id", "aud": "me", "exp": 1000, "nonce": "n"}
    ask: Any = lambda **changed: why({**good, **changed}, issuer="https://id", client_id="me", nonce="n", now=900)
    ensure(ask() is None, "It refuses claims that are all right.")
    ensure(ask(aud=["me"]) is None, "`aud` may be a list that holds us.")
    ensure(ask(iss="https://evil"), "It believes another issuer.")
    ensure(ask(aud="you"), "It believes a token for another client.")
    ensure(ask(aud=["you"]), "It believes a token for other clients, in a list.")
    ensure(ask(aud="me-too"), "It believes a token for 'me-too': compare the whole name.")
    ensure(ask(exp=899), "It believes a token that has ended.")
    ensure(ask(nonce="old"), "It believes a token of an earlier sign-in.")
    ensure(ask(nonce=None), "It believes a token without a nonce.")


# 08_the_flask_app


@exercise(
    "08",
    hint="Give a dictionary: what was mended, and the error it was for.",
    praise="Five lines, five reasons.",
)
def what_broke(answer: Any) -> None:
    right = {
        "import Flask and url_for": ("NameError", "Python did not know a word."),
        "code_challenge_method='S256'": ("invalid_request", "The provider refused the request."),
        "token['userinfo'] in place of parse_id_token(token)": ("missing 'nonce'", "A call has changed since the tutorial was written."),
        "return ...": ("no valid response", "Flask had nothing to send."),
        "a table of accounts": ("nothing was stored", "It said thank you, and then?"),
    }
    pairs(answer, right)


@exercise(
    "08",
    hint="Give a small dictionary for the session cookie: who it is, and no token.",
    praise="The cookie is signed, not encrypted: whoever has it can read it, but there is nothing to steal.",
)
def what_to_keep(keep: Any) -> None:
    token = {
        "access_token": "a" * 43,
        "refresh_token": "r" * 43,
        "id_token": "i" * 300,
        "userinfo": {"sub": "7f3", "name": "Ada", "email": "ada@example.org", "nonce": "n" * 43},
    }
    kept = keep(token)
    ensure(isinstance(kept, dict), f"Give a dictionary, not {type(kept).__name__}.")
    text = json.dumps(kept)
    ensure("aaaa" not in text and "rrrr" not in text, "A Flask cookie can be read by whoever has it: leave the tokens out.")
    ensure("iiii" not in text, "The ID token has done its work; leave it out.")
    ensure("nnnn" not in text, "The nonce was for one sign-in and is used up.")
    ensure(kept.get("sub") == "7f3", "Without `sub` you cannot know this person again.")


@exercise(
    "08",
    hint="Give True for a path of our own, False for everything else.",
    praise="A link with ?next= can no longer send your people to somebody else's page.",
)
def safe_next(is_ours: Any) -> None:
    for path in ("/", "/data", "/data?page=2"):
        ensure(is_ours(path) is True, f"{path} is ours, and it refuses it.")
    bad = ("https://evil.example/", "//evil.example/", "evil", "", None, "/\\evil.example", "javascript:alert(1)")
    for path in bad:
        ensure(not is_ours(path), f"It would send people to {path!r}.")


# 04_sign_up


@exercise(
    "04",
    hint="Give a sentence that says what is wrong with the password, or None if it will do.",
    praise="Long beats complicated, and nobody was asked for a sign and a capital.",
)
def password_problem(problem: Any) -> None:
    ensure(problem("ada", "four words make one") is None, "It refuses 'four words make one', which is fine.")
    ensure(problem("ada", "nurkleinebuchstaben") is None, "It asks for more than length: 19 small letters are fine.")
    ensure(problem("ada", "x" * 200) is not None, "It takes 200 characters; some hashes get slow. Set an upper end.")
    for password, why in (("short", "fewer than 8"), ("password", "the most common"), ("adaadaada", "of three letters"),
                          ("grace-hopper", "the same as the name")):
        name = "grace-hopper" if "name" in why else "ada"
        said = problem(name, password)
        ensure(isinstance(said, str) and said, f"It takes {password!r}: {why}.")
        ensure(password == "password" or password not in said, "Do not repeat the password in the message: messages end up in logs.")


@exercise(
    "04",
    hint="Give the pair (keep, fits): what to store of a password, and whether a password fits what was stored.",
    praise="Salted and slow: a stolen table is not a list of passwords.",
)
def keep_and_fits(functions: Any) -> None:
    keep, fits = functions
    first, second = keep("a long passphrase"), keep("a long passphrase")
    ensure("passphrase" not in str(first), "The password can be read in what is kept.")
    ensure(first != second, "Two people with one password get the same entry: it has no salt.")
    ensure(fits(first, "a long passphrase") is True, "It does not know the right password again.")
    ensure(fits(second, "a long passphrase") is True, "It does not know the right password again.")
    ensure(not fits(first, "a long passphrasf"), "It takes a wrong password.")
    ensure(not fits(first, ""), "It takes an empty password.")


@exercise(
    "04",
    hint="Put one of: 'validation', 'unique column', 'salted hash', 'CSRF token' behind each danger.",
    praise="Each of the four is cheap; the lack of one is not.",
)
def what_helps(answer: Any) -> None:
    right = {
        "the table of accounts is stolen": ("salted hash", "What must the thief not be able to read off it?"),
        "two people take one name at the same moment": ("unique column", "Who decides when both have looked?"),
        "another site sends the form in your name": ("CSRF token", "What does our own page know that the other one cannot?"),
        "somebody chooses the password 'password'": ("validation", "It can be said before anything is stored."),
    }
    pairs(answer, right)


# 09_break_it


@exercise(
    "09",
    hint="Put the defence behind each attack: 'state', 'PKCE', 'use once', 'signature', 'aud', 'iss', 'one lock'.",
    praise="For each attack there is one small thing that stops it.",
)
def attack_and_defence(answer: Any) -> None:
    right = {
        "a link signs you in as somebody else": ("state", "The answer did not belong to your browser."),
        "a code is read in a log and traded first": ("PKCE", "Something that never left the client is missing."),
        "a code is traded a second time": ("use once", "Here the thief has everything, but comes late."),
        "an ID token says alg none": ("signature", "Who vouches for what it says?"),
        "an ID token for another client is shown to us": ("aud", "It is real; for whom was it made?"),
        "an honest provider's code is sent to a bad one": ("iss", "The client mistook who had answered."),
        "two threads use one refresh token": ("one lock", "Nobody is evil here, only quick."),
    }
    pairs(answer, right)


@exercise(
    "09",
    hint="Give the key of our list with the header's kid if the header's alg is RS256; else None.",
    praise="The header may ask; the client decides, and it never takes a key that came with the token.",
)
def pick_the_key(pick: Any) -> None:
    ours = [{"kid": "a", "kty": "RSA", "n": "1"}, {"kid": "b", "kty": "RSA", "n": "2"}]
    ensure(pick({"alg": "RS256", "kid": "b"}, ours) == ours[1], "It does not find the key that the header names.")
    ensure(pick({"alg": "none", "kid": "b"}, ours) is None, "It gives a key for alg 'none'.")
    ensure(pick({"alg": "HS256", "kid": "b"}, ours) is None, "It gives a public key for HS256: everybody has that key.")
    evil = {"kid": "e", "kty": "RSA", "n": "3"}
    ensure(pick({"alg": "RS256", "kid": "e", "jwk": evil}, ours) is None, "It takes a key out of the token itself.")
    ensure(pick({"alg": "RS256", "kid": "c"}, ours) is None, "It gives some key for a kid that nobody has.")


# 05_device_login


@exercise(
    "05",
    hint="Give the seconds until the next poll after this error, or None if there is no use in another one.",
    praise="Patient with those who ask for patience, and done when it is over.",
)
def next_wait(wait: Any) -> None:
    ensure(wait(5, "authorization_pending") == 5, "While the person is still busy, keep the interval.")
    ensure(wait(5, "slow_down") == 10, "After slow_down, five seconds more (RFC 8628, 3.5).")
    ensure(wait(10, "slow_down") == 15, "After each slow_down five seconds more, not always ten.")
    ensure(wait(15, "authorization_pending") == 15, "Once slowed down it stays slow.")
    ensure(wait(5, "access_denied") is None, "The person said no: stop.")
    ensure(wait(5, "expired_token") is None, "The code has ended: stop.")


@exercise(
    "05",
    hint="Say who may see it: put 'the person' or 'the client' behind each.",
    praise="What the person types is short and dies soon; what buys the token never shows.",
)
def who_sees_what(answer: Any) -> None:
    right = {
        "user_code": ("the person", "It is short enough to type."),
        "device_code": ("the client", "It buys the token."),
        "verification_uri": ("the person", "Somebody has to open it."),
        "access_token": ("the client", "It opens the API to whoever holds it."),
    }
    pairs(answer, right)


# 06_tokens


@exercise(
    "06",
    hint="True if the token can be used at the time `now` (seconds). Renew a minute early.",
    praise="A token that ends on the way is no use; a minute is enough for the way.",
)
def is_fresh(fresh: Any) -> None:
    ensure(fresh({"expires_at": 5000}, 1000) is True, "It refuses a token that has more than an hour.")
    ensure(not fresh({"expires_at": 5000}, 5001), "It uses a token that has ended.")
    ensure(not fresh({"expires_at": 5000}, 5000), "At the second itself it has ended.")
    ensure(not fresh({"expires_at": 5000}, 4970), "Half a minute before the end it is time to renew.")
    ensure(fresh({}, 1000) is True, "Without expires_at nobody says that it ends: use it.")


@exercise(
    "06",
    hint="Give True or False for each sentence.",
    praise="That is why a refresh token needs more care than an access token.",
)
def true_or_false(answer: Any) -> None:
    right = {
        "a refresh token is sent to the API": (False, "It goes to the token endpoint, and nowhere else."),
        "with rotation a refresh token works once": (True, "With each renewal came a new one."),
        "a used refresh token that comes again ends the whole sign-in": (True, "Look at part 4: who was out?"),
        "an access token can be read by the client": (False, "For whom is that letter?"),
        "signing out here ends the provider's own session": (False, "That session belongs to the browser."),
    }
    pairs(answer, right)


# 01_provider


@exercise(
    "01",
    hint="Give the address of the discovery document for an issuer.",
    praise="An issuer may have a path, and may end in a slash; the document is below it.",
)
def well_known(address: Any) -> None:
    end = "/.well-known/openid-configuration"
    ensure(address("https://id.example.org") == "https://id.example.org" + end, "For https://id.example.org it is wrong.")
    ensure(address("https://id.example.org/realms/lab") == "https://id.example.org/realms/lab" + end, "Keep the issuer's path.")
    ensure(address("https://id.example.org/") == "https://id.example.org" + end, "A final slash must not be doubled.")


@exercise(
    "01",
    hint="Can it keep a secret from the people who run it? Say 'public' or 'confidential' for each program.",
    praise="A secret that is shipped to everybody is none.",
)
def kinds_of_client(answer: Any) -> None:
    right = {
        "a notebook that you share": ("public", "Who can read what is in it?"),
        "an app on a phone": ("public", "The same app is on every phone."),
        "a Flask application on your server": ("confidential", "Who can read the files on your server?"),
        "a script in the page of a web site": ("public", "Every visitor's browser loads it."),
        "a nightly job on your server": ("confidential", "Who can read the files on your server?"),
    }
    pairs(answer, right)


# 07_call_an_api


@exercise(
    "07",
    hint="Follow `next` until there is none, and give all rows in one list.",
    praise="It works for one page and for a thousand.",
)
def all_rows(rows: Any) -> None:
    book = {"/a": ([1, 2], "/b"), "/b": ([], "/c"), "/c": ([3], None), "/one": ([9], None)}
    asked: list[str] = []

    def get(address: str) -> dict[str, Any]:
        asked.append(address)
        ensure(len(asked) < 20, "It goes on asking and never stops.")
        page, following = book[address]
        return {"measurements": list(page), "next": following}

    ensure(list(rows(get, "/one")) == [9], "With a single page it gives something else than its rows.")
    got = list(rows(get, "/a"))
    ensure(got != [1, 2], "Only the first page: follow `next`.")
    ensure(got == [1, 2, 3], "Rows are missing, or in another order. A page may be empty and still have a next one.")


@exercise(
    "07",
    hint="Which station has the highest mean of no2? Give its id as text.",
    praise="Traffic makes it.",
)
def busiest(answer: Any) -> None:
    ensure(isinstance(answer, str), f"Give the id as text, not {type(answer).__name__}.")
    ensure(answer == "market", "Group by station, take the mean of no2, and look for the largest (idxmax).")


# 10_anywhere


@exercise(
    "10",
    hint="Put 'loopback', 'device' or 'nobody' behind each place.",
    praise="Where the browser is decides, and whether there is a person at all.",
)
def which_way(answer: Any) -> None:
    right = {
        "JupyterLab on your own laptop": ("loopback", "Browser and kernel are on one computer."),
        "a kernel on a JupyterHub": ("device", "The callback would go to the laptop, where nobody listens."),
        "a terminal over SSH": ("device", "Your browser is on another computer than the program."),
        "papermill in the night": ("nobody", "Who would click?"),
        "a test in CI": ("nobody", "Who would click?"),
    }
    pairs(answer, right)


@exercise(
    "10",
    hint="Give the error code with which a sign-in stops where nobody is there.",
    praise="At once, and with a sentence that says what to do instead.",
)
def when_nobody(answer: Any) -> None:
    ensure(isinstance(answer, str), "Give the code as text.")
    ensure(answer == "interaction_required", "Look at the end of what the unattended script printed, in brackets.")


# 11_your_provider


@exercise(
    "11",
    hint="Write what you would register for a notebook, with the names of RFC 7591.",
    praise="A public client, PKCE in place of a secret, and an address on this computer.",
)
def registration(answer: Any) -> None:
    ensure(isinstance(answer, dict), "Give a dictionary.")
    uris = answer.get("redirect_uris")
    ensure(isinstance(uris, list), "redirect_uris is a list of addresses.")
    ensure("http://127.0.0.1/callback" in uris, "authnb answers at http://127.0.0.1/callback, on any port.")
    ensure(answer.get("token_endpoint_auth_method") == "none", "A notebook keeps no secret: the method is 'none'.")
    grants = answer.get("grant_types", [])
    ensure("authorization_code" in grants, "The code for tokens is a grant: authorization_code.")
    ensure("refresh_token" in grants, "Without refresh_token people sign in once an hour.")
    ensure("client_credentials" not in grants, "client_credentials is for programs with a secret and no person.")
    ensure("client_secret" not in answer, "A client does not choose its secret, and this one has none.")


@exercise(
    "11",
    hint="Which arguments of authnb.login change with the provider? Give their names as a set.",
    praise="Three values, and everything else stays as it is.",
)
def three_values(answer: Any) -> None:
    ensure(isinstance(answer, (set, list, tuple)), "Give a set of names.")
    ensure(len(set(answer)) == 3, "There are three.")
    ensure(set(answer) == {"issuer", "client_id", "api"}, "Who signs in whom: the provider, the client, and the API behind it.")


# 14_the_thief


@exercise(
    "14",
    hint="Put what stops it behind each attempt: 'ath', 'htu', 'iat', 'jti', 'the thumbprint', or 'nothing'.",
    praise="Each claim closes one way, and none of them stops code that has the key.",
)
def what_stops(answer: Any) -> None:
    right = {
        "a proof made with the thief's own key": ("the thumbprint", "What did the provider write beside the token?"),
        "a copied proof, sent a second time": ("jti", "Everything in it is right: what shows that it is not new?"),
        "a copied proof, at another address of the API": ("htu", "Which claim has the address?"),
        "a proof that was made for another of her tokens": ("ath", "Which claim has to do with the token?"),
        "a proof from yesterday": ("iat", "Which claim says when it was made?"),
        "a package in her kernel that makes proofs": ("nothing", "It has the key: look at part 6."),
    }
    pairs(answer, right)


@exercise(
    "14",
    hint="Give 'htm', 'htu', 'ath' or 'iat', whichever is wrong first, or None if the proof is good.",
    praise="With the signature, the thumbprint and each jti once, that is what an API checks (RFC 9449, 4.3).",
)
def why_not(why: Any) -> None:
    url, now = "https://api.example/stations", 1_000_000
    ath = urlsafe_b64encode(sha256(b"token").digest()).decode().rstrip("=")
    good = {"htm": "GET", "htu": url, "ath": ath, "iat": now - 5}

    def of(*, method: str = "GET", url: str = url, token: str = "token", without: str = "", **changed: Any) -> Any:
        claims = {name: value for name, value in (good | changed).items() if name != without}
        return why(claims, method, url, token, now)

    ensure(of() is None, "This proof is good: there is nothing to name. (ath is in base64url, without '='.)")
    ensure(of(url=f"{url}?limit=5") is None, "htu has no query: compare it with the URL up to the '?'.")
    ensure(of(method="DELETE") == "htm", "A proof for GET does not allow a DELETE.")
    ensure(of(url=f"{url}/hill") == "htu", "A proof for /stations is not one for /stations/hill.")
    ensure(of(token="another") == "ath", "The proof was made for another access token.")
    ensure(of(iat=now - 59) is None, "It is not a minute old yet.")
    ensure(of(iat=now - 3600) == "iat", "A proof that is an hour old was copied.")
    ensure(of(iat=now + 3600) == "iat", "A proof from the future would be good for too long.")
    ensure(of(method="DELETE", token="another") == "htm", "Several are wrong: name the first, in the order given.")
    ensure(all(of(without=name) == name for name in good), "A claim that is not there is wrong, too.")


# 15_the_api_tells


@exercise(
    "15",
    hint="Give the address of an API's document: between the host and the path, which stays.",
    praise="Each API of a host has a document of its own (RFC 9728, 3.1).",
)
def where_to_look(address: Any) -> None:
    place = "/.well-known/oauth-protected-resource"
    for api, right, why in (
        ("https://data.example/v1", f"https://data.example{place}/v1", "It stands between the host and the path."),
        ("https://data.example", f"https://data.example{place}", "An API without a path has it at the host."),
        ("https://data.example/", f"https://data.example{place}", "A final slash does not count."),
        ("https://data.example/v1/", f"https://data.example{place}/v1", "A final slash does not count."),
        ("https://data.example:8443/a/b", f"https://data.example:8443{place}/a/b", "Keep the port, and the whole path."),
        ("https://data.example/v1?of=lab", f"https://data.example{place}/v1?of=lab", "A query stays at the end."),
        ("http://127.0.0.1:5000/https", f"http://127.0.0.1:5000{place}/https", "Take the address apart with urlsplit."),
    ):
        ensure(address(api) == right, f"{why} It is wrong for {api}.")


@exercise(
    "15",
    hint="Give the authorization servers of a document that may be used, else an empty list.",
    praise="Two comparisons, and whoever copies a document has nothing.",
)
def whom_to_trust(trusted: Any) -> None:
    api, servers = "https://data.example/v1", ["https://id.example", "https://login.example"]
    place = "https://data.example/.well-known/oauth-protected-resource/v1"
    about = {"resource": api, "authorization_servers": servers}
    ensure(trusted(api, place, about) == servers, "This document is in order: give all of its authorization servers.")
    ensure(trusted(f"{api}/air", f"{place}/air", about | {"resource": f"{api}/air"}) == servers, "So is that of another API.")
    for resource in (f"{api}/air", "https://data.example/v", "https://data.example", "https://other.example/v1", f"{api}?a", None):
        wrong = trusted(api, place, about | {"resource": resource})
        ensure(wrong == [], f"A document about {resource!r} is none about {api}: compare the whole address.")
    ensure(trusted(api, place, {"authorization_servers": servers}) == [], "A document that names no resource is about none.")
    for origin in (
        "https://evil.example",
        "https://data.example.evil.example",
        "https://data.example:8443",
        "http://data.example",
        "https://data.example@evil.example",
    ):
        wrong = trusted(api, f"{origin}/.well-known/oauth-protected-resource/v1", about)
        ensure(wrong == [], f"Scheme, host and port must all be the API's: {origin} is somebody else.")
    ensure(trusted(api, place, {"resource": api}) == [], "Without authorization_servers there is nobody to trust.")


if __name__ == "__main__":
    print(of_class(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AUTHNB_CLASS", ".")))
