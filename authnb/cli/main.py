"""The command line: ``authnb`` or ``python -m authnb``."""

from __future__ import annotations

import argparse
import io
import shlex
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from authnb.cli.signals import handled
from authnb.errors import AuthnbError, unexpected_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SIGINT, _SIGPIPE = 128 + 2, 128 + 13  # exit codes, as a shell has them
_MAX_PORT = 65535
_LINE = 1000  # characters


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # what the terminal's encoding lacks is escaped, not an error
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(sys.argv[1:] if arguments is None else list(arguments))
        if sys.stdout is not None:
            sys.stdout.flush()  # while an error of it can still be told
    except BrokenPipeError:  # whoever read the output has read enough, as head(1) does
        _discard_output()
        return _SIGPIPE
    except KeyboardInterrupt:
        return _SIGINT
    except OSError as error:
        _discard_output()
        _fail(f"Writing the output failed: {error.strerror}.")
        return 1
    return code


def _run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="authnb", description="Sign in from a Jupyter notebook.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True)

    lab = commands.add_parser(
        "lab",
        help="open JupyterLab on a copy of the notebooks, with a provider for learning",
        epilog="Options after -- are passed to JupyterLab: authnb lab -- --no-browser",
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
    demo.add_argument("--port", default="0", help="port on 127.0.0.1 (any free one)")
    demo.add_argument("--issuer", help="address under which people reach it, if a proxy stands before it")
    demo.add_argument(
        "--redirect-uri",
        action="append",
        default=[],
        metavar="URI",
        help="a further address that the client 'notebook' is answered at; may be given again",
    )
    demo.add_argument("--database", help="file or SQLAlchemy URL to keep accounts in (forgotten at the end)")

    examine = commands.add_parser("doctor", help="say what would work here, and why not")
    examine.add_argument("issuer", nargs="?", help="the provider's address or name")
    examine.add_argument("--timeout", type=float, metavar="SECONDS", help="how long the checks may take (25)")
    commands.add_parser(
        "status",
        help="say who is signed in where, and until when; no token is shown",
        epilog="Exit code: 0, also if nobody is signed in; 1 if the folder of sign-ins cannot be read.",
    )
    logout = commands.add_parser(
        "logout",
        help="end remembered sign-ins: revoke, forget, say what was possible",
        epilog="Exit code: 0 if sign-ins were ended; 1 if there was none to end, or one could not be ended.",
    )
    logout.add_argument("issuer", nargs="?", help="the provider's address or name (all providers)")
    logout.add_argument("--profile", help="only this profile (all profiles)")
    logout.add_argument(
        "--unregister",
        action="store_true",
        help="delete the clients, too, that authnb registered there by itself",
    )

    agent = commands.add_parser(
        "agent",
        help="keep a file with a fresh access token of a remembered sign-in, for batch jobs",
        epilog="The file's path is the first line of the output, printed once the file is there; it is removed at the "
        "end. Exit code: 0 if the time is up or a signal ended it (SIGTERM, SIGINT, SIGHUP), 1 if the sign-in ended "
        "before or there is none, 2 for arguments that cannot be.",
    )
    agent.add_argument("issuer", nargs="?", help="the provider's address or name (the only one)")
    agent.add_argument(
        "--for", dest="duration", required=True, metavar="TIME", help="how long: 24h, 90m, 7d, or seconds"
    )
    agent.add_argument(
        "--file",
        type=Path,
        metavar="PATH",
        help="the file, in a folder that only you can write to (one in a new private folder)",
    )
    agent.add_argument("--profile", help="the profile (the only one)")
    agent.add_argument("--client-id", help="the client (the only one)")

    scan = commands.add_parser(
        "scan",
        help="look for tokens, codes and passwords in notebooks",
        epilog="Exit code: 0 if nothing was found, 1 if something was, 2 if a notebook or a folder could not be read.",
    )
    scan.add_argument(
        "notebooks",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="a notebook, or a folder: all .ipynb files below it, but for hidden folders (.git, .venv)",
    )

    ours, lab_arguments = _split(arguments)
    options, unknown = parser.parse_known_args(ours)
    if unknown and options.command == "lab":
        lab.error(f"options of JupyterLab go after --, as in: authnb lab -- {shlex.join(unknown)}")
    if unknown:
        commands.choices[options.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    if lab_arguments and options.command != "lab":
        parser.error("only 'lab' passes on what follows --")
    commands_by_name: dict[str, Callable[[], int]] = {
        "doctor": lambda: _doctor(options.issuer, options.timeout),
        "lab": lambda: _lab(options.folder, lab_arguments),
        "scan": lambda: _scan(options.notebooks),
        "notebooks": lambda: _copy(options.folder),
        "demo": lambda: _demo(options),
        "status": _status,
        "logout": lambda: _logout(options.issuer, options.profile, unregister=options.unregister),
        "agent": lambda: _agent(options),
    }
    try:
        return commands_by_name[options.command]()
    except ModuleNotFoundError as error:
        return _fail(f"{error}. Install it with: pip install 'authnb[lab,demo]'")
    except AuthnbError as error:
        return _fail(error.description)
    except ValueError as error:
        return _fail(str(error), code=2)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _fail(f"{error.filename or f'authnb {options.command}'}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - a command ends with a sentence, even for a bug
        return _fail(unexpected_error(f"authnb {options.command}", error).description)


class _Version(argparse.Action):
    """Prints the version of the installed package."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Look it up only now: that takes as long as a command."""
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow to load

        try:
            print(f"authnb {version('authnb')}")
        except PackageNotFoundError:  # imported from a folder or an archive
            print("authnb, not installed as a package")
        parser.exit()


def _fail(line: str, code: int = 1) -> int:
    from authnb.transport.text import printable  # noqa: PLC0415 - only where something failed

    print(printable(line, _LINE), file=sys.stderr)
    return code


def _discard_output() -> None:
    """Leave the interpreter nothing to write at its exit."""
    with suppress(OSError, ValueError):
        sys.stdout.close()
    sys.stdout = None


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    index = arguments.index("--")
    return arguments[:index], arguments[index + 1 :]


def _lab(folder: Path, arguments: list[str]) -> int:
    from authnb.cli.lab import run  # noqa: PLC0415 - each command loads its own

    return run(folder, arguments)


def _status() -> int:
    from authnb.cli.status import status  # noqa: PLC0415 - each command loads its own

    for line in status():
        print(line)
    return 0


def _logout(issuer: str | None, profile: str | None, *, unregister: bool) -> int:
    from authnb.cli.status import log_out, log_out_and_unregister  # noqa: PLC0415 - each command loads its own

    lines, ended = log_out_and_unregister(issuer, profile) if unregister else log_out(issuer, profile)
    for line in lines:
        print(line)
    return 0 if ended else 1


def _agent(options: argparse.Namespace) -> int:
    from authnb.cli.agent import run  # noqa: PLC0415 - each command loads its own

    return run(
        options.issuer,
        profile=options.profile,
        client_id=options.client_id,
        duration=options.duration,
        file=options.file,
    )


def _scan(paths: list[Path]) -> int:
    from authnb.cli.scan import run  # noqa: PLC0415 - each command loads its own

    return run(paths)


def _copy(folder: Path) -> int:
    from authnb.cli.lab import update_notebooks  # noqa: PLC0415 - each command loads its own

    update_notebooks(folder)
    return 0


def _doctor(issuer: str | None, timeout: float | None) -> int:
    from authnb.cli.doctor import TIMEOUT, doctor  # noqa: PLC0415 - each command loads its own

    try:
        findings = doctor(issuer, timeout=TIMEOUT if timeout is None else timeout)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(findings)
    return 0 if findings.ok else 1


def _demo(options: argparse.Namespace) -> int:
    from authnb.demo import DemoProvider  # noqa: PLC0415 - each command loads its own
    from authnb.demo.database.engine import DatabaseError  # noqa: PLC0415 - each command loads its own

    port = int(options.port) if options.port.isdecimal() else -1
    if not 0 <= port <= _MAX_PORT:
        raise ValueError(f"--port {options.port}: give a number from 0 to {_MAX_PORT}; 0 takes a free port.")
    stopped = threading.Event()
    with handled((signal.SIGINT, signal.SIGTERM), lambda *_: stopped.set()):
        database = (
            options.database
            if options.database is None or "://" in options.database
            else Path(options.database)
        )
        settings = {"issuer": options.issuer, "redirect_uris": options.redirect_uri}
        try:
            provider = DemoProvider(database, port, **settings).start()
        except (DatabaseError, ModuleNotFoundError) as error:
            shown = "the URL" if "@" in options.database else options.database  # which may hold a password
            reason = getattr(error, "orig", None) or error
            raise ValueError(f"--database {shown}: {str(reason).partition(chr(10))[0]}") from None
        with provider as demo:
            print(f"issuer            {demo.issuer}")
            print(
                f"client_id         {demo.client_id}  (public; http://127.0.0.1:PORT/callback, device code)"
            )
            print(f"client_id         {demo.web_client_id}  (confidential; http://127.0.0.1:PORT/authorize)")
            print(f"client_secret     {demo.web_client_secret}")
            print(f"client_id         {demo.job_client_id}  (confidential; client credentials)")
            print(f"client_secret     {demo.job_client_secret}")
            print(f"api               {demo.api}  (clients may register themselves)")
            print(f"archive           {demo.archive}  (a second API; /months wants the scope archive:read)")
            print("A provider for learning; it listens on this computer only. Ctrl-C ends it.", flush=True)
            stopped.wait()
    return 0
