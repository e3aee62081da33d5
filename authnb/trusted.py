"""Signing in with nobody there: the client's own secret, or a token from a place that vouches for this machine.

A secret comes from ``AUTHNB_CLIENT_SECRET``, or from the file that ``AUTHNB_CLIENT_SECRET_FILE`` names. A token
comes from the file that ``AUTHNB_TOKEN_FILE`` names; from a CI that gives jobs ID tokens, in the way of GitHub
Actions (``ACTIONS_ID_TOKEN_REQUEST_URL`` and ``ACTIONS_ID_TOKEN_REQUEST_TOKEN``); or from JupyterHub, which kept
the one its user signed in with (``JUPYTERHUB_API_TOKEN``).
"""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from authnb.answers import Token
from authnb.errors import LoginFailed, ProviderError
from authnb.transport import asking, is_secure, parse, provider_session, read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

SECRET, SECRET_FILE = "AUTHNB_CLIENT_SECRET", "AUTHNB_CLIENT_SECRET_FILE"
TOKEN_FILE = "AUTHNB_TOKEN_FILE"  # noqa: S105 - a name, no secret
_CI_URL, _CI_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
_HUB_URL, _HUB_TOKEN, _HUB_USER = "JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_USER"
_LIMIT = 1 << 16  # bytes of a file with one secret in it
_SCOPE = "admin:auth_state!user"


def client_secret(environ: Mapping[str, str]) -> str:
    """The client's secret from the environment or the file it names; `LoginFailed` if there is none."""
    if secret := environ.get(SECRET):
        return secret
    if name := environ.get(SECRET_FILE):
        return _line_of(name, SECRET_FILE)
    raise LoginFailed(
        "invalid_client",
        f"mode='client_credentials' needs the client's secret: set {SECRET}, or {SECRET_FILE} to the name of a "
        "file with it. In a notebook it would be saved with the cell.",
    )


def token_source(environ: Mapping[str, str]) -> str | None:
    """Which trusted place has a token, in words; None if none is named."""
    if environ.get(TOKEN_FILE):
        return f"the file that {TOKEN_FILE} names"
    if environ.get(_CI_URL) and environ.get(_CI_TOKEN):
        return "the CI's token endpoint"
    if environ.get(_HUB_URL) and environ.get(_HUB_TOKEN):
        return "JupyterHub's auth_state"
    return None


def trusted_token(environ: Mapping[str, str], audience: str) -> Token:
    """The token that the trusted place gives; ``audience`` is for whom, where that can be said.

    Raises `LoginFailed` where no place is named or one will not give it, with what is missing.
    """
    if name := environ.get(TOKEN_FILE):
        return _bearer(_line_of(name, TOKEN_FILE))
    if environ.get(_CI_URL) and environ.get(_CI_TOKEN):
        return _bearer(_ci_token(environ[_CI_URL], environ[_CI_TOKEN], audience))
    if environ.get(_HUB_URL) and environ.get(_HUB_TOKEN):
        return _bearer(_hub_token(environ))
    raise LoginFailed(
        "not_supported",
        f"mode='token' found no trusted place: neither {TOKEN_FILE} nor {_CI_URL} (in GitHub Actions give the job "
        f"'permissions: id-token: write') nor {_HUB_TOKEN} is set.",
    )


def _ci_token(url: str, token: str, audience: str) -> str:
    """GitHub's description: "OpenID Connect reference", methods for requesting the OIDC token."""
    what = "Asking the CI for a token"
    if not is_secure(url):
        raise LoginFailed("insecure_transport", f"{what} was not tried: {_CI_URL} is not an https address.")
    query = urlencode({"audience": audience})
    answer = read_object(_get(what, f"{url}{'&' if '?' in url else '?'}{query}", f"Bearer {token}"), what)
    value = answer.get("value")
    if not isinstance(value, str) or not value:
        raise LoginFailed("invalid_response", f"{what} failed: the answer holds no value.")
    return value


def _hub_token(environ: Mapping[str, str]) -> str:
    what = "Asking JupyterHub for your auth_state"
    user = quote(environ.get(_HUB_USER, ""), safe="")
    url = f"{environ[_HUB_URL].rstrip('/')}/users/{user}"
    model = read_object(_get(what, url, f"token {environ[_HUB_TOKEN]}", missing=_missing_scope(what)), what)
    if "auth_state" not in model:
        raise _missing_scope(what)
    state = model["auth_state"]
    token = state.get("access_token") if isinstance(state, dict) else None
    if not isinstance(token, str) or not token:
        raise LoginFailed(
            "not_supported",
            f"{what} failed: the Hub keeps none with an access_token for you. Its administrator turns that on with "
            "c.Authenticator.enable_auth_state = True, with an authenticator that signs people in by OAuth; then "
            "sign in to the Hub again.",
        )
    return token


def _missing_scope(what: str) -> LoginFailed:
    return LoginFailed(
        "not_supported",
        f"{what} was refused: the server's token lacks the scope {_SCOPE!r}. The Hub's administrator adds it to the "
        "roles 'user' and 'server' (c.JupyterHub.load_roles); then restart your server.",
    )


def _get(what: str, url: str, authorization: str, missing: LoginFailed | None = None) -> requests.Response:
    with asking(what, url), provider_session() as http:
        http.trust_env = False  # a .netrc must not replace our header
        response = http.get(url, headers={"Authorization": authorization, "Accept": "application/json"})
    if response.status_code in {401, 403, 404} and missing is not None:
        raise missing
    if not response.ok:
        raise ProviderError("invalid_response", f"{what} failed: HTTP {response.status_code} came back.")
    return response


def _line_of(name: str, variable: str) -> str:
    try:
        with Path(name).open("rb") as file:
            line = file.read(_LIMIT).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LoginFailed(
            "invalid_client",
            f"The file that {variable} names cannot be read: {type(error).__name__}. Check its name and rights.",
        ) from None
    if not line or any(c.isspace() for c in line):
        raise LoginFailed("invalid_client", f"The file that {variable} names does not hold one word.")
    return line


def _bearer(access_token: str) -> Token:
    token: dict[str, Any] = {"access_token": access_token, "token_type": "Bearer"}
    if (expires_at := _expiry(access_token)) is not None:
        token |= {"expires_at": expires_at, "expires_in": max(0, expires_at - int(time.time()))}
    return Token(token)


def _expiry(access_token: str) -> int | None:
    """When a JWT ends by its own word (RFC 7519 section 4.1.4); it is not ours to verify, and not relied on."""
    try:
        payload = access_token.split(".")[1]
        expires_at = parse(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        return int(expires_at)
    except (IndexError, ValueError, TypeError, KeyError, OverflowError):
        return None
