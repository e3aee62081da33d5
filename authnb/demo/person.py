"""The person in front of the browser: opens links, fills in forms, says yes or no. Over HTTP, like any browser.

`python -m authnb.demo.person URL` does it from a command line, so `BROWSER="python -m authnb.demo.person %s"` lets
notebooks run with nobody there. Only the standard library is used, which logs no addresses.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import (
    BaseHandler,
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    ProxyHandler,
    Request,
    build_opener,
    url2pathname,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_NAME = "ada"
MOST_PAGES = 12
TIMEOUT = 30  # seconds

# Called with each request of a browser in this process and its answer, redirects too; the body is not read
observers: list[Callable[[Request, Any], None]] = []


class PersonError(Exception):
    """The person could not do what was asked; the text says what the page said."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of a page, with what is filled in already."""

    action: str
    fields: dict[str, str]
    buttons: dict[str, set[str]]

    @property
    def is_sign_up(self) -> bool:
        """Whether it creates an account."""
        return "password_again" in self.fields

    @property
    def is_sign_in(self) -> bool:
        """Whether it asks for a name and a password."""
        return "password" in self.fields and not self.is_sign_up

    @property
    def is_one_time_code(self) -> bool:
        """Whether it asks for the code that the page shows."""
        return "one_time_code" in self.fields

    @property
    def is_decision(self) -> bool:
        """Whether it asks for yes or no."""
        return {"allow", "deny"} <= self.buttons.get("decision", set())

    @property
    def is_known(self) -> bool:
        """Whether a person knows what to do with it."""
        return self.is_sign_up or self.is_sign_in or self.is_one_time_code or self.is_decision


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the browser shows. Address and text are not in its repr: a code may be in them."""

    url: str = field(repr=False)
    status: int
    text: str = field(repr=False)
    forms: tuple[Form, ...] = field(repr=False, default=())
    links: tuple[str, ...] = field(repr=False, default=())
    alerts: tuple[str, ...] = ()
    one_time_code: str = field(repr=False, default="")


class Person:
    """Somebody with a browser and a memory for passwords. Each visit is a new private window."""

    def __init__(self, issuer: str) -> None:
        self.issuer: str = issuer.rstrip("/")
        self._passwords: dict[str, str] = {}

    def sign_up(self, name: str, password: str) -> None:
        """Create an account; raises PersonError with what the page says."""
        page = self._sign_up(Browser(), f"{self.issuer}/signup", name, password)
        if page.alerts:
            raise PersonError(f"{self.issuer} did not create the account {name!r}: {' '.join(page.alerts)}")
        self._passwords[name] = password

    def visit(self, url: str, *, name: str = DEFAULT_NAME, allow: bool = True) -> Page:
        """Open a link, sign in, say yes or no, and give the page where it ends.

        The account is created first if there is none. Raises PersonError when a page says that it cannot go on.
        """
        browser = Browser()
        page = browser.open(url)
        signed_in = False
        for _ in range(MOST_PAGES):
            if not page.url.startswith(f"{self.issuer}/"):
                return page  # the client's own page
            form = next((form for form in page.forms if form.is_known), None)
            if page.alerts and not (form and form.is_sign_up):
                break
            if form is None:
                return page
            if form.is_decision:
                page = browser.send(form, decision="allow" if allow else "deny")
            elif form.is_one_time_code:
                page = browser.send(form, one_time_code=page.one_time_code)
            elif signed_in:
                break
            else:
                page = self._sign_in(browser, page, name)
                signed_in = not page.alerts
        raise PersonError(
            f"{self.issuer} did not let {name!r} go on: {' '.join(page.alerts) or 'asked again'}"
        )

    def approve(self, user_code: str | None, *, name: str = DEFAULT_NAME) -> Page:
        """Enter a device's code and say yes."""
        return self._decide(user_code, name, allow=True)

    def deny(self, user_code: str | None, *, name: str = DEFAULT_NAME) -> Page:
        """Enter a device's code and say no."""
        return self._decide(user_code, name, allow=False)

    def _decide(self, user_code: str | None, name: str, *, allow: bool) -> Page:
        if user_code is None:
            raise PersonError(
                "This sign-in has no user code: it is in another mode than 'device'. Use visit(uri)."
            )
        return self.visit(
            f"{self.issuer}/device?{urlencode({'user_code': user_code})}", name=name, allow=allow
        )

    def _sign_in(self, browser: Browser, page: Page, name: str) -> Page:
        """Sign in from a sign-in or sign-up page; whoever is not known here yet tries to sign up first."""
        if name not in self._passwords:
            password = f"a long passphrase of {name}"
            sign_up = page if page.forms[0].is_sign_up else browser.open(_link(page, "/signup"))
            after = self._sign_up(browser, sign_up.url, name, password)
            page = browser.open(_link(after, "/login")) if after.forms[0].is_sign_up else after
            self._passwords[name] = password
        elif page.forms[0].is_sign_up:
            page = browser.open(_link(page, "/login"))
        return browser.send(page.forms[0], name=name, password=self._passwords[name])

    def _sign_up(self, browser: Browser, url: str, name: str, password: str) -> Page:
        form = browser.open(url).forms[0]
        return browser.send(
            form,
            name=name,
            email=f"{name}@example.org",
            full_name=name.title(),
            password=password,
            password_again=password,
        )


