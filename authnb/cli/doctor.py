"""`doctor`: what would work here, and why not. Checks the environment and, if one is named, a provider.

All checks run at once, each bounded in time; none signs in or stores anything. A failed check names the next step.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from html import escape
from queue import Empty, Queue
from typing import TYPE_CHECKING

from authnb.cli.checks import (
    BAD,
    NOTE,
    OK,
    Finding,
    check_client_key,
    check_environment,
    check_loopback,
    check_modes,
    check_network,
    check_provider,
    check_storage,
    check_versions,
)
from authnb.cli.counting import counted
from authnb.errors import AuthnbError, unexpected_error
from authnb.oauth.presets import find
from authnb.oauth.provider import Provider
from authnb.signin.arguments import read_timeout
from authnb.signin.environment import current_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Check = Callable[[], Iterator[Finding]]

TIMEOUT = 25.0  # seconds for all checks, which run at the same time
_KEYRING_REMEDY = (
    "The keyring may be locked or gone: unlock it, or set PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring; then "
    "the key is kept in a file only you can read."
)


@dataclass(frozen=True)
class Findings:
    """The findings; displayed as a table in a notebook, as text elsewhere."""

    rows: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no finding is ``BAD``."""
        return all(row.state != BAD for row in self.rows)

    def __repr__(self) -> str:
        width = max(len(row.what) for row in self.rows)
        lines = []
        for row in self.rows:
            lines.append(f"{row.state:4}  {row.what:{width}}  {row.found}")
            if row.remedy:
                lines.append(f"{'':{width + 6}}  → {row.remedy}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        marks = {OK: "✓", NOTE: "·", BAD: "✗"}
        rows = "".join(
            f"<tr><td>{marks[row.state]} {row.state}</td><td>{escape(row.what)}</td>"
            f'<td style="text-align:left">{escape(row.found)}'
            f"{f'<br><b>{escape(row.remedy)}</b>' if row.remedy else ''}</td></tr>"
            for row in self.rows
        )
        return f"<table><tr><th></th><th>checked</th><th>found</th></tr>{rows}</table>"


def doctor(issuer: str | Provider | None = None, *, timeout: float = TIMEOUT) -> Findings:
    """What would work here. ``issuer``: an issuer URL, a `Provider`, or the name of a preset.

    Returns within ``timeout`` seconds, whatever hangs. Raises `ValueError` for an unknown preset.
    """
    read_timeout(timeout, meaning="that the checks may take")
    preset = find(issuer) if isinstance(issuer, str) else None
    environment = current_environment()
    checks: dict[str, Check] = {
        "environment": lambda: check_environment(environment),
        "loopback": check_loopback,
        "storage": check_storage,
        "client key": check_client_key,
        "versions": lambda: check_versions(environment),
    }
    if issuer is None:
        checks["modes"] = lambda: check_modes(environment, None)
    else:
        address = preset.issuer if preset else issuer.issuer if isinstance(issuer, Provider) else str(issuer)
        known = issuer if isinstance(issuer, Provider) else None
        checks["network"] = lambda: check_network(address)
        checks["provider"] = lambda: check_provider(
            environment, address, preset.open if preset else None, known
        )
    return Findings(tuple(row for rows in _run_all(checks, timeout) for row in rows))


def _run_all(checks: dict[str, Check], timeout: float) -> list[list[Finding]]:
    """The findings of each check, run at the same time."""
    results: dict[str, Queue[list[Finding]]] = {name: Queue() for name in checks}
    for name, check in checks.items():
        arguments = (name, check, results[name])
        thread = threading.Thread(target=_run, args=arguments, name="authnb-doctor", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            remedy = unexpected_error(f"The check of {name}", error).description
            results[name].put([Finding(what=name, state=BAD, found="not checked", remedy=remedy)])
    deadline, rows = time.monotonic() + timeout, []
    for name, result in results.items():
        try:
            rows.append(result.get(timeout=max(0.01, deadline - time.monotonic())))
        except Empty:
            found = f"no result within {counted(timeout, 'second')}"
            remedy = _KEYRING_REMEDY if name == "storage" else "Check the network, or try again."
            rows.append([Finding(what=name, state=BAD, found=found, remedy=remedy)])
    return rows


def _run(name: str, check: Check, result: Queue[list[Finding]]) -> None:
    rows: list[Finding] = []
    try:
        rows.extend(check())
    except AuthnbError as error:
        rows.append(Finding(what=name, state=BAD, found=error.error, remedy=error.description))
    except Exception as error:  # noqa: BLE001 - one failed check must not hide the others
        found = unexpected_error(f"The check of {name}", error)
        rows.append(Finding(what=name, state=BAD, found=type(error).__name__, remedy=found.description))
    result.put(rows)
