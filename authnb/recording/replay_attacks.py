"""The attacks that the defences of a sign-in end; each step is one that RFC 9700 or the named section describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authnb.recording.replay import Attack, Backstop, Step

if TYPE_CHECKING:
    from authnb.recording.replay_facts import Facts

_GOT = {
    frozenset({"access_token"}): "An access token of your account: at the API it is you.",
    frozenset({"access_token", "refresh_token"}): (
        "An access token and a refresh token of your account: at the API they are you."
    ),
    frozenset({"access_token", "id_token"}): (
        "An access token and an ID token of your account: at the API they are you."
    ),
    frozenset({"access_token", "refresh_token", "id_token"}): (
        "An access token, a refresh token and an ID token of your account: at the API they are you."
    ),
}
_AS_YOU = "A session at this client that is signed in as you."


def login_csrf(facts: Facts, without: str) -> Attack:
    """A response to another sign-in is given to your browser (RFC 6749 section 10.12, RFC 9700 section 4.7)."""
    steps = (
        _step(
            "attacker",
            "provider",
            "The attacker begins a sign-in with an account of their own, and stops before the callback: they keep its "
            "address, with their code in it.",
        ),
        _step(
            "attacker",
            "browser",
            "While the notebook waits for you, a page of the attacker's makes your browser open that address.",
        ),
        _step("browser", "client", "The attacker's code arrives, and the notebook takes it for yours."),
        _step("client", "provider", "The notebook exchanges the code."),
        _step("provider", "client", "The tokens are for the attacker's account."),
    )
    gets = (
        "Nothing of yours yet. But your notebook works in the attacker's account, and what you put there is theirs to "
        "read."
    )
    state = "The notebook refuses: the state is not the one that it sent with your browser (RFC 6749 section 10.12)."
    others = {"state": Backstop(id="state", before=3, says=state)} | _code_bindings(facts, 4, 5, "4.7.1")
    return Attack(steps=steps, gets=gets, backstops=_without(others, without))


def stolen_code(facts: Facts, without: str) -> Attack:
    """A code is stolen, and redeemed by the attacker or, past the client's authentication, injected (section 4.5)."""
    theft = _step(
        "browser",
        "attacker",
        "Your code is in the address of the callback. The attacker reads it there, in a log, the browser's history or "
        "from another program on this computer, before the notebook has used it.",
    )
    if facts.is_confidential:
        return _injection(facts, theft, without)
    steps = (
        theft,
        _step(
            "attacker",
            "provider",
            "They send it to the token endpoint. This client has no secret, and its id and redirect URI stand in every "
            "authorization request.",
        ),
        _step(
            "provider",
            "attacker",
            "The provider cannot tell them from the notebook, and gives them the tokens.",
        ),
    )
    backstops = {}
    if facts.is_bound and "dpop_jkt" in facts.asked:
        says = "The provider refuses: this code is bound to the notebook's key (RFC 9449 section 10)."
        backstops["dpop"] = Backstop(id="dpop", before=2, says=says)
    return Attack(steps=steps, gets=_tokens(facts), backstops=_without(backstops, without))


def _injection(facts: Facts, theft: Step, without: str) -> Attack:
    steps = (
        theft,
        _step(
            "attacker",
            "client",
            "They cannot exchange it themselves, for the client authenticates. So they begin a sign-in of their own at "
            "this client, and put your code in the place of theirs; the state is their own, and fits.",
        ),
        _step("client", "provider", "The client exchanges the code, which was issued to it."),
        _step("provider", "client", "The tokens are yours, and the session is the attacker's."),
    )
    return Attack(
        steps=steps, gets=_AS_YOU, backstops=_without(_code_bindings(facts, 3, 4, "4.5.3"), without)
    )


def _code_bindings(facts: Facts, before_tokens: int, before_end: int, section: str) -> dict[str, Backstop]:
    """PKCE and the nonce, which bind a code to the session that began the sign-in."""
    pkce = (
        "The provider refuses: the code is of another sign-in, and its challenge does not fit the verifier (RFC 9700 "
        f"section {section})."
    )
    nonce = f"The tokens are refused: the nonce in the ID token is of another sign-in (RFC 9700 section {section})."
    bindings = {"pkce": Backstop(id="pkce", before=before_tokens, says=pkce)}
    return bindings | ({"nonce": Backstop(id="nonce", before=before_end, says=nonce)} if facts.claims else {})


