"""A share with processes of this machine, over a socket whose address and key this user alone can read."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authnb.cluster.grant import Grant, error_from_message, error_to_message, share_ended
from authnb.cluster.local_socket import Call, NotAuthentic, Server, listen
from authnb.cluster.member import PATIENCE
from authnb.cluster.share import Holder
from authnb.cluster.supply import fingerprint
from authnb.errors import AuthnbError, ShareError, StorageError, unexpected_error
from authnb.storage import owner_only

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from authnb.cluster import member
    from authnb.cluster.grant import Reference
    from authnb.cluster.supply import TokenSupply

_MARGIN = (
    60.0  # seconds beyond its patience that a process waits for the kernel, whose renewal may take so long
)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0  # seconds until a request that was not answered is sent again
_WHERE = "share"  # the file with address and key
_GONE = "the process that shared it has ended, or closed it."


class ProcessChannel:
    """Answers the requests of processes, and tells them of the end."""

    kind = "processes"
    description = "processes of this machine"

    def start(self, name: str, supply: TokenSupply) -> None:  # noqa: ARG002 - the folder names the share
        """Listen, and write down where."""
        self._supply = supply
        self._holders: dict[int, float | None] = {}  # process, time.monotonic() at which its token expires
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="authnb-"))
        except OSError as error:
            raise _not_shared(str(error)) from None
        self.address: str = str(self._folder)
        key = secrets.token_bytes(32)
        try:
            self._server: Server = listen(self._folder, key, self._answer)
            where = {"address": self._server.server_address, "key": key.hex()}
            owner_only.write(self._folder / _WHERE, json.dumps(where).encode())
            self._server.start()
        except (OSError, RuntimeError, StorageError) as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            if hasattr(self, "_server"):
                self._server.server_close()
            reason = error.description if isinstance(error, StorageError) else str(error)
            raise _not_shared(reason) from None

    def end(self, error: ShareError) -> None:
        """Tell every process that has a token, and stop."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._server.end(error_to_message(error))
        self._holders.clear()

    def holders(self) -> Sequence[Holder]:
        """The processes that were given a token, and still run."""
        now, running = time.monotonic(), self._server.watching()
        for process in set(self._holders) - running:
            self._holders.pop(process, None)
        return [
            Holder(worker=f"process {process}", expires_in=None if until is None else until - now)
            for process, until in tuple(self._holders.items())
        ]

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            patience = min(max(0.0, float(request["patience"])), PATIENCE)
            grant = self._supply.newer_than(int(request["serial"]), patience, str(request["has"]))
            self._holders[int(request["process"])] = (
                None if grant.left is None else time.monotonic() + grant.left
            )
        except AuthnbError as error:
            return error_to_message(error)
        except Exception as error:  # noqa: BLE001 - raised in the process that asked
            return error_to_message(unexpected_error("Renewing the token", error))
        return grant.to_message()


def _not_shared(reason: str) -> ShareError:
    return ShareError(
        "not_shared",
        f"The sign-in was not shared with processes of this machine: {reason} The share needs a temporary folder that "
        "is the user's alone; TMPDIR names another place for it.",
    )


class _Requests:
    """The channel of a process to the one that shares."""

    def __init__(self, folder: Path, where: Mapping[str, Any], joined: member.Member) -> None:
        self._folder, self._member = folder, joined
        address = where["address"]
        self._address = address if isinstance(address, str) else (str(address[0]), int(address[1]))
        self._key = bytes.fromhex(where["key"])

    def newer_than(self, serial: int, patience: float) -> Grant:
        """A token with a higher number."""
        deadline = time.monotonic() + patience + _MARGIN
        self._watch(deadline)
        has = fingerprint(self._member.session.token or {"access_token": ""})
        call, message = self._ask({"serial": serial, "has": has, "patience": patience}, deadline)
        call.close()
        return Grant.from_message(message)

    def _ask(self, request: Mapping[str, Any], deadline: float) -> tuple[Call, dict[str, Any]]:
        """The call of a request and the answer to it. Sent again where none came: the kernel has much to do."""
        pause = _FIRST_PAUSE
        while (left := deadline - time.monotonic()) > 0:
            call = None
            try:
                call = Call(self._address, self._key, {**request, "process": os.getpid()}, left)
                message = call.receive(left)
            except TimeoutError:
                break
            except (FileNotFoundError, ConnectionRefusedError, NotAuthentic):
                raise share_ended(_GONE) from None
            except (ConnectionError, BlockingIOError):
                time.sleep(min(pause, left))
                pause = min(2 * pause, _LONGEST_PAUSE)
            except OSError as error:
                raise unexpected_error("Asking for a token", error) from None
            else:
                if "error" not in message:
                    kept, call = call, None
                    return kept, message
                raise error_from_message(message)
            finally:
                if call is not None:
                    call.close()
        raise ShareError(
            "timeout",
            "The process that shares the sign-in did not answer: it is stopped, or very busy. Run the task again.",
        )

    def _watch(self, deadline: float) -> None:
        """Be told of the end: once for each process, and before it has a token."""
        watched = self._address, os.getpid()
        if watched in _watched:
            return
        call, _ = self._ask({"watch": True}, deadline)
        try:
            threading.Thread(
                target=self._wait, args=(call, watched), name="authnb-share", daemon=True
            ).start()
        except RuntimeError as error:
            call.close()
            raise unexpected_error("Waiting for the end of a share", error) from None
        _watched.add(watched)

    def _wait(self, call: Call, watched: tuple[Any, int]) -> None:
        """Forget the token when the other end says so, or is gone."""
        error: AuthnbError | None = None
        while error is None:
            try:
                error = error_from_message(call.receive(None))
            except (OSError, ValueError):
                call.close()
                try:
                    call, _ = self._ask({"watch": True}, time.monotonic() + _MARGIN)
                except ShareError as failure:
                    error = failure if failure.error != "timeout" else None
                except AuthnbError:  # no descriptor, for one
                    time.sleep(_LONGEST_PAUSE)
        call.close()
        _watched.discard(watched)
        self._member.end(error)


_watched: set[tuple[Any, int]] = set()


def find_channel(reference: Reference, joined: member.Member) -> _Requests | None:
    """The channel of this reference; None if it is not of this machine and user, or has ended."""
    folder = Path(reference.address)
    try:
        found = owner_only.read(folder / _WHERE)
    except StorageError:
        return None
    return None if found is None else _Requests(folder, json.loads(found), joined)


def open_channel(target: Any, *, allow_unencrypted: bool) -> ProcessChannel:  # noqa: ARG001 - nothing leaves the machine
    """The channel to processes of this machine."""
    return ProcessChannel()
