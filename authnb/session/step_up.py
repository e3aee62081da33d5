"""Step-up: more that the person of a session is asked for, and what must hold before the session uses it.

A larger scope (RFC 6750 section 3.1), or another authentication (RFC 9470): of a class (``acr_values``) or recent
(``max_age``). The provider, the client and the account stay those of the session, whatever an API's challenge says.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from authnb.errors import InteractionRequired, LoginFailed, ShareError
from authnb.oauth.authentication import has_class, is_recent
from authnb.oauth.scope import SCOPE_TOKEN, granted_scope, not_granted, union
from authnb.session.refused import SCOPE_ERROR, Requirement, StepUpRequired
from authnb.session.renewal import signed_out_error

if TYPE_CHECKING:
    from collections.abc import Generator

    from authnb.oauth.client import Client
    from authnb.oauth.responses import Token

_MAX_AGE = 10**9  # seconds
_SOON = 60.0  # seconds after a step-up in which a refusal of the same means that it was in vain
_MOST_IN_VAIN = 2

S_co = TypeVar("S_co", covariant=True)


class PendingLogin(Protocol[S_co]):
    """What `Session.ask_for` returns: a `Login`, already started, for the same session with more in it."""

    @property
    def session(self) -> S_co:
        """The session, once the person has agreed; `LoginRequired` until then."""

    def wait(self, timeout: float | None = None) -> S_co:
        """Wait for the session, in a script."""

    def cancel(self) -> None:
        """Cancel it; the session stays as it is."""

    def verification(self, timeout: float | None = 10) -> Any:
        """The URL to open and the user code to enter."""

    def __await__(self) -> Generator[Any, None, S_co]:
        """Wait for the session, in a cell."""


@dataclass(frozen=True)
class StepUp:
    """What the person of ``session`` is asked for: tokens of a scope, one of some classes of authentication, its age.

    ``max_age`` in seconds.
    """

    session: Any
    _: KW_ONLY
    scope: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None

    @property
    def words(self) -> str:
        """What is asked for, in a few words."""
        authentication = [f"a sign-in of the class {' or '.join(self.acr_values)}"] if self.acr_values else []
        if self.max_age is not None:
            authentication.append(f"a sign-in at most {self.max_age} seconds old")
        return " and ".join(filter(None, [" ".join(self.scope), *authentication]))

    @property
    def unlisted(self) -> tuple[str, ...]:
        """The scope tokens that the provider does not list in its metadata, where it lists any (RFC 8414 section 2)."""
        listed = self._client.provider.scopes_supported
        return tuple(scope for scope in self.scope if listed and scope not in listed)

    @property
    def parameters(self) -> dict[str, str]:
        """Those of the authorization request (OpenID Connect Core section 3.1.2.1, RFC 9470 section 4)."""
        asked = {"acr_values": " ".join(self.acr_values), "max_age": self.max_age}
        return {name: str(value) for name, value in asked.items() if value not in {"", None}}

    @property
    def is_granted(self) -> bool:
        """Whether the session has all of it already, by what the provider says."""
        owner = self.session.owner
        token, client = owner.token, self._client
        if token is None:
            return False
        claims, now = _claims(token), client.provider.clock.now()
        return (
            set(self.scope) <= set(_kept(token, client).split())
            and has_class(claims, self.acr_values)
            and is_recent(claims, self.max_age, since=now, now=now, leeway=0)
        )

    @property
    def key(self) -> tuple[tuple[str, ...], tuple[str, ...], int | None]:
        """What is asked for."""
        return self.scope, self.acr_values, self.max_age

    @property
    def can_help(self) -> bool:
        """Whether the person can be asked for it, and has not granted it in vain."""
        owner = self.session.owner
        ours = not self.session.is_worker and owner.token_auth.renewer.reissue is None
        in_vain = owner.token_auth.steps_in_vain.get(self.key, 0) >= _MOST_IN_VAIN
        return bool(ours and self.words and not in_vain and not self.is_granted)

    def covers(self, requirement: Requirement) -> bool:
        """Whether this is all that the API asked for, as far as it said so."""
        return (
            set(requirement.scope) <= set(self.scope)
            and set(self.acr_values) <= set(requirement.acr_values or self.acr_values)
            and (requirement.max_age is None or self.max_age is not None)
        )

    def granted_session(self) -> Any:
        """The session, if it has all of it already; None if the person has to be asked.

        Raises `LoginFailed` if an API refused it all the same, or has after each of the latest times that the person
        was asked for this.
        """
        auth = self.session.owner.token_auth
        granted, (token, requirement) = self.is_granted, auth.last_refusal
        in_vain = auth.steps_in_vain.get(self.key, 0) >= _MOST_IN_VAIN
        refused = token is not None and token is auth.token and self.covers(requirement)
        if in_vain or (granted and refused):
            host = requirement.host if requirement else "the API"
            raise _unchanged(
                requirement.error if requirement else SCOPE_ERROR,
                f"{self._client.provider.host} has granted {self.words}, and {host} refuses the call all the same",
                f"Asking the person again will not help: ask the people of {host}.",
            )
        return self.session if granted else None

    def client(self) -> Client:
        """The session's client, with the union of the scope that was granted and what is asked for."""
        client, owner = self._client, self.session.owner
        if owner.token is None:
            raise signed_out_error()
        scope = union(_kept(owner.token, client), *self.scope)
        if self.parameters and client.provider.quirks.openid:  # which the ID token alone answers
            scope = union("openid", scope)
        # Without resource= the first one named would be what the session's own token is for
        more = self.session.token_auth.renewer.client.resource if client.resource else ()
        return replace(
            client,
            scope=scope,
            resource=tuple(dict.fromkeys((*client.resource, *more))),
            dpop_key=owner.token.dpop_key,  # to which the refresh token is bound, if the provider sends no new one
            dpop=None if owner.token.dpop_key is None else True,
        )

    def check(self, token: Token, client: Client, since: float) -> None:
        """Raise `LoginFailed` unless this token is the same person's, and has what was asked for and all from before.

        ``since``: when the person was asked, by the provider's clock. OpenID Connect Core sections 3.1.2.1 and 5.5.1.1.
        """
        self.check_person(token)
        host, owner = client.provider.host, self.session.owner
        missing, before = set(not_granted(token, client.scope)), _kept(owner.token or {}, self._client)
        if lost := [scope for scope in before.split() if scope in missing]:
            raise _unchanged(SCOPE_ERROR, f"{host} would have taken back {' '.join(lost)}")
        if self.scope and missing.issuperset(self.scope) and not self.parameters:
            raise _unchanged(
                SCOPE_ERROR,
                f"{host} did not grant {' '.join(self.scope)}",
                "Perhaps an administrator has to; ask there, or the people of the API.",
            )
        claims, now = _claims(token), client.provider.clock.now()
        if not has_class(claims, self.acr_values):
            said = (
                f"of the class {str(claims['acr'])[:80]!r}"
                if "acr" in claims
                else "of no class that it names"
            )
            raise _unchanged(
                "unmet_authentication_requirements",
                f"the API wants an authentication of the class {' or '.join(self.acr_values)}, and that at {host} was "
                f"{said}",
                "Ask there how to sign in that way.",
            )
        if not is_recent(claims, self.max_age, since=since, now=now):
            raise _unchanged(
                "unmet_authentication_requirements",
                f"the API wants an authentication that is at most {self.max_age} seconds old, and {host} did not say "
                "that this one is (auth_time)",
                "Try again with prompt='login'.",
            )

    def check_person(self, token: Token) -> None:
        """Raise `LoginFailed` if this token is another person's than the session's, or says not whose it is."""
        owner = self.session.owner
        known, came = (owner.user or {}).get("sub"), _claims(token).get("sub")
        if known is not None and came != known:
            raise _unchanged(
                "other_person",
                f"somebody else signed in at {self._client.provider.host} than the person whose session this is",
                "Try again, and sign in as that person; prompt='login' asks for it.",
            )

    def adopt(self, token: Token, client: Client) -> Any:
        """The session, which uses this token from now on, as does all that was made of it.

        Raises `LoginRequired` if it was signed out meanwhile.
        """
        session, owner = self.session, self.session.owner
        owner.token_auth.replace_token(token, client)
        owner.token_auth.last_step = owner.token, self, time.monotonic()
        owner.scope = client.scope
        if owner is not session:
            session.token_auth.renew(session.token, session.token_auth.renewer)
        return session

    @property
    def _client(self) -> Client:
        client: Client = self.session.owner.token_auth.renewer.client
        return client


