"""Where people sign in, by which mode, and what comes of it: the tests run through it, `docs/anywhere.md` shows it.

``python tests/topologies.py`` (``make places``) writes the tables there. A test takes its row by name, does what each
mode of it takes, and compares what came of it with the cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DOCUMENT = Path(__file__).parent.parent / "docs" / "anywhere.md"
BEGIN, END = "<!-- by tests/topologies.py: begin -->\n", "<!-- end -->\n"
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
_NO_PANEL = "no panel says under which address a Jupyter server is seen."
_NO_PROXY = "no panel says it, and `AUTHNB_PUBLIC_URL` is not set."
_NO_REPORT = {"page": _NO_PANEL, "proxy": _NO_PANEL}
_NO_SERVER = {"page": _NO_PANEL, "proxy": _NO_PROXY}
_HERE = outcomes("loopback")
_TERMINAL = outcomes("loopback", page="not_supported", proxy="not_supported")
_CLOUD = outcomes("device", loopback=NO, page="not_supported", proxy="not_supported")
_NOBODY = {**dict.fromkeys(MODES, "interaction_required"), **dict.fromkeys(UNATTENDED[len(MODES) :], WORKS)}

TOPOLOGIES = {
    "lab": Topology(title="JupyterLab on your machine", outcomes=_HERE, by="browser/test_ways.py"),
    "notebook": Topology(title="Notebook 7 on your machine", outcomes=_HERE, by="browser/test_ways.py"),
    "forwarded": Topology(
        title="JupyterLab elsewhere, over one forwarded port (SSH)",
        outcomes=outcomes("page", loopback=NO),
        by="browser/test_apart.py",
        why={"loopback": _ELSEWHERE},
        note="A network namespace of its own, into which one port leads. With `auto` the panel tries.",
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
        by="test_topologies.py",
        why={"loopback": _ELSEWHERE, **_NO_SERVER},
        note="A network namespace of its own, and `container=` in the environment.",
    ),
    "ipython": Topology(
        title="IPython in a terminal", outcomes=_TERMINAL, by="test_topologies.py", why=_NO_SERVER
    ),
    "script": Topology(
        title="a script; `BROWSER` names a program",
        outcomes={**_TERMINAL, "paste": "expired_token"},
        by="test_topologies.py",
        why={
            **_NO_SERVER,
            "paste": "the program ends on the page, and nobody is there to bring back its address.",
        },
    ),
    "colab": Topology(
        title="Colab",
        outcomes=_CLOUD,
        environ={"COLAB_RELEASE_TAG": "release-colab"},
        links={
            "FAQ": "https://research.google.com/colaboratory/faq.html",
            "ports of the runtime": "https://github.com/googlecolab/colabtools/blob/main/google/colab/output/_util.py",
        },
        why={
            "loopback": "code runs on a virtual machine of Google's.",
            **_NO_REPORT,
        },
        note="An address for a port exists, but another each time, only within a frame: none to register.",
    ),
    "vscode": Topology(
        title="VS Code, remote",
        outcomes=_CLOUD,
        environ={"VSCODE_AGENT_FOLDER": "/home/ada/.vscode-server"},
        links={
            "forwarding a port": "https://code.visualstudio.com/docs/remote/ssh#_forwarding-a-port-creating-ssh-tunnel",
        },
        why={
            "loopback": "a port of the remote machine is its own, unless it is forwarded under the same number, which "
            "`redirect_port=` names.",
            **_NO_REPORT,
        },
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
    "nobody": Topology(title="a script (cron, CI)", outcomes=_NOBODY, by="test_topologies.py"),
    "nbclient": Topology(title="nbclient", outcomes=_NOBODY, by="test_topologies.py"),
    "papermill": Topology(title="papermill", outcomes=_NOBODY, by="test_topologies.py"),
    "nbval": Topology(title="nbval", outcomes=_NOBODY, by="test_topologies.py"),
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
        "Not run here; what the documentation of each says, with what authnb makes of its environment:",
        "",
        *_table(MODES, read),
        "",
        "With nobody there:",
        "",
        *_table(UNATTENDED, NOBODY_THERE.values()),
        "",
        "What does not work there, and why:",
        "",
        *[f"- **{row.title}.** {_reasons(row)}" for row in TOPOLOGIES.values() if row.why or row.note],
        f"- **With nobody there.** {_spoken(MODES)}: they need a person, and the error names the three that do not.",
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
