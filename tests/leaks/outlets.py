"""Where a secret could be left behind, each outlet as one searchable text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import nbconvert
import requests
import zmq
from harness import TOKEN, JupyterPage, Server
from terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Notebook

OUTLETS = (
    "notebook",  # the file, saved without the state of widgets
    "widget state",  # what is added where it is saved with it
    "checkpoint",
    "nbconvert",
    "HTML export",
    "papermill",  # output notebook and log
    "terminal",  # what was on the screen of a script
    "iopub",  # as received by a second client of the kernel
    "history",  # IPython's history.sqlite
    "server log",  # at debug level, the kernel's own messages among it
    "logging",  # the kernel's logging, all of it
    "browser",  # local and session storage, cookies
    "page",  # what is in the document at the end
    "processes",  # command lines and environments
    "files",  # all others: home, runtime, settings, temporary files
)
SAVE_STATE = "@jupyter-widgets/jupyterlab-manager:saveWidgetState"
# Everything a kernel can be made to tell
KERNEL_CONFIG = "c.IPKernelApp.log_level = 10\n"
STARTUP = "import logging\nlogging.basicConfig(filename={path!r}, level=logging.DEBUG)\n"


class WatchedLab:
    """A JupyterLab at debug level, with its processes and iopub observed."""

    def __init__(self, home: Path) -> None:
        self.kernel_log, self.temporary = home / "logging", home / "tmp"
        startup = home / "ipython" / "profile_default" / "startup" / "00-logging.py"
        startup.parent.mkdir(parents=True)
        startup.write_text(STARTUP.format(path=str(self.kernel_log)))
        (startup.parent.parent / "ipython_kernel_config.py").write_text(KERNEL_CONFIG)
        self.temporary.mkdir()
        autosave = home / "settings" / "@jupyterlab" / "docmanager-extension" / "plugin.jupyterlab-settings"
        autosave.parent.mkdir(parents=True)
        autosave.write_text(json.dumps({"autosave": False, "autosaveInterval": 1}))
        self.server = Server(home, options=("--debug",), TMPDIR=str(self.temporary))
        self.processes = Processes()
        self.iopub = Iopub(self.server.home / "runtime" / f"kernel-{self.server.kernel}.json")

    def __enter__(self) -> Self:
        self.processes.start()
        self.iopub.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.iopub.stop()
        self.processes.stop()
        self.server.__exit__()

    def files(self) -> dict[str, str]:
        """Every file below the server's home, by the outlet it belongs to."""
        texts = defaultdict(list)
        for path in sorted(self.server.home.rglob("*")):
            if not path.is_file() or path.parent == self.server.folder or "checkpoint" in path.name:
                continue  # notebooks are looked at one by one
            outlet = {"log": "server log", "logging": "logging"}.get(path.name, "files")
            outlet = "history" if path.name.startswith("history.sqlite") else outlet
            texts[outlet].append(path.read_bytes().decode("latin-1"))
        return {outlet: "\n".join(several) for outlet, several in texts.items()}


