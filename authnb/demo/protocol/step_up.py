"""How strongly and how recently a person proved who they are: what APIs may ask for (RFC 9470)."""

from __future__ import annotations

from authlib.oauth2 import OAuth2Error

from authnb.demo.context import provider

BY_PASSWORD = "urn:authnb:demo:password"  # noqa: S105 - a name
BY_ONE_TIME_CODE = "urn:authnb:demo:one-time-code"
LEVELS = (BY_PASSWORD, BY_ONE_TIME_CODE)  # the weakest first; each does for those before it


class UnmetAuthenticationRequirementsError(OAuth2Error):
    """RFC 9470 section 5, OpenID Connect Core Error Code unmet_authentication_requirements 1.0."""

    error = "unmet_authentication_requirements"


class InsufficientUserAuthenticationError(OAuth2Error):
    """RFC 9470 section 3: another sign-in is needed; `acr_values` and `max_age` (seconds) say which."""

    error = "insufficient_user_authentication"
    status_code = 401

    def __init__(self, *, acr: str | None, max_age: int | None) -> None:
        wanted = {"acr_values": acr, "max_age": max_age}
        self.parameters: dict[str, str] = {
            name: str(value) for name, value in wanted.items() if value is not None
        }
        how = " and ".join(f"{name}={value}" for name, value in self.parameters.items())
        super().__init__(f"This needs another sign-in, with {how}.")


def current_acr(recorded: str | None) -> str | None:
    """The level of a browser's sign-in, None where the provider knows no levels."""
    return (recorded or BY_PASSWORD) if provider().settings.second_factor else None


def wanted_acr(acr_values: str) -> str | None:
    """The first of the levels in the parameter that there is, None for any; raises if there is none of them."""
    values = acr_values.split()
    if not values or not provider().settings.second_factor:
        return None
    known = [value for value in values if value in LEVELS]
    if not known:
        raise UnmetAuthenticationRequirementsError("None of the 'acr_values' can be reached here.")
    return known[0]


def is_reached(wanted: str | None, acr: str | None) -> bool:
    """Whether a sign-in of the level `acr` does where `wanted` is asked for."""
    return wanted is None or (acr in LEVELS and LEVELS.index(acr) >= LEVELS.index(wanted))
