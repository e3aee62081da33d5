"""Token, device authorization and authorization responses are validated and normalised."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

from authnb.errors import AuthnbError, LoginFailed, ProviderError
from authnb.oauth.error_responses import oauth_error
from authnb.oauth.provider import Provider
from authnb.oauth.quirks import Quirks
from authnb.oauth.responses import (
    AuthorizationResponse,
    Token,
    read_device_authorization,
    read_token,
)


def answer(body: Any, status: int = 200) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()  # noqa: SLF001 - requests has no public way
    return response


GOOD = {"access_token": "at", "token_type": "Bearer", "expires_in": 60}
DEVICE = {"device_code": "dc", "user_code": "ABCD", "verification_uri": "https://id.example.org/device"}


def test_expires_in_becomes_expires_at() -> None:
    token = read_token(answer(GOOD), "Testing")
    assert abs(token["expires_at"] - time.time() - 60) < 2


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        (60, 60),
        ("60", 60),
        ("3600.0", 3600),
        (59.9, 59),
        (0, None),
        (-5, None),
        (True, None),
        ("soon", None),
        (None, None),
    ],
)
def test_shapes_of_expires_in(expires_in: object, lifetime: int | None) -> None:
    """No token is issued expired: a lifetime of zero or less counts as unknown, and the token is used."""
    assert read_token(answer({**GOOD, "expires_in": expires_in}), "Testing").get("expires_in") == lifetime


@pytest.mark.parametrize(
    ("member", "stated", "end"),
    [
        ("refresh_token_timeout", 60, 1060),
        ("refresh_token_expires_in", "60", 1060),
        ("refresh_expires_in", 60.0, 1060),
        ("x_refresh_token_expires_in", 60, 1060),
        ("refresh_expires_in", 0, None),
        ("refresh_expires_in", "soon", "absent"),
        ("refresh_expires_in", None, "absent"),
        ("refresh_token_expires_at", 60, "absent"),
    ],
)
def test_the_lifetime_of_a_refresh_token(member: str, stated: object, end: object) -> None:
    """As providers state it; 0 is no end, and what only authnb may write is not taken from a response."""
    token = read_token(answer({**GOOD, member: stated, "signed_in_at": 1}), "Testing", now=1000.0)
    assert token.get("refresh_token_expires_at", "absent") == end
    assert "authorization_expires_at" not in token
    assert "signed_in_at" not in token


def test_the_lifetime_of_an_authorization() -> None:
    token = read_token(answer({**GOOD, "authorization_expires_in": 90}), "Testing", now=1000.0)
    assert token["authorization_expires_at"] == 1090
    assert "refresh_token_expires_at" not in token


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
def test_a_malformed_token_is_refused(body: Any, status: int) -> None:
    with pytest.raises(ProviderError):
        read_token(answer(body, status), "Testing")


@pytest.mark.parametrize("absent", [None, ""])
def test_null_and_empty_members_of_a_token_response_are_absent(absent: str | None) -> None:
    """Beside a good token, ``"error": ""`` is no error, and a token without a type is a bearer token."""
    names = (
        "error",
        "error_description",
        "token_type",
        "refresh_token",
        "id_token",
        "scope",
        "expires_in",
        "x",
    )
    token = read_token(answer({**dict.fromkeys(names, absent), "access_token": "at"}), "Testing", now=7.5)
    assert token == {"access_token": "at", "token_type": "Bearer", "issued_at": 7}


@pytest.mark.parametrize("token_type", ["bearer", "BEARER", "Bearer", "BearerToken", "bearertoken"])
def test_token_types_that_mean_bearer(token_type: str) -> None:
    """RFC 6749 section 5.1: the letter case does not matter."""
    assert read_token(answer({**GOOD, "token_type": token_type}), "Testing")["token_type"] == "Bearer"


def test_an_id_token_alone_is_no_token() -> None:
    """Azure AD B2C sends no access_token unless a scope of an API is requested; the error names that step."""
    with pytest.raises(ProviderError, match=r"add a scope of the API to scope="):
        read_token(answer({"id_token": "e30.e30.", "token_type": "Bearer", "not_before": 1}), "Testing")


def test_userinfo_in_a_token_response_is_ignored() -> None:
    """``userinfo`` is reserved for verified claims."""
    assert "userinfo" not in read_token(answer({**GOOD, "userinfo": {"sub": "mallory"}}), "Testing")


def test_the_repr_of_a_token_shows_no_secret() -> None:
    token = Token({**GOOD, "refresh_token": "r-secret", "id_token": "i-secret", "access_token": "a-secret"})
    shown = repr(token) + str(token) + f"{token}"
    assert shown.count("access_token=") == 3
    assert "secret" not in shown


def test_an_oauth_error_repeats_no_secret() -> None:
    error = oauth_error(
        "Testing", {"error": "invalid_grant", "error_description": "code c0de-123 is old"}, 400, ["c0de-123"]
    )
    assert "c0de-123" not in str(error)
    assert error.error == "invalid_grant"


LONG = "".join(f"{chr(97 + n % 26)}{n % 10}" for n in range(400))


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (LONG, LONG),  # longer than what is shown of a description
        (LONG, f"{LONG[:60]}..."),
        ("with/slashes+and=more", "with%2Fslashes%2Band%3Dmore"),
        ("with a \u200d joiner", "with a \u200d joiner"),  # which is not shown
    ],
)
def test_an_oauth_error_repeats_no_piece_of_a_secret(secret: str, said: str) -> None:
    """Cut by the provider or by us, in a URL's form, or as its error code."""
    body = {"error": "invalid_grant", "error_description": f"The token {said} has been revoked"}
    error = oauth_error("Testing", body, 400, [secret])
    assert "The token … has been revoked" in str(error)
    error = oauth_error("Testing", {"error": LONG[:80]}, 400, [LONG])
    assert LONG[:12] not in str(error)


