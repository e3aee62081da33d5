"""Scenarios of the leak scan, one a function. Every kind of secret occurs in at least one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import requests
from harness import login
from joserfc.jwk import ECKey
from looks import FOR_OTHERS, LOOK, VERBOSE
from playwright.sync_api import expect
from provider_pages import PASSWORD, open_page, unreachable_redirect
from provider_pages import sign_in as go_through
from servers import Server
from support import PERSON, free_port, newcomer

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Notebook
    from outlets import Run
    from playwright.sync_api import Locator

SIGNED_IN = frozenset({"access_token", "refresh_token", "id_token"})
BY_CODE = SIGNED_IN | {"code", "state", "code_verifier"}
PROXY_PORT = free_port()

# Each scenario, and the kinds of secrets that are sure to be in it
SCENARIOS: dict[str, tuple[Callable[[Run, DemoProvider], None], frozenset[str]]] = {}


def scenario(name: str, *kinds: str) -> Callable[..., Callable[[Run, DemoProvider], None]]:
    """Name one."""

    def note(run: Callable[[Run, DemoProvider], None]) -> Callable[[Run, DemoProvider], None]:
        SCENARIOS[name] = run, frozenset(kinds)
        return run

    return note


def cells(text: str, demo: DemoProvider) -> list[str]:
    """The cells of a text, parted by lines of dashes."""
    return text.replace("URL", repr(f"{demo.api}/measurements")).split("\n---\n")


def type_in(notebook: Notebook, **values: str) -> None:
    for label, value in values.items():
        notebook.panel.get_by_label(label.replace("_", " "), exact=True).fill(value)


@scenario("sign-up", "password", *BY_CODE)
def sign_up(run: Run, demo: DemoProvider) -> None:
    """Typed, refused, saved by itself meanwhile, mended, accepted; then the sign-in."""
    name, password = newcomer(), f"planted-{newcomer()}"
    demo.sign_up("taken-name", password)
    with run.notebook(login(demo, what="signup"), *cells(LOOK, demo)) as notebook:
        notebook.run_all()
        notebook.phase("sign_up")
        filled = {"Name": "taken-name", "Full_name": "Ada", "E-mail": f"{name}@example.org"}
        type_in(notebook, **filled, Password=password, Password_again=password)
        notebook.press("Show Password")
        run.keep(notebook)
        notebook.press("Create account")
        expect(notebook.panel).to_contain_text("is taken")
        run.keep(notebook)
        type_in(notebook, Name=name)
        notebook.press("Create account")
        with notebook.context.expect_page() as opened:
            notebook.link().click()
        page = opened.value
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Allow").click()
        notebook.phase("signed_in")
        page.close()
        notebook.idle()


@scenario("typing", "password")
def typing(run: Run, demo: DemoProvider) -> None:
    """A form half filled in, then given up."""
    password = f"planted-{newcomer()}"
    with run.notebook(login(demo, what="signup", then="signin")) as notebook:
        notebook.run_all()
        notebook.phase("sign_up")
        for label in ("Password", "Password_again"):
            type_in(notebook, **{label: password})
            run.autosave(notebook)
        run.plant(password=password)
        notebook.press("Cancel")
        notebook.phase("cancelled")


@scenario("loopback", *BY_CODE)
def loopback(run: Run, demo: DemoProvider) -> None:
    """Signed in, looked at from all sides, called, signed out."""
    after = [*cells(LOOK, demo), f"api.get({demo.api!r} + '/measurements').json()", "api.logout()", "api"]
    with run.notebook(login(demo, api=demo.api), *after) as notebook:
        notebook.run_all()
        address = notebook.address()
        run.keep(notebook)
        demo.visit(address, name="ada")
        notebook.phase("signed_out")
        notebook.idle()


@scenario("replay", *BY_CODE)
def replay(run: Run, demo: DemoProvider) -> None:
    """A sign-in that was recorded, redacted, gone through to the tokens and saved there; and read from its report."""
    parts = login(demo, api=demo.api).rpartition("\n")
    after = ["recording.__exit__(None, None, None)\nrecording.replay()", "recording", "vars(recording)"]
    again = "path = recording.save()\nfrom authnb import Recording\nRecording.load(path).replay()"
    begin = f"import authnb\nrecording = authnb.record().__enter__()\n{parts[0]}\n{parts[2]}"
    read = f"api.get({demo.api!r} + '/measurements').json()\napi.logout()"
    with run.notebook(begin, read, *after, again, "recording._replays()[0].as_dict()") as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_out")
        notebook.idle()
        go_to(notebook, "The tokens")
        run.keep(notebook)


@scenario("replay with values", *BY_CODE)
def replay_with_values(run: Run, demo: DemoProvider) -> None:
    """Of a kernel that knows the provider for one to learn with: shown to the page, and saved while they are shown."""
    known = "from authnb.demo import demo_provider\ndemo_provider().issuer"
    parts = login(demo, api=demo.api).rpartition("\n")
    begin = f"import authnb\nrecording = authnb.record(reveal=True).__enter__()\n{parts[0]}\n{parts[2]}"
    end = "api.logout()\nrecording.__exit__(None, None, None)\nshown = recording.replay()\nshown"
    with run.notebook(
        f"%env AUTHNB_DEMO={demo.issuer}", known, begin, end, "print(shown, shown.replay)"
    ) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_out")
        notebook.idle()
        seen = go_to(notebook, "The tokens")
        expect(seen).to_contain_text("eyJ")
        run.keep(notebook)
        go_to(notebook, "The provider's metadata")
        expect(seen).not_to_contain_text("eyJ")


def go_to(notebook: Notebook, title: str) -> Locator:
    """Go to a step of a replay."""
    shown = notebook.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .authnb-replay").first
    steps = shown.locator("details.ar-all")
    if steps.get_attribute("open") is None:
        steps.locator("summary").click()
    steps.get_by_role("button", name=title).last.click()
    expect(shown.locator("h3").first).to_have_text(title)
    return shown


@scenario("for other clients", *BY_CODE, "capability")
def for_other_clients(run: Run, demo: DemoProvider) -> None:
    """Access tokens, sessions for other APIs, a file, a proxy, a share and two libraries: used, seen, and failing."""
    written = run.outside("capability", "")
    text = FOR_OTHERS.replace("CAPABILITY", repr(str(written))).replace("ARCHIVE", repr(demo.archive))
    with run.notebook(login(demo, api=demo.api), *cells(text, demo)) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_out")
        notebook.idle()
    run.plant(capability=urlsplit(written.read_text()).path.split("/")[1])


@scenario("device", *SIGNED_IN, "device_code", "user_code")
def device(run: Run, demo: DemoProvider) -> None:
    with run.notebook(login(demo, mode="device"), *cells(LOOK, demo)) as notebook:
        notebook.run_all()
        code = notebook.panel.locator(".authnb-code").inner_text()
        run.keep(notebook)
        demo.approve(code, name="ada")
        notebook.phase("signed_in")
        notebook.idle()


@scenario("client secret", *BY_CODE, "client_secret")
def client_secret(run: Run, demo: DemoProvider) -> None:
    """A confidential client, which reads its secret from a place of its own."""
    outlet = run.outside("client-secret", demo.web_client_secret)
    cell = (
        "import authnb, pathlib\nfrom authnb.storage.base import MemoryStorage\n"
        f"signin = authnb.login({demo.issuer!r}, client_id={demo.web_client_id!r}, storage=MemoryStorage(),\n"
        f"    client_secret=pathlib.Path({str(outlet)!r}).read_text())\napi = await signin"
    )
    with run.notebook(cell, *cells(LOOK, demo), *cells(VERBOSE, demo)) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        notebook.idle()


@scenario("client key", *BY_CODE, "client_assertion", "client_key")
def client_key(run: Run, demo: DemoProvider) -> None:
    """A client with a private key, whose file is read for each request; then a key that cannot be used."""
    key = ECKey.generate_key("P-256")
    public = {"keys": [key.as_dict(private=False)]}
    secret = key.as_dict(private=True)
    outlet = run.outside("client-key", json.dumps(secret))
    outlet.chmod(0o600)
    run.plant(client_key=str(secret["d"]))
    refused = "%xmode Verbose\nimport os\nos.chmod(KEY, 0o644)\napi.token_auth.renew(api.token, api.token_auth.renewer)"
    with DemoProvider(client_keys={demo.client_id: public}) as keyed:
        cell = (
            "import authnb\nfrom authnb.storage.base import MemoryStorage\n"
            f"signin = authnb.login({keyed.issuer!r}, client_id={demo.client_id!r}, storage=MemoryStorage(),\n"
            f"    client_key={str(outlet)!r})\napi = await signin"
        )
        last = refused.replace("KEY", repr(str(outlet)))
        with run.notebook(cell, *cells(LOOK, demo), *cells(VERBOSE, demo), last) as notebook:
            notebook.run_all()
            keyed.visit(notebook.address(), name="ada")
            notebook.phase("signed_in")
            notebook.idle()


@scenario("pasted address", "code", "state", "code_verifier")
def pasted(run: Run, demo: DemoProvider) -> None:
    """First somebody else's, then one with a code that is none."""
    with run.notebook(login(demo)) as notebook:
        notebook.run_all()
        asked = dict(parse_qsl(urlsplit(notebook.address()).query))
        notebook.panel.locator("summary").click()
        field = notebook.panel.get_by_label("Address you ended on")
        for address in ("http://127.0.0.1:1/callback", asked["redirect_uri"]):
            code = f"planted-{newcomer()}"
            run.plant(code=code, state=asked["state"])
            field.fill(f"{address}?code={code}&state={asked['state']}&iss={demo.issuer}")
            run.keep(notebook)
            notebook.press("Send")
            if address != asked["redirect_uri"]:
                expect(notebook.panel.get_by_role("alert")).to_contain_text("This is not the address")
        notebook.phase("failed")
        notebook.idle()


@scenario("declined", "state")
def declined(run: Run, demo: DemoProvider) -> None:
    """Under verbose tracebacks; then Try again and Cancel."""
    with run.notebook("%xmode Verbose", login(demo)) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="hedy", allow=False)
        notebook.phase("failed")
        notebook.idle()
        notebook.press("Try again")
        notebook.link()
        run.keep(notebook)
        notebook.press("Cancel")
        notebook.phase("cancelled")


@scenario("cancelled", "state")
def cancelled(run: Run, demo: DemoProvider) -> None:
    """By the panel, and by interrupting a cell that blocks, both under verbose tracebacks."""
    for then in ("api = await signin", "api = signin.wait()"):
        with run.notebook("%xmode Verbose", login(demo, then=then), "api") as notebook:
            notebook.run_all()
            run.plant(state=dict(parse_qsl(urlsplit(notebook.address()).query))["state"])
            notebook.press("Cancel")
            notebook.phase("cancelled")
            notebook.idle()


@scenario("verbose tracebacks", *BY_CODE)
def verbose_tracebacks(run: Run, demo: DemoProvider) -> None:
    with run.notebook(login(demo), *cells(VERBOSE, demo)) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        notebook.idle()


@scenario("remembered", *BY_CODE)
def remembered(run: Run, demo: DemoProvider) -> None:
    """Kept on disk, encrypted; found again by a second sign-in, and renewed."""
    cell = f"import authnb\napi = await authnb.login({demo.issuer!r}, client_id={demo.client_id!r}, remember=True)"
    renew = f"api.token_auth.renew(api.token, api.token_auth.renewer)\nprint(api)\n{cell}"
    with run.notebook(cell, renew, "!authnb status") as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        notebook.idle()


