"""The tables. A record that Authlib works with implements Authlib's mixin itself.

Codes and tokens are kept as SHA-256 digests only: they are random, so a digest needs no salt. Times are seconds
since 1970 as the provider's clock gives them.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, InvalidScopeError, TokenMixin
from authlib.oauth2.rfc8628 import DeviceCredentialMixin
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from authnb.demo.database.loopback import without_loopback_port

DEFAULT_SCOPE = "openid profile email"
BROWSER_LIFETIME = 30 * 24 * 3600.0  # seconds that a browser stays signed in
FORGIVEN_AFTER = 15 * 60.0  # seconds after which wrong passwords no longer count


def digest(secret: str) -> str:
    """SHA-256 of a code or token, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Base(DeclarativeBase):
    """What all tables share."""


class Setting(Base):
    """A value that outlives a restart: the signing key, the cookie key."""

    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Account(Base):
    """A person. `name` is what they sign in with, `id` is the `sub` that clients see."""

    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str]
    full_name: Mapped[str]
    password_hash: Mapped[str]


class Browser(Base):
    """A browser in which somebody is signed in; the cookie holds the secret whose digest is here."""

    __tablename__ = "browsers"
    digest: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    auth_time: Mapped[float]
    acr: Mapped[str | None]  # none: by password
    one_time_code_digest: Mapped[str | None]
    one_time_code_expires_at: Mapped[float | None]
    account: Mapped[Account] = relationship(lazy="joined")


class Attempts(Base):
    """Failed guesses at one secret, and when the next guess is looked at."""

    __tablename__ = "attempts"
    subject: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    not_before: Mapped[float]


class Client(Base, ClientMixin):
    """A registered client. Lists are kept as words with spaces between them.

    The last columns belong to clients that registered themselves (RFC 7591): `registration` is their metadata as JSON,
    `registration_digest` the digest of their registration access token (RFC 7592), and `scope` what they may ask for.
    """

    __tablename__ = "clients"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    secret: Mapped[str | None]
    auth_methods: Mapped[str]
    grant_types: Mapped[str]
    redirect_uris: Mapped[str]
    post_logout_redirect_uris: Mapped[str]
    registration: Mapped[str | None]
    registration_digest: Mapped[str | None]
    registered_at: Mapped[float | None]
    expires_at: Mapped[float | None]
    scope: Mapped[str | None]
    jwks: Mapped[str | None]  # its public keys as a JWK set (RFC 7517), for private_key_jwt

    @property
    def is_self_registered(self) -> bool:
        """Whether nobody has looked at it: it registered itself."""
        return self.registration is not None

    @property
    def is_public(self) -> bool:
        """Whether it has nothing to authenticate with (RFC 6749 section 2.1)."""
        return self.auth_methods == "none"

    def __repr__(self) -> str:
        return f"<Client {self.id}>"

    def get_client_id(self) -> str:
        """RFC 6749 section 2.2."""
        return self.id

    def get_default_redirect_uri(self) -> str:
        """None at all: a request says where its answer goes."""
        return ""

    def get_allowed_scope(self, scope: Any) -> str:
        """RFC 6749 section 3.3: the scope asked for, or a default when none was; InvalidScopeError beyond its own."""
        wanted = list(dict.fromkeys((scope or "").split()))
        if self.scope is None:
            return " ".join(wanted) or DEFAULT_SCOPE
        own = self.scope.split()
        if not set(wanted) <= set(own):
            raise InvalidScopeError("The client is not registered for that scope.")
        return " ".join(wanted or own)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether this redirect URI is registered: as it stands, or without its port on the loopback interface."""
        return bool({redirect_uri, without_loopback_port(redirect_uri)} & set(self.redirect_uris.split()))

    def check_post_logout_redirect_uri(self, redirect_uri: str) -> bool:
        """The same for the address after a logout."""
        return without_loopback_port(redirect_uri) in self.post_logout_redirect_uris.split()

    def check_client_secret(self, client_secret: str) -> bool:
        """RFC 6749 section 2.3.1."""
        return self.secret is not None and secrets.compare_digest(
            self.secret.encode(), client_secret.encode(errors="replace")
        )

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's signature
        """Whether the client may authenticate so; the same for every endpoint."""
        return method in self.auth_methods.split()

    def check_response_type(self, response_type: str) -> bool:
        """Only `code`: no token travels through the browser."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the client is registered for this grant."""
        return grant_type in self.grant_types.split()


class Consent(Base):
    """What a person allowed a client at a redirect URI, so that they are not asked again."""

    __tablename__ = "redirect_uri_consents"
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), primary_key=True)
    redirect_uri: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str]


class Authorization(Base):
    """One yes of one person to one client; all tokens that come of it are a family and end with it."""

    __tablename__ = "authorizations"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"))  # none: the client itself
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    scope: Mapped[str]
    auth_time: Mapped[float]
    acr: Mapped[
        str | None
    ]  # how the person had proved who they are (RFC 9470); none: the provider does not say
    revoked_at: Mapped[float | None]
    resource: Mapped[str | None]  # the APIs it was asked for (RFC 8707), separated by spaces
    account: Mapped[Account] = relationship(lazy="joined")
    client: Mapped[Client] = relationship()


