"""A provider's public documents, metadata and keys, kept on disk as long as the provider allows.

Only what ``Cache-Control: max-age`` offers is kept (RFC 9111 section 4.2), a day at most, in files that only
their owner can read. Nothing in them is secret, and nothing in them is trusted more than the answer it was.
While somebody records (`authnb.record`) each document is asked for, so that the record shows it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authnb.errors import ProviderError
from authnb.exchange import observers
from authnb.transport import asking, provider_session, read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

HTTP_OK = 200
LONGEST = 86_400.0  # seconds a document is kept, whatever its provider says


class NoDocument(ProviderError):
    """The provider answered, but has no such document; another address may have it."""


def read(url: str, what: str, *, anew: bool = False) -> dict[str, Any]:
    """The JSON object at this address: from disk while it is fresh, unless ``anew``, else from the provider.

    ``what`` says in an error what was being done. Raises `NoDocument`, or another `ProviderError` without an answer.
    """
    if not (anew or observers) and (kept := _kept(url)) is not None:
        return kept
    with asking(what, url), provider_session() as http:
        response = http.get(url, headers={"Accept": "application/json"})
    if response.status_code != HTTP_OK:
        raise NoDocument(
            "invalid_response",
            f"{what} failed: {url} answered HTTP {response.status_code}. Check the issuer's address; for "
            "a provider without discovery give its endpoints: Provider(issuer, token_endpoint=…, …).",
        )
    try:
        document = read_object(response, what)
    except ProviderError as error:
        raise NoDocument(error.error, error.description) from None
    if (lifetime := fresh_for(response.headers)) > 0:
        _keep(url, document, time.time() + lifetime)
    return document


def forget(*urls: str | None) -> None:
    """Ask the provider the next time: what was kept did not serve."""
    for url in filter(None, urls):
        with suppress(OSError):
            _path(url).unlink(missing_ok=True)


def fresh_for(headers: Mapping[str, str]) -> float:
    """For how many seconds an answer may be used again; 0 where the provider does not say so."""
    directives = {}
    for directive in headers.get("Cache-Control", "").lower().split(","):
        name, _, value = directive.strip().partition("=")
        directives[name] = value.strip('"')
    age, limit = headers.get("Age", "0"), directives.get("max-age", "")
    if {"no-store", "no-cache"} & directives.keys() or not (_is_count(limit) and _is_count(age)):
        return 0.0
    return min(max(0.0, float(limit) - float(age)), LONGEST)


def _is_count(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 12  # noqa: PLR2004 - more is no honest age


def _path(url: str) -> Path:
    if home := os.environ.get("AUTHNB_HOME"):
        folder = Path(home).expanduser() / "cache"
    else:
        from platformdirs import user_cache_path  # noqa: PLC0415 - not needed where a folder is chosen

        folder = user_cache_path("authnb", appauthor=False)
    return folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"


def _kept(url: str) -> dict[str, Any] | None:
    with suppress(OSError, ValueError, RecursionError, KeyError, TypeError):
        path = _path(url)
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            return None
        kept = json.loads(path.read_bytes())
        document = kept["document"]
        if kept["url"] == url and 0 < kept["until"] - time.time() <= LONGEST and isinstance(document, dict):
            return document
    return None


def _keep(url: str, document: Mapping[str, Any], until: float) -> None:
    with suppress(OSError):  # then it is asked for again
        path = _path(url)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in path.parent.iterdir():
            if old.stat().st_mtime < time.time() - LONGEST:
                old.unlink(missing_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
        try:
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - mkstemp gives a descriptor
                json.dump({"url": url, "until": until, "document": document}, file)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
