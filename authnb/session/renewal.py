"""Renewal of a stored sign-in: one token request for all threads and processes, saved before use, revoked at logout."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from authnb.errors import AuthnbError, InvalidToken, LoginFailed, LoginRequired, ProviderError, StorageError
from authnb.oauth.client import TOKEN_EXCHANGE
from authnb.oauth.refresh import refresh_lifetime
from authnb.oauth.responses import Token
from authnb.oauth.scope import union
from authnb.storage.base import SignIn, registered_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authnb.oauth.client import Client
    from authnb.oauth.provider import Provider
    from authnb.storage.base import Account, TokenStorage

LEEWAY = 240.0  # seconds before expiry at which a long-lived token is renewed
_MOST_REPLACED = 10  # refresh tokens kept to be revoked
# Errors of a token endpoint that is where the metadata says; after any other the metadata is read again
_ENDPOINT_WORKS = {"invalid_grant", "server_error", "temporarily_unavailable"}


def expires_soon(token: Mapping[str, Any], now: float, max_leeway: float = LEEWAY) -> bool:
    """Whether to renew a token: ``max_leeway`` seconds before it expires, at most a quarter of its lifetime."""
    expires_at = token.get("expires_at")
    if not isinstance(expires_at, int | float) or expires_at - max_leeway > now:
        return False
    lifetime = token.get("expires_in")
    leeway = min(max_leeway, lifetime / 4) if isinstance(lifetime, int | float) else max_leeway
    return expires_at - leeway <= now


@dataclass(frozen=True, kw_only=True)
class SignedOut:
    """The result of `logout`: tokens revoked, problems, and the URL that ends the provider's own session."""

    revoked: tuple[str, ...]
    problems: tuple[str, ...]
    end_session_uri: str | None

    def __repr__(self) -> str:
        done = f"revoked at the provider: {', '.join(self.revoked)}" if self.revoked else "nothing revoked"
        text = f"Signed out ({done})."
        if self.problems:
            text += " Not possible: " + " ".join(self.problems)
        if self.end_session_uri:
            text += f" Your browser may still be signed in at the provider; {self.end_session_uri} ends that."
        return text


