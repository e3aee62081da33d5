"""A sign-in shared with processes of this machine: they have access tokens, and this process renews them."""

from __future__ import annotations

import gc
import hashlib
import inspect
import json
import multiprocessing
import os
import pickle
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from demo_session import age, renewer, sign_in
from forked import in_fork
from support import folder_for_sockets, wait_for

import authnb
from authnb.cluster import member, supply
from authnb.cluster.grant import Grant
from authnb.session.session import Session
from authnb.storage import owner_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider

# From Python 3.12 on, of every fork in a process with threads
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """A process that has nothing of this one's memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture
def _short_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A temporary folder for Unix sockets, whatever TMPDIR is."""
    with folder_for_sockets() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(params=["unix", "tcp"])
def _channel(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of socket: the path of a Unix socket has some 100 bytes at most, and Windows has none."""
    request.getfixturevalue("_short_path")
    if request.param == "tcp":
        folder = tmp_path / ("long" * 25)
        folder.mkdir(mode=0o700)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))


def status(api: Any, path: str = "/stations") -> int:
    return int(api.get(path).status_code)


def failure(work: Callable[[], Any]) -> authnb.AuthnbError:
    """What it raises."""
    with pytest.raises(authnb.AuthnbError) as caught:
        work()
    return caught.value


def what_a_task_has(api: Any) -> tuple[int, bool, bool, str]:
    return status(api), "refresh_token" in api.token, api.signed_in, repr(api)


@pytest.mark.usefixtures("_channel")
def test_tasks_outlive_their_token(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, pool: ProcessPoolExecutor
) -> None:
    """It is renewed once for all of them, here."""
    api = sign_in(demo, token_proxy)
    with (
        api.share_with(multiprocessing),
        ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as forked,
    ):
        assert {*forked.map(status, [api] * 4), *pool.map(status, [api] * 4)} == {200}
        assert token_proxy.outcomes == []
        # As it does when it expires before the clocks say so
        renewer(api).client.revoke(api.token["access_token"], "access_token")
        assert {*forked.map(status, [api] * 4), *pool.map(status, [api] * 4)} == {200}
        assert token_proxy.outcomes == ["pass"]
        shown = "<Session of 'notebook', shared by the process that signed in>"
        assert pool.submit(what_a_task_has, api).result() == (200, False, True, shown)


def test_what_is_pickled_is_a_name(demo: DemoProvider) -> None:
    api = sign_in(demo)
    with api.share_with(multiprocessing):
        text = pickle.dumps(api)
    assert not any(
        str(api.token[name]).encode() in text for name in ("access_token", "refresh_token", "id_token")
    )


def test_in_this_process_the_name_is_the_session(demo: DemoProvider) -> None:
    api = sign_in(demo)
    with api.share_with(multiprocessing):
        assert pickle.loads(pickle.dumps(api)) is api  # noqa: S301 - made in this line


def test_a_pickle_of_its_own_takes_it_to_any_program(demo: DemoProvider) -> None:
    """As a subprocess that reads it from its standard input."""
    api = sign_in(demo)
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).get('/stations').status_code)"
    with api.share_with(subprocess):
        run = subprocess.run(
            [sys.executable, "-c", code], input=pickle.dumps(api), capture_output=True, check=False
        )
    assert run.stdout == b"200\n", run.stderr


def test_it_is_shared_with_modules_and_with_what_they_make(demo: DemoProvider) -> None:
    """Subclasses too; anything else is a `TypeError` that says what is not."""
    api = sign_in(demo)

    class Pool(ProcessPoolExecutor):
        pass

    with Pool(1) as mine, multiprocessing.get_context("fork").Pool(1) as theirs:
        for target in (mine, Pool, theirs, multiprocessing.get_context("spawn"), multiprocessing, subprocess):
            api.share_with(target).close()
    for target in (7, sys, "multiprocessing", api):
        with pytest.raises(TypeError, match="joblib or subprocess"):
            api.share_with(target)


# Forks


def test_a_forked_child_has_its_token_renewed(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """Which fails without a share (tests/session/test_fork.py)."""
    api = sign_in(demo, token_proxy)
    with api.share_with(multiprocessing):
        age(api)
        assert in_fork(lambda: what_a_task_has(api)[:3]) == (200, False, True)
        assert token_proxy.outcomes == ["pass"]


def test_a_child_of_a_child_too(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    api = sign_in(demo, token_proxy)
    with api.share_with(multiprocessing):
        age(api)
        assert in_fork(lambda: (status(api), in_fork(lambda: (age(api), status(api))[1]))) == (200, 200)
        assert token_proxy.outcomes == ["pass"] * 2


def test_a_remembered_sign_in_is_renewed_here_too(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, tmp_path: Path
) -> None:
    """The child neither reads the storage, nor holds its lock while the parent waits for it."""
    api = sign_in(demo, token_proxy, storage=authnb.FileStorage(tmp_path / "sign-ins"))
    with api.share_with(multiprocessing):
        assert in_fork(lambda: ("refresh_token" in api.token, status(api))) == (False, 200)
        age(api)
        assert in_fork(lambda: what_a_task_has(api)[:3]) == (200, False, True)
        assert token_proxy.outcomes == ["pass"]


def test_a_session_that_becomes_a_workers_has_no_refresh_token(demo: DemoProvider, tmp_path: Path) -> None:
    """By itself: a forked process's other objects may be told of the fork later."""
    api = sign_in(demo, storage=authnb.FileStorage(tmp_path / "sign-ins"))
    with api.share_with(multiprocessing):
        assert "refresh_token" in api.token
        api.become_worker(member.Member(api.references))
        assert "refresh_token" not in api.token


def test_a_token_that_the_api_refuses_is_renewed_once_for_all(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """Also if a child has had it since the fork."""
    api = sign_in(demo, token_proxy)
    with api.share_with(multiprocessing):
        renewer(api).client.revoke(api.token["access_token"], "access_token")
        assert [in_fork(lambda: status(api)) for _ in range(3)] == [200] * 3
        assert token_proxy.outcomes == ["pass"]


def test_no_object_of_a_child_holds_the_refresh_token(demo: DemoProvider) -> None:
    """Its memory is a copy, in which the bytes may be until they are overwritten: docs/session.md."""
    api = sign_in(demo)
    with api.share_with(multiprocessing):
        assert in_fork(lambda: (age(api), status(api))[1]) == 200  # it is the share's too from now on
        digest, length = sha256(api.token["refresh_token"]), len(api.token["refresh_token"])
        assert holders_of(digest, length)
        assert in_fork(lambda: (status(api), holders_of(digest, length))) == (200, 0)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def holders_of(digest: str, length: int) -> int:
    """How many objects hold a text of this length with this SHA-256."""
    gc.collect()
    parts = gc.get_referents(*gc.get_objects())
    # A dict of texts alone is not known to the collector
    dicts = {id(part): part for part in parts if isinstance(part, dict) and not gc.is_tracked(part)}
    parts += [value for each in dicts.values() for value in each.values()]
    texts = (part for part in parts if isinstance(part, str) and len(part) == length and part.isascii())
    return sum(sha256(text) == digest for text in texts)


@pytest.mark.usefixtures("_short_path")
def test_no_process_keeps_a_socket_of_the_share_that_is_not_its_own(demo: DemoProvider) -> None:
    """Else the others would not be told when that one ends."""
    api = sign_in(demo)
    with api.share_with(multiprocessing):
        address = pickle.loads(pickle.dumps(api)).references[0].address  # noqa: S301 - made in this line
        assert sockets_at(address)
        assert in_fork(lambda: sockets_at(address)) == 0
        # With a connection of its own, which its child has not
        assert in_fork(lambda: (age(api), status(api), sockets_at(address) > 0)[1:]) == (200, True)
        assert in_fork(lambda: (age(api), status(api), in_fork(lambda: sockets_at(address)))[1:]) == (200, 0)


def sockets_at(folder: str) -> int:
    """How many sockets this process has that are bound there, or connected to one that is."""
    found = 0
    for descriptor in range(3, 1024):
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                with socket.socket(fileno=os.dup(descriptor)) as candidate:
                    names = [candidate.getsockname()]
                    with suppress(OSError):
                        names.append(candidate.getpeername())
                    found += any(str(name).startswith(folder) for name in names)
    return found


# The end


def test_after_the_end_a_call_says_so(demo: DemoProvider, pool: ProcessPoolExecutor) -> None:
    """Whoever ended it; and the process is told, and forgets its token, before it asks."""
    api = sign_in(demo)
    share = api.share_with(multiprocessing)
    text = pickle.dumps(api)
    assert pool.submit(what_a_task_has_of, text).result()[2]
    assert [each.worker.partition(" ")[0] for each in share.holders] == ["process"]
    assert "a token is held by process" in repr(share)
    share.close()
    wait_for(lambda: not pool.submit(has_a_token, text).result(), "the token to be forgotten")
    with pytest.raises(authnb.ShareError, match="it was closed"):
        pool.submit(what_a_task_has_of, text).result()


def what_a_task_has_of(text: bytes) -> tuple[int, bool, bool, str]:
    return what_a_task_has(pickle.loads(text))  # noqa: S301 - of this test


def has_a_token(text: bytes) -> bool:
    api = pickle.loads(text)  # noqa: S301 - of this test
    return bool(api.token["access_token"]) or api.signed_in


def test_signing_out_ends_the_share(demo: DemoProvider, pool: ProcessPoolExecutor) -> None:
    api = sign_in(demo)
    api.share_with(multiprocessing)
    text = pickle.dumps(api)
    assert pool.submit(what_a_task_has_of, text).result()[0] == 200
    api.logout()
    with pytest.raises(authnb.ShareError, match="signed out"):
        pool.submit(what_a_task_has_of, text).result()


@pytest.mark.usefixtures("_channel")
def test_the_end_of_the_kernel_is_noticed(demo: DemoProvider) -> None:
    """However it came, and though a process that it forked lives on."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    kernel = context.Process(target=share_until_killed, args=(demo, there))
    kernel.start()
    text, child = here.recv()
    try:
        api = pickle.loads(text)  # noqa: S301 - of this test
        assert status(api) == 200
        kernel.kill()
        wait_for(lambda: not api.signed_in, "the token to be forgotten")
        assert api.token["access_token"] == ""
        assert failure(partial(status, api)).error == "share_ended"
    finally:
        kernel.kill()
        kernel.join()
        os.kill(child, signal.SIGKILL)


def share_until_killed(demo: DemoProvider, connection: Any) -> None:
    api = sign_in(demo)
    share = api.share_with(multiprocessing)
    child = multiprocessing.get_context("fork").Process(target=signal.pause)
    child.start()
    connection.send((pickle.dumps(api), child.pid))
    signal.pause()
    share.close()


def test_who_waits_for_a_renewal_is_told_of_the_end(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """And neither end of it waits for the provider."""
    api = sign_in(demo, token_proxy)
    token_proxy.outcome = lambda: "stall"
    share = api.share_with(multiprocessing)
    context = multiprocessing.get_context("fork")
    age(api)
    here, there = context.Pipe()
    child = context.Process(target=lambda: there.send(failure(partial(status, api)).error))
    child.start()
    assert token_proxy.wait_for(1)
    share.close()
    assert here.recv() == "share_ended"
    child.join()


def test_a_new_share_after_the_end_of_another(demo: DemoProvider, pool: ProcessPoolExecutor) -> None:
    """Of the same account and of another: each has its own session there."""
    ada, bob = sign_in(demo), sign_in(demo, name="bob")
    for _ in range(2):
        with ada.share_with(multiprocessing), bob.share_with(pool):
            first, second = pool.map(subject, [ada, bob])
        assert {first, second} == {ada.user["sub"], bob.user["sub"]}
        assert first == ada.user["sub"]


def subject(api: Any) -> str:
    return str(api.get(renewer(api).client.provider.issuer + "/userinfo").json()["sub"])


# Trouble


def test_a_provider_in_trouble_is_waited_out(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """Though the token has expired; no call is lost."""
    api = sign_in(demo, token_proxy)
    outcomes = iter(["503", "reset"])
    token_proxy.outcome = lambda: next(outcomes, "pass")
    with api.share_with(multiprocessing):
        age(api)
        assert in_fork(lambda: status(api)) == 200
    assert token_proxy.outcomes == ["503", "reset", "pass"]


def test_a_refused_renewal_is_told_as_it_is_here(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the provider is not asked again for every call of every process, but after a pause."""
    monkeypatch.setattr(
        supply, "_FIRST_PAUSE", 600.0
    )  # on a busy machine five calls take longer than the real one
    api = sign_in(demo, token_proxy)
    token_proxy.outcome = lambda: "denied"

    def use() -> list[Any]:
        errors = [failure(partial(status, api)) for _ in range(5)]
        return [{type(error) for error in errors}, {str(error) for error in errors}, api.signed_in]

    with api.share_with(multiprocessing):
        age(api)
        kinds, texts, signed_in = in_fork(use)
        assert kinds == {authnb.LoginRequired}
        assert len(texts) == 1
        assert "no longer renews this sign-in (invalid_grant)" in texts.pop()
        assert not signed_in
        assert not api.signed_in, "here it is known too"
        assert token_proxy.outcomes == ["denied"]


def test_clocks_may_differ(demo: DemoProvider, pool: ProcessPoolExecutor) -> None:
    """What is passed on is the seconds that are left, by the provider's clock."""
    api = sign_in(demo, clock_error=3600)
    with api.share_with(multiprocessing):
        left = pool.submit(seconds_left, api).result()
    assert 3000 < left <= 3600


def seconds_left(api: Any) -> float:
    status(api)
    return float(api.token["expires_at"] - api.provider_time())


@pytest.mark.usefixtures("_channel")
def test_strangers_are_not_answered(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """Nor do they disturb: who sends nothing, garbage, too much, or a request with another key."""
    api = sign_in(demo, token_proxy)
    with api.share_with(multiprocessing):
        address = channel_address(api)
        age(api)
        held = []
        forged = b"0" * 64 + b' {"process": 1, "serial": 0, "has": "", "patience": 0}\n'
        for sent in (b"", b"{}\n", b"[" * 5000 + b"\n", b"x" * (1 << 21), forged):
            stranger = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
            stranger.connect(address)
            with suppress(ConnectionError):
                stranger.sendall(sent)
            held.append(stranger)
        for stranger in held[1:]:
            with suppress(ConnectionError):
                assert stranger.recv(1) == b""
        assert in_fork(lambda: status(api)) == 200
        assert token_proxy.outcomes == ["pass"]
    for stranger in held:
        stranger.close()


def channel_address(api: Any) -> Any:
    """Where the share listens."""
    found = json.loads((Path(api.references[0].address) / "share").read_bytes())["address"]
    return found if isinstance(found, str) else tuple(found)


def test_another_who_listens_there_is_not_believed(demo: DemoProvider, tmp_path: Path) -> None:
    """A port may be another's by now: it does not learn the key, and its token is not used."""
    api = sign_in(demo)
    key = "0123456789abcdef" * 4
    with api.share_with(multiprocessing), socket.create_server(("127.0.0.1", 0)) as stranger:
        where = {"address": stranger.getsockname(), "key": key}
        owner_only.write(tmp_path / "share", json.dumps(where).encode())
        elsewhere = replace(api.references[0], name="moved", address=str(tmp_path))
        heard = []

        def answer() -> None:
            connection, _ = stranger.accept()
            with connection:
                heard.append(connection.recv(4096))
                grant = Grant(serial=1, access_token="another's", left=3600)
                mac = heard[0][:64]
                connection.sendall(mac + b" " + json.dumps(grant.to_message()).encode() + b"\n")

        thread = threading.Thread(target=answer)
        thread.start()
        moved = member.join((elsewhere,), Session.from_share)
        assert failure(partial(status, moved)).error == "share_ended"
        thread.join()
    assert key.encode() not in heard[0]
    assert bytes.fromhex(key) not in heard[0]


@pytest.mark.usefixtures("_channel")
@pytest.mark.parametrize(("name", "mode"), [("share", 0o644), (".", 0o777)])
def test_nobody_else_can_read_where_it_is(demo: DemoProvider, name: str, mode: int) -> None:
    """What others could read or replace is not used."""
    api = sign_in(demo)
    with api.share_with(multiprocessing):
        folder = Path(api.references[0].address)
        assert [folder.stat().st_mode & 0o777, (folder / "share").stat().st_mode & 0o777] == [0o700, 0o600]
        age(api)
        assert in_fork(lambda: status(api)) == 200
        (folder / name).chmod(mode)
        age(api)
        assert in_fork(lambda: failure(partial(status, api)).error) == "share_not_found"
    assert not folder.exists()


# On a worker


def test_a_worker_signs_out_for_itself(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, pool: ProcessPoolExecutor
) -> None:
    api = sign_in(demo, token_proxy)
    with api.share_with(multiprocessing):
        text = pool.submit(sign_out, api).result()
        assert "nothing revoked" in text
        assert "shared" in text
        assert in_fork(lambda: (str(api.logout()), failure(partial(status, api)).error)) == (
            text,
            "login_required",
        )
        assert in_fork(lambda: status(api)) == 200
        assert status(api) == 200


def sign_out(api: Any) -> str:
    status(api)
    return str(api.logout())


def test_a_worker_cannot_derive_what_takes_the_refresh_token(demo: DemoProvider) -> None:
    api = sign_in(demo)
    with api.share_with(multiprocessing):
        for derive in (
            lambda: api.for_audience("https://archive.example.org"),
            lambda: api.share_with(multiprocessing, scope="openid"),
        ):
            assert in_fork(lambda derive=derive: failure(derive).error) == "worker_session"


def test_a_worker_shares_with_processes_of_its_own(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, pool: ProcessPoolExecutor
) -> None:
    """Which may be elsewhere than the kernel's."""
    api = sign_in(demo, token_proxy)
    with api.share_with(multiprocessing):
        age(api)
        assert pool.submit(share_again, api).result() == (200, True)
        assert token_proxy.outcomes == ["pass"] * 2


def share_again(api: Any) -> tuple[int, bool]:
    with api.share_with(multiprocessing):
        age(api)
        return in_fork(lambda: status(api)), len(api.references) == 2


def test_a_narrowed_share_is_all_that_a_child_has(demo: DemoProvider) -> None:
    """Also of the session that it has from the fork."""
    api = sign_in(demo)
    with api.share_with(multiprocessing, scope="openid"):
        scope, token = in_fork(lambda: (api.token["scope"], api.token["access_token"]))
        assert scope == "openid"
        assert token != api.token["access_token"]
        renewed = in_fork(lambda: (age(api), failure_status(api), api.token["scope"])[1:])
        assert renewed == (403, "openid")
    assert "measurements:read" in api.token["scope"]


def failure_status(api: Any) -> int:
    return int(api.get("/measurements").status_code)


def test_a_session_with_a_client_secret_is_shared_without_it(
    demo: DemoProvider, pool: ProcessPoolExecutor
) -> None:
    login = authnb.login(
        demo.issuer,
        client_id=demo.job_client_id,
        client_secret=demo.job_client_secret,
        mode="client_credentials",
        scope="measurements:read",
        view=None,
        api=demo.api,
    )
    api = login.wait(60)
    with api.share_with(multiprocessing):
        assert demo.job_client_secret.encode() not in pickle.dumps(api)
        assert pool.submit(status, api).result() == 200
        age(api)
        assert pool.submit(status, api).result() == 200
        assert in_fork(lambda: renewer(api).client.client_secret) is None


def test_looking_at_a_session_never_fails(demo: DemoProvider) -> None:
    """As Ray and debuggers do with what they cannot pickle, whatever is installed."""
    api = sign_in(demo)
    for each in (api, api.credentials):
        assert dict(inspect.getmembers(each))
        assert dir(each)
