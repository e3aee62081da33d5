"""No adapter tells a token: in its repr, in what it holds, and in what its library logs, raises and prints."""

from __future__ import annotations

import copy
import logging
import os
import pickle
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from demo_session import age, sign_in
from every_client import CLIENTS, Client, Target, called, every_api, tls_context
from storage_servers import TokenServer

from authnb.adapters.credentials import Adapter, Credentials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import trustme

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

pytestmark = pytest.mark.filterwarnings("ignore:table_names")  # of lancedb, for a name of its own
NAMES = [name for name, each in vars(Credentials).items() if isinstance(each, Adapter)]


def told(made: Any) -> str:
    """What can be read of an object: its repr and attributes, and its pickle if it is pickled."""
    texts = [repr(made), str(made), repr(getattr(made, "__dict__", {}))]
    for write in (pickle.dumps, copy.deepcopy):
        try:
            texts.append(repr(write(made)))
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            texts.append(str(error))
    return "\n".join(texts)


@pytest.mark.parametrize("name", NAMES)
def test_no_token_in_an_adapter(session: Session, name: str) -> None:
    secrets = [session.token["access_token"], session.token["refresh_token"]]
    text = told(getattr(session.credentials, name))
    assert not [secret for secret in secrets if secret in text]


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All that any logger says at DEBUG, also one that keeps it from its parents or has a level of its own."""
    known = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    before = [(each, each.level, each.propagate, each.disabled) for each in known]
    for each in known:
        each.setLevel(logging.NOTSET)
        each.propagate, each.disabled = True, False
    with caplog.at_level(logging.DEBUG):
        yield caplog
    for each, level, propagate, disabled in before:
        each.setLevel(level)
        each.propagate, each.disabled = propagate, disabled


@pytest.mark.parametrize("client", CLIENTS, ids=lambda each: each.name)
def test_no_token_in_what_a_library_tells(
    client: Client,
    demo: DemoProvider,
    authority: tuple[trustme.CA, Path],
    ca_file: str,
    logs: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Of a call that succeeds, one that is refused with a 401, and one after a logout."""
    with TokenServer(demo, every_api, tls_context(authority[0]) if client.tls else None) as server:
        session = sign_in(demo, api=server.url)
        texts, secrets = [], set()

        def call() -> bool:
            with ExitStack() as stack:
                to = Target(url=server.url, session=session, ca=ca_file, stack=stack)
                texts.append(called(client, to))
            texts.extend(os.environ.values())
            if session.token:
                secrets.update((session.token["access_token"], session.token["refresh_token"]))
            return any(server.tokens)

        assert call()
        age(session)
        assert call()
        session.token = {**session.token, "access_token": "refused-" + session.token["access_token"]}
        call()
        session.logout()
        call()
    texts += [record.getMessage() + str(record.exc_info or "") for record in logs.records]
    texts += capfd.readouterr()
    assert len(secrets) >= 4
    assert [text[:300] for text in texts if any(secret in text for secret in secrets)] == []