class Browser:
    """A browser with its own cookies and without scripts."""

    def __init__(self) -> None:
        self._redirects = _Redirects()
        # loopback is never asked for through a proxy
        handlers = (ProxyHandler({}), HTTPCookieProcessor(CookieJar()), self._redirects, _Observed())
        self._opener = build_opener(*handlers)

    def open(self, url: str, data: bytes | None = None) -> Page:
        """Get a page, or post to it, and follow where it leads; raises PersonError if nobody answers."""
        if urlsplit(url).scheme not in {"http", "https"}:
            raise PersonError("The link is not an http(s) address.")
        self._redirects.target = url
        try:
            with self._opener.open(Request(url, data), timeout=TIMEOUT) as response:  # noqa: S310  checked above
                return read(response.url, response.status, response.read().decode(errors="replace"))
        except HTTPError as error:
            with error:
                return read(error.url or url, error.code, error.read().decode(errors="replace"))
        except (URLError, OSError) as error:
            place = urlsplit(self._redirects.target).netloc  # without the query: a code may be in it
            raise PersonError(f"{place} did not answer: {getattr(error, 'reason', error)}") from None

    def send(self, form: Form, **answers: str) -> Page:
        """Fill in a form and send it."""
        return self.open(form.action, urlencode({**form.fields, **answers}).encode())


class _Redirects(HTTPRedirectHandler):
    """Follows redirects as ever, and knows the last one, which an error does not tell."""

    target = ""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        self.target = newurl
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Observed(BaseHandler):
    def http_response(self, request: Request, response: Any) -> Any:
        for observer in tuple(observers):
            observer(request, response)
        return response


def read(url: str, status: int, text: str) -> Page:
    """Give a page with its forms, links and error messages."""
    reader = _Reader(url)
    reader.feed(text)
    return Page(
        url=url,
        status=status,
        text=text,
        forms=tuple(reader.forms),
        links=tuple(reader.links),
        alerts=tuple(" ".join(alert.split()) for alert in reader.alerts),
        one_time_code=reader.one_time_code.strip(),
    )


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._alert: str | None = None
        self._in_code = False
        self.one_time_code = ""
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.alerts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_code = "data-one-time-code" in given
        if "data-error" in given:
            self._alert = tag
            self.alerts.append("")
        if tag == "a":
            self.links.append(urljoin(self._url, given.get("href", "")))
        elif tag == "form":
            self.forms.append(Form(action=urljoin(self._url, given.get("action", "")), fields={}, buttons={}))
        elif tag == "input" and self.forms and given.get("type") != "submit":
            self.forms[-1].fields[given.get("name", "")] = given.get("value", "")
        elif tag == "button" and self.forms and "name" in given:
            self.forms[-1].buttons.setdefault(given["name"], set()).add(given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_code = False
        if tag == self._alert:
            self._alert = None

    def handle_data(self, data: str) -> None:
        if self._alert:
            self.alerts[-1] += data
        if self._in_code:
            self.one_time_code += data


def _link(page: Page, path: str) -> str:
    found = next((link for link in page.links if urlsplit(link).path.endswith(path)), None)
    if not found:
        raise PersonError(f"The page has no link to {path}: {' '.join(page.alerts)}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Visit one link; 0 and silence when it went well, else 1 and the reason."""
    parser = argparse.ArgumentParser(
        prog="python -m authnb.demo.person", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("url", help="the sign-in link, a device's verification link, or a file with one")
    parser.add_argument("--name", default=DEFAULT_NAME, help="who signs in (default: %(default)s)")
    parser.add_argument("--deny", action="store_true", help="say no instead of yes")
    given = parser.parse_args(arguments)
    url = given.url
    if url.startswith("file:"):  # a page that leads there, so that the link stands in no list of processes
        page_file = Path(url2pathname(urlsplit(url).path))
        url = read(url, 200, page_file.read_text(encoding="utf-8")).links[0]
    address = urlsplit(url)
    try:
        page = Person(f"{address.scheme}://{address.netloc}").visit(
            url, name=given.name, allow=not given.deny
        )
    except PersonError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program says why  a command line
        return 1
    if page.status >= 400 and not given.deny:  # noqa: PLR2004 - HTTP's errors
        print(f"The sign-in ended on a page with HTTP status {page.status}.", file=sys.stderr)  # noqa: T201 - a program says why
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
