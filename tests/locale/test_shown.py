"""What people see of a sign-in, in a language that marks its sentences: nothing is left that was not translated."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pseudo
import pytest
import requests

import authnb
from authnb.demo import DemoProvider
from authnb.flows.steps import Field, Form
from authnb.messages import speaking, translated
from authnb.storage.base import MemoryStorage
from authnb.views.card import card, live_card
from authnb.views.elements import cancel
from authnb.views.form import form_element
from authnb.views.text import html, text_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.signin.login import Login

# Attributes that a person reads or hears
SPOKEN = re.compile(
    r"aria-label|alt|title|data-(pending|announce|copied|label|show|hide|missing|short|long|differs|invalid|help)"
)
WORDS = re.compile(r"[A-Za-z]{2,}")


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoProvider]:
    with DemoProvider() as provider:
        yield provider


def begin(demo: DemoProvider, **more: Any) -> Login:
    options = {"mode": "loopback", "view": None, "storage": MemoryStorage(), **more}
    return authnb.login(demo.issuer, client_id=demo.client_id, **options)


def shown(login: Login, language: str | None = None) -> dict[str, Any]:
    """The whole card, as it is sent to a page in this language."""
    with speaking(language) as code:
        saved = card(login, cell_stopped=True, notes="", clicks_unheard=None, page={})
        shown = live_card(login, notes="", clicks_unheard=None, cell_stopped=True)
        return dict(translated(saved | shown, code))


def texts(node: Any) -> Iterator[str]:
    """All that a person reads of elements; of a card its texts as well."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for name in ("title", "subtitle", "text", "dead"):
            yield from texts(node.get(name, ""))
        for name in ("body", "behind", "elsewhere"):
            for element in node.get(name) or ():
                yield content(element)
                yield from spoken(element)


def content(node: Any) -> str:
    """The text of an element and of those in it: a sentence may go on from one to the next."""
    return node if isinstance(node, str) else "".join(map(content, node[2:]))


def spoken(node: Any) -> Iterator[str]:
    """The attributes of an element, and of those in it, that a person reads or hears."""
    if isinstance(node, list):
        yield from (str(value) for name, value in node[1].items() if value and SPOKEN.fullmatch(name))
        for child in node[2:]:
            yield from spoken(child)


def english(shown: list[str], *names: object) -> list[str]:
    """The words that no sentence marks, but for these names and what is no word of a language."""
    left = []
    for text in shown:
        rest = pseudo.untranslated(text)
        for name in sorted(map(str, names), key=len, reverse=True):
            rest = rest.replace(name, "")
        left += [text for word in WORDS.findall(re.sub(r"https?://\S+|data:\S+", "", rest)) if word]
    return left


class Visible(HTMLParser):
    """The text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.language = ""
        self._hidden = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag == "style"
        if tag == "html":
            self.language = dict(attrs)["lang"] or ""

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text.append(data)


@pytest.mark.parametrize("right_to_left", [False, True])
def test_no_phase_of_a_sign_in_shows_english(
    demo: DemoProvider, tmp_path_factory: pytest.TempPathFactory, right_to_left: bool
) -> None:
    """The card, the lines and the HTML, from the start to the end."""
    folder = tmp_path_factory.mktemp("qps")
    authnb.messages.FOLDERS.append(pseudo.write(folder, right_to_left=right_to_left))
    authnb.language(pseudo.LANGUAGE)
    for mode in ("loopback", "device", "paste"):
        login = begin(demo, mode=mode)
        verification = login.verification()
        uri = verification.uri
        names = (uri, uri.partition("://")[2], login.host, demo.client_id, verification.user_code or "-")
        for _ in range(2):
            seen = [*texts(shown(login)), *text_lines(login), "".join(Visible(html(login)).text)]
            assert english(seen, *names, "LoginFailed", "cancelled") == []
            assert [text for text in seen if pseudo.BEGIN in text]
            assert shown(login)["lang"] == pseudo.LANGUAGE
            login.cancel()
    done = begin(demo)
    demo.visit(done.verification().uri)
    done.wait(10)
    assert (
        english(
            [*texts(shown(done)), *text_lines(done)], done.host, demo.client_id, *done.session.user.values()
        )
        == []
    )


def test_the_form_has_its_words_with_it(qps: str) -> None:
    """Also those that the page's script shows later."""
    authnb.language(qps)
    password = Field(name="password", label="LABEL", kind="password", min_length=8, max_length=64)
    again = Field(name="again", label="LABEL", kind="password", same_as="password")
    email = Field(name="email", label="LABEL", kind="email")
    form = Form(endpoint="https://id.example.org/signup", fields=(password, again, email), errors={})
    seen = list(texts({"body": [form_element(form, cancel())]}))
    assert english(seen, "LABEL") == []
    assert len([text for text in seen if pseudo.BEGIN in text]) > 10


def test_two_pages_have_one_sign_in_in_two_languages(demo: DemoProvider) -> None:
    """An error that was made for one of them, too."""
    login = begin(demo)
    login.verification()
    login.cancel()
    assert shown(login, "en")["title"] == f"The sign-in at {login.host} was cancelled"
    assert shown(login, "ko-KR")["title"] == f"{login.host} 로그인이 취소되었습니다"
    assert shown(login, "ko")["lang"] == "ko"
    assert shown(login)["lang"] == "en"


def test_the_callback_page_is_in_the_language_of_the_notebook(demo: DemoProvider, qps: str) -> None:
    authnb.language(qps)
    login = begin(demo)
    uri = login.verification().redirect_uri
    assert uri is not None
    refused = uri + "?error=invalid_scope"
    for url, status in [(uri + "?code=c&state=s", 400), (refused, 400), (uri.replace("callback", "x"), 404)]:
        page = requests.get(url, timeout=10)
        assert (page.status_code, Visible(page.text).language) == (status, qps)
        assert english(Visible(page.text).text, "invalid_scope", "scope") == []
    login.cancel()
