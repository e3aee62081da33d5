"""Scopes: their syntax, and what of a requested one was granted (RFC 6749 sections 3.3 and 5.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3
# About the person (OpenID Connect Core sections 5.4 and 11), which token responses often leave out or rename
PERSON_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})


def union(*scopes: str) -> str:
    """One scope with all tokens of these, each once."""
    return " ".join(dict.fromkeys(" ".join(scopes).split()))


def granted_scope(token: Mapping[str, Any], requested: str) -> frozenset[str]:
    """The scope tokens of a token response; those requested if it names none (RFC 6749 section 5.1).

    GitHub separates them by commas.
    """
    return frozenset(re.split(r"[\s,]+", str(token.get("scope") or requested).strip()))


def not_granted(token: Mapping[str, Any], requested: str) -> tuple[str, ...]:
    """The requested scope tokens that a token response says were not granted, without those about the person.

    One that stands there with or without the address of its API (``https://api.example.org/read`` for ``read``)
    was granted, and ``.default`` of Entra is none of its own.
    """
    granted = granted_scope(token, requested)
    return tuple(
        scope
        for scope in dict.fromkeys(requested.split())
        if scope not in PERSON_SCOPES
        and not scope.endswith("/.default")
        and not any(has == scope or has.endswith(f"/{scope}") or scope.endswith(f"/{has}") for has in granted)
    )
