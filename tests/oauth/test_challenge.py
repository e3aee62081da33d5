"""Challenges are read by RFC 9110 section 11.6.1, whose example is the first here; what is malformed never raises."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authnb.oauth.challenge import MAX_CHALLENGES_LENGTH, Challenge, read_challenges

EXAMPLES = settings(max_examples=300, deadline=None, derandomize=True)
TCHAR = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
TOKENS = st.text(TCHAR, min_size=1, max_size=8)
CHALLENGES = st.lists(
    st.builds(
        Challenge,
        scheme=TOKENS,
        parameters=st.dictionaries(
            TOKENS, st.text(st.characters(max_codepoint=255), max_size=12), max_size=4
        ),
    ),
    max_size=4,
)


def one(scheme: str, token68: str | None = None, **parameters: str) -> Challenge:
    return Challenge(scheme=scheme, parameters=parameters, token68=token68)


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        (
            'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
            (one("basic", realm="simple"), one("newauth", realm="apps", type="1", title='Login to "apps"')),
        ),
        ("Negotiate", (one("negotiate"),)),
        ("Negotiate, NTLM", (one("negotiate"), one("ntlm"))),
        ("Negotiate YWJj/+a==, Bearer", (one("negotiate", "YWJj/+a=="), one("bearer"))),
        ("Negotiate a=, Bearer b=c", (one("negotiate", "a="), one("bearer", b="c"))),
        ('BEARER Error = "x"\t,SCOPE=\t"a b"', (one("bearer", error="x", scope="a b"),)),
        (', ,Bearer realm="a, Basic b",, error=c,', (one("bearer", realm="a, Basic b", error="c"),)),
        ("Bearer, error=x", (one("bearer", error="x"),)),
    ],
)
def test_what_the_standard_allows(header: str, challenges: tuple[Challenge, ...]) -> None:
    assert read_challenges(header) == challenges


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ("", ()),
        (", ;,", ()),
        ('error="x", Bearer scope="a"', (one("bearer", scope="a"),)),
        ('error = "Basic realm=y", Bearer scope="a"', (one("bearer", scope="a"),)),
        ('Bearer error="x" scope="a"', (one("bearer", error="x", scope="a"),)),
        (
            "Bearer scope=a:read, resource_metadata=https://a.example/b?c=d",
            (one("bearer", scope="a:read", resource_metadata="https://a.example/b?c=d"),),
        ),
        ('Bearer error="x", error="y"', (one("bearer", error="x"),)),
        ('Bearer error="x", @@@, (a), "b", scope="c"', (one("bearer", error="x", scope="c"),)),
        ('Bearer error="x", scope="a, Basic realm="b', (one("bearer", error="x", scope="a, Basic realm="),)),
        ('Bearer error="x", scope="a, Basic realm=b', (one("bearer", error="x"),)),
        ('Bearer error="x", scope="a\\', (one("bearer", error="x"),)),
    ],
)
def test_what_is_malformed_is_skipped(header: str, challenges: tuple[Challenge, ...]) -> None:
    assert read_challenges(header) == challenges


@EXAMPLES
@given(CHALLENGES)
def test_what_is_written_is_read(challenges: list[Challenge]) -> None:
    """Any value, quotes, commas and backslashes among them."""
    header = ", ".join(
        " ".join(
            [
                challenge.scheme.title(),
                ", ".join(
                    '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"'))
                    for name, value in challenge.parameters.items()
                ),
            ]
        )
        for challenge in challenges
    )
    assert read_challenges(header) == tuple(challenges)


def test_a_long_field_is_not_read() -> None:
    header = 'Bearer realm="{}"'
    longest = header.format("a" * (MAX_CHALLENGES_LENGTH - len(header) + 2))
    assert len(read_challenges(longest)) == 1
    assert read_challenges(longest + " ") == ()
