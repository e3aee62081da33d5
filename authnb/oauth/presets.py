"""Providers by name: their documented endpoints and peculiarities, from presets.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.oauth.provider import Provider
from authnb.oauth.quirks import Quirks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, kw_only=True)
class Preset:
    """An entry of presets.toml, which describes its members."""

    title: str
    documentation: str
    issuer: str
    modes: list[str]
    redirects: str
    default: str | None = None
    discover: bool = True
    provider: Mapping[str, Any] = field(default_factory=dict)
    quirks: Mapping[str, Any] = field(default_factory=dict)

    def at(self, value: str) -> Preset:
        """The preset for a domain, tenant, realm or pool, given by its name or its URL."""
        placeholders = re.findall(r"{(\w+)}", self.issuer)
        if not placeholders:
            if value:
                raise ValueError(
                    f"{self.title} is one provider; nothing follows its name, and {value!r} does."
                )
            return self
        value = value or self.default or ""
        if not value:
            raise ValueError(f"{self.title} needs a {placeholders[-1]} after its name and a colon.")
        if "://" in value:
            return replace(self, issuer=value)
        values = {"region": value.partition("_")[0]}
        return replace(self, issuer=self.issuer.format_map(values | dict.fromkeys(placeholders[-1:], value)))

    def open(
        self, needs: Collection[str] = ("authorization_endpoint", "token_endpoint"), **overrides: Any
    ) -> Provider:
        """The provider, with its metadata unless it publishes none; raises `ProviderError`.

        ``overrides``: fields of `Provider` that take precedence over preset and metadata.
        """
        issuer = self.issuer.rstrip("/")
        fields = _fill(self.provider, issuer=issuer) | overrides
        quirks = Quirks(**{**self.quirks, "sign_up_endpoint": None})
        if self.discover:
            found = Provider.discover(self.issuer, needs=needs, **fields, quirks=quirks)
        else:
            found = Provider(self.issuer, **fields, quirks=quirks)
        parts = urlsplit(found.authorization_endpoint or issuer)
        filled = _fill(self.quirks, issuer=issuer, authorization_origin=f"{parts.scheme}://{parts.netloc}")
        return replace(found, quirks=Quirks(**filled))


def preset(name: str) -> Provider:
    """The provider of that name, with its metadata unless it publishes none.

    ``github``, or with a colon ``auth0:DOMAIN``, ``entra:TENANT``. Its fields can be changed with
    `dataclasses.replace`. Raises `ValueError` for an unknown name, `ProviderError` if its metadata cannot be read.
    """
    found = find(name)
    if found is None:
        raise ValueError(f"{name!r} is no preset. There are {', '.join(sorted(known()))}.")
    return found.open()


def find(name: str) -> Preset | None:
    """The preset named by ``github`` or ``auth0:DOMAIN``; None for a URL."""
    key, _, value = name.partition(":")
    if value.startswith("//"):
        return None
    if key not in known():
        if "/" in name or "." in name:
            return None
        raise ValueError(
            f"{name!r} is neither an address, such as https://id.example.org, nor a provider known by name: "
            f"{', '.join(sorted(known()))}."
        )
    return known()[key].at(value)


@cache
def known() -> Mapping[str, Preset]:
    """All presets by name."""
    return read(files("authnb.oauth").joinpath("presets.toml").read_text(encoding="utf-8"))


def read(text: str) -> Mapping[str, Preset]:
    """Parse the text of presets.toml."""
    return {name: Preset(**entry) for name, entry in tomllib.loads(text).items()}


def _fill(values: Mapping[str, Any], **known: str) -> dict[str, Any]:
    """The values with their placeholders replaced, and lists as tuples."""
    return {
        name: re.sub(r"{(issuer|authorization_origin)}", lambda found: known.get(found[1], found[0]), value)
        if isinstance(value, str)
        else (tuple(value) if isinstance(value, list) else value)
        for name, value in values.items()
    }
