"""The language in which authnb speaks."""

from __future__ import annotations

from authnb import messages
from authnb.errors import AuthnbError
from authnb.messages import gettext


def language(code: str | None = None) -> str:
    """The current language, such as ``ko``; given a code, from now on that one, in this process.

    Otherwise it is that of JupyterLab, or in a terminal that of ``LC_ALL``, ``LC_MESSAGES`` or ``LANG``, where authnb
    has it, and else English. A code may name a region, too (``ko-KR``). AuthnbError ``unknown_language`` if there is no
    such language.
    """
    if code is not None:
        known = messages.match_language(code)
        if known is None:
            raise AuthnbError(
                "unknown_language",
                gettext(
                    "authnb does not speak {code!r}. Choose one of: {languages}.",
                    code=code,
                    languages=", ".join(messages.languages()),
                ),
            )
        messages.choose_language(known)
    return messages.current_language()