def test_an_oauth_error_says_the_rest() -> None:
    """Words that are in no secret stay, long ones too."""
    said = "The client_id https://client.example.org/metadata.json is not registered for refresh_token"
    error = oauth_error("Testing", {"error": "unauthorized_client", "error_description": said}, 400, [LONG])
    assert said in str(error)
    assert error.error == "unauthorized_client"


def test_an_oauth_error_is_printable() -> None:
    error = oauth_error("Testing", {"error": "x\x1b[2J\n\u202e", "error_description": "a\x00b"})
    assert str(error).isprintable()


@pytest.mark.parametrize("status", [400, 404, 403, 428, 200])
def test_oauth_errors_count_at_any_status(status: int) -> None:
    with pytest.raises(ProviderError) as caught:
        read_token(answer({"error": "authorization_pending"}, status), "Testing")
    assert caught.value.error == "authorization_pending"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "body", [b"", b"<html>Busy</html>", {}, {"error": "too_many_requests"}, {"error": ""}]
)
def test_overload_is_transient_whatever_its_body(body: Any, status: int) -> None:
    """HTTP 408, 425, 429 and 5xx are worth another try; a refusal is not."""
    for read in (read_token, read_device):
        with pytest.raises(ProviderError) as caught:
            read(answer(body, status), "Testing")
        assert caught.value.is_transient
        with pytest.raises(ProviderError) as caught:
            read(answer(body, 400), "Testing")
        assert not caught.value.is_transient


