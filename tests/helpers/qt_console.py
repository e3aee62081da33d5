"""``python qt_console.py KERNEL CODE``: Qt Console on a kernel, running this code; prints what its widget shows.

The widget and its kernel are those of the desktop program, and of Spyder's console. Runs until it is terminated; the
kernel ends with it.
"""

from __future__ import annotations

import subprocess
import sys

from qtconsole.manager import QtKernelManager
from qtconsole.rich_jupyter_widget import RichJupyterWidget
from qtpy.QtWidgets import QApplication


def main(kernel: str, code: str) -> None:
    """Print the text that has been added whenever some is."""
    app = QApplication([])
    manager = QtKernelManager(kernel_name=kernel)
    manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    console = RichJupyterWidget()
    console.kernel_manager, console.kernel_client = manager, client
    shown = ""

    def show() -> None:
        nonlocal shown
        text = console._control.toPlainText()  # noqa: SLF001 - the text area
        print(text.removeprefix(shown), end="", flush=True)
        shown = text

    console._control.textChanged.connect(show)  # noqa: SLF001 - as above
    client.kernel_info()
    console.execute(code)
    app.exec()


if __name__ == "__main__":
    main(*sys.argv[1:])
