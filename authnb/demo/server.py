"""The provider on a thread of this process."""

from __future__ import annotations

import errno
import logging
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self
from urllib.parse import urlsplit

import waitress  # type: ignore[import-untyped] # it has no types
from waitress import wasyncore

from authnb.demo.app import JOB_CLIENT_ID, NATIVE_CLIENT_ID, WEB_CLIENT_ID, create_app
from authnb.demo.context import Settings
from authnb.demo.database.engine import Database
from authnb.demo.database.models import Client
from authnb.demo.running import RunningProvider, known_issuers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

THREADS = 32  # some of them for those who wait while passwords are hashed (see accounts); each costs a little
CONNECTIONS = (
    900 if hasattr(select, "poll") else 400
)  # without it there is select(), which takes 512 on Windows
IDLE = 30  # seconds, after which a connection is closed: a class keeps many open
HOST = "127.0.0.1"


class PortInUse(OSError):
    """Another program listens on the port that the provider was to have."""


class DemoProvider(RunningProvider):
    """An OpenID Provider and a protected API, on 127.0.0.1, while the `with` block lasts.

    `database` is a path or an SQLAlchemy URL; without one all is forgotten at the end. `port` 0 takes a free one;
    one in use raises PortInUse. `issuer` is the address under which people reach it, if not its own: that of a proxy
    which hands on the whole path, such as a JupyterHub with this as its service, or another name of this computer;
    `{port}` in it stands for the port; ValueError if it cannot be one. `redirect_uris` are further addresses that the
    notebooks' client may be answered at, each compared as it stands. Lifetimes and the interval are seconds, `clock`
    gives seconds since 1970. A refresh token that is used is replaced by one that lives as long again, but none lives
    longer than `sign_in_lifetime` from when the person signed in. `refresh_lifetime_member` is the member of a token
    response that states how long the refresh token lives, such as Keycloak's `refresh_expires_in`; none does so
    without it, and with `refresh_token_timeout` `authorization_expires_in` states the rest of the sign-in's.

    Public clients may register themselves (RFC 7591, 7592) unless `registration` is False: so many a minute and so many
    in all, each forgotten after an hour without a token, or `registration_lifetime` seconds after its last one.
    `resource_metadata` is where the APIs say whom they trust (RFC 9728): in the challenge of a 401 and at the
    well-known address, at the latter only, or (None) nowhere. With `jwt_access_tokens` access tokens are JWTs (RFC
    9068); else they mean nothing to those who read them. With `second_factor` False the provider ignores `acr_values`
    (RFC 9470), so that an API that wants a second factor wants it in vain.

    With `dpop="offered"` a token request with a DPoP proof (RFC 9449) gets tokens that are bound to its key, and with
    "required" there are no others; proofs need a nonce of the provider's. By default there are bearer tokens alone.
    `pushed_requests` is the same for authorization requests that clients push (RFC 9126). `client_keys` gives clients
    public keys, a JWK set for each client id, by which they authenticate in place of what they had (`private_key_jwt`,
    RFC 7523); given at all, clients may register so, too. ValueError if there is no such client, or a key is of no use.

    `seed` is for documents and lessons: what the provider makes up (codes, tokens, secrets and identifiers of clients,
    subjects, nonces, `kid`) is then the same in each run and begins with `learn_`, and `Date` is by its clock. So
    everybody who knows the seed can compute each token and use it: never sign in there as somebody who exists.
    ValueError with an issuer that is not this computer's, or with a database.
    """

    def __init__(
        self,
        database: str | Path | None = None,
        port: int = 0,
        *,
        issuer: str | None = None,
        redirect_uris: Iterable[str] = (),
        access_token_lifetime: int = 3600,
        refresh_token_lifetime: int = 30 * 24 * 3600,
        sign_in_lifetime: int | None = None,
        refresh_lifetime_member: str | None = None,
        code_lifetime: int = 60,
        device_code_lifetime: int = 600,
        device_interval: int = 5,
        registration: bool = True,
        registration_lifetime: int = 30 * 24 * 3600,
        registrations_per_minute: int = 120,
        most_registrations: int = 5000,
        resource_metadata: Literal["challenge", "well-known"] | None = "challenge",
        jwt_access_tokens: bool = False,
        second_factor: bool = True,
        dpop: Literal["offered", "required"] | None = None,
        pushed_requests: Literal["offered", "required"] | None = None,
        client_keys: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
        seed: str | None = None,
    ) -> None:
        if seed is not None:
            _check_seed(issuer, database)
        self._database_url = database
        self._port = port
        self._public = _checked(issuer) if issuer else None
        self._redirect_uris = tuple(redirect_uris)
        self._clock = clock
        self._settings = Settings(
            access_token_lifetime=access_token_lifetime,
            refresh_token_lifetime=refresh_token_lifetime,
            sign_in_lifetime=sign_in_lifetime,
            refresh_lifetime_member=refresh_lifetime_member,
            code_lifetime=code_lifetime,
            device_code_lifetime=device_code_lifetime,
            device_interval=device_interval,
            registration=registration,
            registration_lifetime=registration_lifetime,
            registrations_per_minute=registrations_per_minute,
            most_registrations=most_registrations,
            resource_metadata=resource_metadata,
            jwt_access_tokens=jwt_access_tokens,
            second_factor=second_factor,
            dpop=dpop,
            pushed_requests=pushed_requests,
            client_keys=client_keys,
            seed=seed,
        )
        self._database: Database | None = None
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._sockets: dict[int, Any] = {}

    web_client_id = WEB_CLIENT_ID
    client_id = NATIVE_CLIENT_ID
    job_client_id = JOB_CLIENT_ID

    @property
    def web_client_secret(self) -> str:
        """The secret of the confidential client; another one in each database."""
        return self._secret(WEB_CLIENT_ID)

    @property
    def job_client_secret(self) -> str:
        """The secret of the client that acts for itself (RFC 6749 section 4.4); another one in each database."""
        return self._secret(JOB_CLIENT_ID)

    def _secret(self, client_id: str) -> str:
        if not self._database:
            raise RuntimeError("The provider is not running.")
        with self._database.sessions.begin() as session:
            return session.get_one(Client, client_id).secret or ""

    def __getattr__(self, name: str) -> NoReturn:
        if name in {"issuer", "api", "_person"}:
            raise AttributeError(
                "The provider is not running: call .start() on it, or use it in a with block, as in "
                "with DemoProvider() as demo."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def start(self) -> Self:
        """Open the port and answer; raises PortInUse."""
        if self._thread:
            return self
        listener = _listen(self._port)
        try:
            self._database = Database(self._database_url)
            port = listener.getsockname()[1]
            issuer = f"http://{HOST}:{port}"
            if self._public is not None:
                issuer = self._public.replace("{port}", str(port))
            app = create_app(issuer, self._database, self._settings, self._clock, self._redirect_uris)
        except BaseException:
            listener.close()
            self.close()
            raise
        # waitress warns when requests wait for a thread, which is what threads are for
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._server = waitress.create_server(
            app,
            sockets=[listener],
            map=self._sockets,
            threads=THREADS,
            ident=None,
            connection_limit=CONNECTIONS,
            asyncore_use_poll=True,
            channel_timeout=IDLE,
            cleanup_interval=IDLE // 3,
            url_scheme=urlsplit(issuer).scheme,
            url_prefix=urlsplit(issuer).path,
        )
        # Head and body of an answer go in one packet, or the threads would take turns between the two. Given above, it
        # warns that it may go one day; then this does nothing.
        self._server.adj.send_bytes = 18_000
        self._thread = threading.Thread(target=self._server.run, name="authnb-demo", daemon=True)
        self._thread.start()
        self._attach(issuer)
        known_issuers.add(issuer)
        return self

    def close(self) -> None:
        """Stop answering; the port is free and the thread gone when this returns. Twice is once."""
        if self._thread:
            self._server.task_dispatcher.shutdown()
            trigger = self._server.trigger
            with (
                trigger.lock
            ):  # or the loop, awake for another reason, closes the pipe before it is written to
                trigger.thunks.append(lambda: wasyncore.close_all(self._sockets))
                trigger.pull_trigger()
            self._thread.join()
            self._thread = self._server = None
            known_issuers.discard(self.issuer)  # its port may be a stranger's next
        if self._database:
            self._database.close()
            self._database = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_seed(issuer: str | None, database: str | Path | None) -> None:
    if issuer and urlsplit(issuer).hostname not in {HOST, "localhost", "::1"}:
        raise ValueError(
            f"seed= makes tokens that everybody can compute, and people elsewhere reach {issuer}: leave one of the "
            "two out."
        )
    if database is not None:
        raise ValueError(
            "With seed= each start makes the same tokens, so nothing is kept: leave database out."
        )


def _checked(issuer: str) -> str:
    parts = urlsplit(issuer)
    https = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {HOST, "localhost"})
    if not (https and parts.hostname) or parts.query or parts.fragment:
        raise ValueError(
            f"{issuer!r} cannot be an issuer. Give an https address (http only on this computer), such as "
            "https://hub.example.org/services/authnb."
        )
    return issuer.rstrip("/")


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise OSError(error.errno, f"Port {port} on {HOST} cannot be opened: {error.strerror}.") from None
        raise PortInUse(
            error.errno,
            f"Port {port} on {HOST} is in use. Stop the program that listens there, or choose another port; "
            "port=0 takes a free one.",
        ) from None
