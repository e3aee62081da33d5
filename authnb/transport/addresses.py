"""Addresses that a provider names: for people to open, and for authnb to call."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from authnb.transport.http import is_loopback, is_secure

MAX_ADDRESS = 2000  # characters of an address that a provider names


def is_readable_address(address: object) -> bool:
    """Whether a person may be shown this address: secure, ASCII, no longer than `MAX_ADDRESS`.

    An international host name in another form than ``xn--`` can imitate another.
    """
    return (
        isinstance(address, str) and address.isascii() and len(address) <= MAX_ADDRESS and is_secure(address)
    )


def may_be_loopback(address: str) -> bool:
    """Whether the host may be this machine, in any spelling that a browser or resolver reads as an address of it.

    ``localhost`` with a final dot or below it, 127.0.0.0/8, 0.0.0.0, ``::1``, IPv4 in IPv6, and numbers as hosts
    (2130706433, 0x7f.1), which the WHATWG URL standard parses as IPv4 addresses.
    """
    host = (urlsplit(address).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return re.fullmatch(r"0x[0-9a-f]*|[0-9]+", host.rpartition(".")[2]) is not None
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_unspecified


def points_here_from(issuer: str, address: str) -> bool:
    """Whether a provider elsewhere names an address that may be this machine."""
    own_host = urlsplit(address).hostname == urlsplit(issuer).hostname
    return may_be_loopback(address) and not is_loopback(issuer) and not own_host
