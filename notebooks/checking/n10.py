"""The exercises of notebook 10."""

from __future__ import annotations

from typing import Any

from checking.judge import labels, text
from checking.outcome import ensure, exercise


@exercise(
    "10",
    task="Put 'loopback', 'device' or 'nobody' behind each place.",
    praise="Where the browser is decides, and whether there is a person at all.",
)
def which_way(answer: Any) -> None:
    labels(
        answer,
        {
            "JupyterLab on your own laptop": ("loopback", "Browser and kernel are on one computer."),
            "a kernel on a JupyterHub": ("device", "The callback would go to the laptop, where nobody listens."),
            "a terminal over SSH": ("device", "Your browser is on another computer than the program."),
            "papermill in the night": ("nobody", "Who would click?"),
            "a test in CI": ("nobody", "Who would click?"),
        },
    )


@exercise(
    "10",
    task="Give the error code with which a sign-in stops where nobody is there.",
    praise="At once, and with a sentence that says what to do instead.",
)
def when_nobody(answer: Any) -> None:
    code = text(answer, "Give the code as text.")
    ensure(code == "interaction_required", "Look at the end of what the unattended script printed, in brackets.")