def test_codes_of_a_device_poll_count_at_any_status() -> None:
    """Auth0 sends ``slow_down`` with HTTP 429; a server that names ``invalid_grant`` in an HTTP 500 means it."""
    for status, error in ((429, "slow_down"), (503, "authorization_pending"), (500, "invalid_grant")):
        with pytest.raises(ProviderError) as caught:
            read_token(answer({"error": error}, status), "Testing")
        assert caught.value.error == error


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("99999999999999999999", 300),
        ("Sun, 06 Nov 2044 08:49:47 GMT", 10),
        ("Sun, 06 Nov 2044 08:49:00 GMT", 0),
        ("Sun, 06 Nov 2050 08:49:00 GMT", 300),
        ("-1", None),
        ("soon", None),
        ("²", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    """RFC 9110 section 10.2.3: by the provider's own clock, and at most five minutes."""
    response = answer({}, 503)
    response.headers.update({"Retry-After": value, "Date": "Sun, 06 Nov 2044 08:49:37 GMT"})
    with pytest.raises(ProviderError) as caught:
        read_token(response, "Testing")
    assert caught.value.retry_after == seconds


def read_device(response: requests.Response, operation: str) -> Any:
    return read_device_authorization(response, operation, "https://id.example.org")


def test_defaults_of_a_device_authorization_response() -> None:
    device = read_device(answer(DEVICE), "Testing")
    assert (device.interval, device.verification_uri_complete) == (5.0, None)
    google = {**DEVICE, "verification_url": DEVICE["verification_uri"]}
    del google["verification_uri"]
    assert read_device(answer(google), "Testing").verification_uri == DEVICE["verification_uri"]


@pytest.mark.parametrize("absent", [None, ""])
def test_null_and_empty_members_of_a_device_authorization_response_are_absent(absent: str | None) -> None:
    """They get the same defaults, and ``verification_url`` counts where ``verification_uri`` is null."""
    names = ("error", "verification_uri", "verification_uri_complete", "interval", "expires_in")
    body = {**DEVICE, **dict.fromkeys(names, absent), "verification_url": DEVICE["verification_uri"]}
    device = read_device_authorization(answer(body), "Testing", "https://id.example.org")
    assert device.verification_uri == DEVICE["verification_uri"]
    assert (device.interval, device.expires_in, device.verification_uri_complete) == (5.0, 600.0, None)


@pytest.mark.parametrize(
    "body", [{"error_description": "\ud800 \udfff\ud800"}, {"scope": "\ud800"}, {"x": ["\ud800"]}]
)
def test_lone_surrogates_are_replaced(body: dict[str, Any]) -> None:
    """JSON can escape what no text holds; it could be neither printed nor stored."""
    token = read_token(answer({**GOOD, **body}), "Testing")
    assert json.dumps(token, ensure_ascii=False).encode()
    with pytest.raises(ProviderError) as caught:
        read_token(answer({**body, "error": "invalid_request"}, 400), "Testing")
    assert str(caught.value).encode()


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
def test_a_deceptive_device_authorization_response_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        read_device(answer({**DEVICE, **changed}), "Testing")


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
def test_a_callback_without_our_state_is_ignored(query: str) -> None:
    """``state`` must be present, once, and ours."""
    assert AuthorizationResponse.parse(query, "s") is None


@pytest.mark.parametrize(
    "query",
    [
        "&code=c&state=s",
        "code=c&&state=s&",
        "code=c&state=s&error=&iss=",
        "code=c&state=s&session_state=1&session_state=2&flag",
        "code=c&state=s&" + "&".join(f"foreign{number}=x" for number in range(60)),
    ],
)
def test_empty_pairs_and_foreign_parameters_of_a_callback_are_ignored(query: str) -> None:
    """RFC 6749 section 4.1.2: unrecognized response parameters are ignored."""
    response = AuthorizationResponse.parse(query, "s")
    assert response is not None
    response.check(provider(iss_promised=False))
    assert response.code == "c"


def test_an_issuer_that_differs_by_a_slash() -> None:
    """RFC 9207 section 2.4 compares strings; the error names the argument for a provider that is inconsistent."""
    response = AuthorizationResponse.parse("code=c&state=s&iss=https%3A%2F%2Fid.example.org%2F", "s")
    assert response is not None
    with pytest.raises(ProviderError, match=r"quirks=Quirks\(issuers=\['https://id.example.org/'\]\)"):
        response.check(provider(iss_promised=True))
    response.check(Provider("https://id.example.org", quirks=Quirks(issuers=("https://id.example.org/",))))


def test_a_missing_issuer_is_not_called_none() -> None:
    """Where the metadata promises ``iss`` and the callback has none."""
    response = AuthorizationResponse.parse("code=c&state=s", "s")
    assert response is not None
    with pytest.raises(ProviderError) as caught:
        response.check(provider(iss_promised=True))
    assert "None" not in str(caught.value)


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
        ("access_token=at&token_type=Bearer&state=s", False, ProviderError),
    ],
)
def test_order_of_callback_checks(query: str, promised: bool, error: type[AuthnbError] | None) -> None:
    """State first, then iss (RFC 9207), then error, then code."""
    response = AuthorizationResponse.parse(query, "s")
    assert response is not None
    if error is None:
        response.check(provider(iss_promised=promised))
        assert response.code == "c"
    else:
        with pytest.raises(error):
            response.check(provider(iss_promised=promised))


