"""Sign-in modes: which of them work in this environment, in order of preference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from authnb.messages import N_, gettext
from authnb.signin.environment import public_proxy
from authnb.transport.http import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authnb.signin.environment import Environment, FrontEnd

FORM = "form"
UNATTENDED = ("client_credentials", "token")
LoginMode = Literal["auto", "loopback", "device", "page", "proxy", "paste", "client_credentials", "token"]
SignUpMode = Literal["auto", "form", "loopback", "device", "page", "proxy", "paste"]
ViewName = Literal["auto", "panel", "text"]
MODES: tuple[str, ...] = get_args(LoginMode)
SIGN_UP_MODES: tuple[str, ...] = get_args(SignUpMode)
ASKING_MODES: tuple[str, ...] = tuple(mode for mode in MODES if mode not in UNATTENDED)
VIEWS: tuple[str | None, ...] = (*get_args(ViewName), None)


_REASONS = {
    "device": N_("You enter a code at the provider."),
    "paste": N_("You paste the URL on which your browser ends."),
    "page": N_("The callback arrives through a page of your Jupyter server."),
    "proxy": N_("The callback arrives through your Jupyter server's proxy."),
}
_REMOTE_REASONS = {
    "device": N_("{why}, so you enter a code there."),
    "paste": N_("{why}, so you paste the URL on which your browser ends."),
    "page": N_("{why}, so the callback arrives through a page of your Jupyter server."),
    "proxy": N_("{why}, so the callback arrives through your Jupyter server's proxy."),
}


@dataclass(frozen=True, kw_only=True)
class ModeChoice:
    """A mode that can work in this environment, and the reason to show for it."""

    mode: str
    reason: str


def rank_modes(
    environment: Environment,
    front_end: FrontEnd | None,
    *,
    loopback_reached: bool | None,
    device: bool,
    accepted: Mapping[str, bool | None],
) -> tuple[ModeChoice, ...]:
    """The modes that can work, in order of preference.

    ``loopback_reached``: whether the browser reached the loopback listener, None if unknown. ``device``: whether the
    provider has a device authorization endpoint. ``accepted``: for ``page`` and ``proxy``, whether the provider
    accepts that redirect URI, None if unknown.
    """
    remote = remote_reason(environment, front_end, loopback_reached=loopback_reached)

    def choice(mode: str) -> ModeChoice:
        reason = gettext(_REASONS[mode]) if remote is None else gettext(_REMOTE_REASONS[mode], why=remote)
        return ModeChoice(mode=mode, reason=reason)

    devices = [choice("device")] if device else []
    paste = choice("paste")
    page = [choice("page")] if front_end and front_end.page else []
    proxy = [choice("proxy")] if proxy_base(environment, front_end) else []
    if remote is None:
        reason = gettext("Your browser is on the kernel's machine, so the callback reaches it directly.")
        return (ModeChoice(mode="loopback", reason=reason), *devices, *page, paste)
    callbacks = (*page, *proxy)
    confirmed = [choice for choice in callbacks if accepted.get(choice.mode) is True]
    unknown = [choice for choice in callbacks if accepted.get(choice.mode) is None]
    return (*confirmed, *devices, *unknown, paste)


def remote_reason(
    environment: Environment,
    front_end: FrontEnd | None,
    *,
    loopback_reached: bool | None,
) -> str | None:
    """Why the browser appears to be on another machine, or None."""
    if loopback_reached:
        return None
    if environment.remote is not None:
        return _sentence(environment.remote)
    if loopback_reached is False:
        return gettext("Your browser does not reach 127.0.0.1 of the kernel's machine")
    if front_end is not None:
        if is_loopback(front_end.origin):
            return None
        return gettext("This notebook comes from {origin}", origin=front_end.origin)
    return _sentence(environment.doubt) if environment.doubt else None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def proxy_base(environment: Environment, front_end: FrontEnd | None) -> str | None:
    """The base URL of jupyter-server-proxy as the browser reaches it: as reported, else ``AUTHNB_PUBLIC_URL``'s."""
    return front_end.proxy if front_end is not None else public_proxy(environment)
