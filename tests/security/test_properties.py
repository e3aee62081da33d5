"""Any bytes at any parser at the door give a value or an `AuthnbError`, nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from targets import TARGETS, tried

from authnb.errors import AuthnbError
from authnb.storage.base import Account
from authnb.storage.files import FileStorage
from authnb.transport.http import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXAMPLES = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ODD = [
    None,
    True,
    -1,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    [],
    {},
    "\0",
    "\ud800",
    "https://[",
    "http://x:99999999",
]
VALUES = st.recursive(
    st.sampled_from(ODD) | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = [target for target, honest in TARGETS.items() if b"{" in honest[:2]]  # a status may be before it
every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)


def changed(example: Any, path: list[int], value: Any) -> Any:
    """The example with something else at one place."""
    if not path or not isinstance(example, dict | list) or not example:
        return value
    copy: Any = example.copy()
    place = sorted(copy)[path[0] % len(copy)] if isinstance(copy, dict) else path[0] % len(copy)
    copy[place] = changed(copy[place], path[1:], value)
    return copy


@every_target
def test_the_honest_example_is_accepted(target: Callable[[bytes], None]) -> None:
    """So that what is changed in it leads somewhere."""
    target(TARGETS[target])


@every_target
@pytest.mark.parametrize("piece", [b"[", b'{"exp":'])
def test_nested_without_end(target: Callable[[bytes], None], piece: bytes) -> None:
    for data in (piece * 2000, b"\0" + piece * 2000):  # a status may be before it
        tried(target, data)


@pytest.mark.parametrize("write", [str.encode, str])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_nested_as_deep_as_may_be(write: Callable[[str], bytes | str], begin: str, end: str) -> None:
    """Neither where all the brackets are counted nor where one has to look."""
    beside = "[" + "[]," * 40 + "{}]"
    assert parse(write(beside)) == [[]] * 40 + [{}]
    assert parse(write(begin * 31 + "1" + end * 31))
    for inner in ("1", beside):
        with pytest.raises(ValueError, match="too deep"):
            parse(write(begin * 32 + inner + end * 32))


@every_target
@EXAMPLES
@given(data=st.binary(max_size=300))
def test_parsers_take_any_bytes(target: Callable[[bytes], None], data: bytes) -> None:
    tried(target, data)


@every_target
@EXAMPLES
@given(place=st.integers(0, 400), length=st.integers(0, 20), piece=st.binary(max_size=20))
def test_honest_bytes_with_a_piece_changed(
    target: Callable[[bytes], None], place: int, length: int, piece: bytes
) -> None:
    honest = TARGETS[target]
    place %= len(honest) + 1
    tried(target, honest[:place] + piece + honest[place + length :])


@pytest.mark.parametrize("target", OBJECTS, ids=lambda target: target.__name__)
@EXAMPLES
@given(path=st.lists(st.integers(0, 20), max_size=4), value=VALUES)
def test_honest_members_with_a_value_changed(
    target: Callable[[bytes], None], path: list[int], value: Any
) -> None:
    first, _, rest = TARGETS[target].partition(b"{")
    tried(target, first + json.dumps(changed(json.loads(b"{" + rest), path, value)).encode())


@EXAMPLES
@given(data=st.binary(max_size=200) | st.binary(max_size=200).map(b"authnb sign-in 1\n".__add__))
def test_any_file(tmp_path: Path, data: bytes) -> None:
    account = Account(profile="p", issuer="https://id.example.org", client_id="c")
    storage = FileStorage(tmp_path)
    for file in (storage._path(account), tmp_path / "key"):  # noqa: SLF001 - where they would be
        file.write_bytes(data)
        file.chmod(0o600)
    with pytest.raises(AuthnbError):
        storage.load(account)
