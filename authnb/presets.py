"""Providers by name: what their documentation says, kept in presets.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.provider import Provider
from authnb.quirks import Quirks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One entry of presets.toml; there its members are described."""

    title: str
    documentation: str
    issuer: str
    modes: list[str]
    redirects: str
    default: str | None = None
    discover: bool = True
    provider: Mapping[str, Any] = field(default_factory=dict)
    quirks: Mapping[str, Any] = field(default_factory=dict)

    def at(self, place: str) -> Preset:
        """The preset for the domain, tenant, realm or pool that was named; an address of it will do too."""
        wanted = re.findall(r"{(\w+)}", self.issuer)
        if not wanted:
            if place:
                raise ValueError(
                    f"{self.title} is one provider; nothing follows its name, and {place!r} does."
                )
            return self
        place = place or self.default or ""
        if not place:
            raise ValueError(f"{self.title} needs a {wanted[-1]} after its name and a colon.")
        if "://" in place:
            return replace(self, issuer=place)
        values = {"region": place.partition("_")[0]}
        return replace(self, issuer=self.issuer.format_map(values | dict.fromkeys(wanted[-1:], place)))

    def open(self, needs: Collection[str] = ("authorization_endpoint", "token_endpoint")) -> Provider:
        """The provider, its metadata read where it has some; raises `ProviderError`."""
        issuer = self.issuer.rstrip("/")
        given = _filled(self.provider, issuer=issuer)
        quirks = Quirks(**{**self.quirks, "sign_up_endpoint": None})
        if self.discover:
            found = Provider.discover(self.issuer, needs=needs, **given, quirks=quirks)
        else:
            found = Provider(self.issuer, **given, quirks=quirks)
        parts = urlsplit(found.authorization_endpoint or issuer)
        whole = _filled(self.quirks, issuer=issuer, authorization_origin=f"{parts.scheme}://{parts.netloc}")
        return replace(found, quirks=Quirks(**whole))


def preset(name: str) -> Provider:
    """The provider of that name, its metadata read where it has some.

    ``github``, or with a colon ``auth0:DOMAIN``, ``entra:TENANT``. Its fields can be changed with
    `dataclasses.replace`. `ValueError` if no such name is known, `ProviderError` if its metadata cannot be had.
    """
    found = find(name)
    if found is None:
        raise ValueError(f"{name!r} is no preset. There are {', '.join(sorted(known()))}.")
    return found.open()


def find(name: str) -> Preset | None:
    """The preset that is meant by ``github`` or ``auth0:DOMAIN``; None for an address."""
    known_as, _, place = name.partition(":")
    if place.startswith("//"):
        return None
    if known_as not in known():
        if "/" in name or "." in name:
            return None
        raise ValueError(
            f"{name!r} is neither an address, such as https://id.example.org, nor a provider known by name: "
            f"{', '.join(sorted(known()))}."
        )
    return known()[known_as].at(place)


@cache
def known() -> Mapping[str, Preset]:
    """All presets by name."""
    return read(files("authnb").joinpath("presets.toml").read_text(encoding="utf-8"))


def read(text: str) -> Mapping[str, Preset]:
    """Presets as presets.toml holds them."""
    return {name: Preset(**entry) for name, entry in tomllib.loads(text).items()}


def _filled(values: Mapping[str, Any], **known: str) -> dict[str, Any]:
    """The values, with what is known put into those that are addresses."""
    return {
        name: re.sub(r"{(issuer|authorization_origin)}", lambda found: known.get(found[1], found[0]), value)
        if isinstance(value, str)
        else (tuple(value) if isinstance(value, list) else value)
        for name, value in values.items()
    }
