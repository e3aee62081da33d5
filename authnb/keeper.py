"""The tokens of one sign-in: renewed by one for all who use them, saved before used, revoked at the end."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from authnb.answers import Token
from authnb.errors import AuthnbError, LoginRequired, ProviderError, StorageError
from authnb.storage import SignIn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authnb.client import Client
    from authnb.storage import Account, TokenStorage

LEEWAY = 240.0  # seconds before its end at which a long-lived token is renewed


def expires_soon(token: Mapping[str, Any], now: float, longest: float = LEEWAY) -> bool:
    """Whether a token should be renewed: ``longest`` seconds early, less if that is much of its life."""
    expires_at = token.get("expires_at")
    if not isinstance(expires_at, int | float):
        return False
    lifetime = token.get("expires_in")
    leeway = min(longest, lifetime / 4) if isinstance(lifetime, int | float) else longest
    return expires_at - leeway <= now


@dataclass(frozen=True, kw_only=True)
class SignedOut:
    """What signing out did: the tokens revoked, what was not possible, where to end the provider's session."""

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


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """A sign-in at ``client``, kept in ``storage`` under ``account``.

    ``again`` gives another token where that takes neither a person nor a refresh token.
    """

    client: Client
    account: Account
    storage: TokenStorage
    again: Callable[[], Token] | None = None

    def renew(self, token: Token) -> tuple[Token, bool]:
        """A token to use in place of this one: what another process obtained meanwhile, else a renewed one.

        The second value says whether it was renewed just now. It is in the storage when this returns. Raises
        `LoginRequired` where only a new sign-in helps, `ProviderError` or `StorageError` if it can be tried again.
        """
        try:
            with self.storage.lock(self.account):
                return self._renew(token)
        except StorageError:
            # Where nothing can be written there may still be something to read
            other = self._obtained_by_others(token)
            if other is None:
                raise
            return other, False

    def end(self, token: Mapping[str, Any]) -> SignedOut:
        """Forget the sign-in here and revoke its tokens; each step is tried even if an earlier one fails."""
        revoked, problems = [], []
        try:
            with self.storage.lock(self.account):
                token = self._take(token)
        except StorageError as error:
            try:  # on a full disk, say, where there is no room to renew, but none is needed to forget
                if error.error == "locked":
                    raise
                token = self._take(token)
            except StorageError as last:
                problems.append(last.description)
        for name in ("refresh_token", "access_token"):
            if name not in token:
                continue
            try:
                self.client.revoke(token[name], name)
                revoked.append(name)
            except AuthnbError as error:
                problems.append(error.description)
        end_session = self.client.provider.end_session_endpoint
        if end_session is not None:
            # OpenID Connect RP-Initiated Logout section 2; without id_token_hint, for the address is shown
            query = urlencode({"client_id": self.client.client_id})
            end_session += ("&" if "?" in end_session else "?") + query
        return SignedOut(
            revoked=tuple(revoked), problems=tuple(dict.fromkeys(problems)), end_session_uri=end_session
        )

    def _renew(self, token: Token) -> tuple[Token, bool]:
        kept = self._kept(token)
        newest = kept.token if kept else token
        if not _same(newest, token) and not self._expires_soon(newest):
            return newest, False
        new = self._refresh(newest)
        if kept:
            self._save(replace(kept, token=new))
        return new, True

    def _take(self, token: Mapping[str, Any]) -> Mapping[str, Any]:
        """Remove the sign-in; its newest token."""
        kept = self._kept(token)
        if kept is None:
            return token
        self.storage.remove(self.account)
        return kept.token

    def _obtained_by_others(self, token: Token) -> Token | None:
        """A token in the storage that can take the place of this one."""
        kept = self._kept(token)
        if kept is None or _same(kept.token, token) or self._expires_soon(kept.token):
            return None
        return kept.token

    def _kept(self, token: Mapping[str, Any]) -> SignIn | None:
        """What is stored of this sign-in; None if it was removed, or somebody else signed in in its place."""
        try:
            kept = self.storage.load(self.account)
        except StorageError as error:
            if error.error != "corrupt":
                raise
            return SignIn(token=Token(token), provider=self.client.provider, scope=self.client.scope)
        return kept if kept and _subject(kept.token) == _subject(token) else None

    def _refresh(self, token: Token) -> Token:
        host = self.client.provider.host
        if self.again is not None:
            return self.again()
        if "refresh_token" not in token:
            raise LoginRequired(
                "login_required",
                f"The token from {host} has expired and cannot be renewed: the provider gave no refresh token. Run "
                "the cell that signs in again; scope 'offline_access' may give one.",
            )
        try:
            return self.client.refresh(token)
        except ProviderError as error:
            if error.error != "invalid_grant":
                raise
        # Where the storage's lock does not hold others off, one of them may have been faster
        other = self._obtained_by_others(token)
        if other is not None:
            return other
        raise LoginRequired(
            "login_required",
            f"{host} no longer renews this sign-in: it was ended there, or used up elsewhere. Run the cell that "
            "signs in again.",
        )

    def _save(self, sign_in: SignIn) -> None:
        try:
            self.storage.save(self.account, sign_in)
        except StorageError as error:
            # The old one is used up; to fail now would lose the new one too
            warnings.warn(
                f"The renewed sign-in is in use here but not stored: {error.description}", stacklevel=2
            )

    def _expires_soon(self, token: Token) -> bool:
        return expires_soon(token, self.client.provider.clock.now())


def _same(token: Token, other: Token) -> bool:
    return bool(token["access_token"] == other["access_token"])


def _subject(token: Mapping[str, Any]) -> Any:
    return (token.get("userinfo") or {}).get("sub")