def forged_id_token() -> Attack:
    """An ID token that the provider did not sign (OpenID Connect Core section 3.1.3.7, step 6)."""
    steps = (
        _step(
            "provider",
            "attacker",
            "Somebody can change what the token endpoint answers: a gateway that opens TLS, say. (With TLS intact, "
            "Core lets a client that gets the ID token this way rely on that instead.)",
        ),
        _step("attacker", "client", "They write another sub and another e-mail address into the ID token."),
    )
    return Attack(steps=steps, gets="A session at this client in the name of whomever they like.")


def id_token_of_another_client() -> Attack:
    """A genuine ID token, issued to a client of the attacker's (OpenID Connect Core section 3.1.3.7, step 3)."""
    steps = (
        _step("attacker", "client", "The attacker begins a sign-in at this client, and notes its nonce."),
        _step(
            "browser",
            "attacker",
            "You sign in to an app of the attacker's, at the same provider; it sends along that nonce.",
        ),
        _step(
            "provider",
            "attacker",
            "The app gets an ID token about you: the signature is genuine, the nonce is the one they noted.",
        ),
        _step(
            "attacker",
            "client",
            "They give it to this client as the ID token of their own sign-in: easily where it comes through the "
            "browser; with a code, only where they can change what the token endpoint answers.",
        ),
    )
    return Attack(steps=steps, gets=_AS_YOU)


def redirect_to_the_attacker(facts: Facts) -> Attack:
    """The code is sent to an address of the attacker's (RFC 9700 section 4.1.1)."""
    link = (
        "A link of the attacker's opens the provider's real page: with the id of this client, a challenge of the "
        "attacker's own, and a redirect URI at the attacker's server."
    )
    if facts.is_pushed and facts.is_confidential:
        link += (
            " (It is not pushed, for that takes the client's credentials: so only where pushing is no duty.)"
        )
    elif facts.is_pushed:
        link += " (They can push it as well: this client has no secret.)"
    steps = (
        _step("attacker", "browser", link),
        _step(
            "browser",
            "provider",
            "You sign in, or are signed in already, and allow it: the client is one you know.",
        ),
        _step(
            "provider",
            "attacker",
            "The redirect takes your browser, with the code, to the attacker's server.",
        ),
    )
    if facts.is_confidential:
        return Attack(
            steps=steps,
            gets="A code of yours, which they cannot exchange without the client's credentials: they have to inject it "
            "into a session of their own at the client.",
        )
    redeem = "They exchange it. PKCE does not help: the challenge is theirs, so they have its verifier."
    return Attack(steps=(*steps, _step("attacker", "provider", redeem)), gets=_tokens(facts))


def counterfeit_api(facts: Facts) -> Attack:
    """An access token that one API got is used at another (RFC 9700 section 4.9.1)."""
    steps = (
        _step(
            "client", "attacker", "The notebook calls an API of the attacker's, and sends it an access token."
        ),
        _step("attacker", "api", "They send the token on to the real API."),
        _step("api", "attacker", "The token is good at every API of this provider: the real one answers."),
    )
    return Attack(steps=steps, gets="Your data at the real API.", backstops=_proof(facts))


def stolen_access_token(facts: Facts) -> Attack:
    """A token is stolen and used (RFC 9449 section 1, RFC 9700 section 4.10)."""
    steps = (
        _step(
            "client",
            "attacker",
            "The access token gets into the attacker's hands: in a log, a saved notebook, a backup.",
        ),
        _step("attacker", "api", "They send it as a Bearer token."),
        _step("api", "attacker", "A Bearer token is good for whoever holds it: the API answers."),
    )
    gets = (
        "Your data at the API, until the token expires. A refresh token that was stolen with it makes that longer."
        if "refresh_token" in facts.given
        else "Your data at the API, until the token expires."
    )
    return Attack(steps=steps, gets=gets)


def _proof(facts: Facts) -> tuple[Backstop, ...]:
    says = "The API refuses: without the notebook's key nobody makes a proof for it (RFC 9449 section 4.3)."
    return (Backstop(id="dpop", before=2, says=says),) if facts.is_bound else ()


def _step(sender: str, receiver: str, says: str) -> Step:
    return Step(sender=sender, receiver=receiver, says=says)


def _without(backstops: dict[str, Backstop], id_: str) -> tuple[Backstop, ...]:
    return tuple(each for each in backstops.values() if each.id != id_)


def _tokens(facts: Facts) -> str:
    return _GOT.get(
        facts.given & {"access_token", "refresh_token", "id_token"}, "The tokens of your account."
    )
