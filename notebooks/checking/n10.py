"""The exercises of notebook 10."""

from __future__ import annotations

from typing import Any

from checking.judge import labels, name, shuffled
from checking.outcome import Wrong, ensure, exercise


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
    task="Give the session, or None where nobody is there; every other error goes on.",
    praise="A night without a person is no surprise, and every other error is seen in the morning.",
)
def when_nobody(by_night: Any) -> None:
    from authnb import AuthnbError, InteractionRequired, LoginFailed, LoginRequired, ProviderError

    session, asked = object(), []

    def given(error: Exception | None) -> Any:
        """What comes back where a sign-in ends so."""

        def sign_in() -> object:
            asked.append(error)
            if error is not None:
                raise error
            return session

        return by_night(sign_in)

    ensure(given(None) is session, "Where somebody has signed in, give the session that `sign_in()` gives.")
    nobody = InteractionRequired("interaction_required", f"nobody is here ({name()})")
    try:
        ensure(given(nobody) is None, "Where nobody is there, give None.")
    except AuthnbError:
        raise Wrong("Where nobody is there, the error goes on. Part 2 shows its code, in brackets.") from None
    others: list[Exception] = [
        LoginRequired("login_required", "the sign-in has ended"),
        LoginFailed("access_denied", "the person said no"),
        ProviderError("unreachable", "the provider cannot be reached"),
        ProviderError(name(), "interaction_required stands in this text, and is not its code"),
        ValueError(name()),
    ]
    for error in shuffled(others):
        try:
            given(error)
        except Exception as seen:
            ensure(seen is error, "Let the error go on as it is: `raise` alone does that.")
        else:
            raise Wrong(f"It hides an error that is another one ({error}): in the morning nobody knows why there is no report.")
    ensure(given(None) is session, "Asked again it does not give the session.")
    ensure(len(asked) == len(others) + 3, "Sign in once each time, no more and no less.")
