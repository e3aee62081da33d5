"""A simulated browser that fills in the forms of these providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin, urlsplit

import requests
from bs4 import BeautifulSoup

if TYPE_CHECKING:
    from bs4 import Tag

PASSWORD = "a long passphrase of ada"
MOST_PAGES = 12
# What is entered into a field of this name; a field of another name keeps what is in it
_NAMED = {"login", "sub", "user_name", "given_name", "family_name"}
_PASSWORDS = {"password", "password1", "password2"}
_EMAILS = {"email", "emails-0"}
# The buttons that mean yes and no, by their values or else their names; the first of them that is there is pressed
_YES = ("accept", "create-profile", "logout")
_NO = ("deny", "abort")


class Window:
    """One person's browser: it keeps its cookies from page to page."""

    def __init__(self, name: str = "ada") -> None:
        self.name = name
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, url: str) -> requests.Response:
        """Open a URL and follow redirects."""
        return self._http.get(url, timeout=60)

    def visit(self, url: str, *, allow: bool = True, **more: str) -> requests.Response:
        """Open a URL and submit forms until a page has none; returns that page.

        ``allow``: what is answered when a page takes a no. ``more``: what to enter into fields of these names.
        """
        page = self.get(url)
        for _ in range(MOST_PAGES):
            soup = BeautifulSoup(page.text, "html.parser")
            if not allow and (link := soup.find("a", href=lambda to: bool(to) and to.endswith("/abort"))):
                return self.get(urljoin(page.url, str(link["href"])))
            forms = [form for form in soup.find_all("form") if self._concerns_us(form)]
            refusing = [] if allow else [form for form in forms if _button(form, _NO)]
            if refusing:
                return self._send(page, refusing[0], _NO, more)
            if not forms:
                return page
            page = self._send(page, forms[0], _YES, more)
        raise AssertionError(f"{page.url} asks again and again: {soup.get_text(' ', strip=True)[:300]}")

    def sign_out(self, url: str) -> requests.Response:
        """Open the end-session URL and confirm if asked."""
        page = self.get(url)
        forms = BeautifulSoup(page.text, "html.parser").find_all("form")
        asking = next((form for form in forms if _button(form, ("logout",))), None) or (forms or [None])[0]
        return self._send(page, asking, ("logout",), {}) if asking else page

    def asks_who(self, url: str) -> bool:
        """Whether this URL leads to a sign-in page."""
        soup = BeautifulSoup(self.get(url).text, "html.parser")
        return any(soup.find("input", attrs={"name": name}) for name in _NAMED)

    def _concerns_us(self, form: Tag) -> bool:
        fields = {str(field.get("name")) for field in form.find_all("input")}
        known = fields & (_NAMED | _PASSWORDS | {"user_code", "withheld", "prompt"})
        return bool(known or _button(form, _YES) or _button(form, _NO))

    def _send(
        self, page: requests.Response, form: Tag, press: tuple[str, ...], more: dict[str, str]
    ) -> requests.Response:
        data: dict[str, str] = {}
        for field in form.find_all("input"):
            name, kind = str(field.get("name", "")), field.get("type")
            if name and kind not in {"submit", "button", "file", "checkbox", "radio"}:
                data[name] = more.get(name) or self._entry(name) or str(field.get("value", ""))
        if pressed := _button(form, press):
            data[str(pressed["name"])] = str(pressed.get("value", ""))
        address = urljoin(page.url, str(form.get("action") or page.url))
        parts = urlsplit(page.url)
        headers = {"Origin": f"{parts.scheme}://{parts.netloc}", "Referer": page.url}
        if str(form.get("method", "get")).lower() == "post":
            return self._http.post(address, data=data, headers=headers, timeout=60)
        return self._http.get(address, params=data, headers=headers, timeout=60)

    def _entry(self, name: str) -> str | None:
        if name in _PASSWORDS:
            return PASSWORD
        if name in _EMAILS:
            return f"{self.name}@example.org"
        return self.name if name in _NAMED else None


def _button(form: Tag, wanted: tuple[str, ...]) -> Tag | None:
    beside = form.find_parent().find_all("button", attrs={"form": form["id"]}) if form.get("id") else []
    buttons = [button for button in (*form.find_all("button"), *beside) if button.get("name")]
    found = (b for word in wanted for b in buttons if word in {b.get("value"), b["name"]})
    return next(found, None)