@scenario("by an API's address", "registration_access_token", *(BY_CODE - {"id_token"}))
def by_address(run: Run, demo: DemoProvider) -> None:
    """The notebook is registered as a client, which is kept, listed, recorded, and deleted."""
    cell = "import authnb\nwith authnb.record() as recording:\n    api = await authnb.login(api=API, remember=True)"
    kept = (
        "from authnb.storage.registration_files import RegistrationFiles\nlist(RegistrationFiles().entries())"
    )
    cell = cell.replace("API", repr(demo.api))
    end = "!authnb status\n!authnb logout --unregister"
    with run.notebook(cell, "recording", "recording.save()", kept, *cells(LOOK, demo), end) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        notebook.idle()


@scenario("asked for more", *BY_CODE)
def asked_for_more(run: Run, demo: DemoProvider) -> None:
    """A call that is refused, by its card and its error, and the sign-in that asks for what is missing."""
    first = login(demo, scope="openid profile email", api=demo.api)
    refused = "%xmode Verbose\napi.get('stations').raise_for_status()"
    ask = "await api.ask_for('measurements:read')\napi.get('stations').status_code"
    with run.notebook(first, refused, ask, *cells(LOOK, demo)) as notebook:
        notebook.run(0)
        demo.visit(notebook.address(), name="ada")
        notebook.idle()
        notebook.run(1)
        notebook.idle()
        assert "StepUpRequired" in notebook.outputs(1)
        notebook.run(2)
        link = notebook.page.get_by_role("link", name="Open the sign-in page").last
        expect(link).not_to_have_attribute("aria-disabled", "true")
        demo.visit(link.get_attribute("href") or "", name="ada")
        notebook.idle()
        assert "200" in notebook.outputs(2)
        for number in range(len(cells(LOOK, demo))):
            notebook.run(3 + number)
            notebook.idle()


