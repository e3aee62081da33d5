"""The replay of a recording in a real JupyterLab: drawn, gone through by keyboard, saved, and opened again."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from harness import Notebook, violations
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import JupyterPage
    from playwright.sync_api import Locator

pytestmark = pytest.mark.parametrize("app", ["lab"], indirect=True, scope="module")

# All of it in the kernel, the provider too: only there may values be shown
RECORD = """
import authnb
from authnb.demo import DemoProvider
from authnb.storage.base import MemoryStorage

with DemoProvider() as provider, authnb.record(reveal=True) as recording:
    signin = authnb.login(provider.issuer, client_id=provider.client_id, api=provider.api, mode="loopback",
                          scope="openid profile measurements:read", view=None, storage=MemoryStorage())
    provider.visit(signin.verification().uri, name="ada")
    api = signin.wait(60)
    api.get("/measurements")
"""
STATES = {
    "the request": "Your browser carries the request to the provider",
    "the code": "Your browser brings the response to the notebook",
    "the exchange": "The notebook exchanges the code for tokens",
    "the tokens": "The tokens",
}


@pytest.fixture(scope="module")
def replay(jupyter: JupyterPage) -> Iterator[Notebook]:
    """A notebook that shows one; tests leave it at any step."""
    # A kernel of its own: the panel of others would tell two providers on one host apart
    with jupyter.notebook(RECORD + "recording.replay()", "'the cell below'", kernel="") as notebook:
        notebook.run_all()
        expect(view(notebook)).to_be_visible(timeout=120_000)  # the kernel imports a provider first
        notebook.idle()
        yield notebook


def view(notebook: Notebook) -> Locator:
    return notebook.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .authnb-replay")


def go(notebook: Notebook, title: str) -> None:
    """Choose a step from the list of all."""
    steps = view(notebook).locator("details.ar-all")
    if steps.get_attribute("open") is None:
        steps.locator("summary").click()
    steps.get_by_role("button", name=title).last.click()
    expect(view(notebook).locator("h3").first).to_have_text(title)


def step(notebook: Notebook) -> int:
    return int(view(notebook).get_by_role("slider").input_value())


def switch(notebook: Notebook, name: str) -> Locator:
    return view(notebook).get_by_role("switch", name=name, exact=True)


def test_each_step_says_who_sends_what_and_who_knows_it(replay: Notebook) -> None:
    """The values are there: they are those of the provider for learning, sent to this page alone."""
    go(replay, STATES["the code"])
    expect(view(replay).locator("dt").first).to_have_css("float", "none")
    shown = view(replay)
    expect(shown.locator(".ar-channel")).to_have_text("Front channel")
    expect(shown.locator(".ar-line")).to_have_css("border-top-style", "dashed")
    expect(shown.locator(".ar-way")).to_contain_text("You and your browser → The notebook")
    code = shown.locator(".ar-parameters > div", has_text=re.compile("^code")).first
    expect(code.locator("bdi.ar-value")).to_have_text(re.compile(r"^[\w-]{40,}$"))
    expect(code.get_by_role("link", name="RFC 6749 4.1.2")).to_have_attribute(
        "href", "https://www.rfc-editor.org/rfc/rfc6749.html#section-4.1.2"
    )
    expect(shown.locator(".ar-who > div", has_text="The notebook").locator(".ar-new")).to_contain_text("code")
    go(replay, STATES["the tokens"])
    expect(shown.locator(".ar-channel")).to_have_text("Back channel")
    expect(shown.locator(".ar-line")).to_have_css("border-top-style", "solid")
    expect(shown.locator(".ar-part h5")).to_have_text(["Header", "Claims", "Signature"])
    expect(shown.locator(".ar-part-claims dt").first).to_have_text("iss")
    expect(shown.locator(".ar-verdict")).to_have_text(re.compile("✓The signature is right."))


def test_a_defence_that_is_off_shows_what_the_attacker_gets(replay: Notebook) -> None:
    """Unless another one that is on ends the attack."""
    outcome = (
        view(replay)
        .locator(".ar-defence", has=replay.page.get_by_role("switch", name="state"))
        .locator(".ar-outcome")
    )
    expect(outcome).to_contain_text("refuses the response")
    switch(replay, "state").click()
    expect(switch(replay, "state")).to_have_attribute("aria-checked", "false")
    expect(outcome.locator(".ar-heads .ar-attacker")).to_have_text("The attacker")
    expect(outcome.locator(".ar-ended")).to_contain_text("PKCE")
    expect(outcome.locator(".ar-gets")).to_have_count(0)
    switch(replay, "PKCE").click()
    switch(replay, "nonce").click()
    expect(outcome.locator(".ar-gets")).to_contain_text("The attacker gets")
    for name in ("nonce", "PKCE", "state"):
        switch(replay, name).click()
    expect(outcome.locator(".ar-gets")).to_have_count(0)
    expect(outcome).to_contain_text("refuses the response")


def test_by_keyboard(replay: Notebook) -> None:
    """Arrow keys, Home and End; the focus stays, each step is announced, and JupyterLab's shortcuts rest."""
    shown, page = view(replay), replay.page
    sources = "() => window.notebook.content.widgets.map(cell => cell.model.sharedModel.source)"
    cells = page.evaluate(sources)
    further = shown.get_by_role("button", name="Next")
    further.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert step(replay) == 2
    expect(further).to_be_focused()
    expect(shown.get_by_role("status")).to_contain_text("Step 3 of")
    expect(shown.get_by_role("status")).to_contain_text(STATES["the request"])
    page.keyboard.press("ArrowLeft")
    assert step(replay) == 1
    page.keyboard.press("End")
    expect(further).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")
    expect(further).to_be_focused()
    for focused in (
        further,
        shown.get_by_role("link").first,
        switch(replay, "PKCE"),
        shown.locator("summary").last,
    ):
        focused.focus()
        page.keyboard.press("x")
    assert page.evaluate(sources) == cells
    shown.get_by_role("slider").focus()
    page.keyboard.press("Home")
    assert step(replay) == 0
    page.keyboard.press("ArrowUp")
    expect(shown.get_by_role("slider")).to_have_attribute("aria-valuetext", re.compile("^Step 2 of"))
    go(replay, STATES["the code"])
    shown.locator(".ar-body").get_by_role("link").first.focus()
    page.keyboard.press("ArrowRight")
    expect(shown.get_by_role("slider")).to_be_focused()
    switch(replay, "state").focus()
    page.keyboard.press("Space")
    expect(shown.get_by_role("status")).to_contain_text("It ends here")
    page.keyboard.press("Enter")
    expect(switch(replay, "state")).to_be_focused()
    expect(switch(replay, "state")).to_have_attribute("aria-checked", "true")


