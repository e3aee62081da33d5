"""A file with a fresh access token, for programs that read one and cannot call back."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from authnb.errors import AuthnbError, LoginRequired
from authnb.storage import owner_only
from authnb.storage.leftovers import PRIVATE_FOLDER, remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from authnb.adapters.source import AccessToken, Source

_PREFIX = "authnb-token-"
_NAME = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}")
_LONGEST_PAUSE = 30.0  # seconds between two looks at the token, at which its folder is touched
_SHORTEST_PAUSE = 0.2
_LIFETIME = 60.0  # seconds assumed of a token whose provider does not say


class TokenFile(AbstractContextManager["Path"]):
    """What `Session.token_file` returns: its block has the path. There is no file outside of the block."""

    def __init__(self, source: Source, url: str | None, variables: Iterable[str]) -> None:
        self._block = _file(source, url, variables)

    def __enter__(self) -> Path:
        return self._block.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._block.__exit__(kind, error, traceback)

    def __repr__(self) -> str:
        return "<TokenFile: a path in its block, with api.token_file() as path: …>"

    def __fspath__(self) -> NoReturn:
        raise TypeError(
            "The token file is there while its block runs. Write: with api.token_file() as path: …"
        )


@contextmanager
def _file(source: Source, url: str | None, variables: Iterable[str]) -> Iterator[Path]:
    """Keep a file with the access token fresh while the block runs."""
    folder = temporary_folder()
    path = folder / "access_token"
    ended = threading.Event()
    before = {name: os.environ.get(name) for name in variables}
    try:
        token = source.access_token(url)
        owner_only.write(path, token.token.encode())
        worker = threading.Thread(
            target=_keep_fresh, args=(source, url, path, token, ended), name="authnb-token-file", daemon=True
        )
        worker.start()
        try:
            os.environ.update(dict.fromkeys(before, str(path)))
            yield path
        finally:
            ended.set()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            worker.join()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep_fresh(
    source: Source, url: str | None, path: Path, token: AccessToken, ended: threading.Event
) -> None:
    """Replace the file's content when the token is renewed; remove it when nobody is signed in any more."""
    pause = next_look(source, token)
    while not ended.wait(pause):
        try:
            newest = source.access_token(url)
            if newest.token != token.token or not path.exists():
                owner_only.write(path, newest.token.encode())
            touch(path.parent)
            token, pause = newest, next_look(source, newest)
        except LoginRequired:
            with suppress(AuthnbError):
                owner_only.remove(path)
            return
        except AuthnbError:  # the provider or the disk: the next look may succeed
            pause = min(_LONGEST_PAUSE, 2 * pause)


def next_look(source: Source, token: AccessToken) -> float:
    """Seconds until the next look: a part of what is left, so that each comes before the token expires."""
    left = _LIFETIME if token.expires_at is None else token.expires_at - source.provider_time()
    return max(_SHORTEST_PAUSE, min(_LONGEST_PAUSE, left / 4))


def temporary_folder() -> Path:
    """A new private folder for a token file; those that killed processes left are deleted first."""
    remove_leftovers(Path(tempfile.gettempdir()), _NAME, PRIVATE_FOLDER)
    return Path(tempfile.mkdtemp(prefix=_PREFIX))  # 0700


def touch(folder: Path) -> None:
    """Say that a `temporary_folder` is in use, though no token changes."""
    if _NAME.fullmatch(folder.name):
        with suppress(OSError):
            os.utime(folder)
