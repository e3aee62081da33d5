"""Unattended sign-in: client credentials, or an ambient token of the workload's environment.

The client secret is in ``AUTHNB_CLIENT_SECRET``, or in the file that ``AUTHNB_CLIENT_SECRET_FILE`` names; in place of a
secret, the client's private key is in the file that ``AUTHNB_CLIENT_KEY_FILE`` names. A token
comes from the file that ``AUTHNB_TOKEN_FILE`` names; from a CI with ID tokens for jobs, as GitHub Actions has them
(``ACTIONS_ID_TOKEN_REQUEST_URL`` and ``ACTIONS_ID_TOKEN_REQUEST_TOKEN``); or from JupyterHub's ``auth_state``
(``JUPYTERHUB_API_TOKEN``).
"""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from authnb.errors import LoginFailed, ProviderError
from authnb.oauth.client_auth import KEY_FILE, key_path
from authnb.oauth.responses import Token
from authnb.transport.failures import provider_errors
from authnb.transport.http import is_secure, parse, provider_session, read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

SECRET, SECRET_FILE = "AUTHNB_CLIENT_SECRET", "AUTHNB_CLIENT_SECRET_FILE"
TOKEN_FILE = "AUTHNB_TOKEN_FILE"  # noqa: S105 - a name, no secret
_CI_URL, _CI_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
_HUB_URL, _HUB_TOKEN, _HUB_USER = "JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_USER"
_LIMIT = 1 << 16  # bytes of a file with one secret in it
_SCOPE = "admin:auth_state!user"


def client_key(environ: Mapping[str, str]) -> Path | None:
    """The file with the client's private key that the environment names, if it does."""
    name = environ.get(KEY_FILE)
    return key_path(name) if name else None


def has_secret(environ: Mapping[str, str]) -> bool:
    """Whether the environment has a client secret, or names a file with it."""
    return bool(environ.get(SECRET) or environ.get(SECRET_FILE))


def client_secret(environ: Mapping[str, str]) -> str:
    """The client secret from the environment, or from the file named there; `LoginFailed` without one."""
    if secret := environ.get(SECRET):
        return _one_word(secret, f"The environment variable {SECRET}")
    if name := environ.get(SECRET_FILE):
        return _read_secret_file(name, SECRET_FILE)
    raise LoginFailed(
        "invalid_client",
        f"mode='client_credentials' needs the client's secret or key: set {SECRET}, or {SECRET_FILE} to the name of a "
        f"file with it, or {KEY_FILE} to that of its private key. In a notebook it would be saved with the cell.",
    )


def token_source(environ: Mapping[str, str]) -> str | None:
    """A description of the source of ambient tokens in this environment; None without one."""
    if environ.get(TOKEN_FILE):
        return f"the file that {TOKEN_FILE} names"
    if environ.get(_CI_URL) and environ.get(_CI_TOKEN):
        return "the CI's token endpoint"
    if environ.get(_HUB_URL) and environ.get(_HUB_TOKEN):
        return "JupyterHub's auth_state"
    return None


def workload_token(environ: Mapping[str, str], audience: str) -> Token:
    """A token from the environment's source; ``audience`` is requested of a CI, which issues tokens for one.

    Raises `LoginFailed` without a source, or if it gives no token, with the setting that is missing.
    """
    if name := environ.get(TOKEN_FILE):
        return _token(_read_secret_file(name, TOKEN_FILE))
    if environ.get(_CI_URL) and environ.get(_CI_TOKEN):
        return _token(_ci_token(environ[_CI_URL], environ[_CI_TOKEN], audience))
    if environ.get(_HUB_URL) and environ.get(_HUB_TOKEN):
        return _token(_hub_token(environ))
    raise LoginFailed(
        "not_supported",
        f"mode='token' found no source of tokens: neither {TOKEN_FILE} nor {_CI_URL} (in GitHub Actions give the job "
        f"'permissions: id-token: write') nor {_HUB_TOKEN} is set.",
    )


