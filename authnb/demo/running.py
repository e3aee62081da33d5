"""A provider that runs somewhere on this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authnb.demo.person import Person

if TYPE_CHECKING:
    from authnb.demo.person import Page


known_issuers: set[str] = set()  # of providers for learning, started here or asked whether they are one


class RunningProvider:
    """The addresses of a provider that answers, and the verbs of the person who uses it."""

    client_id = "notebook"
    issuer: str

    def __init__(self, issuer: str) -> None:
        self._attach(issuer)

    def _attach(self, issuer: str) -> None:
        self.issuer = issuer
        self._person = Person(issuer)

    @property
    def api(self) -> str:
        """The base address of the protected API."""
        return f"{self.issuer}/api"

    @property
    def archive(self) -> str:
        """The base address of the second API, whose tokens are its own (RFC 8707)."""
        return f"{self.issuer}/archive"

    def sign_up(self, name: str, password: str) -> None:
        """Create an account as a person does on the page; raises PersonError with what the page says."""
        self._person.sign_up(name, password)

    def visit(self, url: str, *, name: str = "ada", allow: bool = True) -> Page:
        """Open a sign-in link as that person and say yes, or no; follows it to the client and gives its page."""
        return self._person.visit(url, name=name, allow=allow)

    def approve(self, user_code: str | None, *, name: str = "ada") -> Page:
        """Enter a device's code and say yes."""
        return self._person.approve(user_code, name=name)

    def deny(self, user_code: str | None, *, name: str = "ada") -> Page:
        """Enter a device's code and say no."""
        return self._person.deny(user_code, name=name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'issuer', 'not running')}>"
