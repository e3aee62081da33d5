"""What a provider answers is read once, at the door."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

from authnb.answers import AuthorizationResponse, Token, read_device_authorization, read_token, refusal
from authnb.errors import AuthnbError, LoginFailed, ProviderError
from authnb.provider import Provider


def answer(body: Any, status: int = 200) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()  # noqa: SLF001
    return response


GOOD = {"access_token": "at", "token_type": "Bearer", "expires_in": 60}
DEVICE = {"device_code": "dc", "user_code": "ABCD", "verification_uri": "https://id.example.org/device"}


def test_token_gets_an_absolute_end() -> None:
    token = read_token(answer(GOOD), "Testing")
    assert abs(token["expires_at"] - time.time() - 60) < 2


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        (60, 60),
        ("60", 60),
        ("3600.0", 3600),
        (59.9, 59),
        (0, 0),
        (-5, 0),
        (True, None),
        ("soon", None),
        (None, None),
    ],
)
def test_lifetimes_come_in_many_shapes(expires_in: object, lifetime: int | None) -> None:
    assert read_token(answer({**GOOD, "expires_in": expires_in}), "Testing").get("expires_in") == lifetime


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"message": "no"},
        {"access_token": 5},
        {"access_token": ""},
        {"access_token": "two words"},
        {"access_token": "line\nbreak"},
        {**GOOD, "token_type": "mac"},
        b"<html>",
        b"",
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 503])
def test_what_is_no_token_is_refused(body: Any, status: int) -> None:
    with pytest.raises(ProviderError):
        read_token(answer(body, status), "Testing")


def test_a_token_answer_cannot_say_who_signed_in() -> None:
    """``userinfo`` beside a token is ours to write, after verification."""
    assert "userinfo" not in read_token(answer({**GOOD, "userinfo": {"sub": "mallory"}}), "Testing")


def test_token_tells_no_secret() -> None:
    token = Token({**GOOD, "refresh_token": "r-secret", "id_token": "i-secret", "access_token": "a-secret"})
    assert "secret" not in repr(token) + str(token) + f"{token}"


def test_refusal_repeats_no_secret() -> None:
    error = refusal(
        "Testing", {"error": "invalid_grant", "error_description": "code c0de-123 is old"}, 400, ["c0de-123"]
    )
    assert "c0de-123" not in str(error)
    assert error.error == "invalid_grant"


def test_refusal_keeps_control_characters_out() -> None:
    error = refusal("Testing", {"error": "x\x1b[2J\n\u202e", "error_description": "a\x00b"})
    assert str(error).isprintable()


@pytest.mark.parametrize("status", [400, 404, 403, 428, 200])
def test_device_errors_are_recognised_whatever_the_status(status: int) -> None:
    with pytest.raises(ProviderError) as caught:
        read_token(answer({"error": "authorization_pending"}, status), "Testing")
    assert caught.value.error == "authorization_pending"


def test_device_answer_is_filled_in() -> None:
    device = read_device_authorization(answer(DEVICE), "Testing")
    assert (device.interval, device.verification_uri_complete) == (5.0, None)
    google = {**DEVICE, "verification_url": DEVICE["verification_uri"]}
    del google["verification_uri"]
    assert read_device_authorization(answer(google), "Testing").verification_uri == DEVICE["verification_uri"]


@pytest.mark.parametrize(
    "changed",
    [
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "http://id.example.org/device"},
        {"verification_uri": "https://id.example.org@evil.example/"},
        {"user_code": "AB\u202eCD"},
        {"user_code": ""},
        {"user_code": 12},
        {"device_code": None},
    ],
)
def test_device_answer_that_would_deceive_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        read_device_authorization(answer({**DEVICE, **changed}), "Testing")


def provider(*, iss_promised: bool) -> Provider:
    return Provider("https://id.example.org", authorization_response_iss_parameter_supported=iss_promised)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=c",
        "code=c&state=",
        "code=c&state=other",
        "code=a&code=b&state=s",
        "code=c&state=s&state=s",
        "&" * 50,
        "%",
    ],
)
def test_not_our_answer(query: str) -> None:
    """Without our state, once, it is not the answer we wait for."""
    assert AuthorizationResponse.parse(query, "s") is None


@pytest.mark.parametrize(
    ("query", "promised", "error"),
    [
        ("code=c&state=s", False, None),
        ("code=c&state=s&iss=https%3A%2F%2Fid.example.org", True, None),
        ("code=c&state=s", True, ProviderError),
        ("code=c&state=s&iss=https%3A%2F%2Fevil.example", False, ProviderError),
        ("error=access_denied&state=s&iss=https%3A%2F%2Fevil.example", False, ProviderError),
        ("error=access_denied&state=s", True, LoginFailed),
        ("error=consent_required&state=s", False, LoginFailed),
        ("error=server_error&state=s", False, ProviderError),
        ("state=s", False, ProviderError),
    ],
)
def test_answers_are_checked_in_order(query: str, promised: bool, error: type[AuthnbError] | None) -> None:  # noqa: FBT001
    """State first, then iss (RFC 9207), then error, then code."""
    response = AuthorizationResponse.parse(query, "s")
    assert response is not None
    if error is None:
        response.check(provider(iss_promised=promised))
        assert response.code == "c"
    else:
        with pytest.raises(error):
            response.check(provider(iss_promised=promised))
