"""A cache on disk for a provider's public documents: its metadata and its JWKS.

A document is cached for its ``Cache-Control: max-age`` (RFC 9111 section 4.2), a day at most, in files that only
their owner can read. None of them is secret, and a cached document passes the same checks as one just fetched.
During a recording (`authnb.record`) each document is fetched, so that the record shows it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authnb import compat
from authnb.errors import ProviderError
from authnb.transport.bounded import RESPONSE_TIMEOUT
from authnb.transport.exchange import observers
from authnb.transport.failures import provider_errors
from authnb.transport.http import (
    OVERLOADED,
    DocumentAdapter,
    is_loopback,
    provider_session,
    read_object,
    retry_after,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

HTTP_OK, _SERVER_ERROR = 200, 500
_CHECK_ISSUER = (
    "Check the issuer's address; for a provider without discovery give its endpoints: Provider(issuer, "
    "token_endpoint=…, …)."
)
_FILE_NAME = re.compile(r"[0-9a-f]{32}\.json(?:\.[0-9a-f]{16}\.new)?")  # no other file in the folder is ours
_MAX_REDIRECTS = 3
MAX_AGE = 86_400.0  # seconds; a longer max-age is cut to this


class DocumentNotFound(ProviderError):
    """The provider responded, but not with this document; another address may have it."""


def fetch(
    url: str,
    operation: str,
    *,
    anew: bool = False,
    response_timeout: float = RESPONSE_TIMEOUT,
    remedy: str = _CHECK_ISSUER,
) -> dict[str, Any]:
    """The JSON object at this address: from the cache while it is fresh, unless ``anew``, else from the provider.

    ``operation`` begins the text of an error, and ``remedy`` ends that of one for an address without it. Raises
    `DocumentNotFound`, or another `ProviderError` where no response came.
    """
    # A port of this machine may have been another user's, who would be believed later
    cacheable = not is_loopback(url)
    if cacheable and not (anew or observers) and (cached := _cached(url)) is not None:
        return cached
    with provider_errors(operation, url), provider_session(response_timeout, DocumentAdapter) as http:
        http.max_redirects = _MAX_REDIRECTS
        response = http.get(url, headers={"Accept": "application/json"})
    if response.status_code != HTTP_OK:
        if response.status_code in OVERLOADED or response.status_code >= _SERVER_ERROR:
            busy = DocumentNotFound(
                "temporarily_unavailable" if response.status_code in OVERLOADED else "server_error",
                f"{operation} failed: HTTP {response.status_code}. The provider is in trouble. Try again later.",
            )
            busy.status, busy.retry_after = response.status_code, retry_after(response.headers)
            raise busy
        raise DocumentNotFound(
            "invalid_response",
            f"{operation} failed: {url} answered HTTP {response.status_code}. {remedy}",
        )
    try:
        document = read_object(response, operation)
    except ProviderError as error:
        raise DocumentNotFound(error.error, error.description) from None
    if cacheable and (lifetime := freshness_lifetime(response.headers)) > 0:
        _store(url, document, time.time() + lifetime)
    return document


def invalidate(*urls: str | None) -> None:
    """Remove these documents from the cache; the next `fetch` asks the provider."""
    for url in filter(None, urls):
        with suppress(OSError, RuntimeError):
            _path(url).unlink(missing_ok=True)


def freshness_lifetime(headers: Mapping[str, str]) -> float:
    """The seconds for which a response may be cached; 0 without an explicit ``max-age``."""
    directives = {}
    for directive in headers.get("Cache-Control", "").lower().split(","):
        name, _, value = directive.strip().partition("=")
        directives[name] = value.strip('"')
    age, limit = headers.get("Age", "0"), directives.get("max-age", "")
    if {"no-store", "no-cache"} & directives.keys() or not (_is_seconds(limit) and _is_seconds(age)):
        return 0.0
    return min(max(0.0, float(limit) - float(age)), MAX_AGE)


def _is_seconds(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 12  # noqa: PLR2004 - no real age is longer


def _path(url: str) -> Path:
    if home := os.environ.get("AUTHNB_HOME"):
        folder = Path(home).expanduser() / "cache"
    else:
        from platformdirs import user_cache_path  # noqa: PLC0415 - not needed where a folder is chosen

        folder = user_cache_path("authnb", appauthor=False)
    return folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"


def _cached(url: str) -> dict[str, Any] | None:
    with suppress(OSError, RuntimeError, ValueError, KeyError, TypeError):
        with open(compat.open_private(_path(url), os.O_RDONLY), "rb") as file:  # noqa: PTH123 - a descriptor
            entry = json.loads(file.read())
        document = entry["document"]
        if entry["url"] == url and 0 < entry["until"] - time.time() <= MAX_AGE and isinstance(document, dict):
            return document
    return None


def _store(url: str, document: Mapping[str, Any], until: float) -> None:
    with suppress(OSError, RuntimeError):  # no such folder or user: then it is fetched again
        path = _path(url)
        compat.make_folder(path.parent)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
        descriptor = compat.open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
                json.dump({"url": url, "until": until, "document": document}, file)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        for old in path.parent.iterdir():
            if _FILE_NAME.fullmatch(old.name) and old.lstat().st_mtime < time.time() - MAX_AGE:
                old.unlink(missing_ok=True)
