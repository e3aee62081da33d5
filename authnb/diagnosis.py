"""What would work here, and why not: `doctor` looks at the place, and at a provider if one is named.

Each look is bounded in time; nothing is signed in, sent or kept. Next to what does not work stands what to do.
"""

from __future__ import annotations

import importlib.metadata
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from html import escape
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from authnb.errors import AuthnbError, LoginFailed
from authnb.place import here, public_proxy
from authnb.presets import find
from authnb.provider import Provider
from authnb.redirects import LoopbackListener
from authnb.transport import asking, is_loopback, provider_session
from authnb.trusted import token_source
from authnb.ways import rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.place import Place

LONGEST = 25.0  # seconds for each look; what takes longer is reported as that
_ALL_RIGHT, _AWRY, _BAD = "ok", "note", "BAD"
_CLOCK = 60.0  # seconds this machine's clock may be off before tokens suffer
_LOCKED = (
    "The keyring may be locked or gone: unlock it, or set PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring; then "
    "the key is kept in a file of yours."
)
_KEYRING_SCALE = 1  # keyring's own: below are plain files and the backend that fails


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One row: ``state`` is ``ok``, ``note`` or ``BAD``, ``remedy`` what to do about it."""

    what: str
    state: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Findings:
    """All rows; shown as a table in a notebook, as lines elsewhere."""

    rows: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is bad."""
        return all(row.state != _BAD for row in self.rows)

    def __repr__(self) -> str:
        width = max(len(row.what) for row in self.rows)
        lines = []
        for row in self.rows:
            lines.append(f"{row.state:4}  {row.what:{width}}  {row.found}")
            if row.remedy:
                lines.append(f"{'':{width + 6}}  → {row.remedy}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        marks = {_ALL_RIGHT: "✓", _AWRY: "·", _BAD: "✗"}
        rows = "".join(
            f"<tr><td>{marks[row.state]} {row.state}</td><td>{escape(row.what)}</td>"
            f'<td style="text-align:left">{escape(row.found)}'
            f"{f'<br><b>{escape(row.remedy)}</b>' if row.remedy else ''}</td></tr>"
            for row in self.rows
        )
        return f"<table><tr><th></th><th>looked at</th><th>found</th></tr>{rows}</table>"


def doctor(issuer: str | Provider | None = None) -> Findings:
    """What would work here: `issuer` is a provider's address, a `Provider`, or the name of a preset.

    Takes no longer than a look may take (25 seconds), whatever hangs. Raises `ValueError` for a name that is none.
    """
    preset = find(issuer) if isinstance(issuer, str) else None
    place = here()
    looks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("place", lambda: _place(place)),
        ("loopback", _loopback),
        ("storage", _storage),
        ("versions", lambda: _versions(place)),
    ]
    if issuer is None:
        looks.append(("ways to sign in", lambda: _ways(place, None)))
    else:
        address = preset.issuer if preset else issuer.issuer if isinstance(issuer, Provider) else str(issuer)
        known = issuer if isinstance(issuer, Provider) else None
        looks.append(("network", lambda: _network(address)))
        looks.append(
            (
                "provider",
                lambda: _provider(place, address, preset.open if preset else None, known),
            )
        )
    return Findings(tuple(row for rows in _all_at_once(looks) for row in rows))


def _all_at_once(looks: list[tuple[str, Callable[[], Iterator[Finding]]]]) -> list[list[Finding]]:
    answers: list[Queue[list[Finding]]] = []
    for name, look in looks:
        answer: Queue[list[Finding]] = Queue()
        threading.Thread(target=_look, args=(name, look, answer), name="authnb-doctor", daemon=True).start()
        answers.append(answer)
    deadline, rows = time.monotonic() + LONGEST, []
    for (name, _), answer in zip(looks, answers, strict=True):
        try:
            rows.append(answer.get(timeout=max(0.01, deadline - time.monotonic())))
        except Empty:
            late = f"no answer within {LONGEST:.0f} seconds"
            remedy = _LOCKED if name == "storage" else "Look at the network, or try again."
            rows.append([Finding(what=name, state=_BAD, found=late, remedy=remedy)])
    return rows