class AuthorizationCode(Base, AuthorizationCodeMixin):
    """RFC 6749 section 4.1.2, with what PKCE and OpenID Connect add."""

    __tablename__ = "authorization_codes"
    digest: Mapped[str] = mapped_column(primary_key=True)
    authorization_id: Mapped[int] = mapped_column(ForeignKey("authorizations.id"), index=True)
    redirect_uri: Mapped[str]
    code_challenge: Mapped[str]
    code_challenge_method: Mapped[str]
    nonce: Mapped[str | None]
    expires_at: Mapped[float] = mapped_column(index=True)
    used_at: Mapped[float | None]
    dpop_jkt: Mapped[str | None]  # the key that the client announced (RFC 9449 section 10)
    authorization: Mapped[Authorization] = relationship(lazy="joined")

    def get_redirect_uri(self) -> str:
        """Where the code was sent."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """What the person allowed."""
        return self.authorization.scope


class PushedRequest(Base):
    """RFC 9126: an authorization request that waits for its browser; `parameters` are pairs of texts as JSON."""

    __tablename__ = "pushed_requests"
    digest: Mapped[str] = mapped_column(
        primary_key=True
    )  # of the request_uri, another one once a browser came
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), index=True)
    parameters: Mapped[str]
    expires_at: Mapped[float] = mapped_column(index=True)
    opened_at: Mapped[float | None]
    sign_in_asked_at: Mapped[float | None]


class ClientAssertion(Base):
    """An assertion with which a client authenticated (RFC 7523), kept until it expires to know it again."""

    __tablename__ = "client_assertions"
    digest: Mapped[str] = mapped_column(primary_key=True)  # of the client and its `jti`
    expires_at: Mapped[float] = mapped_column(index=True)


class DeviceCode(Base, DeviceCredentialMixin):
    """RFC 8628 section 3.2. `decided_at` without an authorization is a no."""

    __tablename__ = "device_codes"
    digest: Mapped[str] = mapped_column(primary_key=True)
    user_code_digest: Mapped[str] = mapped_column(unique=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    scope: Mapped[str]
    expires_at: Mapped[float] = mapped_column(index=True)
    interval: Mapped[int]
    polled_at: Mapped[float | None]
    decided_at: Mapped[float | None]
    authorization_id: Mapped[int | None] = mapped_column(ForeignKey("authorizations.id"), index=True)
    used_at: Mapped[float | None]
    resource: Mapped[str | None]
    client: Mapped[Client] = relationship()
    authorization: Mapped[Authorization | None] = relationship(lazy="joined")

    def get_client_id(self) -> str:
        """Whose device waits."""
        return self.client_id

    def get_scope(self) -> str:
        """What the device asked for."""
        return self.scope


class RefreshToken(Base, TokenMixin):
    """RFC 6749 section 6. Used once; its successor is another row of the same family."""

    __tablename__ = "refresh_tokens"
    digest: Mapped[str] = mapped_column(primary_key=True)
    authorization_id: Mapped[int] = mapped_column(ForeignKey("authorizations.id"), index=True)
    expires_at: Mapped[float] = mapped_column(index=True)
    used_at: Mapped[float | None]
    jkt: Mapped[
        str | None
    ]  # the thumbprint of the key that it is bound to (RFC 9449 section 5); none: to no key
    authorization: Mapped[Authorization] = relationship(lazy="joined")

    def check_client(self, client: ClientMixin) -> bool:
        """Whether it was issued to this client."""
        return self.authorization.client_id == client.get_client_id()

    def get_scope(self) -> str:
        """What the person allowed, which a narrower refresh does not narrow."""
        return self.authorization.scope


class AccessToken(Base, TokenMixin):
    """RFC 6750: whoever bears it may use it, within its scope and until its end, unless it is bound to a key."""

    __tablename__ = "access_tokens"
    digest: Mapped[str] = mapped_column(primary_key=True)
    authorization_id: Mapped[int] = mapped_column(ForeignKey("authorizations.id"), index=True)
    scope: Mapped[str]
    expires_at: Mapped[float] = mapped_column(index=True)
    revoked_at: Mapped[float | None]
    resource: Mapped[str | None]  # the API it is for (RFC 8707); none: the first
    jkt: Mapped[
        str | None
    ]  # the thumbprint of the key that it is bound to (RFC 9449 section 6); none: to no key
    authorization: Mapped[Authorization] = relationship(lazy="joined")

    def check_client(self, client: ClientMixin) -> bool:
        """Whether it was issued to this client."""
        return self.authorization.client_id == client.get_client_id()

    def get_scope(self) -> str:
        """What it opens."""
        return self.scope
