"""Checks of the arguments of `authnb.login` and `authnb.signup`: each raises `ValueError` with what is wanted."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.flows.redirect_uris import CALLBACK_PATH
from authnb.oauth.client_auth import KEY_FILE, PRIVATE_KEY_JWT, SECRET_METHODS, key_path
from authnb.oauth.scope import SCOPE_TOKEN
from authnb.transport.http import is_secure

if TYPE_CHECKING:
    from pathlib import Path

    from authnb.oauth.provider import Provider

_MAX_PORT = 65535
_CALLBACK_PATH = re.compile(
    r"/(?:[A-Za-z0-9._~-]+/)*[A-Za-z0-9._~-]*"
)  # of unreserved characters (RFC 3986 section 2.3)
_DOT_SEGMENT = re.compile(r"/\.\.?(?:/|$)")  # which a browser removes (RFC 3986 section 5.2.4)
_STORAGE_METHODS = ("load", "save", "remove", "lock")


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """``value`` must be one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name}={value!r} is none of {', '.join(map(repr, choices))}.")


def read_mode(mode: str, choices: tuple[str, ...], all_modes: tuple[str, ...]) -> str:
    """The mode: for ``auto`` that of the environment variable ``AUTHNB_MODE``, where it is one of ``choices``."""
    check_choice("mode", mode, choices)
    variable = os.environ.get("AUTHNB_MODE") or "auto"
    if mode != "auto":
        return mode
    if variable not in all_modes:
        raise ValueError(
            f"The environment variable AUTHNB_MODE is {variable!r}, which is none of "
            f"{', '.join(map(repr, all_modes))}. Set it to one of these, or remove it."
        )
    return variable if variable in choices else "auto"


def read_scope(scope: str | Iterable[str] | None) -> str | None:
    """The scope as one string; from an iterable, its words."""
    if scope is None:
        return None
    words = scope.split() if isinstance(scope, str) else _strings(scope)
    if words is None or not all(SCOPE_TOKEN.fullmatch(word) for word in words):
        raise ValueError(
            f"scope={scope!r} is not a scope: give words, as in scope='openid profile' or a list of them."
        )
    return " ".join(words)


def read_ports(ports: int | Iterable[int]) -> tuple[int, ...]:
    """The ports as a tuple."""
    several = isinstance(ports, Iterable) and not isinstance(ports, str | bytes | Mapping)
    given: Any = ports
    numbers: tuple[int, ...] = tuple(given) if several else (given,)
    valid = all(
        isinstance(port, int) and not isinstance(port, bool) and 0 <= port <= _MAX_PORT for port in numbers
    )
    if not numbers or not valid:
        raise ValueError(
            f"redirect_port={ports!r} is not a port: give a number, as in redirect_port=8765, or a list of them."
        )
    return numbers


def read_redirect_paths(paths: str | Mapping[str, str] | None, names: Iterable[str]) -> dict[str, str]:
    """The path of the redirect URI at each of the providers of these names."""
    given: Any = paths
    each = dict.fromkeys(names, CALLBACK_PATH)
    chosen = (
        dict(given) if isinstance(given, Mapping) else {} if given is None else dict.fromkeys(each, given)
    )
    if unknown := [name for name in chosen if name not in each]:
        raise ValueError(f"redirect_path= names {unknown}, and there are these to choose from: {list(each)}")
    for path in chosen.values():
        if not isinstance(path, str) or not _CALLBACK_PATH.fullmatch(path) or _DOT_SEGMENT.search(path):
            raise ValueError(
                f"redirect_path={path!r} is not the path of a redirect URI: give one of letters, digits and -._~, as "
                "in redirect_path='/NAME/callback'."
            )
    return each | chosen


def read_timeout(
    timeout: float, name: str = "timeout", meaning: str = "that a person has to sign in"
) -> float:
    """The timeout in seconds."""
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not number or not math.isfinite(timeout) or timeout <= 0:
        raise ValueError(f"{name}={timeout!r} is not a time: give the seconds {meaning}, as in {name}=3600.")
    return timeout


