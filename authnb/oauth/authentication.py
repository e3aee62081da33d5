"""How and when a person authenticated, as an ID token says it (OpenID Connect Core sections 2 and 5.5.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authnb.oauth.id_token import LEEWAY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any


def has_class(claims: Mapping[str, Any], acr_values: Collection[str]) -> bool:
    """Whether the person authenticated by one of these classes; true if none is asked for."""
    return not acr_values or claims.get("acr") in acr_values


def is_recent(
    claims: Mapping[str, Any], max_age: float | None, *, since: float, now: float, leeway: float = LEEWAY
) -> bool:
    """Whether the person authenticated at most ``max_age`` seconds before ``since``, by the provider's clock.

    ``leeway``: seconds by which clocks may differ. True if no ``max_age`` is asked for; false without ``auth_time``,
    which the provider must send then, or if that is later than ``now``.
    """
    if max_age is None:
        return True
    moment = claims.get("auth_time")
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        return False
    return since - max_age - leeway <= moment <= now + LEEWAY