def test_axe_finds_no_violation(replay: Notebook, jupyter: JupyterPage) -> None:
    """In six states, light, dark and on a phone, where nothing is wider than the screen; nor twice as large."""
    page, found = jupyter.page, list[tuple[str, int, str, str]]()
    page.emulate_media(reduced_motion="reduce")
    # JupyterLab's body has no height, so axe takes all in it to be out of sight, and looks at no contrast
    page.add_style_tag(content="body { min-height: 100vh }")
    for theme, width in (("JupyterLab Light", 900), ("JupyterLab Dark", 320), ("JupyterLab Light", 450)):
        jupyter.theme(theme)
        page.set_viewport_size({"width": width, "height": 800})
        for title in STATES.values():
            go(replay, title)
            found += [(theme, width, title, one) for one in violations(page, ".authnb-replay")]
            assert view(replay).evaluate("one => one.scrollWidth - one.clientWidth") == 0, (width, title)
        for defence in ("state", "PKCE"):
            switch(replay, defence).click()
            found += [(theme, width, defence, one) for one in violations(page, ".authnb-replay")]
            assert view(replay).evaluate("one => one.scrollWidth - one.clientWidth") == 0, (width, defence)
        for defence in ("state", "PKCE"):
            switch(replay, defence).click()
    assert found == []
    page.set_viewport_size({"width": 900, "height": 800})
    jupyter.theme("JupyterLab Light")
    page.emulate_media(reduced_motion="no-preference")


def test_nothing_moves_with_reduced_motion(replay: Notebook) -> None:
    go(replay, STATES["the request"])
    letter = view(replay).locator(".ar-travelling")
    expect(letter).to_have_css("animation-name", "ar-travel")
    replay.page.emulate_media(reduced_motion="reduce")
    expect(letter).to_have_css("animation-name", "none")
    replay.page.emulate_media(reduced_motion="no-preference")