def read_api(api: str | Iterable[str] | None) -> tuple[str, ...]:
    """The addresses of the API; none if it was left out, which lets the token go to any secure address."""
    if api is None:
        return ()
    addresses = (api,) if isinstance(api, str) else _strings(api)
    if not addresses:
        raise ValueError(
            f"api={api!r} names no address. Give those that the token may be sent to; leave api= out for any."
        )
    for address in addresses:
        parts = _split(address)
        if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(
                f"api={address!r} is not an address: give the whole URL, as in api='https://api.example.org'."
            )
        if not is_secure(address):
            raise ValueError(
                f"api={address!r} would carry the token in clear text or with a user name: use https."
            )
    return tuple(addresses)


def read_resource(resource: str | Iterable[str] | None) -> tuple[str, ...]:
    """The resource indicators: absolute URLs without a fragment (RFC 8707 section 2)."""
    values = [resource] if isinstance(resource, str) else resource
    named = [] if values is None else _strings(values)
    for each in [None] if named is None else named:
        parts = None if each is None else _split(each)
        if (
            parts is None
            or not parts.scheme
            or "#" in str(each)
            or not str(each).isprintable()
            or " " in str(each)
        ):
            raise ValueError(
                f"resource={resource!r} is not the URL of an API, or several, without a fragment, as in "
                "resource='https://api.example.org' (RFC 8707)."
            )
    return tuple(named or ())


def read_text(name: str, value: Any, example: str) -> str:
    """A string that must not be empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}={value!r} is missing or not text: {example}")
    return value


def read_prompt(prompt: str | None) -> str | None:
    """The values of ``prompt`` (OpenID Connect Core section 3.1.2.1); ``none`` stands alone."""
    if prompt is None:
        return None
    words = read_text("prompt", prompt, "give a value such as prompt='select_account'.").split()
    if "none" in words:
        raise ValueError(
            "prompt='none' shows the person no page, so nobody could sign in. Leave prompt= out."
        )
    return " ".join(words)


def read_key_path(path: str | os.PathLike[str] | None) -> Path | None:
    """The path of a key file, absolute, so that it stays the same when the working folder changes."""
    if path is None:
        return None
    try:
        name: object = os.fspath(path)
    except TypeError:
        name = None
    if not isinstance(name, str) or not name.strip() or "-----BEGIN" in name or name.lstrip().startswith("{"):
        # not the value itself, which may be the key
        raise ValueError(
            "client_key= is not the path of a file: name the file with the client's private key, as in "
            "client_key='~/client.pem'. The key itself would be saved with the cell."
        )
    return key_path(name)


def check_credentials(client_id: object, secret: object, key: object, method: str | None) -> None:
    """Raise `ValueError` for credentials of a client that do not go together."""
    if secret is not None and key is not None:
        raise ValueError(
            "client_secret= and client_key= are two ways to authenticate. Give the one that the client is registered "
            "with."
        )
    for name, given in (("client_secret", secret), ("client_key", key)):
        if client_id is None and given is not None:
            raise ValueError(
                f"{name}= is that of a client: give its client_id= too. A client that authnb registers itself has none "
                "of yours."
            )
    if key is not None and method in SECRET_METHODS:
        raise ValueError(
            f"token_endpoint_auth_method={method!r} takes a secret, and client_key= is a key. Leave one of them out."
        )
    if method == PRIVATE_KEY_JWT and (secret is not None or (key is None and not os.environ.get(KEY_FILE))):
        raise ValueError(
            f"token_endpoint_auth_method={method!r} takes a key: give client_key=, the path of its file, or set "
            f"{KEY_FILE}."
        )


def check_storage(storage: Any) -> None:
    """``storage`` must be a `TokenStorage`."""
    missing = [name for name in _STORAGE_METHODS if not callable(getattr(storage, name, None))]
    if missing and storage is not None:
        raise ValueError(
            f"storage={storage!r} lacks {', '.join(missing)}: give an object as authnb.TokenStorage says."
        )


def check_issuer(issuer: str | Provider) -> None:
    """``issuer`` must be text or a `Provider`."""
    from authnb.oauth.provider import Provider  # noqa: PLC0415 - loaded by then

    if not isinstance(issuer, Provider):
        read_text(
            "issuer", issuer, "give the provider's URL, as in 'https://id.example.org', or a preset's name."
        )


def _strings(values: Any) -> list[str] | None:
    if not isinstance(values, Iterable) or isinstance(values, bytes | Mapping):
        return None
    listed = list(values)
    return listed if all(isinstance(value, str) for value in listed) else None


def _split(address: str) -> Any:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts
