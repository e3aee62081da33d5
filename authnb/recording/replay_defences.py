"""The defences of a recording, each with the attack that it ends, as this recording would go without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authnb.recording import replay_attacks as attacks
from authnb.recording.explain import Explanation
from authnb.recording.replay import Defence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.recording.replay import Attack
    from authnb.recording.replay_facts import Facts

_TEXTS = {
    "redirect_uri": (
        "The check of the redirect URI",
        "RFC 9700 4.1.3",
        (
            "The provider compares: this address is not registered for this client. It shows you an error, and "
            "sends your browser nowhere."
        ),
    ),
    "state": (
        "state",
        "RFC 9700 4.7.1",
        (
            "The state that arrives is not the one that the notebook sent with your browser: it refuses the "
            "response, and exchanges no code."
        ),
    ),
    "pkce": (
        "PKCE",
        "RFC 9700 4.5.3.1",
        (
            "The provider hashes the verifier that it gets and compares it with the challenge of your sign-in. The "
            "right verifier has never left the notebook: the attacker is refused (invalid_grant)."
        ),
    ),
    "nonce": (
        "nonce",
        "RFC 9700 4.5.3.2",
        "The nonce in the ID token is not the one that was sent for this sign-in: the notebook refuses the tokens.",
    ),
    "nonce of a public client": (
        "nonce",
        "RFC 9700 4.7.1",
        "The nonce in the ID token is not the one that was sent for this sign-in: the notebook refuses the tokens.",
    ),
    "signature": (
        "The signature of the ID token",
        "Core 3.1.3.7",
        "None of the provider's keys made this signature: the notebook refuses the ID token, whatever it says.",
    ),
    "audience": (
        "The audience of the ID token",
        "Core 3.1.3.7",
        "The ID token is genuine and about you, but its aud is another client: the notebook refuses it.",
    ),
    "resource": (
        "The audience of the access token",
        "RFC 9700 4.10.2",
        "The token was issued for the attacker's API: the real one is not in its audience, and refuses it.",
    ),
    "dpop": (
        "DPoP",
        "RFC 9700 4.10.1",
        (
            "The API asks for a proof, made for this very request with the private key that the token is bound to. The "
            "attacker has the token without the key, and is refused."
        ),
    ),
}


def defences_of(facts: Facts) -> tuple[Defence, ...]:
    """The defences that this recording has or could have had, in the order in which they act."""
    return tuple(sorted(_all(facts), key=lambda defence: defence.hop))


def _all(facts: Facts) -> Iterator[Defence]:
    if facts.request is not None:
        yield from _of_the_redirect(facts, facts.request)
    if facts.token_response is not None and facts.claims:
        yield _defence("signature", facts.token_response, attacks.forged_id_token())
        yield _defence("audience", facts.token_response, attacks.id_token_of_another_client())
    elif "resource" in facts.asked | facts.sent and facts.token_request is not None:
        hop = facts.token_request if facts.api_request is None else facts.api_request
        yield _defence("audience", hop, attacks.counterfeit_api(facts), text="resource")
    if facts.is_bound and facts.bound_at is not None:
        hop = facts.bound_at if facts.api_request is None else facts.api_request
        yield _defence("dpop", hop, attacks.stolen_access_token(facts))


def _of_the_redirect(facts: Facts, request: int) -> Iterator[Defence]:
    """Those of the authorization code grant."""
    if "redirect_uri" in facts.asked:
        yield _defence("redirect_uri", request, attacks.redirect_to_the_attacker(facts))
    if facts.callback is not None:
        yield _defence(
            "state", facts.callback, attacks.login_csrf(facts, "state"), used="state" in facts.asked
        )
    if facts.token_request is not None and "code" in facts.sent:
        used = "code_challenge" in facts.asked and "code_verifier" in facts.sent
        yield _defence("pkce", facts.token_request, attacks.stolen_code(facts, "pkce"), used=used)
    if facts.token_response is not None and facts.claims:
        used = "nonce" in facts.asked & facts.claims
        if facts.is_confidential:
            yield _defence("nonce", facts.token_response, attacks.stolen_code(facts, "nonce"), used=used)
        else:  # whose stolen code is redeemed without the client: there the nonce is no defence
            off = attacks.login_csrf(facts, "nonce")
            yield _defence("nonce", facts.token_response, off, used=used, text="nonce of a public client")


def _defence(id_: str, hop: int, attack: Attack, *, used: bool = True, text: str | None = None) -> Defence:
    name, source, holds = _TEXTS[text or id_]
    link = Explanation(meaning="", source=source, public=True).link
    return Defence(
        id=id_, name=name, section=source, url=link, hop=hop, used=used, holds=holds, attack=attack
    )
