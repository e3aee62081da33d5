"""How a person gets an account at a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authnb.errors import ProviderError

if TYPE_CHECKING:
    from authnb.provider import Provider


def creation_parameters(provider: Provider) -> dict[str, str]:
    """What makes an authorization request begin with the creation of an account.

    Initiating User Registration via OpenID Connect 1.0 section 4; raises `ProviderError` where the
    provider does not offer it.
    """
    if "create" not in provider.prompt_values_supported:
        raise ProviderError(
            "not_supported",
            f"{provider.host} does not say that an account can be created on the way (prompt=create). Create one "
            "on its own pages, then sign in with authnb.login.",
        )
    return {"prompt": "create"}