@scenario("recorded", *BY_CODE)
def recorded(run: Run, demo: DemoProvider) -> None:
    """Shown as a table and a diagram, and saved as a report."""
    cell = login(demo).replace("api = await", "with authnb.record() as recording:\n    api = await")
    with run.notebook(
        cell, "recording", "recording.diagram", "recording.save()", *cells(LOOK, demo)
    ) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        notebook.idle()


@scenario("as text", *BY_CODE)
def as_text(run: Run, demo: DemoProvider) -> None:
    """Without the panel the address stands in the output while the sign-in waits, and not after."""
    with run.notebook(login(demo, view="text"), *cells(LOOK, demo)) as notebook:
        notebook.run_all()
        link = notebook.page.get_by_role("link", name="Sign in at")
        address = link.get_attribute("href") or ""
        demo.visit(address, name="ada")
        notebook.idle()


@scenario("papermill", *BY_CODE)
def papermill(run: Run, demo: DemoProvider) -> None:
    """With nobody there, and a program for the person."""
    run.papermill(login(demo), *cells(LOOK, demo), *cells(VERBOSE, demo), BROWSER=PERSON)


@scenario("bound to a key", *BY_CODE, "proof", "key")
def bound(run: Run, demo: DemoProvider) -> None:  # noqa: ARG001 - at a provider of its own
    """By papermill, at a provider that binds tokens (RFC 9449); the key is told to a file that is not looked at."""
    written = run.outside("dpop-key", "")
    tell = f"import pathlib\npathlib.Path({str(written)!r}).write_text(api.token.dpop_key.as_jwk()['d'])"
    with DemoProvider(dpop="offered") as binding:
        look = [cell.replace("api.headers_for(URL)", "api.requests_auth") for cell in LOOK.split("\n---\n")]
        calls = [
            "r = api.get('measurements')\nr.request.headers, vars(r.request), r.history",
            "api.token.dpop_key",
        ]
        signing_in = login(binding, api=binding.api)
        run.papermill(signing_in, *calls, *look, *cells(VERBOSE, binding), tell, BROWSER=PERSON)
    run.plant(key=written.read_text())


def came_back(demo: DemoProvider, address: str) -> str:
    """The address that somebody ends on who opens this one, where nobody but a stranger listens."""
    asked = dict(parse_qsl(urlsplit(address).query))
    with Server(port=urlsplit(asked["redirect_uri"]).port or 0) as stranger:
        stranger.text("/callback", "somebody else")
        demo.visit(address, name="ada")
        return stranger.url + stranger.requests[-1].path


def over_the_server(run: Run, demo: DemoProvider, mode: str) -> None:
    """The browser comes back to an address of the Jupyter server."""
    name = newcomer()
    demo.sign_up(name, PASSWORD)
    with run.notebook(login(demo, mode=mode, redirect_port=PROXY_PORT), *cells(LOOK, demo)) as notebook:
        notebook.run_all()
        page = open_page(notebook)
        run.keep(notebook)
        go_through(page, name)
        expect(page.get_by_role("heading")).to_have_text("Go back to your notebook")
        run.texts["page"].append(page.content() + page.url if mode == "page" else page.content())
        page.close()
        notebook.phase("signed_in")
        notebook.idle()


@scenario("page", *BY_CODE)
def page(run: Run, demo: DemoProvider) -> None:
    """Over the callback page, which hands the answer to the panel."""
    over_the_server(run, demo, "page")


@scenario("proxy", *BY_CODE)
def proxy(run: Run, demo: DemoProvider) -> None:
    """Through jupyter-server-proxy, which a server with a debug log writes down."""
    over_the_server(run, demo, "proxy")


