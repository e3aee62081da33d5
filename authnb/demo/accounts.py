"""People: creating an account, checking a password, and who is signed in in this browser."""

from __future__ import annotations

import math
import os
import secrets
import threading
import uuid
from functools import cache

from flask import session
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from werkzeug.security import check_password_hash, generate_password_hash

from authnb.demo.context import changed, db, new_value, now
from authnb.demo.database.models import BROWSER_LIFETIME, FORGIVEN_AFTER, Account, Attempts, Browser, digest

FREE_FAILURES = 2
LONGEST_WAIT = 60.0
_MOST_KNOWN = 4  # accounts that a browser is known for
HASH_METHOD = "scrypt"  # at the cost that Werkzeug chose
# A password takes a core for a tenth of a second. More at once than there are cores would be done no sooner, and
# whoever wants something else would wait with them.
HASHING = threading.Semaphore(os.cpu_count() or 1)

# statements made once, as making one takes longer than executing it
_OF_NAME = select(Account).where(Account.name_key == bindparam("name_key"))
_NEW_BROWSER = insert(Browser)
_FIRST_ATTEMPT = insert(Attempts)
_ATTEMPTS = select(Attempts.failures, Attempts.not_before).where(Attempts.subject == bindparam("which"))
_FORGET = delete(Attempts).where(Attempts.subject == bindparam("which"))
_DISCOUNT = (
    update(Attempts)
    .where(Attempts.subject == bindparam("which"), Attempts.failures > 0)
    .values(failures=Attempts.failures - 1, not_before=bindparam("moment"))
)
_COUNT = (
    update(Attempts)
    .where(Attempts.subject == bindparam("which"), Attempts.failures == bindparam("as_read"))
    .values(failures=bindparam("now_failed"), not_before=bindparam("wait_until"))
)


class NameTaken(Exception):
    """Somebody has this name already, in whatever case."""


class TooManyAttempts(Exception):
    """Wrong too often; `seconds` says when the next attempt is looked at."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many wrong attempts: try again in {seconds} second{'s' * (seconds != 1)}.")
        self.seconds = seconds


def find_account(name: str) -> Account | None:
    """Give the account of that name, in whatever case."""
    found: Account | None = db().scalar(_OF_NAME, {"name_key": name.strip().casefold()})
    return found


def create_account(*, name: str, email: str, full_name: str, password: str) -> Account:
    """Create an account; raises NameTaken, also when somebody else is quicker by a moment."""
    db().commit()  # nobody waits for the lock while the password is hashed
    account = Account(
        id=new_value(f"sub {name.casefold()}", lambda: str(uuid.uuid4())),
        name=name,
        name_key=name.casefold(),
        email=email,
        full_name=full_name or name,
        password_hash=_hash(password),
    )
    db().add(account)
    try:
        db().flush()
    except IntegrityError:
        db().rollback()
        raise NameTaken from None
    return account


def check_password(name: str, password: str) -> Account | None:
    """Give the account if name and password belong together.

    Raises TooManyAttempts without a look at the password while a delay lasts. An unknown name takes the same time
    and the same delays as a wrong password, so neither tells whether there is such an account. A browser in which the
    person signed in before has a count of its own: the wrong guesses of others do not keep it out.
    """
    subject = digest(f"password {name.strip().casefold()}{_known_browsers().get(_key(name), '')}")
    count_attempt(subject)
    account = find_account(name)
    db().commit()  # counted for good, and nobody waits for the lock while the password is hashed
    known = account.password_hash if account else _hash_of_nobody()
    with HASHING:
        right = check_password_hash(known, password)
    if not right or not account:
        return None
    forget_attempts(subject)
    return account


def count_attempt(subject: str) -> None:
    """Count one guess at a secret before it is looked at; raises TooManyAttempts.

    Counted first and compared with what was read, so that guesses made at the same moment do not all pass.
    """
    moment = now()
    found = db().connection().execute(_ATTEMPTS, {"which": subject}).one_or_none()
    if found is None:
        try:
            changed(_FIRST_ATTEMPT, subject=subject, failures=0, not_before=0.0)
        except IntegrityError:
            db().rollback()
            raise TooManyAttempts(1) from None
    failed, not_before = found or (0, 0.0)
    if moment < not_before:
        raise TooManyAttempts(math.ceil(not_before - moment))
    failures = 1 if moment > not_before + FORGIVEN_AFTER else failed + 1
    wait = min(2.0 ** (failures - FREE_FAILURES - 1), LONGEST_WAIT) if failures > FREE_FAILURES else 0.0
    if not changed(_COUNT, which=subject, as_read=failed, now_failed=failures, wait_until=moment + wait):
        raise TooManyAttempts(1)


def discount_attempt(subject: str) -> None:
    """Take a right guess out of the count; the wrong ones before it stay."""
    changed(_DISCOUNT, which=subject, moment=now())


def forget_attempts(subject: str) -> None:
    """Start again from zero, after a right one."""
    changed(_FORGET, which=subject)


def sign_in(account: Account) -> None:
    """Sign this browser in; what it held before is dropped, so a planted cookie is worth nothing."""
    sign_out()
    secret = secrets.token_urlsafe(32)
    session["browser"] = secret
    known = {**_known_browsers(), _key(account.name): secrets.token_hex(8)}
    session["known"] = dict(list(known.items())[-_MOST_KNOWN:])
    changed(_NEW_BROWSER, digest=digest(secret), account_id=account.id, auth_time=now())


def sign_out() -> None:
    """Sign this browser out, here and in the database."""
    if secret := session.get("browser"):
        changed(delete(Browser).where(Browser.digest == digest(secret)))
    known = _known_browsers()
    session.clear()
    if known:
        session["known"] = known


def signed_in() -> Browser | None:
    """Give this browser if somebody is signed in in it."""
    secret = session.get("browser")
    browser = db().get(Browser, digest(secret)) if secret else None
    return browser if browser and browser.auth_time + BROWSER_LIFETIME > now() else None


def _known_browsers() -> dict[str, str]:
    """An identifier of this browser for each of the last accounts signed in in it, from its signed cookie."""
    known = session.get("known")
    return dict(known) if isinstance(known, dict) else {}


def _key(name: str) -> str:
    return digest(name.strip().casefold())[:16]


def _hash(password: str) -> str:
    with HASHING:
        return generate_password_hash(password, HASH_METHOD)


@cache
def _hash_of_nobody() -> str:
    return _hash(secrets.token_urlsafe(32))
