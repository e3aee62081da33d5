"""Authlib's ``OAuth2Session`` with rules of its own for redirects, proxies and errors; what `Session` is built on."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from authnb.compat import register_fork_aware
from authnb.errors import raises_without_frames, without_frames
from authnb.oauth.authlib_session import ClientSession
from authnb.oauth.responses import Token
from authnb.session.auth import TokenAuth, origin
from authnb.session.renewal import expires_soon, signed_out_error
from authnb.transport.exchange import observe, observe_api, observers
from authnb.transport.failures import environment_error
from authnb.transport.http import disconnect

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

# A redirect with status 307 would repeat refresh token and client secret at another origin
_TO_PROVIDER = {"allow_redirects": False, "hooks": {"response": [observe]}}
API_TIMEOUT = (5.0, 60.0)  # seconds to connect, and to wait for the next byte


class GuardedSession(ClientSession):
    """An ``OAuth2Session`` whose token reaches the API only, and whose errors and tracebacks hold no secret."""

    token_auth_class = TokenAuth
    token_auth: TokenAuth
    _api: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default_timeout", API_TIMEOUT)
        super().__init__(*args, **kwargs)
        register_fork_aware(self)
        self.token = self.token  # as our Token, whose repr hides secrets

    def after_fork(self) -> None:
        """Make the connections and the cookies' lock anew: a forked process would read its parent's responses."""
        disconnect(self)

    @property
    def token(self) -> Any:
        """The token response in use; its repr hides secrets. None after `logout`."""
        return self.token_auth.token

    @token.setter
    def token(self, token: Mapping[str, Any] | None) -> None:
        ours = token if token is None or isinstance(token, Token) else Token(token)
        self.token_auth.set_token(ours)

    def request(  # type: ignore[override] # the stub spells out every keyword of requests
        self,
        method: str,
        url: str,
        withhold_token: bool = False,  # noqa: FBT001, FBT002 - Authlib's signature
        auth: Any = None,
        **kwargs: Any,
    ) -> requests.Response:
        """Send a request with the token, renewed first if it expires soon; relative URLs resolve against ``api``.

        A 401 is answered with one renewal and one retry, if the body can be sent again. Raises `LoginRequired` if a
        new sign-in is needed, and `AuthnbError` for a URL outside ``api``; ``withhold_token=True`` sends the request
        without the token.
        """
        if not withhold_token and auth is None and self.token_auth.renewer and not self.token:
            raise signed_out_error()
        if not withhold_token and auth is None and self.token:
            auth = self.token_auth.sign
        url = self._absolute(url)
        if observers:
            kwargs["hooks"] = _with_observer(kwargs.get("hooks"))
        try:
            return super().request(method, url, withhold_token=withhold_token, auth=auth, **kwargs)
        except BaseException as error:  # noqa: BLE001 - interrupts too; raised again below
            failure = environment_error(error, url) or error
        raise without_frames(failure)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request; `AuthnbError` if one of ``proxies`` would read the token. The environment's are not used."""
        if str(request.headers.get("Authorization")).startswith(("Bearer ", "DPoP ")):
            self.token_auth.check_proxy(str(request.url), kwargs.get("proxies") or {})
        return super().send(request, **kwargs)

    def should_strip_auth(self, old_url: str, new_url: str) -> bool:
        """Whether a redirect drops the token: whenever the origin changes."""
        return origin(old_url) != origin(new_url)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Drop the token on a redirect to another origin; else prove possession of its key for the new address."""
        super().rebuild_auth(prepared_request, response)
        self.token_auth.prove_again(prepared_request)

    @raises_without_frames
    def ensure_active_token(self, token: Any = None) -> bool | None:  # noqa: ARG002 - Authlib's signature
        """Renew the token if it expires soon; concurrent callers share one renewal."""
        renewer = self.token_auth.renewer
        if renewer is not None:
            self.token_auth.ensure_fresh(renewer)
            return True
        stale = self.token
        if not expires_soon(stale, time.time(), self.leeway):
            return True
        with self.token_auth.renewal_lock:
            if self.token is not stale:
                return True
            return super().ensure_active_token(stale)  # type: ignore[no-any-return,no-untyped-call] # Authlib has no types

    def parse_response_token(self, resp: Any) -> Any:
        """The token in a token response. A response without one raises, and the session keeps its token."""
        previous = self.token
        token = super().parse_response_token(resp)  # type: ignore[no-untyped-call] # Authlib has no types
        if isinstance(token.get("access_token"), str):
            return token
        self.token = previous
        raise self.oauth_error_class(
            error="invalid_response",
            description=f"The token endpoint answered HTTP {resp.status_code} without an access_token.",
        )

    def _absolute(self, url: str) -> str:
        # RFC 3986 section 4.2: no colon in the first segment of a relative reference; gRPC gives "://host"
        if not self._api or url.startswith("//") or ":" in re.split("[/?#]", url, maxsplit=1)[0]:
            return url
        base = self._api[0]
        return urljoin(base if base.endswith("/") else base + "/", url.lstrip("/"))

    @raises_without_frames
    def fetch_token(self, *args: Any, **kwargs: Any) -> Any:
        """The token for a code or other grant, as Authlib fetches it."""
        return super().fetch_token(*args, **kwargs)

    @raises_without_frames
    def refresh_token(self, *args: Any, **kwargs: Any) -> Any:
        """The token for a refresh token, as Authlib fetches it."""
        return super().refresh_token(*args, **kwargs)

    @raises_without_frames
    def revoke_token(self, *args: Any, **kwargs: Any) -> Any:
        """The response of the revocation endpoint (RFC 7009)."""
        return super().revoke_token(*args, **kwargs)  # type: ignore[no-untyped-call] # Authlib has no types

    @raises_without_frames
    def introspect_token(self, *args: Any, **kwargs: Any) -> Any:
        """The response of the introspection endpoint (RFC 7662)."""
        return super().introspect_token(*args, **kwargs)

    def _fetch_token(self, *args: Any, **kwargs: Any) -> Any:
        return super()._fetch_token(*args, **{**_TO_PROVIDER, **kwargs})  # type: ignore[misc] # not in the stubs

    def _http_post(self, *args: Any, **kwargs: Any) -> Any:
        return super()._http_post(*args, **{**_TO_PROVIDER, **kwargs})  # type: ignore[misc] # not in the stubs


def _with_observer(hooks: Mapping[str, Any] | None) -> dict[str, Any]:
    """The hooks of a request plus `observe_api`; added per request, because merging hooks takes time."""
    given = (hooks or {}).get("response") or []
    return {
        **(hooks or {}),
        "response": [*(given if isinstance(given, list | tuple) else [given]), observe_api],
    }