class Run:
    """One scenario, and the outlets it wrote to."""

    def __init__(self, lab: WatchedLab, jupyter: JupyterPage) -> None:
        self.lab, self.jupyter, self.server = lab, jupyter, lab.server
        self.texts: dict[str, list[str]] = defaultdict(list)
        self._planted: dict[str, set[str]] = defaultdict(set)

    def plant(self, **secrets: str) -> None:
        """Name secrets that the provider does not see."""
        for kind, secret in secrets.items():
            self._planted[kind].add(secret)

    def secrets(self, learned: dict[str, set[str]]) -> dict[str, set[str]]:
        """The planted ones, and those learned at the provider."""
        kinds = {*learned, *self._planted}
        return {kind: learned.get(kind, set()) | self._planted[kind] for kind in kinds}

    def outside(self, name: str, secret: str) -> Path:
        """A file with a secret in a folder that is not looked at."""
        path = self.server.home.parent / name
        path.write_text(secret)
        return path

    @contextmanager
    def notebook(self, *cells: str) -> Iterator[Notebook]:
        """A notebook that is saved, exported and looked at when the block ends."""
        with self.jupyter.notebook(*cells) as notebook:
            yield notebook
            self.keep(notebook)
            self.texts["page"].append(
                self.jupyter.page.content()
                + self.jupyter.page.evaluate(
                    "() => JSON.stringify([...document.querySelectorAll('input, textarea')].map(e => e.value))"
                )
            )
        self.texts["nbconvert"].append(self._export(notebook))
        address = f"{self.server.url}/nbconvert/html/{notebook.name}"
        export = requests.get(address, headers={"Authorization": f"token {TOKEN}"}, timeout=60)
        self.texts["HTML export"].append(export.text)

    def _export(self, notebook: Notebook) -> str:
        html, _ = nbconvert.HTMLExporter().from_filename(str(self.server.folder / notebook.name))
        return str(html)

    def keep(self, notebook: Notebook) -> None:
        """Save it without and with the state of widgets, as a person may at any moment, and keep what was saved."""
        self.texts["notebook"].append(notebook.save())
        notebook.command(SAVE_STATE)
        saved = json.loads(notebook.save())
        notebook.command(SAVE_STATE)
        state = saved["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
        self.texts["widget state"].append(json.dumps(state))
        checkpoint = (
            self.server.folder / ".ipynb_checkpoints" / notebook.name.replace(".ipynb", "-checkpoint.ipynb")
        )
        self.texts["checkpoint"].append(checkpoint.read_text())

    def autosave(self, notebook: Notebook) -> None:
        """Wait until JupyterLab has saved it by itself, and keep that."""
        path = self.server.folder / notebook.name
        before, pause = path.stat().st_mtime_ns, threading.Event()
        notebook.command("docmanager:toggle-autosave")
        notebook.change()
        while path.stat().st_mtime_ns == before:
            pause.wait(0.05)
        notebook.command("docmanager:toggle-autosave")  # two savings at once would ask which to keep
        notebook.page.wait_for_function("() => !window.notebook.context.model.dirty")
        self.texts["notebook"].append(path.read_text())

    def papermill(self, *cells: str, **environ: str) -> None:
        """Run a notebook with nobody there, in this environment; ``BROWSER`` is the program that signs in."""
        self.server.write("papermill.ipynb", *cells)
        result = self.server.home / "papermill-result.ipynb"
        command = ["papermill", "papermill.ipynb", str(result), "--log-output", "--log-level", "DEBUG"]
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.server.folder,
            env={**self.server.environment, **environ},
            capture_output=True,
            text=True,
            check=False,  # it judges by the tracebacks that cells show
        )
        self.texts["papermill"] += [result.read_text(), done.stdout, done.stderr]

    @contextmanager
    def terminal(self, source: str) -> Iterator[Terminal]:
        """A script in a terminal; the screen is kept when the block ends."""
        script = self.server.home / "script.py"
        script.write_text(source)
        with Terminal() as terminal:
            terminal.start(sys.executable, str(script))
            yield terminal
            terminal.wait_for_the_end()
            self.texts["terminal"].append(terminal.text())

    def all(self) -> dict[str, str]:
        """What stands in each outlet now."""
        storage = self.jupyter.page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}])")
        self.texts["browser"].append(storage + str(self.jupyter.context.cookies()))
        texts = {outlet: "\n".join(several) for outlet, several in self.texts.items()}
        return {
            **dict.fromkeys(OUTLETS, ""),
            **texts,
            **self.lab.files(),
            "iopub": self.lab.iopub.text(),
            "processes": self.lab.processes.text(),
        }


class Iopub(threading.Thread):
    """A second client of the kernel, subscribed to iopub."""

    def __init__(self, connection_file: Path) -> None:
        super().__init__(daemon=True)
        connection = json.loads(connection_file.read_text())
        self._address = f"{connection['transport']}://{connection['ip']}:{connection['iopub_port']}"
        self._heard: list[bytes] = []
        self._over = threading.Event()

    def run(self) -> None:
        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.connect(self._address)
            socket.subscribe(b"")
            while not self._over.is_set():
                if socket.poll(200):
                    self._heard += socket.recv_multipart()

    def text(self) -> str:
        return b"\n".join(self._heard).decode("latin-1")

    def stop(self) -> None:
        self._over.set()
        self.join()


class Processes(threading.Thread):
    """The command lines and environments of whatever ran meanwhile, as any user of the machine lists them."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._seen: set[str] = set()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.2):
            self.look()

    def look(self) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            if int(process.name) == os.getpid():
                continue
            for name in ("cmdline", "environ"):
                try:
                    self._seen.add((process / name).read_bytes().decode("latin-1"))
                except OSError:
                    continue  # it has ended, or is another user's

    def text(self) -> str:
        self.look()
        return "\n".join(sorted(self._seen))

    def stop(self) -> None:
        self._over.set()
        self.join()
