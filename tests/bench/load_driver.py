"""Many concurrent people with browsers, and clients, that behave in the same way at every OpenID Provider.

A `Browser` follows redirects and fills in any form it is shown. `repeat` runs a task in so many workers for a given
time.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import json
import re
import secrets
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

REDIRECT_URI = "http://127.0.0.1:9/callback"  # nobody listens there; the browser does not follow it
PASSWORD = "a long passphrase"
SCOPE = ("openid", "profile", "email", "measurements:read")
FORM = re.compile(r"<form([^>]*)>(.*?)</form>", re.DOTALL)
FIELD = re.compile(r"<(?:input|button)\b[^>]*>")
ATTRIBUTE = re.compile(r'\b([a-z-]+)="([^"]*)"')


class Failed(Exception):
    """An unexpected response of a provider; the text says which."""


@dataclass
class Site:
    """A provider: its endpoints, connections to it, and the duration of each response."""

    name: str
    issuer: str
    http: aiohttp.ClientSession
    secret: str | None = None
    seconds: list[float] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    async def send(self, http: aiohttp.ClientSession, method: str, url: str, **more: Any) -> tuple[str, str]:
        """Send a request; the URL it leads to, and the response's text."""
        started = time.perf_counter()
        async with http.request(method, url, allow_redirects=False, **more) as response:
            text = await response.text()
        self.seconds.append(time.perf_counter() - started)
        if response.status >= 400:
            raise Failed(f"{self.name}: {response.status} for {method} {urlsplit(url).path}: {text[:300]}")
        return response.headers.get("Location", ""), text

    async def sign_up(self, name: str) -> None:
        """Create an account on the sign-up page."""
        async with self._browser() as browser:
            await browser.open(f"{self.issuer}/signup")
            await browser.submit(name)
        if urlsplit(browser.url).path == "/signup":
            raise Failed(f"{self.name}: {name} got no account")

    async def sign_in(self, name: str) -> dict[str, Any]:
        """From the authorization URL to the token response: sign-in form, consent page, code, token endpoint."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        query = {
            "response_type": "code",
            "client_id": "notebook",
            "redirect_uri": REDIRECT_URI,
            "scope": " ".join(scope for scope in SCOPE if scope in self.metadata["scopes_supported"]),
            "prompt": "consent",
            "state": state,
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        async with self._browser() as browser:
            await browser.open(f"{self.metadata['authorization_endpoint']}?{urlencode(query)}")
            while not browser.at_client and browser.sent < 2:  # two forms, or one for both
                await browser.submit(name)
        answer = parse_qs(urlsplit(browser.url).query)
        if not browser.at_client or answer.get("state") != [state] or "code" not in answer:
            raise Failed(f"{self.name}: the sign-in of {name} ended at {browser.url}")
        code = {"code": answer["code"][0], "redirect_uri": REDIRECT_URI, "code_verifier": verifier}
        return await self._tokens(grant_type="authorization_code", **code)

    async def refresh(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """The refresh token after a renewal: a new one, or the same if the provider does not rotate it."""
        fresh = await self._tokens(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        return tokens | fresh

    async def read(self, url: str, tokens: dict[str, Any]) -> None:
        """Call the API with the access token."""
        await self.send(self.http, "GET", url, headers={"Authorization": "Bearer " + tokens["access_token"]})

    async def _tokens(self, **parameters: str) -> dict[str, Any]:
        if self.secret:
            credentials: dict[str, Any] = {"auth": aiohttp.BasicAuth("notebook", self.secret)}
        else:
            credentials = {}
            parameters["client_id"] = "notebook"
        _, text = await self.send(
            self.http, "POST", self.metadata["token_endpoint"], data=parameters, **credentials
        )
        answer: dict[str, Any] = json.loads(text)
        return answer

    @asynccontextmanager
    async def _browser(self) -> AsyncIterator[Browser]:
        connections = {"connector": self.http.connector, "connector_owner": False}
        async with aiohttp.ClientSession(**connections, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            yield Browser(self, http)


class Browser:
    """A browser with its own cookies, and the person who uses it."""

    def __init__(self, site: Site, http: aiohttp.ClientSession) -> None:
        self._site = site
        self._http = http
        self._text = ""
        self.url = ""
        self.sent = 0

    @property
    def at_client(self) -> bool:
        """Whether the browser was redirected to the client."""
        return self.url.startswith(REDIRECT_URI)

    async def open(self, url: str, data: dict[str, str] | None = None) -> None:
        """Open a page and follow redirects up to the client's redirect URI."""
        method = "POST" if data else "GET"
        while True:
            location, self._text = await self._site.send(self._http, method, url, data=data)
            self.url = url = urljoin(url, location)
            if not location or self.at_client:
                return
            method, data = "GET", None

    async def submit(self, name: str) -> None:
        """Fill in the page's first form for that person, consent, and submit it."""
        answers = {"name": name, "sub": name, "email": f"{name}@example.org", "decision": "allow"}
        answers |= {"password": PASSWORD, "password_again": PASSWORD}
        form = FORM.search(self._text)
        if not form:
            raise Failed(f"{self._site.name}: no form at {self.url}")
        action = dict(ATTRIBUTE.findall(form[1])).get("action", "")
        fields = [dict(ATTRIBUTE.findall(tag)) for tag in FIELD.findall(form[2])]
        held = {one["name"]: html.unescape(one.get("value", "")) for one in fields if "name" in one}
        self.sent += 1
        await self.open(
            urljoin(self.url, html.unescape(action)), {name: answers.get(name, held[name]) for name in held}
        )


@asynccontextmanager
async def visit(name: str, issuer: str, secret: str | None = None) -> AsyncIterator[Site]:
    """A provider with its metadata."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        site = Site(name, issuer, http, secret)
        _, text = await site.send(http, "GET", f"{issuer}/.well-known/openid-configuration")
        site.metadata = json.loads(text)
        yield site


async def repeat(work: Callable[[int], Awaitable[None]], workers: int, seconds: float) -> float:
    """Tasks per second of so many workers; tasks under way at the end are finished and count."""
    started = time.perf_counter()
    done = 0

    async def worker(number: int) -> None:
        nonlocal done
        while time.perf_counter() < started + seconds:
            await work(number)
            done += 1

    await asyncio.gather(*map(worker, range(workers)))
    return done / (time.perf_counter() - started)