@dataclass(kw_only=True, eq=False)
class TokenRenewer:
    """Renews the sign-in that ``client`` made and ``storage`` keeps under ``account``.

    ``reissue`` requests another token where no refresh token is needed: client credentials, workload tokens.
    ``forked``: this process was forked from the one that signed in, and their storage is not shared.
    ``rediscover`` reads the provider's metadata again, where its endpoints were not given by the caller.
    """

    client: Client
    account: Account
    storage: TokenStorage
    reissue: Callable[[], Token] | None = None
    forked: bool = False
    rediscover: Callable[[], Provider] | None = None
    _superseded: str | None = field(default=None, init=False, repr=False)  # stored, but used up by a renewal
    _refused: tuple[str, str] | None = field(default=None, init=False, repr=False)  # token, error text

    def renew(self, token: Token) -> tuple[Token, bool]:
        """A token to replace this one: a newer one that another process stored, else a renewed one.

        The second value says whether a token request was made. The token is stored when this returns, or a warning
        says why not. Raises `LoginRequired` if a new sign-in is needed, `ProviderError` or `StorageError` if a later
        attempt may succeed.
        """
        try:
            with self.storage.lock(self.account):
                return self._renew(token)
        except StorageError:
            if self._superseded is not None:  # the stored token is used up anyway
                return self._refresh(token, None), True
            # Storage that cannot be locked may still be readable
            newer = self._newer_stored_token(token)
            if newer is None:
                raise
            return newer, False

    def logout(self, token: Mapping[str, Any]) -> SignedOut:
        """Remove the stored sign-in and revoke its tokens; every step is attempted even if an earlier one fails."""
        revoked, problems = [], []
        replaced: tuple[str, ...] = ()
        try:
            with self.storage.lock(self.account):
                token, replaced = self._remove(token)
        except StorageError as error:
            try:  # a full disk cannot be locked for saving, but removing needs no space
                if error.error == "locked":
                    raise
                token, replaced = self._remove(token)
            except StorageError as failure:
                problems.append(failure.description)
        tokens = [(name, token[name]) for name in ("refresh_token", "access_token") if name in token]
        for name, text in (*tokens, *(("refresh_token", each) for each in replaced)):
            try:
                self.client.revoke(text, name)
                revoked.append(name)
            except AuthnbError as error:
                problems.append(error.description)
        end_session = self.client.provider.end_session_endpoint
        parameters = self.client.provider.quirks.end_session_parameters
        missing = [name for name, value in parameters.items() if not value]
        if end_session is not None and missing:
            end_session = None
            problems.append(
                f"{self.client.provider.host} ends the session in your browser only with {missing[0]}, a URL "
                "registered with the client: use dataclasses.replace on the provider's quirks to set "
                f"end_session_parameters={{{missing[0]!r}: 'https://…'}}."
            )
        elif end_session is not None:
            # OpenID Connect RP-Initiated Logout section 2; no id_token_hint, because the URL is displayed
            query = urlencode({"client_id": self.client.client_id, **parameters})
            end_session += ("&" if "?" in end_session else "?") + query
        return SignedOut(
            revoked=tuple(dict.fromkeys(revoked)),
            problems=tuple(dict.fromkeys(problems)),
            end_session_uri=end_session,
        )

    def token_for(
        self, token: Token, *, resource: str | None, audience: str | None, scope: str | None
    ) -> Token:
        """An access token for another API, or with a narrower scope, by the same sign-in.

        By token exchange (RFC 8693) where the provider offers it, else by the refresh token (RFC 8707 section 2.2),
        whose successor is stored. Raises `LoginRequired` without a refresh token, `ProviderError` if it is refused.
        """
        if TOKEN_EXCHANGE in self.client.provider.grant_types_supported:
            return self.client.exchange(token, resource=resource, audience=audience, scope=scope)
        if audience is not None:
            raise ProviderError(
                "not_supported",
                f"{self.client.provider.host} offers no token exchange (RFC 8693). Give the API's URL in place of "
                f"{audience!r}.",
            )
        with self.storage.lock(self.account):
            stored = self._load(token)
            newest = token if stored is None else stored.token
            if "refresh_token" not in newest:
                raise LoginRequired(
                    "login_required",
                    f"{self.client.provider.host} gave no refresh token, which a token for another API takes. Sign in "
                    "for that API, with resource=; scope 'offline_access' may give a refresh token.",
                )
            response = self.client.request_refresh(newest, resource=resource, scope=scope)
            successor = response.pop("refresh_token", None)
            if stored is not None and successor is not None:
                lifetime = refresh_lifetime(newest, {**response, "refresh_token": successor})
                renewed = Token({**newest, **lifetime, "refresh_token": successor})
                self._save(stored, replace(stored, token=renewed))
        response.pop("id_token", None)
        return Token(response)

    def take_over(self, new: TokenRenewer) -> None:
        """Renew the sign-in of this one from now on; who holds this renewer, such as `for_audience`, follows."""
        vars(self).update(vars(new))

    def reject(self, token: Mapping[str, Any]) -> None:
        """Note that an API refused this token and it cannot be renewed: the next sign-in replaces it."""
        with suppress(StorageError), self.storage.lock(self.account):
            self._mark_refused(token)

    def _mark_refused(self, token: Mapping[str, Any]) -> None:
        with suppress(StorageError):
            stored = self.storage.load(self.account)
            if stored is not None and _same_token(stored.token, token) and not stored.refused:
                self.storage.save(self.account, replace(stored, refused=True))

    def _renew(self, token: Token) -> tuple[Token, bool]:
        stored = self._load(token)
        newest = token
        if stored is not None and stored.token["access_token"] != self._superseded:
            newest = stored.token
            if set(self.client.scope.split()) < set(stored.scope.split()):  # another process asked for more
                self.client = replace(self.client, scope=stored.scope)
        if not _same_token(newest, token) and not self._expires_soon(newest):
            return newest, False
        return self._refresh(newest, stored), True

    def _remove(self, token: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Remove the stored sign-in; its newest token, and the refresh tokens that it replaced."""
        stored = self._load(token)
        if stored is None:
            return token, ()
        self.storage.remove(self.account)
        newest = token if stored.token["access_token"] == self._superseded else stored.token
        return newest, stored.replaced

    def replace(self, old: Token, new: Token, client: Client) -> Token:
        """Renew this sign-in instead of that of ``old``, by the same person; the token to use.

        It is stored when this returns, or a warning says why not. Where the provider sent no refresh token, that of
        the old sign-in is kept: it renews what was granted then. Others are revoked with the new one, not before:
        there are providers that end all sign-ins of a person and client with one of them.
        """
        if "refresh_token" not in new and "refresh_token" in old:
            new = Token({**new, "refresh_token": old["refresh_token"]})
        try:
            with self.storage.lock(self.account):
                if (stored := self._load(old)) is not None:
                    before = [*stored.replaced, stored.token.get("refresh_token")]
                    replaced = [str(each) for each in before if each not in {None, new.get("refresh_token")}]
                    sign_in = replace(
                        stored,
                        token=new,
                        provider=client.provider,
                        scope=union(stored.scope, client.scope),
                        resource=client.resource,
                        refused=False,
                        replaced=tuple(replaced[-_MOST_REPLACED:]),
                        **registered_client(self.account, client),
                    )
                    self._save(stored, sign_in)
        except StorageError as error:
            warnings.warn(f"The new sign-in is in use here but not stored: {error.description}", stacklevel=2)
            self._superseded = str(old["access_token"])
        self.client = client
        return new

    def newer_stored_token(self, token: Token) -> Token | None:
        """A valid token in storage that is not this one; None if there is none, or the storage cannot be read."""
        if self._superseded is not None:  # what is stored is used up
            return None
        try:
            return self._newer_stored_token(token)
        except StorageError:
            return None

    def _newer_stored_token(self, token: Token) -> Token | None:
        """A valid token in storage that is not this one."""
        stored = self._load(token)
        if stored is None or _same_token(stored.token, token) or self._expires_soon(stored.token):
            return None
        return stored.token

    def _load(self, token: Mapping[str, Any]) -> SignIn | None:
        """The stored sign-in; None if it was removed, or another person signed in under the same account key."""
        try:
            stored = self.storage.load(self.account)
        except StorageError as error:
            if error.error != "corrupt":
                raise
            return SignIn(
                token=Token(token),
                provider=self.client.provider,
                scope=self.client.scope,
                resource=self.client.resource,
                client_key_file=str(self.client.client_key or ""),
                **registered_client(self.account, self.client),
            )
        return stored if stored and _subject(stored.token) == _subject(token) else None

    def _refresh(self, token: Token, stored: SignIn | None) -> Token:
        """A renewed token, replacing the ``stored`` one."""
        host = self.client.provider.host
        if self.reissue is not None:
            return self.reissue()
        if "refresh_token" not in token and self.forked:
            raise LoginRequired(
                "forked_process",
                f"The token from {host} has expired, and this process was forked from the one that signed in, which "
                "alone renews it: the sign-in is kept in its memory. Share it there before the fork, with "
                "api.share_with(multiprocessing), or sign in there with remember=True, or here.",
            )
        if "refresh_token" not in token:
            raise LoginRequired(
                "login_required",
                f"The token from {host} has expired and cannot be renewed: the provider gave no refresh token. Run "
                "the cell that signs in again; scope 'offline_access' may give one.",
            )
        if self._refused is not None and self._refused[0] == token["refresh_token"]:
            raise LoginRequired("login_required", self._refused[1])
        failure = self._try_refresh(self.client, token, stored)
        if isinstance(failure, Token):
            return failure
        if failure.error not in _ENDPOINT_WORKS and (moved := self._client_at_new_endpoint()) is not None:
            failure = self._try_refresh(moved, token, stored)
            if isinstance(failure, Token):
                self.client = moved
                return failure
        if isinstance(failure, ProviderError) and not failure.is_refusal:
            raise failure
        # A storage whose lock is not exclusive may hold a token that another process renewed first
        newer = self._newer_stored_token(token) if self._superseded is None else None
        if newer is not None:
            return newer
        self._mark_refused(token)
        why = _why_refused(host, failure)
        # One without a code may be of a proxy that is gone by the next call
        self._refused = None if _without_code(failure) else (str(token["refresh_token"]), why)
        raise LoginRequired("login_required", why)

    def _try_refresh(
        self, client: Client, token: Token, stored: SignIn | None
    ) -> Token | ProviderError | LoginFailed:
        """The renewed token, stored; else the error of the token request. Raises `InvalidToken` for another subject."""
        saved: list[Token] = []

        def store(new: Token) -> None:
            saved.append(new)
            if stored is not None:
                self._save(stored, replace(stored, token=new, provider=client.provider, refused=False))

        try:
            new = client.refresh(token, store)
        except InvalidToken:
            if stored is not None:
                self._save(stored, replace(stored, refused=True))
            raise
        except (ProviderError, LoginFailed) as error:
            return error
        if new not in saved:
            store(new)
        return new

    def _client_at_new_endpoint(self) -> Client | None:
        """The client at the token endpoint that the metadata names now; None if it has not moved, or is unknown."""
        if self.rediscover is None:
            return None
        self.client.provider.invalidate_documents()
        try:
            provider = self.rediscover()
        except AuthnbError:
            return None
        if provider.token_endpoint in {None, self.client.provider.token_endpoint}:
            return None
        return replace(self.client, provider=provider)

    def _save(self, stored: SignIn, sign_in: SignIn) -> None:
        try:
            self.storage.save(self.account, sign_in)
        except StorageError as error:
            if self._superseded is None:
                # The old refresh token is used up: raising here would lose the new one
                warnings.warn(
                    f"The renewed sign-in is in use here but not stored: {error.description}", stacklevel=2
                )
            self._superseded = str(stored.token["access_token"])
        else:
            self._superseded = None

    def _expires_soon(self, token: Token) -> bool:
        return expires_soon(token, self.client.provider.clock.now())


def signed_out_error() -> LoginRequired:
    """The error for a session without a token."""
    return LoginRequired("login_required", "This session is signed out. Run the cell that signs in.")


def _without_code(failure: ProviderError | LoginFailed) -> bool:
    return isinstance(failure, ProviderError) and failure.error == "invalid_response"


def _why_refused(host: str, failure: ProviderError | LoginFailed) -> str:
    if isinstance(failure, ProviderError) and _without_code(failure):
        return (
            f"{host} did not renew this sign-in: HTTP {failure.status} came back without an error code, perhaps from a "
            "firewall or proxy on the way. Run the cell that signs in again, from another network if need be."
        )
    return (
        f"{host} no longer renews this sign-in ({failure.error}): it was ended there, or used up elsewhere. Run the "
        "cell that signs in again."
    )


def _same_token(token: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(token["access_token"] == other["access_token"])


def _subject(token: Mapping[str, Any]) -> Any:
    return (token.get("userinfo") or {}).get("sub")
