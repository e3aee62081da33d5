"""Behaviours of a provider and an API that ask for proofs of possession (DPoP, RFC 9449).

The mode ``dpop`` signs in with proofs, calls the API twice, renews the token and calls once more.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from behaviour import EVIL, behaviour, rows
from provider import ACCESS_TOKEN, Answer, as_json, present

if TYPE_CHECKING:
    from collections.abc import Callable

    from behaviour import Do
    from provider import Scenario

NONCE, PROOF = "use_dpop_nonce", "invalid_dpop_proof"
TOKEN, API, USERINFO = "token", "", "userinfo"
# Which no proof may repeat: RFC 9449 section 8.1 has printable ASCII without quotes and backslashes
UNUSABLE_NONCES = {
    "that is empty": "",
    "without end": "n" * 20_000,
    "a little too long": "n" * 513,
    "with quotes": 'a"b',
    "with a backslash": "a\\b",
    "with blanks": "a b",
    "with control characters": "\x1b[2Jevil\x0b",
    "over two lines": "evil\r\n X-Evil: 1",
    "in another script": "\u00e9vil",
}


def given(nonce: str | None) -> dict[str, str]:
    """The header that a server gives a nonce in."""
    return {} if nonce is None else {"DPoP-Nonce": nonce}


def refusal(endpoint: str, error: str, nonce: str | None = None, more: str = "") -> Answer:
    """How a server refuses a proof (RFC 9449 sections 8 and 9)."""
    if endpoint == TOKEN:
        return as_json({"error": error}, 400, **given(nonce))
    return Answer(401, b"", {"WWW-Authenticate": f'DPoP error="{error}"{more}', **given(nonce)})


def accepted(scenario: Scenario, endpoint: str) -> Answer:
    """What the server says to a request as it should be."""
    if endpoint == TOKEN:
        return as_json(present({**scenario.token, "id_token": scenario.id_token()}))
    return as_json({"sub": "ada"}) if endpoint == USERINFO else scenario.called()


def with_header(answer: Answer, nonce: str | None) -> Answer:
    """The answer with a nonce for the next proof."""
    return Answer(answer.status, answer.body, {**answer.headers, **given(nonce)})


def refuses(endpoint: str, error: str, nonce: Callable[[int], str | None], more: str = "") -> Do:
    """The server refuses every proof, with this nonce for the next; ``nonce`` is called with a number."""

    def do(scenario: Scenario) -> None:
        numbers = count()
        scenario.overrides[endpoint] = lambda: refusal(endpoint, error, nonce(next(numbers)), more)

    return do


def rotates(scenario: Scenario, *endpoints: str) -> None:
    """Each of these servers gives a new nonce with each answer, and takes no other."""

    def rotate(endpoint: str) -> Callable[[], Answer]:
        numbers = count()
        newest = [""]

        def answer() -> Answer:
            right = scenario.claims_of_proof(endpoint).get("nonce") == newest[0]
            newest[0] = f"{endpoint or 'api'}-{next(numbers)}"
            if not right:
                return refusal(endpoint, NONCE, newest[0])
            return with_header(accepted(scenario, endpoint), newest[0])

        return answer

    for each in endpoints:
        scenario.overrides[each] = rotate(each)


def changes(scenario: Scenario, dpop: bool | None, **members: Any) -> None:
    """What the sign-in demands, and members of the token response."""
    scenario.dpop = dpop
    scenario.token.update(members)


def at_renewal(then: Callable[[Scenario], Answer]) -> Do:
    """The first token response is honest, the others are this."""

    def do(scenario: Scenario) -> None:
        numbers = count()
        scenario.overrides[TOKEN] = lambda: then(scenario) if next(numbers) else accepted(scenario, TOKEN)

    return do


behaviour("DPoP: one that conforms", None, "dpop")(lambda _scenario: None)
rows(
    "DPoP: a token of type",
    None,
    {"dpop": "dpop", "DPOP": "DPOP"},
    lambda scenario, kind: changes(scenario, dpop=True, token_type=kind),
    mode="dpop",
)
rows(
    "DPoP demanded: a token",
    "unsupported_token_type",
    {
        "of type Bearer": "Bearer",
        "of no type": None,
        "of type DPoP Bearer": "DPoP Bearer",
        "of type N_A": "N_A",
        "of a type that is a list": ["DPoP"],
        "of a type with control characters": "DPoP\x1b[2J\x00",
        "of a type that is the token": ACCESS_TOKEN,
    },
    lambda scenario, kind: changes(scenario, dpop=True, token_type=kind),
    mode="dpop",
)
behaviour("DPoP offered: a token of type Bearer", None, "dpop")(
    lambda scenario: changes(scenario, dpop=None, token_type="Bearer")
)
behaviour("DPoP declined: a token of type DPoP", "unsupported_token_type", "dpop")(
    lambda scenario: changes(scenario, dpop=False)
)
rows(
    "DPoP: at renewal",
    "unsupported_token_type",
    {"a token of type Bearer": "Bearer", "a token of no type": None, "a token of type mac": "mac"},
    lambda scenario, kind: at_renewal(
        lambda _: as_json(present({**scenario.token, "token_type": kind, "id_token": scenario.id_token()}))
    )(scenario),
    mode="dpop",
)

# Metadata


def bearer_only(scenario: Scenario, algorithms: Any) -> None:
    """Metadata as these, and a token endpoint that knows no proofs."""
    scenario.metadata["dpop_signing_alg_values_supported"] = algorithms
    changes(scenario, dpop=None, token_type="Bearer")

    def answer() -> Answer:
        unknown = "DPoP" in scenario.latest[TOKEN]
        return as_json({"error": "invalid_request"}, 400) if unknown else accepted(scenario, TOKEN)

    scenario.overrides[TOKEN] = answer


OTHERS = {
    "with other algorithms": ["ES384", "EdDSA"],
    "with markup for an algorithm": ["<img src=x onerror=alert(1)>\x1b[2J"],
    "with the algorithm in lower case": ["es256"],
}
rows("DPoP offered: metadata", None, {**OTHERS, "with an empty list": []}, bearer_only, mode="dpop")
rows(
    "DPoP demanded: metadata",
    "not_supported",
    OTHERS,
    lambda scenario, algorithms: scenario.metadata.update(dpop_signing_alg_values_supported=algorithms),
    mode="dpop",
)
rows(
    "DPoP demanded: metadata",
    None,
    {
        "without a word of it": None,
        "with an empty list": [],
        "with numbers for algorithms": [7, None],
        "with what is no text beside it": ["ES256", 7, {}],
        "with a thousand others": [f"X{n}" for n in range(1000)] + ["ES256"],
    },
    lambda scenario, algorithms: scenario.metadata.update(dpop_signing_alg_values_supported=algorithms),
    mode="dpop",
)
rows(
    "DPoP: metadata",
    "invalid_metadata",
    {"with a number for the algorithms": 7, "with an object for the algorithms": {"ES256": True}},
    lambda scenario, algorithms: scenario.metadata.update(dpop_signing_alg_values_supported=algorithms),
    mode="dpop",
)

# Nonces

for _endpoint, _server in {TOKEN: "token endpoint", API: "API"}.items():
    behaviour(f"DPoP, {_server}: another nonce for ever", NONCE, "dpop")(
        refuses(_endpoint, NONCE, lambda number: f"n{number}")
    )
    behaviour(f"DPoP, {_server}: the same nonce for ever", NONCE, "dpop")(
        refuses(_endpoint, NONCE, lambda _: "n")
    )
    behaviour(f"DPoP, {_server}: a nonce is wanted, and none given", NONCE, "dpop")(
        refuses(_endpoint, NONCE, lambda _: None)
    )
    behaviour(f"DPoP, {_server}: no proof is good", PROOF, "dpop")(refuses(_endpoint, PROOF, lambda _: "n"))
    behaviour(f"DPoP, {_server}: a nonce is wanted, and one given over two lines", NONCE, "dpop")(
        refuses(_endpoint, NONCE, lambda _: UNUSABLE_NONCES["over two lines"])
    )
    behaviour(f"DPoP, {_server}: a new nonce with each response", None, "dpop")(
        lambda scenario, endpoint=_endpoint: rotates(scenario, endpoint)
    )
behaviour("DPoP, userinfo: a new nonce with each response", None, "dpop")(
    lambda scenario: rotates(scenario, USERINFO)
)
behaviour("DPoP, everywhere: a new nonce with each response", None, "dpop")(
    lambda scenario: rotates(scenario, TOKEN, API, USERINFO)
)
behaviour(
    "DPoP, userinfo: another nonce for ever", None, "dpop"
)(  # the person is signed in without its claims
    refuses(USERINFO, NONCE, lambda number: f"n{number}")
)
behaviour("DPoP: at renewal another nonce for ever", NONCE, "dpop")(
    at_renewal(lambda scenario: refusal(TOKEN, NONCE, scenario.issuer[-4:]))
)
behaviour("DPoP: at renewal no proof is good", PROOF, "dpop")(at_renewal(lambda _: refusal(TOKEN, PROOF)))


def gives(scenario: Scenario, nonce: str) -> None:
    """Each answer has this nonce, and a proof with any is refused."""

    def answer(endpoint: str) -> Answer:
        if "nonce" in scenario.claims_of_proof(endpoint):
            return with_header(refusal(endpoint, PROOF), nonce)
        return with_header(accepted(scenario, endpoint), nonce)

    for each in (TOKEN, API, USERINFO):
        scenario.overrides[each] = lambda endpoint=each: answer(endpoint)


rows("DPoP: each response has a nonce", None, UNUSABLE_NONCES, gives, mode="dpop")

# Challenges

rows(
    "DPoP, API: a refused proof, and a challenge that",
    PROOF,
    {
        "names another authorization server": f', authorization_uri="{EVIL}", as_uri="{EVIL}", issuer="{EVIL}"',
        "names other metadata": f', resource_metadata="{EVIL}/.well-known/oauth-protected-resource"',
        "has another challenge": f', Bearer resource_metadata="{EVIL}", Basic realm="{EVIL}"',
        "wants another algorithm": ', algs="none HS256"',
        "has the access token": f', error_description="{ACCESS_TOKEN}"',
        "has markup": ', error_description="<img src=x onerror=alert(1)>\x1b[2J"',
    },
    lambda scenario, more: refuses(API, PROOF, lambda _: None, more)(scenario),
    mode="dpop",
)
rows(
    "DPoP, API: a wanted nonce, and a challenge that",
    NONCE,
    {
        "names other metadata": f', resource_metadata="{EVIL}/.well-known/oauth-protected-resource"',
        "asks for a bearer token too": ', Bearer realm="evil", error="invalid_token"',
    },
    lambda scenario, more: refuses(API, NONCE, lambda number: f"n{number}", more)(scenario),
    mode="dpop",
)
behaviour("DPoP, API: a refused proof with an address to go to", PROOF, "dpop")(
    lambda scenario: scenario.overrides.update(
        {
            API: lambda: Answer(
                401,
                b"",
                {"WWW-Authenticate": f'DPoP error="{PROOF}"', "Location": EVIL, "Refresh": f"0; {EVIL}"},
            )
        }
    )
)
