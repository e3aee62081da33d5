"""Storage of sign-ins: the protocol, and storage in memory, the default. See `authnb.storage.files` for files."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from authnb.compat import register_fork_aware
from authnb.errors import ProviderError, StorageError
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider
from authnb.oauth.responses import Token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager


@dataclass(frozen=True, kw_only=True)
class Account:
    """The key of a stored sign-in: a ``profile`` at an issuer, for a client.

    As the caller of `authnb.login` named them: where that is the API alone, ``issuer`` is the API's address, and
    ``client_id`` is empty for a client that authnb registered itself. `SignIn` has what was found.
    """

    profile: str
    issuer: str
    client_id: str


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """A stored sign-in: the token, its provider, and the requested scope.

    ``name``: the provider's display name in `authnb.login`. ``refused``: whether the provider or an API refused its
    token, so that the next sign-in must replace it. ``resource``: the APIs that its tokens are requested for (RFC
    8707). ``has_secret``: whether the client has a secret, without which the token cannot be renewed;
    ``client_key_file``: the path of the file with its private key, for one that has a key instead. ``replaced``:
    the refresh tokens of sign-ins of the same person that this one took the place of, to be revoked with it.
    ``client_id``: the client that authnb registered itself, with ``client_secret`` and ``token_endpoint_auth_method``,
    if it has them; empty for that of the account. ``api``: the API that said where to sign in, if the caller named no
    issuer.
    """

    token: Token
    provider: Provider
    scope: str
    name: str = ""
    refused: bool = False
    resource: tuple[str, ...] = ()
    has_secret: bool = False
    client_key_file: str = ""
    replaced: tuple[str, ...] = field(default=(), repr=False)
    client_id: str = ""
    client_secret: str | None = field(default=None, repr=False)
    token_endpoint_auth_method: str | None = None
    api: str = ""

    def issuer(self, account: Account) -> str:
        """Where this account is signed in."""
        return self.provider.issuer if self.api else account.issuer

    def client(self, account: Account, client_secret: str | None = None) -> Client:
        """The client that this account signed in with; ``client_secret``: of one that the caller named."""
        has_key = self.client_key_file and client_secret is None
        return Client(
            self.provider,
            client_id=self.client_id or account.client_id,
            client_secret=client_secret if self.client_secret is None else self.client_secret,
            client_key=Path(self.client_key_file) if has_key else None,
            token_endpoint_auth_method=self.token_endpoint_auth_method,
            scope=self.scope,
            resource=self.resource,
        )

    def to_json(self) -> str:
        """The sign-in as JSON, tokens included: a storage must keep it where nobody else can read it."""
        provider = {f.name: getattr(self.provider, f.name) for f in fields(Provider) if f.init}
        members = {f.name: getattr(self, f.name) for f in fields(self)} | {"provider": provider}
        return json.dumps(members, default=_as_json)

    @classmethod
    def from_json(cls, text: str | bytes) -> SignIn:
        """The inverse of `to_json`; `StorageError` with the code ``corrupt`` for any other text."""
        try:
            stored = json.loads(text)
            known = {f.name for f in fields(Provider) if f.init}
            members = [(k, v) for k, v in stored["provider"].items() if k in known]
            provider: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in members}
            return cls(
                token=_read_token(stored["token"]),
                provider=Provider(**provider),
                scope=str(stored["scope"]),
                name=str(stored.get("name", "")),
                refused=stored.get("refused") is True,
                resource=tuple(map(str, stored.get("resource", ()))),
                has_secret=stored.get("has_secret") is True,
                client_key_file=str(stored.get("client_key_file", "")),
                replaced=tuple(map(str, stored.get("replaced", ()))),
                client_id=str(stored.get("client_id", "")),
                client_secret=_optional_text(stored, "client_secret"),
                token_endpoint_auth_method=_optional_text(stored, "token_endpoint_auth_method"),
                api=str(stored.get("api", "")),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ProviderError):
            raise StorageError(
                "corrupt", "The stored data is not a sign-in. Sign in again; that replaces it."
            ) from None


def registered_client(account: Account, client: Client) -> dict[str, Any]:
    """The members of a `SignIn` for a client that authnb registered itself; none for one that the account names."""
    if account.client_id:
        return {}
    return {
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
    }


def _as_json(value: Any) -> Any:
    as_jwk = getattr(value, "as_jwk", None)  # the key that a token is bound to
    return asdict(value) if as_jwk is None else as_jwk()


def _read_token(members: Mapping[str, Any]) -> Token:
    """A stored token, with the key that it is bound to, if it is; `ValueError` if one is there without the other."""
    if members.get("token_type") != "DPoP":
        if "dpop_key" in members:
            raise ValueError("A key, and no token that is bound to it.")
        return Token(members)
    from authnb.oauth.dpop import DPoPKey  # noqa: PLC0415 - few tokens are bound to a key

    return Token({**members, "dpop_key": DPoPKey.from_jwk(members.get("dpop_key", {}))})


def _optional_text(stored: Mapping[str, Any], name: str) -> str | None:
    value = stored.get(name)
    return None if value is None else str(value)


class TokenStorage(Protocol):
    """Stores sign-ins. Each method may raise `StorageError`; none may lose what was saved before.

    The code ``corrupt`` means that the stored data can never be read again and may be overwritten; with any other code
    it is left alone.
    """

    def load(self, account: Account) -> SignIn | None:
        """The stored sign-in, or None."""

    def save(self, account: Account, sign_in: SignIn) -> None:
        """Replace the stored sign-in, atomically."""

    def remove(self, account: Account) -> None:
        """Delete the stored sign-in, if there is one."""

    def lock(self, account: Account) -> AbstractContextManager[None]:
        """Held during a renewal, so that of several users of one account only one renews.

        Its holder may load, save and remove. A storage that could not save raises here, before the refresh token is
        used up.
        """


class MemoryStorage:
    """Stores sign-ins in memory, for the life of this process."""

    def __init__(self) -> None:
        self._sign_ins: dict[Account, SignIn] = {}
        self._locks: dict[Account, threading.Lock] = {}
        register_fork_aware(self)

    def __repr__(self) -> str:
        return f"MemoryStorage({len(self._sign_ins)} sign-ins)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "This sign-in is kept in the memory of its process and is not pickled. Share it with the workers, "
            "api.share_with(…), and its session finds itself again there; or hand over headers_for(url)."
        )

    def after_fork(self) -> None:
        """Leave a forked process no refresh token: its parent could not be told of the one that replaces it."""
        self._locks = {}
        for account, sign_in in self._sign_ins.items():
            token = sign_in.token.without_refresh_token()
            self._sign_ins[account] = replace(sign_in, token=token, replaced=())

    def load(self, account: Account) -> SignIn | None:
        """The stored sign-in, or None."""
        return self._sign_ins.get(account)

    def save(self, account: Account, sign_in: SignIn) -> None:
        """Replace the stored sign-in."""
        self._sign_ins[account] = sign_in

    def remove(self, account: Account) -> None:
        """Delete the stored sign-in, if there is one."""
        self._sign_ins.pop(account, None)

    @contextmanager
    def lock(self, account: Account) -> Iterator[None]:
        """Held during a renewal."""
        with self._locks.setdefault(account, threading.Lock()):
            yield


memory: MemoryStorage = MemoryStorage()
unstored: MemoryStorage = MemoryStorage()  # sign-ins to be remembered that another storage could not keep
