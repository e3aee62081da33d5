"""How the panel and the text name a provider and a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import authnb
from authnb.demo import DemoProvider
from authnb.storage.base import MemoryStorage
from authnb.views.card import card, live_card
from authnb.views.text import html, text_lines

if TYPE_CHECKING:
    from authnb.signin.login import Login


def begin(demo: DemoProvider, **more: Any) -> Login:
    options = {"mode": "loopback", "view": None, "storage": MemoryStorage(), **more}
    return authnb.login(demo.issuer, client_id=demo.client_id, **options)


def shown(login: Login) -> dict[str, Any]:
    """The panel's state, that which is never saved included."""
    saved = card(login, cell_stopped=False, notes="", clicks_unheard=None, page={})
    return saved | live_card(login, notes="", clicks_unheard=None, cell_stopped=False)


def test_two_providers_at_one_host_are_named_with_their_ports(demo: DemoProvider) -> None:
    """The first one, too, from then on; one alone is not, for its port may be another in each run."""
    first = begin(demo)
    first.verification()
    assert shown(first)["title"] == "Sign in to 127.0.0.1"
    with DemoProvider() as other:
        second = begin(other)
        second.verification()
        for login, provider in ((first, demo), (second, other)):
            host = provider.issuer.removeprefix("http://")
            assert shown(login)["title"] == f"Sign in to {host}"
            assert text_lines(login)[0] == f"To sign in at {host}, open this address in your browser:"
        second.cancel()
    demo.visit(first.verification().uri)
    first.wait(10)
    assert shown(first)["subtitle"].endswith(demo.issuer.removeprefix("http://"))


def test_two_sign_ins_at_one_provider_need_no_port(demo: DemoProvider) -> None:
    logins = [begin(demo), begin(demo, profile="work")]
    for login in logins:
        login.verification()
        assert login.host == "127.0.0.1"
        login.cancel()


def test_a_person_without_a_name_is_not_named_by_a_number(demo: DemoProvider) -> None:
    """``sub`` identifies an account, and says nothing to a person."""
    login = begin(demo, scope="openid")
    demo.visit(login.verification().uri)
    subject = login.wait(10).user["sub"]
    assert shown(login)["title"] == "Signed in at 127.0.0.1"
    assert text_lines(login) == ["Signed in at 127.0.0.1."]
    assert subject not in str(shown(login))


def test_no_other_device_is_sent_to_a_page_of_this_machine(demo: DemoProvider) -> None:
    """A phone's 127.0.0.1 is the phone; elsewhere any device will do."""
    login = begin(demo, mode="device")
    login.verification()
    assert text_lines(login)[0] == "To sign in at 127.0.0.1, open this address in your browser:"
    for text in (*text_lines(login), html(login), str(shown(login))):
        assert "any device" not in text
    assert "data:image/svg" not in str(shown(login))
    login.cancel()