def _ci_token(url: str, token: str, audience: str) -> str:
    """GitHub Actions' "OpenID Connect reference": methods for requesting the OIDC token."""
    operation = "Asking the CI for a token"
    if not is_secure(url):
        raise LoginFailed(
            "insecure_transport", f"{operation} was not tried: {_CI_URL} is not an https address."
        )
    query = urlencode({"audience": audience})
    answer = read_object(
        _get(operation, f"{url}{'&' if '?' in url else '?'}{query}", f"Bearer {token}"), operation
    )
    value = answer.get("value")
    if not isinstance(value, str) or not value:
        raise LoginFailed("invalid_response", f"{operation} failed: the response holds no value.")
    return value


def _hub_token(environ: Mapping[str, str]) -> str:
    operation = "Asking JupyterHub for your auth_state"
    user = quote(environ.get(_HUB_USER, ""), safe="")
    url = f"{environ[_HUB_URL].rstrip('/')}/users/{user}"
    if not is_secure(url):  # the request carries the server's token, the response the person's
        raise LoginFailed(
            "insecure_transport",
            f"{operation} was not tried: {_HUB_URL} is plain http on another machine. The Hub's administrator turns on "
            f"https between Hub and servers (c.JupyterHub.internal_ssl = True); or set {TOKEN_FILE} to a file with a "
            "token.",
        )
    response = _get(operation, url, f"token {environ[_HUB_TOKEN]}", missing=_missing_scope(operation))
    read_object(response, operation)
    model = parse(response.content)
    if "auth_state" not in model:  # it is null where the Hub stores none
        raise _missing_scope(operation)
    state = model["auth_state"]
    token = state.get("access_token") if isinstance(state, dict) else None
    if not isinstance(token, str) or not token:
        raise LoginFailed(
            "not_supported",
            f"{operation} failed: the Hub keeps none with an access_token for you. Its administrator turns that on "
            "with c.Authenticator.enable_auth_state = True, with an authenticator that signs people in by OAuth; then "
            "sign in to the Hub again.",
        )
    return token


def _missing_scope(operation: str) -> LoginFailed:
    return LoginFailed(
        "not_supported",
        f"{operation} was refused: the server's token lacks the scope {_SCOPE!r}. The Hub's administrator adds it to "
        "the roles 'user' and 'server' (c.JupyterHub.load_roles); then restart your server.",
    )


def _get(
    operation: str, url: str, authorization: str, missing: LoginFailed | None = None
) -> requests.Response:
    with provider_errors(operation, url), provider_session() as http:
        response = http.get(url, headers={"Authorization": authorization, "Accept": "application/json"})
    if response.status_code in {401, 403, 404} and missing is not None:
        raise missing
    if not response.ok:
        raise ProviderError("invalid_response", f"{operation} failed: HTTP {response.status_code} came back.")
    return response


def _read_secret_file(name: str, variable: str) -> str:
    try:
        with Path(name).open("rb") as file:
            text = file.read(_LIMIT).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise LoginFailed(
            "invalid_client",
            f"The file that {variable} names cannot be read: {type(error).__name__}. Check its name and rights.",
        ) from None
    return _one_word(text, f"The file that {variable} names")


def _one_word(text: str, source: str) -> str:
    """The secret in this text, without a byte order mark and without spaces or line ends around it."""
    word = text.removeprefix("\ufeff").strip()
    if not word or any(c.isspace() for c in word):
        raise LoginFailed(
            "invalid_client", f"{source} does not hold one word. Put the secret there and nothing else."
        )
    if not word.isascii() or not word.isprintable():
        raise LoginFailed(
            "invalid_client",
            f"{source} holds characters that are not ASCII. Copy the secret again, without quotation marks and as "
            "plain text.",
        )
    return word


def _token(access_token: str) -> Token:
    token: dict[str, Any] = {"access_token": access_token, "token_type": "Bearer"}
    if (expires_at := _expiry(access_token)) is not None:
        token |= {"expires_at": expires_at, "expires_in": max(0, expires_at - int(time.time()))}
    return Token(token)


def _expiry(access_token: str) -> int | None:
    """The ``exp`` claim of a JWT (RFC 7519 section 4.1.4), unverified: only a hint for when to read a new one."""
    try:
        payload = access_token.split(".")[1]
        expires_at = parse(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        return int(expires_at)
    except (IndexError, ValueError, TypeError, KeyError, OverflowError):
        return None