def ask(
    session: Any,
    scope: str | Iterable[str] | None,
    acr_values: str | Iterable[str] | None,
    max_age: float | None,
) -> StepUp:
    """What is asked for, checked; see `Session.ask_for`. `ValueError` for what cannot be asked for."""
    step_up = StepUp(
        session,
        scope=_words("scope", scope),
        acr_values=_words("acr_values", acr_values),
        max_age=_seconds(max_age),
    )
    if not step_up.words:
        raise ValueError("Say what to ask for: scope=, acr_values= or max_age=.")
    renewer = session.owner.token_auth.renewer
    if renewer is None:
        raise ValueError("This session was not signed in by authnb.login, which ask_for needs.")
    if session.is_worker:
        raise ShareError(
            "worker_session",
            "This session is shared by the process that signed in, which alone can ask a person. Ask there, in the "
            f"notebook, for {step_up.words}: {_call(step_up)}. The session here has the new token then.",
        )
    if session.token is None or session.owner.token is None:
        raise signed_out_error()
    if renewer.reissue is not None:
        raise InteractionRequired(
            "interaction_required",
            f"No person is signed in here, whom to ask for {step_up.words}: the client or the workload signs in by "
            "itself. Give it more at the provider, and request it where it signs in, with scope=.",
        )
    if renewer.forked or session.owner.begin_step_up is None:
        raise InteractionRequired(
            "interaction_required",
            f"Only the process that signed in can ask a person for {step_up.words}. Ask there: {_call(step_up)}. With "
            "remember=True the new sign-in is found here, too.",
        )
    if step_up.parameters and not renewer.client.provider.quirks.openid:
        raise ValueError(
            f"{renewer.client.provider.host} issues no ID token, which alone says how and when a person authenticated: "
            "acr_values= and max_age= cannot be asked for."
        )
    return step_up


