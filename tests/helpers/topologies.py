"""Where people sign in, by which mode, and what comes of it: the tests run through it, `docs/anywhere.md` shows it.

``python tests/helpers/topologies.py`` (``make tables``) writes the tables there. A test takes its row by name, does
what each mode of it takes, and compares what came of it with the cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DOCUMENT = Path(__file__).parents[2] / "docs" / "anywhere.md"
BEGIN, END = "<!-- by tests/helpers/topologies.py: begin -->\n", "<!-- end -->\n"
MODES = ("auto", "loopback", "page", "proxy", "device", "paste")
UNATTENDED = (*MODES, "remember=True", "client_credentials", "token")
WORKS, NO, NOT_RUN = "works", "no", ""


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A row. ``outcomes``: by mode `WORKS` or the code of the error, for ``auto`` the mode it takes.

    ``by``: the test that runs through it, below ``tests``, or nothing where only others' documentation can be read:
    then ``links`` name it and ``environ`` is what such a place sets. ``why``: for each mode that does not work.
    """

    title: str
    outcomes: Mapping[str, str]
    by: str = ""
    why: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def run(self) -> list[str]:
        """The modes that are run."""
        return [mode for mode, outcome in self.outcomes.items() if outcome is not NOT_RUN]


def outcomes(auto: str, **others: str) -> dict[str, str]:
    """A row's cells: all works but what is named."""
    return {"auto": auto, **dict.fromkeys(MODES[1:], WORKS), **others}


_ELSEWHERE = (
    "127.0.0.1 is the browser's own machine, not the kernel's: nobody comes back, until the time is up."
)
_NO_PANEL = "no panel reports the address of a Jupyter server."
_NO_PROXY = "no panel reports it, and `AUTHNB_PUBLIC_URL` is not set."
_NO_REPORT = {"page": _NO_PANEL, "proxy": _NO_PANEL}
_NO_SERVER = {"page": _NO_PANEL, "proxy": _NO_PROXY}
_HERE = outcomes("loopback")
_TERMINAL = outcomes("loopback", page="not_supported", proxy="not_supported")
_CLOUD = outcomes("device", loopback=NO, page="not_supported", proxy="not_supported")
_NOBODY = {**dict.fromkeys(MODES, "interaction_required"), **dict.fromkeys(UNATTENDED[len(MODES) :], WORKS)}