def _look(name: str, look: Callable[[], Iterator[Finding]], answer: Queue[list[Finding]]) -> None:
    rows: list[Finding] = []
    try:
        rows.extend(look())
    except AuthnbError as error:
        rows.append(Finding(what=name, state=_BAD, found=error.error, remedy=error.description))
    except Exception as error:  # noqa: BLE001 - whatever is odd here is what is looked for
        rows.append(Finding(what=name, state=_BAD, found=type(error).__name__, remedy="Please report it."))
    answer.put(rows)


def _place(place: Place) -> Iterator[Finding]:
    somebody = {"notebook": "somebody reads this notebook", "terminal": "somebody is at the terminal"}
    source = token_source(os.environ)
    yield Finding(
        what="a person",
        state=_ALL_RIGHT if place.somebody_there else _AWRY,
        found=somebody.get(
            place.front_end or "", "the program BROWSER names" if place.opens_pages else "nobody"
        ),
        remedy=""
        if place.somebody_there
        else "Use remember=True, mode='client_credentials' or mode='token'; AUTHNB_INTERACTIVE=1 if somebody is there.",
    )
    opens = "a browser can be started from here" if place.opens_pages else "the person opens it themselves"
    yield Finding(what="opening a page", state=_ALL_RIGHT, found=opens)
    apart = place.remote or place.doubt
    yield Finding(
        what="the browser",
        state=_AWRY if apart else _ALL_RIGHT,
        found=f"on another machine: {apart}" if apart else "on this machine, as far as can be told",
    )
    if source:
        yield Finding(what="a trusted token", state=_ALL_RIGHT, found=f"from {source}: mode='token'")


def _loopback() -> Iterator[Finding]:
    try:
        listener = LoopbackListener()
    except LoginFailed as error:
        yield Finding(what="loopback", state=_BAD, found="no port on 127.0.0.1", remedy=error.description)
        return
    try:
        address = urlsplit(listener.probe)
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=5):
            yield Finding(what="loopback", state=_ALL_RIGHT, found="a port on 127.0.0.1 opens and answers")
    except OSError:
        remedy = "A firewall or sandbox is in the way: use mode='device' or 'paste'."
        yield Finding(what="loopback", state=_BAD, found="a port opens but does not answer", remedy=remedy)
    finally:
        listener.close()


def _storage() -> Iterator[Finding]:
    from authnb.files import home  # noqa: PLC0415 - encryption takes its time to load

    folder = home()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK):
        yield Finding(what="storage", state=_ALL_RIGHT, found=f"{folder} for remember=True")
    else:
        remedy = "Name another folder with AUTHNB_HOME."
        yield Finding(what="storage", state=_BAD, found=f"{folder} cannot be written", remedy=remedy)
    try:
        import keyring  # noqa: PLC0415 - optional
    except ImportError:
        yield Finding(what="keyring", state=_AWRY, found="not installed: the key is kept in a file of yours")
        return
    backend = keyring.get_keyring()
    works = backend.priority >= _KEYRING_SCALE
    found = type(backend).__module__ if works else "none that works: the key is kept in a file of yours"
    yield Finding(what="keyring", state=_ALL_RIGHT if works else _AWRY, found=found)


def _versions(place: Place) -> Iterator[Finding]:
    versions = {}
    for name in (
        "authnb",
        "ipykernel",
        "anywidget",
        "ipywidgets",
        "jupyterlab",
        "notebook",
        "jupyter-server-proxy",
    ):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield Finding(what="versions", state=_ALL_RIGHT, found=f"Python {sys.version.partition(' ')[0]}, {found}")
    kernel = versions.get("ipykernel", "")
    if place.in_kernel and kernel.startswith(("6.", "7.0.")):
        remedy = "Upgrade it: pip install -U ipykernel, then restart the kernel."
        found = f"ipykernel {kernel} does not hear the panel while a cell waits"
        yield Finding(what="kernel", state=_BAD, found=found, remedy=remedy)


