"""The command line: ``authnb`` or ``python -m authnb``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="authnb", description="Sign in from a Jupyter notebook.")
    commands = parser.add_subparsers(dest="command", required=True)

    lab = commands.add_parser(
        "lab",
        help="open JupyterLab on a copy of the notebooks, with a provider for learning",
        epilog="What follows -- goes to JupyterLab.",
    )
    lab.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("authnb-notebooks"),
        help="where the copy is (%(default)s)",
    )
    copy = commands.add_parser(
        "notebooks", help="copy the notebooks, or bring a copy up to date; changed ones are kept"
    )
    copy.add_argument("folder", nargs="?", type=Path, default=Path("authnb-notebooks"), help="(%(default)s)")
    demo = commands.add_parser("demo", help="run the provider for learning until interrupted")
    demo.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (any free one)")
    demo.add_argument("--issuer", help="address under which people reach it, if a proxy stands before it")
    demo.add_argument(
        "--redirect-uri",
        action="append",
        default=[],
        metavar="URI",
        help="a further address that the client 'notebook' is answered at; may be given again",
    )
    demo.add_argument("--database", help="SQLAlchemy URL to keep accounts in (forgotten at the end)")

    examine = commands.add_parser("doctor", help="say what would work here, and why not")
    examine.add_argument("issuer", nargs="?", help="the provider's address or name")
    commands.add_parser("status", help="say who is signed in where, and until when; no token is shown")
    logout = commands.add_parser(
        "logout", help="end remembered sign-ins: revoke, forget, say what was possible"
    )
    logout.add_argument("issuer", nargs="?", help="the provider's address (all providers)")
    logout.add_argument("--profile", help="only this profile (all profiles)")

    scan = commands.add_parser(
        "scan",
        help="look for tokens, codes and passwords in notebooks; exit code 1 if there are any, 2 if one is unreadable",
    )
    scan.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")

    ours, passed_on = _split(sys.argv[1:] if arguments is None else list(arguments))
    options = parser.parse_args(ours)
    if passed_on and options.command != "lab":
        parser.error("only 'lab' passes on what follows --")
    try:
        if options.command == "doctor":
            return _doctor(options.issuer)
        if options.command == "lab":
            return _lab(options.folder, passed_on)
        if options.command == "scan":
            return _scan(options.notebooks)
        if options.command == "notebooks":
            return _copy(options.folder)
        return _demo(options) if options.command == "demo" else _remembered(options)
    except ModuleNotFoundError as error:
        parser.exit(1, f"{error}. Install it with: pip install 'authnb[lab,demo]'\n")
    except OSError as error:
        parser.exit(1, f"{error.strerror or error}\n")


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _lab(folder: Path, passed_on: list[str]) -> int:
    from authnb.lab import run  # noqa: PLC0415 - each command loads its own

    return run(folder, passed_on)


def _remembered(options: argparse.Namespace) -> int:
    from authnb.remembered import log_out, status  # noqa: PLC0415 - each command loads its own

    said = status() if options.command == "status" else log_out(options.issuer, options.profile)
    for line in said:
        print(line)
    return 0


def _scan(notebooks: list[Path]) -> int:
    from authnb.scan import scan  # noqa: PLC0415 - each command loads its own

    code = 0
    for path in notebooks:
        try:
            found = scan(path)
        except (OSError, ValueError):
            print(f"{path}: not a notebook that can be read", file=sys.stderr)
            code = 2
            continue
        for finding in found:
            code = max(code, 1)
            print(f"{path}: {finding}")
    return code


def _copy(folder: Path) -> int:
    from authnb.lab import bring_up_to_date  # noqa: PLC0415 - each command loads its own

    bring_up_to_date(folder)
    return 0


def _doctor(issuer: str | None) -> int:
    from authnb.diagnosis import doctor  # noqa: PLC0415 - each command loads its own

    try:
        findings = doctor(issuer)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(findings)
    return 0 if findings.ok else 1


def _demo(options: argparse.Namespace) -> int:
    from authnb.demo import DemoProvider  # noqa: PLC0415 - each command loads its own

    given = {"issuer": options.issuer, "redirect_uris": options.redirect_uri}
    try:
        provider = DemoProvider(options.database, options.port, **given).start()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with provider as demo:
        print(f"issuer            {demo.issuer}")
        print(f"client_id         {demo.client_id}  (public; http://127.0.0.1:PORT/callback, device code)")
        print(f"client_id         {demo.web_client_id}  (confidential; http://127.0.0.1:PORT/authorize)")
        print(f"client_secret     {demo.web_client_secret}")
        print(f"client_id         {demo.job_client_id}  (confidential; client credentials)")
        print(f"client_secret     {demo.job_client_secret}")
        print(f"api               {demo.api}/measurements")
        print("A provider for learning; it listens on this computer only. Ctrl-C ends it.", flush=True)
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