TOPOLOGIES = {
    "lab": Topology(title="JupyterLab on your machine", outcomes=_HERE, by="browser/test_modes.py"),
    "notebook": Topology(title="Notebook 7 on your machine", outcomes=_HERE, by="browser/test_modes.py"),
    "forwarded": Topology(
        title="JupyterLab elsewhere, over one forwarded port (SSH)",
        outcomes=outcomes("page", loopback=NO),
        by="browser/test_network_namespace.py",
        why={"loopback": _ELSEWHERE},
        note="Tested in a network namespace of its own, into which one port leads. With `auto` the panel tries.",
    ),
    "hub": Topology(
        title="JupyterHub below a prefix, two users",
        outcomes=outcomes("page", loopback=NOT_RUN),
        by="browser/test_hub.py",
        note="`loopback` is as in the row above where the Hub is another machine; the Hub of the tests is not.",
    ),
    "subdomains": Topology(
        title="JupyterHub with a subdomain for each user",
        outcomes=outcomes("page", **dict.fromkeys(("loopback", "proxy", "device", "paste"), NOT_RUN)),
        by="browser/test_subdomains.py",
        note="Two users come back over one registered address. The other modes know nothing of subdomains.",
    ),
    "container": Topology(
        title="a terminal in a container",
        outcomes={**_TERMINAL, "auto": "device", "loopback": "expired_token"},
        by="signin/test_topologies.py",
        why={"loopback": _ELSEWHERE, **_NO_SERVER},
        note="Tested in a network namespace of its own, with `container=` in the environment.",
    ),
    "ipython": Topology(
        title="IPython in a terminal", outcomes=_TERMINAL, by="signin/test_topologies.py", why=_NO_SERVER
    ),
    "script": Topology(
        title="a script; `BROWSER` names a program",
        outcomes={**_TERMINAL, "paste": "interaction_required"},
        by="signin/test_topologies.py",
        why={
            **_NO_SERVER,
            "paste": "the program fails at the address it ends on, and nobody is there to bring that back.",
        },
    ),
    "colab": Topology(
        title="Colab",
        outcomes=_CLOUD,
        environ={"COLAB_RELEASE_TAG": "release-colab"},
        links={
            "FAQ": "https://research.google.com/colaboratory/faq.html",
            "ports of the runtime": "https://github.com/googlecolab/colabtools/blob/main/google/colab/output/_util.py",
            "versions": "https://github.com/googlecolab/colabtools/issues/2837",
        },
        why={
            "loopback": "code runs on a virtual machine of Google's.",
            **_NO_REPORT,
        },
        note="Colab shows a port of the kernel at an address that changes, within a frame: none to register. Its own "
        "package asks for IPython 7.34 (July 2024), authnb for 8.24 or later: pip says so, and the runtime has to be "
        "restarted.",
    ),
    "vscode": Topology(
        title="VS Code, remote",
        outcomes=_CLOUD,
        environ={"VSCODE_AGENT_FOLDER": "/home/ada/.vscode-server"},
        links={
            "forwarding a port": "https://code.visualstudio.com/docs/remote/ssh#_forwarding-a-port-creating-ssh-tunnel",
            "widgets": "https://github.com/microsoft/vscode-jupyter/wiki/IPyWidget-Support-in-VS-Code-Python",
        },
        why={
            "loopback": "a port of the remote machine is its own, unless it is forwarded under the same number: "
            "`redirect_port=` makes it a number that you can forward.",
            **_NO_REPORT,
        },
        note="On your machine too, the panel needs the setting `jupyter.widgetScriptSources`, with which VS Code loads "
        "widgets from jsdelivr.com or unpkg.com; without it a link follows.",
    ),
    "databricks": Topology(
        title="Databricks",
        outcomes=_CLOUD,
        environ={"DATABRICKS_RUNTIME_VERSION": "15.4"},
        links={
            "ipywidgets": "https://docs.databricks.com/en/notebooks/ipywidgets.html",
            "limitations": "https://docs.databricks.com/en/notebooks/notebook-limitations.html",
        },
        why={"loopback": "notebooks run on a cluster.", **_NO_REPORT},
        note="The panel needs Databricks Runtime 13 or later, and a browser that reaches Databricks' host for widgets.",
    ),
    "sagemaker": Topology(
        title="SageMaker Studio",
        outcomes=outcomes("page", loopback=NO),
        environ={"SAGEMAKER_APP_TYPE": "JupyterLab"},
        links={
            "a port of the server, in Studio Classic": "https://docs.aws.amazon.com/sagemaker/latest/dg/studio-tensorboard.html"
        },
        why={"loopback": "JupyterLab runs on an instance of Amazon's."},
        note="`page` and `proxy` need authnb, and jupyter-server-proxy, where the server runs.",
    ),
    "kaggle": Topology(
        title="Kaggle",
        outcomes=_CLOUD,
        environ={"KAGGLE_KERNEL_RUN_TYPE": "Interactive"},
        links={"Notebooks": "https://www.kaggle.com/docs/notebooks"},
        why={"loopback": "notebooks run in Kaggle's containers.", **_NO_REPORT},
        note="The notebook's settings must let it reach the internet.",
    ),
}
NOBODY_THERE = {
    "nobody": Topology(title="a script (cron, CI)", outcomes=_NOBODY, by="signin/test_topologies.py"),
    "nbclient": Topology(title="nbclient", outcomes=_NOBODY, by="signin/test_topologies.py"),
    "papermill": Topology(title="papermill", outcomes=_NOBODY, by="signin/test_topologies.py"),
    "nbval": Topology(title="nbval", outcomes=_NOBODY, by="signin/test_topologies.py"),
}


@dataclass(frozen=True, kw_only=True)
class VisitedPlace:
    """A row of the apps with several visitors. ``kept``: what the app keeps a visitor's `Login` in.

    ``shown_by_app``: whether the app has to show the sign-in itself.
    """

    kept: str
    shown_by_app: bool = True


_COOKIE = "what the app keeps by a key in the visitor's session cookie"
_VISITED_BY = "places/test_visitors.py"
VISITED = {
    "Streamlit": VisitedPlace(kept="`st.session_state`"),
    "Gradio": VisitedPlace(kept="`gr.State`"),
    "Panel": VisitedPlace(kept="a variable of the script"),
    "Solara": VisitedPlace(kept="`solara.use_memo`"),
    "marimo run": VisitedPlace(kept="a variable of the notebook", shown_by_app=False),
    "Voilà": VisitedPlace(kept="a variable of the notebook", shown_by_app=False),
    "Dash": VisitedPlace(kept="what the app keeps by a key in a `dcc.Store`"),
    "NiceGUI": VisitedPlace(kept="a variable of the page's function"),
    "Shiny": VisitedPlace(kept="a variable of the server function"),
    "Flask": VisitedPlace(kept=_COOKIE),
    "Flask in gunicorn": VisitedPlace(kept=_COOKIE),
    "Django": VisitedPlace(kept="what the app keeps by a key in the visitor's cookie"),
    "FastAPI, `async def`": VisitedPlace(kept=_COOKIE),
    "FastAPI, `def`": VisitedPlace(kept=_COOKIE),
}


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """A row of the front ends: what a sign-in ``shows`` there, how a person ``ends`` the wait, by which test."""

    title: str
    shows: str
    ends: str
    by: str
    note: str = ""


PANEL, LINK = "the panel", "a link"
_CANCEL, _INTERRUPT = "Cancel", "Ctrl+C"
FRONT_ENDS = {
    "marimo edit": FrontEnd(
        title="marimo, edited",
        shows=PANEL,
        ends="Cancel, which interrupts marimo",
        by="places/test_marimo.py",
        note="marimo runs cells and handles clicks in turn: while a cell awaits the sign-in, only Cancel is heard. "
        "Where a cell ends with `signin = authnb.login(…)` and `signin`, all buttons work, and the cells that read "
        "`signin` run again once somebody has signed in or out.",
    ),
    "marimo run": FrontEnd(
        title="marimo, run as an app",
        shows=PANEL,
        ends="Cancel; a reload where a cell awaits",
        by="places/test_marimo.py",
        note="As above, but an app has no interrupt: while a cell awaits the sign-in, only a reload ends the wait.",
    ),
    "marimo script": FrontEnd(
        title="a marimo notebook, run as a script",
        shows=LINK,
        ends=_INTERRUPT,
        by="places/test_marimo.py",
    ),
    "marimo export": FrontEnd(
        title="`marimo export`", shows="`interaction_required`", ends="", by="places/test_marimo.py"
    ),
    "voila": FrontEnd(
        title="Voilà",
        shows=PANEL,
        ends=_CANCEL,
        by="places/test_voila.py",
        note="Voilà shows its page once all cells have run: end a cell with the sign-in itself. One that awaits it "
        "gets `interaction_required`, which says so.",
    ),
    "collaboration": FrontEnd(
        title="JupyterLab with jupyter-collaboration",
        shows=PANEL,
        ends=_CANCEL,
        by="places/test_collaboration.py",
    ),
    "nbmodel": FrontEnd(
        title="JupyterLab with jupyter-server-nbmodel",
        shows=PANEL,
        ends=_CANCEL,
        by="places/test_collaboration.py",
    ),
    "documents": FrontEnd(
        title="JupyterLab with jupyter-server-documents",
        shows=PANEL,
        ends=_CANCEL,
        by="places/test_collaboration.py",
    ),
    "qtconsole": FrontEnd(title="Qt Console", shows=LINK, ends=_INTERRUPT, by="places/test_consoles.py"),
    "spyder": FrontEnd(
        title="Spyder's console",
        shows=LINK,
        ends=_INTERRUPT,
        by="places/test_consoles.py",
        note="Its kernel, spyder-kernels, with the messages of Spyder's console; Spyder itself is not run here.",
    ),
    "console": FrontEnd(title="Jupyter Console", shows=LINK, ends=_INTERRUPT, by="places/test_consoles.py"),
    "pyodide": FrontEnd(
        title="JupyterLite (Pyodide)",
        shows="`no_threads`",
        ends="",
        by="places/test_pyodide.py",
        note="Python runs in the browser there, without threads and sockets. The test runs Pyodide under Node.js.",
    ),
}


def document() -> str:
    """The page, with its tables as they are here."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    return before + BEGIN + "\n" + _written() + "\n" + END + rest.partition(END)[2]


def _written() -> str:
    run = [row for row in TOPOLOGIES.values() if row.by]
    read = [row for row in TOPOLOGIES.values() if not row.by]
    parts = [
        *_table(MODES, run),
        "",
        "Not tested: the documentation of each, linked below, and the mode that authnb chooses in its environment:",
        "",
        *_table(MODES, read),
        "",
        "Where nobody is there:",
        "",
        *_table(UNATTENDED, NOBODY_THERE.values()),
        "",
        "What a sign-in shows in each front end, and how a person ends it:",
        "",
        "| front end | a sign-in shows | to end it |",
        "| --- | --- | --- |",
        *[f"| {row.title} | {row.shows} | {row.ends} |" for row in FRONT_ENDS.values()],
        "",
        *[
            f"- **{row.title[0].upper()}{row.title[1:]}.** {row.note}"
            for row in FRONT_ENDS.values()
            if row.note
        ],
        "",
        "What does not work in the places above, and why:",
        "",
        *[f"- **{row.title}.** {_reasons(row)}" for row in TOPOLOGIES.values() if row.why or row.note],
        (
            f"- **Where nobody is there.** {_spoken(MODES)} need a person. The error names the three that do not; "
            "`remember=True` uses a sign-in that a person made before."
        ),
        "",
        f"Apps of which two visitors sign in as two people, each in a browser of their own (`{_VISITED_BY}`):",
        "",
        "| place | each is themselves; a third is asked | `remember=True` | shows the sign-in | keeps it in |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {place} | {WORKS} | refused without `profile=` or `storage=` | "
            f"{'the app' if row.shown_by_app else 'the app, or the panel'} | {row.kept} |"
            for place, row in VISITED.items()
        ),
    ]
    return "\n".join(parts) + "\n"


def _table(modes: Iterable[str], rows: Iterable[Topology]) -> list[str]:
    lines = [
        f"| place | {' | '.join(f'`{mode}`' for mode in modes)} |",
        "| --- |" + " --- |" * len(list(modes)),
    ]
    return [*lines, *(f"| {row.title} | {' | '.join(_cell(row, mode) for mode in modes)} |" for row in rows)]


def _cell(row: Topology, mode: str) -> str:
    outcome = row.outcomes[mode]
    if outcome in {WORKS, NO, NOT_RUN}:
        return outcome if row.by or outcome == NO else "yes"
    return f"takes `{outcome}`" if outcome in MODES else f"`{outcome}`"


def _reasons(row: Topology) -> str:
    modes: dict[str, list[str]] = {}
    for mode, why in row.why.items():
        modes.setdefault(why, []).append(mode)
    said = [f"{_spoken(them)}: {why}" for why, them in modes.items()]
    links = ", ".join(f"[{name}]({address})" for name, address in row.links.items())
    return " ".join([*said, *filter(None, [row.note]), *([f"See {links}."] if links else [])])


def _spoken(modes: Iterable[str]) -> str:
    return ", ".join(f"`{mode}`" for mode in modes)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