def _network(address: str) -> Iterator[Finding]:
    host = urlsplit(address).hostname or ""
    proxies = {} if is_loopback(address) or proxy_bypass(host) else getproxies()
    used = proxies.get(urlsplit(address).scheme) or proxies.get("all") or ""
    proxy = urlsplit(used if "//" in used else f"//{used}")
    found = f"through {proxy.hostname}" if used else "directly"
    try:
        if used:
            socket.create_connection((proxy.hostname or "", proxy.port or 80), timeout=5).close()
        yield Finding(what="the way there", state=_ALL_RIGHT, found=found)
    except (OSError, ValueError):
        found += ", which does not answer"
        remedy = "Correct HTTPS_PROXY, or name the provider's host in NO_PROXY."
        yield Finding(what="the way there", state=_BAD, found=found, remedy=remedy)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        bundle = os.environ.get(name)
        if bundle and not Path(bundle).exists():
            remedy = f"Set {name} to a file with certificates, or leave it out."
            yield Finding(what="certificates", state=_BAD, found=f"{name} names no file", remedy=remedy)
        elif bundle:
            yield Finding(what="certificates", state=_ALL_RIGHT, found=f"those in {bundle} ({name})")


def _provider(
    place: Place, address: str, opened: Callable[[], Provider] | None, known: Provider | None
) -> Iterator[Finding]:
    begun = time.time()
    with asking("Reaching the provider", address), provider_session() as http:
        date = http.get(f"{address.rstrip('/')}/.well-known/openid-configuration").headers.get("Date")
    yield Finding(what="reached", state=_ALL_RIGHT, found=f"{urlsplit(address).hostname} answers")
    with suppress(TypeError, ValueError):
        ahead = parsedate_to_datetime(str(date)).timestamp() - begun
        off = abs(ahead) > _CLOCK
        yield Finding(
            what="clock",
            state=_AWRY if off else _ALL_RIGHT,
            found=f"{abs(ahead):.0f} seconds {'behind' if ahead > 0 else 'ahead of'} the provider's",
            remedy="authnb reckons with it; other programs may not. Let the system set its clock."
            if off
            else "",
        )
    provider = known or (opened() if opened else Provider.discover(address))
    yield Finding(what="metadata", state=_ALL_RIGHT, found=f"of {provider.issuer}")
    if provider.jwks_uri is None:
        yield Finding(what="keys", state=_AWRY, found="none named: no ID tokens, OAuth 2.0 only")
    else:
        yield Finding(
            what="keys", state=_ALL_RIGHT, found=f"{len(provider.keys.current())} to verify ID tokens"
        )
    yield from _ways(place, provider)


def _ways(place: Place, provider: Provider | None) -> Iterator[Finding]:
    device = provider is None or provider.device_authorization_endpoint is not None
    ways = rank(place, None, reached=None, device=device, accepted={})
    yield Finding(what="mode='auto'", state=_ALL_RIGHT, found=f"{ways[0].mode}. {ways[0].why}")
    works = {way.mode for way in ways}
    panel = place.front_end == "notebook"
    reasons = {
        "loopback": "your browser is on another machine",
        "device": "the provider names no device_authorization_endpoint",
        "page": "needs the panel in JupyterLab or Notebook 7; whether it works there, the panel finds out",
        "proxy": "needs the panel, or AUTHNB_PUBLIC_URL; and jupyter-server-proxy where the server runs",
        "paste": "always works where somebody is",
    }
    if public_proxy(place):
        works.add("proxy")
    for mode, reason in reasons.items():
        there = mode in works or (panel and mode in {"page", "proxy"})
        found = "works" if mode in works else reason
        yield Finding(what=f"mode={mode!r}", state=_ALL_RIGHT if there else _AWRY, found=found)