def test_right_to_left(replay: Notebook) -> None:
    """The lanes, the arrow and the arrow keys turn with the page."""
    go(replay, STATES["the request"])
    view(replay).evaluate("one => { one.parentElement.dir = 'rtl'; }")
    heads = view(replay).locator(".ar-stage .ar-heads > div")
    first, second = (heads.nth(n).bounding_box() or {} for n in range(2))
    assert first["x"] > second["x"]
    at = step(replay)
    view(replay).get_by_role("slider").focus()
    replay.page.keyboard.press("ArrowLeft")
    assert step(replay) == at + 1
    view(replay).evaluate("one => { one.parentElement.dir = ''; }")


def test_what_was_recorded_is_text(jupyter: JupyterPage) -> None:
    """Markup, scripts and bidi characters of a provider do nothing, in the view and in the picture."""
    cell = f"""
from authnb.recording.widget import ReplayWidget
bad = {HOSTILE!r}
link = {{"name": bad, "value": bad, "meaning": bad, "section": "RFC 1", "url": "javascript:window.hacked = 1"}}
party = [{{"id": "browser", "name": bad, "host": bad}}, {{"id": "client", "name": bad}}]
hop = {{"from": "browser", "to": "client", "channel": "front", "title": bad, "status": None, "says": bad,
       "parameters": [link], "jwts": [{{"name": "proof", "header": [link], "claims": [link],
       "signature": {{"signed_by": bad}}}}], "knows": {{"client": [bad]}}}}
attack = {{"steps": [{{"from": "attacker", "to": "client", "says": bad}}], "gets": bad}}
defence = {{"id": bad, "name": bad, "section": "RFC 1", "url": "data:text/html,x", "hop": 0, "on": {{"says": bad}},
           "off": attack}}
ReplayWidget({{"title": bad, "parties": party, "hops": [hop], "defences": [defence]}})
"""
    with jupyter.notebook(cell) as notebook:
        notebook.run_all()
        shown = view(notebook)
        shown.get_by_role("switch").click()
        expect(shown.locator(".ar-gets")).to_contain_text("<img")
        assert shown.locator("img, script, b b").count() == 0
        assert shown.get_by_role("link").count() == 0
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown.inner_text())
        picture = jupyter.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) [data-authnb-replay]")
        assert picture.locator("img").count() == 1
        assert "<img" in str(picture.text_content())
        assert jupyter.page.evaluate("window.hacked") is None


HOSTILE = "\u202e<img src=x onerror='window.hacked=1'></script><b>bold</b>{title}{{x}}\"'"


def test_the_saved_notebook_has_a_picture_and_no_secret(jupyter: JupyterPage, replay: Notebook) -> None:
    """Opened again, with a kernel that knows nothing of it, it shows the diagram and all steps, and no error."""
    go(replay, STATES["the tokens"])
    values = view(replay).locator("bdi.ar-value").all_text_contents()
    secrets = {value for value in values if re.fullmatch(r"[\w.-]{40,}", value)}
    assert len(secrets) >= 3
    picture = jupyter.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) [data-authnb-replay]")
    expect(picture).to_be_hidden()
    saved = replay.save()
    assert not [secret for secret in secrets if secret in saved]
    outputs = json.loads(saved)["cells"][0]["outputs"]
    assert [sorted(output["data"]) for output in outputs] == [
        ["application/vnd.jupyter.widget-view+json", "text/plain"],
        ["text/html", "text/plain"],
    ]
    steps = "".join(outputs[1]["data"]["text/plain"]).splitlines()
    assert "18. " in "".join(steps)
    name = f"again-{replay.name}"
    (jupyter.server.folder / name).write_text(saved, encoding="utf-8")
    kernel = jupyter.server.ask("POST", "kernels", json={"name": "python3"}).json()["id"]
    jupyter.page.evaluate(
        "() => jupyterapp.shell.currentWidget.dispose()"
    )  # its view hides the picture on this page
    Notebook(jupyter, name, kernel)
    expect(picture).to_be_visible()
    expect(picture.get_by_role("img")).to_have_attribute(
        "alt", re.compile("step by step as a sequence diagram")
    )
    assert picture.get_by_role("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 600
    expect(picture.get_by_role("listitem")).to_have_count(len(steps) - 1)
    expect(jupyter.page.get_by_text("Error displaying widget: model not found")).to_have_count(1)
    expect(jupyter.page.get_by_text("Error displaying widget: model not found")).to_be_hidden()
    jupyter.server.ask("DELETE", f"kernels/{kernel}")