@scenario("paste", *BY_CODE)
def paste(run: Run, demo: DemoProvider) -> None:
    """The whole address one ended on, put into the panel."""
    name = newcomer()
    demo.sign_up(name, PASSWORD)
    with run.notebook(login(demo, mode="paste", redirect_port=PROXY_PORT), *cells(LOOK, demo)) as notebook:
        notebook.run_all()
        address = unreachable_redirect(notebook, name)
        notebook.panel.get_by_label("Address you ended on").fill(address)
        run.keep(notebook)
        notebook.press("Send")
        notebook.phase("signed_in")
        notebook.idle()


@scenario("paste without a panel", *BY_CODE)
def paste_as_text(run: Run, demo: DemoProvider) -> None:
    """Into the box that a cell's question opens."""
    name = newcomer()
    demo.sign_up(name, PASSWORD)
    with run.notebook(
        login(demo, mode="paste", redirect_port=PROXY_PORT, view="text"), *cells(LOOK, demo)
    ) as notebook:
        notebook.run_all()
        address = notebook.page.get_by_role("link", name="Sign in at").get_attribute("href") or ""
        box = notebook.page.locator(".jp-Stdin-input")
        box.fill(came_back(demo, address))
        run.keep(notebook)
        box.press("Enter")
        expect(box).to_have_count(0)  # JupyterLab removes its password field half a second later
        notebook.idle()
        notebook.output("Signed in at")


@scenario("paste in a terminal", *BY_CODE)
def paste_in_a_terminal(run: Run, demo: DemoProvider) -> None:
    """Typed, and not echoed; then what a script may print."""
    look = f"print(api, api.token, api.auth, signin, vars(api), api.user, api.headers_for({demo.api!r}))"
    cell = login(
        demo, mode="paste", redirect_port=PROXY_PORT, view="text", api=demo.api, then="api = signin.wait()"
    )
    with run.terminal(f"{cell}\n{look}\napi.get('http://127.0.0.1:9/')") as terminal:
        address = terminal.read_until(r"(http://127\S+authorize\S+)")[1]
        terminal.read_until("copy its whole address")
        terminal.type(came_back(demo, address), "Enter")
        terminal.read_until("foreign_origin")


def job(demo: DemoProvider, mode: str) -> str:
    """A cell that signs in as a client of its own, in the provider's name of no person."""
    cell = login(demo, mode=mode, scope="measurements:read", api=demo.api)
    return cell.replace(repr(demo.client_id), repr(demo.job_client_id))


@scenario("client credentials", "client_secret", "access_token")
def client_credentials(run: Run, demo: DemoProvider) -> None:
    """With a secret from a file."""
    outlet = run.outside("job-secret", demo.job_client_secret)
    settings = f"%env AUTHNB_CLIENT_SECRET_FILE={outlet}"
    read = f"api.get({demo.api!r} + '/stations').json()"
    with run.notebook(
        settings, job(demo, "client_credentials"), read, *cells(LOOK, demo), *cells(VERBOSE, demo)
    ) as notebook:
        notebook.run_all()
        notebook.phase("signed_in")
        notebook.idle()


@scenario("token", "access_token")
def token(run: Run, demo: DemoProvider) -> None:
    """From a file; and one that the API refuses, under verbose tracebacks."""
    grant = {"grant_type": "client_credentials", "scope": "measurements:read"}
    client = (demo.job_client_id, demo.job_client_secret)
    answer = requests.post(f"{demo.issuer}/token", data=grant, auth=client, timeout=20).json()
    refused = f"planted-{newcomer()}"
    run.plant(access_token=refused)
    for number, held in enumerate((answer["access_token"], refused)):
        settings = f"%env AUTHNB_TOKEN_FILE={run.outside(f'token-{number}', held)}"
        read = "%xmode Verbose\napi.get('/stations').raise_for_status()"
        with run.notebook(settings, job(demo, "token"), read, *cells(LOOK, demo)) as notebook:
            notebook.run_all()
            notebook.phase("signed_in")
            notebook.idle()


@scenario("client credentials with nobody there", "client_secret", "access_token")
def client_credentials_at_night(run: Run, demo: DemoProvider) -> None:
    """With a secret from the environment; last, for what processes had in theirs is remembered."""
    several = cells(LOOK, demo) + cells(VERBOSE, demo)
    environ = {"AUTHNB_CLIENT_SECRET": demo.job_client_secret}
    run.papermill(job(demo, "client_credentials"), *several, **environ)
