"""The checks of `authnb.cli.doctor`: environment, loopback, storage, client key, versions, network, provider, modes."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from authnb.cli.counting import counted
from authnb.errors import LoginFailed, StorageError
from authnb.flows.listener import LoopbackListener
from authnb.flows.workload import client_key, token_source
from authnb.oauth.client_auth import KEY_FILE
from authnb.oauth.provider import Provider
from authnb.signin.environment import public_proxy
from authnb.signin.modes import rank_modes
from authnb.transport.failures import provider_errors
from authnb.transport.http import is_loopback, provider_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.signin.environment import Environment

OK, NOTE, BAD = "ok", "note", "BAD"
_MAX_CLOCK_SKEW = 60.0  # seconds
_MIN_KEYRING_PRIORITY = 1  # keyring's scale: plaintext files and the failing backend are below
_DISTRIBUTIONS = (
    "authnb",
    "ipykernel",
    "anywidget",
    "ipywidgets",
    "jupyterlab",
    "notebook",
    "jupyter-server-proxy",
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check: ``state`` is ``ok``, ``note`` or ``BAD``; ``remedy`` is the next step."""

    what: str
    state: str
    found: str
    remedy: str = ""


def check_environment(environment: Environment) -> Iterator[Finding]:
    """Whether a person is present, and where their browser is."""
    reader = (
        "somebody, if a page answers the panel"
        if environment.needs_answer
        else "somebody reads this notebook"
    )
    people = {"notebook": reader, "terminal": "somebody is at the terminal"}
    source = token_source(os.environ)
    yield Finding(
        what="a person",
        state=OK if environment.interactive else NOTE,
        found=people.get(
            environment.front_end or "",
            "the program BROWSER names" if environment.can_open_browser else "nobody",
        ),
        remedy=""
        if environment.interactive
        else "Use remember=True, mode='client_credentials' or mode='token'; AUTHNB_INTERACTIVE=1 if somebody is there.",
    )
    opens = (
        "a browser can be started from here" if environment.can_open_browser else "the person opens the page"
    )
    yield Finding(what="opening a page", state=OK, found=opens)
    remote = environment.remote or environment.doubt
    yield Finding(
        what="the browser",
        state=NOTE if remote else OK,
        found=f"on another machine: {remote}" if remote else "on this machine, as far as can be detected",
    )
    if source:
        yield Finding(what="workload token", state=OK, found=f"from {source}: mode='token'")


def check_loopback() -> Iterator[Finding]:
    """Whether a port on 127.0.0.1 can be opened and reached."""
    try:
        listener = LoopbackListener()
    except LoginFailed as error:
        yield Finding(what="loopback", state=BAD, found="no port on 127.0.0.1", remedy=error.description)
        return
    try:
        address = urlsplit(listener.probe)
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=5):
            yield Finding(what="loopback", state=OK, found="a port on 127.0.0.1 opens and answers")
    except OSError:
        remedy = "A firewall or sandbox blocks it: use mode='device' or 'paste'."
        yield Finding(what="loopback", state=BAD, found="a port opens but does not answer", remedy=remedy)
    finally:
        listener.close()


def check_storage() -> Iterator[Finding]:
    """Whether ``remember=True`` has a folder and a keyring."""
    from authnb.storage.files import home  # noqa: PLC0415 - cryptography is slow to load

    folder = home()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK):
        yield Finding(what="storage", state=OK, found=f"{folder} for remember=True")
    else:
        remedy = "Name another folder with AUTHNB_HOME."
        yield Finding(what="storage", state=BAD, found=f"{folder} cannot be written", remedy=remedy)
    try:
        import keyring  # noqa: PLC0415 - optional
    except ImportError:
        yield Finding(
            what="keyring", state=NOTE, found="not installed: the key is kept in a file only you can read"
        )
        return
    backend = keyring.get_keyring()
    works = backend.priority >= _MIN_KEYRING_PRIORITY
    found = (
        type(backend).__module__ if works else "none that works: the key is kept in a file only you can read"
    )
    yield Finding(what="keyring", state=OK if works else NOTE, found=found)


def check_client_key() -> Iterator[Finding]:
    """Whether the client's private key, which the environment names, can be used."""
    if (path := client_key(os.environ)) is None:
        return
    from authnb.oauth.client_key import read_client_key  # noqa: PLC0415 - cryptography is slow to load

    try:
        kind = read_client_key(path).kind
    except StorageError as error:
        found, remedy = f"{KEY_FILE} names none that can be used", error.description
        yield Finding(what="client key", state=BAD, found=found, remedy=remedy)
    else:
        yield Finding(what="client key", state=OK, found=f"{kind}, in the file that {KEY_FILE} names")