def test_a_form_in_place_of_json() -> None:
    """Servers of early drafts of OAuth 2.0 answer so, Facebook's and GitHub's among them."""
    response = answer(b"access_token=at&token_type=bearer&expires_in=60&scope=read%20write")
    response.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    token = read_token(response, "Testing")
    assert (token["access_token"], token["expires_in"], token["scope"]) == ("at", 60, "read write")


@pytest.mark.parametrize(
    "body", [b"access_token=a&access_token=b", "access_token=\u00e4".encode(), b"a=b&" * 200]
)
def test_a_form_that_cannot_be_used(body: bytes) -> None:
    response = answer(body)
    response.headers["Content-Type"] = "application/x-www-form-urlencoded"
    with pytest.raises(ProviderError) as caught:
        read_token(response, "Testing")
    assert caught.value.error == "invalid_response"


@pytest.mark.parametrize(
    ("body", "code", "description"),
    [
        ({"error": {"message": "The code was used.", "code": 100}}, "invalid_response", "The code was used"),
        (
            {"status": 400, "error": "Bad Request", "message": "No such URI"},
            "invalid_response",
            "No such URI",
        ),
        ({"error": "Client disabled"}, "invalid_response", "Client disabled"),
        ({"type": "invalid_grant", "title": "Bad", "detail": "revoked"}, "invalid_grant", "revoked"),
        ({"code": "invalid_request", "description": "not allowed"}, "invalid_request", "not allowed"),
        ({"status": 400, "message": "authorization_pending"}, "authorization_pending", None),
        ({"errorCode": "E0000011", "errorSummary": "Invalid token"}, "invalid_response", "Invalid token"),
        ({"detail": [{"loc": ["body"], "msg": "missing"}]}, "invalid_response", None),
        ({"type": "about:blank", "message": "evil_code"}, "invalid_response", "evil_code"),
    ],
)
def test_error_responses_in_other_forms(body: Any, code: str, description: str | None) -> None:
    """What the provider says is passed on; a code under another name counts only if it is a known one."""
    with pytest.raises(ProviderError) as caught:
        read_token(answer(body, 400), "Testing")
    assert caught.value.error == code
    assert (f"It says: {description}." in caught.value.description) is (description is not None)


def test_a_secret_in_an_error_response_of_another_form() -> None:
    with pytest.raises(ProviderError) as caught:
        read_token(answer({"error": {"message": "code abc was used"}}, 400), "Testing", secrets=["abc"])
    assert "It says: code \u2026 was used." in caught.value.description


def test_responses_in_latin_1() -> None:
    """Codes and tokens are ASCII, and what is not ASCII is taken for no token."""
    body = '{"error": "slow_down", "error_description": "R\u00e9essayez"}'.encode("latin-1")
    with pytest.raises(ProviderError) as caught:
        read_token(answer(body, 400), "Testing")
    assert caught.value.error == "slow_down"
    body = '{"access_token": "at", "name": "Ren\u00e9", "refresh_token": "r\u00e9"}'.encode("latin-1")
    token = read_token(answer(body), "Testing")
    assert (token["access_token"], token["name"], "refresh_token" in token) == ("at", "Ren\u00e9", False)


@pytest.mark.parametrize("status", [403, 401])
def test_a_web_page_in_place_of_an_error_response(status: int) -> None:
    """As a firewall sends it: the text says so, and not that the provider said something."""
    response = answer(b"<!doctype html><title>Just a moment...</title>", status)
    response.headers["Content-Type"] = "text/html; charset=UTF-8"
    with pytest.raises(ProviderError, match=r"web page.*another network"):
        read_token(response, "Testing")


def test_text_in_place_of_an_error_response() -> None:
    response = answer(b"Not allowed from this network", 403)
    response.headers["Content-Type"] = "text/plain"
    with pytest.raises(ProviderError, match="It says: Not allowed from this network"):
        read_token(response, "Testing")