def required(session: Any, requirement: Requirement, token: Token) -> StepUpRequired:
    """The error for a call that the API refuses because the sign-in of this session, this token, is not enough."""
    auth = session.owner.token_auth
    newest = session.token_auth.token is token  # else it was replaced while the call was under way
    if newest:
        auth.last_refusal = auth.token, requirement
    stepped, step_up, moment = auth.last_step
    if newest and stepped is auth.token and step_up.covers(requirement) and time.monotonic() - moment < _SOON:
        auth.steps_in_vain[step_up.key] = auth.steps_in_vain.get(step_up.key, 0) + 1
        auth.last_step = None, None, 0.0
    said = f" It says: {requirement.said.rstrip('.')!r}." if requirement.said else ""
    text = f"{requirement.host} asks for {requirement.words}.{said} {_remedy(session, requirement, newest=newest)}"
    return StepUpRequired(requirement.error, text, requirement)


def step_up_for(session: Any, requirement: Requirement) -> StepUp:
    """What to ask the person for, so that the call succeeds."""
    return StepUp(
        session, scope=requirement.scope, acr_values=requirement.acr_values, max_age=requirement.max_age
    )


def _remedy(session: Any, requirement: Requirement, *, newest: bool) -> str:
    step_up, host = step_up_for(session, requirement), requirement.host
    call = f"api = await {requirement.call}, or in a script api.ask_for(…).wait()"
    if session.is_worker:
        return f"Ask for it in the notebook that shares its sign-in: api = await {requirement.call}."
    if session.owner.token_auth.renewer.reissue is not None:
        return "No person is signed in whom to ask: request it where the client signs in, with scope=."
    if not step_up.words:
        return f"The documentation of {host} may say which; then ask for it: {call}."
    if step_up.is_granted:
        in_vain = (
            "By what the provider says, this sign-in has it already, so that asking again will not help."
        )
        meanwhile = "It was granted while the call was under way: call again."
        return f"{in_vain} Ask the people of {host}." if newest else meanwhile
    if unlisted := step_up.unlisted:
        provider = session.owner.token_auth.renewer.client.provider.host
        return (
            f"{provider} does not list {' '.join(unlisted)} among the scopes that it knows. Ask the people of {host}; "
            f"or ask for it all the same: {call}."
        )
    return f"To get it: {call}."


def _call(step_up: StepUp) -> str:
    return Requirement(
        error=SCOPE_ERROR, url="", scope=step_up.scope, acr_values=step_up.acr_values, max_age=step_up.max_age
    ).call


def _kept(token: Mapping[str, Any], client: Client) -> str:
    """The scope that was granted, in the words in which it was requested; what else the provider added."""
    missing = not_granted(token, client.scope)
    added = [scope for scope in sorted(granted_scope(token, client.scope)) if SCOPE_TOKEN.fullmatch(scope)]
    return union(*(scope for scope in client.scope.split() if scope not in missing), *added)


def _claims(token: Mapping[str, Any]) -> Mapping[str, Any]:
    return token.get("userinfo") or {}


def _words(name: str, value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    words = tuple(value.split()) if isinstance(value, str) else None
    if words is None and isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        words = tuple(value)
    if not words or not all(isinstance(word, str) and SCOPE_TOKEN.fullmatch(word) for word in words):
        raise ValueError(
            f"{name}={value!r:.200} is none: give words, as in {name}='one other' or a list of them."
        )
    return tuple(dict.fromkeys(words))


def _seconds(max_age: float | None) -> int | None:
    if max_age is None:
        return None
    if isinstance(max_age, bool) or not isinstance(max_age, int | float) or not 0 <= max_age <= _MAX_AGE:
        raise ValueError(f"max_age={max_age!r:.80} is no number of seconds: give one, as in max_age=300.")
    return int(max_age)


def _unchanged(error: str, why: str, remedy: str = "") -> LoginFailed:
    return LoginFailed(error, f"The session is as it was: {why}. {remedy}".strip())