def check_versions(environment: Environment) -> Iterator[Finding]:
    """The versions of Python and of the packages involved."""
    versions = {}
    for name in _DISTRIBUTIONS:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield Finding(what="versions", state=OK, found=f"Python {sys.version.partition(' ')[0]}, {found}")
    kernel = versions.get("ipykernel", "")
    if environment.in_kernel and kernel.startswith(("6.", "7.0.")):
        remedy = "Upgrade it: pip install -U ipykernel, then restart the kernel."
        found = f"ipykernel {kernel} does not receive the panel's messages while a cell waits"
        yield Finding(what="kernel", state=BAD, found=found, remedy=remedy)


def check_network(address: str) -> Iterator[Finding]:
    """The proxy and the CA bundle used for this address."""
    host = urlsplit(address).hostname or ""
    proxies = {} if is_loopback(address) or proxy_bypass(host) else getproxies()
    used = proxies.get(urlsplit(address).scheme) or proxies.get("all") or ""
    proxy = urlsplit(used if "//" in used else f"//{used}")
    found = f"through {proxy.hostname}" if used else "directly"
    try:
        if used:
            socket.create_connection((proxy.hostname or "", proxy.port or 80), timeout=5).close()
        yield Finding(what="connection", state=OK, found=found)
    except (OSError, ValueError):
        found += ", which does not answer"
        remedy = "Correct HTTPS_PROXY, or name the provider's host in NO_PROXY."
        yield Finding(what="connection", state=BAD, found=found, remedy=remedy)
    # requests takes the first of these that is set
    name = next(filter(os.environ.get, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")), None)
    if name is None:
        return
    if Path(os.environ[name]).exists():
        yield Finding(what="certificates", state=OK, found=f"those in {os.environ[name]} ({name})")
    else:
        remedy = f"Set {name} to a file with certificates, or leave it out."
        yield Finding(what="certificates", state=BAD, found=f"{name} names no file", remedy=remedy)


def check_provider(
    environment: Environment, address: str, opened: Callable[[], Provider] | None, known: Provider | None
) -> Iterator[Finding]:
    """Whether the provider responds, and what its metadata offers. ``known`` is used as it is, ``opened`` called."""
    if urlsplit(address).scheme == "http" and not is_loopback(address):
        remedy = (
            "Anyone on the way could read the codes and tokens, and answer in the provider's place, so nothing was "
            "sent to it. Give its https address; http is for 127.0.0.1, localhost and [::1] only."
        )
        yield Finding(what="provider", state=BAD, found="http:// is not encrypted", remedy=remedy)
        return
    started = time.time()
    with provider_errors("Reaching the provider", address), provider_session() as http:
        date = http.get(f"{address.rstrip('/')}/.well-known/openid-configuration").headers.get("Date")
    yield Finding(what="reached", state=OK, found=f"{urlsplit(address).hostname} answers")
    with suppress(TypeError, ValueError):
        ahead = parsedate_to_datetime(str(date)).timestamp() - started
        skewed = abs(ahead) > _MAX_CLOCK_SKEW
        difference = counted(round(abs(ahead)), "second")
        yield Finding(
            what="clock",
            state=NOTE if skewed else OK,
            found=f"{difference} {'behind' if ahead > 0 else 'ahead of'} the provider's",
            remedy="authnb corrects for it; other programs may not. Synchronize the system clock."
            if skewed
            else "",
        )
    provider = known or (opened() if opened else Provider.discover(address))
    yield Finding(what="metadata", state=OK, found=f"of {provider.issuer}")
    if provider.jwks_uri is None:
        yield Finding(what="keys", state=NOTE, found="none named: no ID tokens, OAuth 2.0 only")
    else:
        yield Finding(what="keys", state=OK, found=f"{len(provider.keys.current())} to verify ID tokens")
    yield from check_modes(environment, provider)


def check_modes(environment: Environment, provider: Provider | None) -> Iterator[Finding]:
    """Which modes work here, and at this provider."""
    device = provider is None or provider.device_authorization_endpoint is not None
    choices = rank_modes(environment, None, loopback_reached=None, device=device, accepted={})
    yield Finding(what="mode='auto'", state=OK, found=f"{choices[0].mode}. {choices[0].reason}")
    works = {choice.mode for choice in choices}
    panel = environment.front_end == "notebook"
    reasons = {
        "loopback": "your browser is on another machine",
        "device": "the provider names no device_authorization_endpoint",
        "page": "needs the panel in JupyterLab or Notebook 7, which finds out whether it works there",
        "proxy": "needs the panel, or AUTHNB_PUBLIC_URL; and jupyter-server-proxy where the server runs",
        "paste": "works wherever a person is",
    }
    if public_proxy(environment):
        works.add("proxy")
    for mode, reason in reasons.items():
        possible = mode in works or (panel and mode in {"page", "proxy"})
        found = "works" if mode in works else reason
        yield Finding(what=f"mode={mode!r}", state=OK if possible else NOTE, found=found)
