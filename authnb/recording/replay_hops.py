"""A recording's exchanges as hops: messages on their way, front channel and back channel told apart."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authnb.recording.replay import Hop, Parameter, Party, TokenParts
from authnb.recording.replay_knowledge import Knowledge
from authnb.recording.replay_messages import Message, kinds_of, named, request_of, response_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from authnb.recording.redact import Exchange, Value
    from authnb.recording.replay import Signature

_PARTIES = {
    "browser": "You and your browser",
    "client": "The notebook",
    "provider": "The provider",
    "api": "The API",
}
# Of the pages between you and the provider, one message says what happens: the page, or what you send
_PAGES = {"sign_in_page", "sign_up_page", "consent_page", "page"}
_FORMS = {"sign_up", "password", "form"}
_WITH_A_PERSON = {"authorization", "pushed_authorization_request", "device_authorization", "callback"}
# Made for the check of a redirect URI, and of no use after it
_OF_ONE_REQUEST = {"state", "nonce", "code_challenge"}
_JOSE = {"alg", "typ", "cty", "kid", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "crit"}
_HIDDEN = re.compile(
    r"(?:(?P<scheme>\w{1,20}(?: error=\"\w{1,40}\")?) )?\[(?:(?P<length>\d+ characters)|not shown)\]"
)
_REDIRECT = "The provider sends your browser back"


def parties_of(exchanges: Sequence[Exchange]) -> tuple[Party, ...]:
    """Those that take part, with the host at which each was first asked."""
    present, hosts = {"client"}, dict[str, str]()
    for exchange, kind in zip(exchanges, kinds_of(exchanges), strict=True):
        sender, receiver = _ends(exchange, kind)
        present |= {sender, receiver} | ({"browser"} if kind in _WITH_A_PERSON else set())
        hosts.setdefault(receiver, urlsplit(exchange.address).netloc)
    return tuple(
        Party(id=id_, name=name, host=hosts.get(id_)) for id_, name in _PARTIES.items() if id_ in present
    )


def _ends(exchange: Exchange, kind: str) -> tuple[str, str]:
    """Sender and receiver of the request."""
    of_api = exchange.receiver == "API" or kind in {"resource_metadata", "api"}
    return exchange.sender, "api" if of_api else exchange.receiver


def parameter(value: Value) -> Parameter:
    """The parameter with its meaning, and without its value where the recording hides it; a password always."""
    explanation = value.explanation
    hidden = _HIDDEN.fullmatch(value.shown)
    text: str | None = value.shown
    length = None
    if "password" in value.name.lower():
        text, length = None, "not shown"
    elif hidden:
        text, length = None, " ".join(filter(None, [hidden["scheme"], hidden["length"] or "not shown"]))
    return Parameter(
        name=value.name,
        value=text,
        hidden=length,
        meaning=explanation.meaning if explanation else None,
        section=explanation.source if explanation else None,
        url=explanation.link if explanation else None,
    )


def hops_of(
    exchanges: Sequence[Exchange], signature_of: Callable[[Exchange, str], Signature]
) -> tuple[Hop, ...]:
    """The messages in order, and what each party knows after each."""
    builder = _Builder(exchanges, signature_of)
    for exchange, kind in zip(exchanges, kinds_of(exchanges), strict=True):
        builder.add(exchange, kind)
    return tuple(builder.hops)


class _Builder:
    def __init__(
        self, exchanges: Sequence[Exchange], signature_of: Callable[[Exchange, str], Signature]
    ) -> None:
        self.hops: list[Hop] = []
        self._signature_of = signature_of
        self._polled: str | None = None  # what the poll before this exchange was answered, if there was one
        self._knowledge = Knowledge(party.id for party in parties_of(exchanges))
        typed = any("password" in value.name for each in exchanges for value in each.sent)
        self._knowledge.learn("browser", "password" if typed else "how you sign in")

    def add(self, exchange: Exchange, kind: str) -> None:
        """The messages of an exchange."""
        answered = exchange.status is not None or exchange.error is not None
        comes_back = not {"code", "error"}.isdisjoint(named(exchange.received))
        redirected = "Location" in named(exchange.received) and exchange.sender == "browser"
        if kind == "device_grant" and self._polled and self._polled == named(exchange.received).get("error"):
            del self.hops[-2:]  # the same answer once more
        self._polled = named(exchange.received).get("error") if kind == "device_grant" else None
        if kind == "callback" and not self._came_back(exchange):
            self._implied_redirect(exchange)
        if kind not in _PAGES:
            self._request(exchange, kind)
        if answered and (comes_back or exchange.error or not (redirected or kind in _FORMS)):
            self._response(exchange, kind)

    def _came_back(self, exchange: Exchange) -> bool:
        """Whether the redirect that led to this callback was recorded."""
        before = (hop for hop in reversed(self.hops) if hop.receiver == "browser")
        last = next(before, None)
        names = named(exchange.sent).keys() & {"code", "error", "state"}
        return last is not None and names <= {each.name for each in last.parameters}

    def _request(self, exchange: Exchange, kind: str) -> None:
        known, sent = self._knowledge, named(exchange.sent)
        sender, receiver = _ends(exchange, kind)
        values = [
            each for each in exchange.sent if kind != "redirect_check" or each.name not in _OF_ONE_REQUEST
        ]
        if kind in {"authorization", "pushed_authorization_request"}:
            known.carry("client", "client", exchange.sent)  # which made it
            known.learn("client", *(["verifier"] if "code_challenge" in sent else []))
        if "DPoP" in sent:
            known.learn(sender, "private key of the proof")
        known.carry(sender, receiver, values)
        if kind in {"password", "sign_up"}:
            known.learn("provider", "who you are")
        self._hop(exchange, kind, (sender, receiver), request_of(exchange, kind), exchange.sent)

    def _response(self, exchange: Exchange, kind: str) -> None:
        known, received = self._knowledge, named(exchange.received)
        receiver, sender = _ends(exchange, kind)
        if kind != "redirect_check":
            known.carry(sender, receiver, exchange.received)
        if kind == "jwks" and "keys" in received:
            known.learn("provider", "private signing key")
        if exchange.id_token:
            known.learn("client", "who you are")
        if "code" in received or exchange.id_token or (kind == "device_grant" and "access_token" in received):
            known.learn("provider", "who you are")
        if "user_code" in received:
            known.learn("browser", "user code")  # the client shows it
        known.spend(kind, exchange)
        if kind == "api" and exchange.status is not None and exchange.status < 300:  # noqa: PLR2004 - success
            known.learn("client", "data")
            known.learn("api", "data")
        self._hop(exchange, kind, (sender, receiver), response_of(exchange, kind), exchange.received)

    def _implied_redirect(self, exchange: Exchange) -> None:
        """The provider's redirect, where only the callback that it led to was recorded."""
        values = [value for value in exchange.sent if value.name != "Cookie"]
        self._knowledge.carry("provider", "browser", values)
        what = "with a code" if "code" in named(values) else "with its response"
        if "code" in named(values):
            self._knowledge.learn("provider", "who you are")
        message = Message(
            title=f"{_REDIRECT} {what}",
            says="You signed in there, and the recording does not reach there: the callback that follows tells what "
            "the redirect carried.",
        )
        unseen = replace(exchange, status=None)
        self._hop(unseen, "authorization", ("provider", "browser"), message, values, seen=False)

    def _hop(
        self,
        exchange: Exchange,
        kind: str,
        ends: tuple[str, str],
        message: Message,
        values: Iterable[Value],
        *,
        seen: bool = True,
    ) -> None:
        sender, receiver = ends
        is_response = sender != exchange.sender
        hop = Hop(
            sender=sender,
            receiver=receiver,
            channel="front" if "browser" in ends else "back",
            kind="response" if is_response else "request",
            topic=kind,
            exchange=exchange.number,
            seen=seen,
            title=message.title,
            says=message.says,
            status=exchange.status if is_response else None,
            parameters=tuple(map(parameter, values)),
            jwts=tuple(self._jwts(exchange, is_response=is_response)),
            knows=self._knowledge.now(),
        )
        if self.hops and receiver == "browser" and _is_same(hop, self.hops[-1]):
            self.hops.pop()  # a page that is shown once more
        self.hops.append(hop)

    def _jwts(self, exchange: Exchange, *, is_response: bool) -> Iterator[TokenParts]:
        """The JWTs of a message, taken apart."""
        received, sent = ["id_token"], ["assertion", "proof"]
        for name in received if is_response else sent:
            values: tuple[Value, ...] = getattr(exchange, name)
            if not values:
                continue
            header = [*takewhile(lambda value: value.name in _JOSE, values)]
            yield TokenParts(
                name=name,
                header=tuple(map(parameter, header)),
                claims=tuple(map(parameter, values[len(header) :])),
                signature=self._signature_of(exchange, name),
            )


def _is_same(hop: Hop, other: Hop) -> bool:
    return (hop.title, hop.sender, hop.kind) == (other.title, other.sender, other.kind)
