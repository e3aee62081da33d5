"""How a person, or nobody, signs in: which ways work here, the best first with its reason, and the flow of each."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authnb.callbacks import accepts_redirect
from authnb.errors import InteractionRequired, LoginFailed
from authnb.flows import device_flow, loopback_flow, redirect_flow
from authnb.place import public_proxy
from authnb.transport import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authnb.answers import Token
    from authnb.callbacks import Inbox
    from authnb.client import Client
    from authnb.flows import Flow
    from authnb.place import FrontEnd, Place
    from authnb.provider import Provider

FORM = "form"
UNATTENDED = ("client_credentials", "token")
MODES = ("auto", "loopback", "device", "page", "proxy", "paste", *UNATTENDED)
SIGN_UP_MODES = ("auto", FORM, "loopback", "device", "page", "proxy", "paste")
PATIENCE = {"auto": 3.0, "page": 15.0, "proxy": 15.0}  # seconds for the panel to say where it is shown


@dataclass(frozen=True, kw_only=True)
class Way:
    """A mode that can work here, and why it is thought of."""

    mode: str
    why: str


def rank(
    place: Place,
    front_end: FrontEnd | None,
    *,
    reached: bool | None,
    device: bool,
    accepted: Mapping[str, bool | None],
) -> tuple[Way, ...]:
    """The ways for a person to sign in, the best first.

    ``reached``: whether their browser reached a listener of ours, None if nobody tried. ``device``: whether the
    provider has a device endpoint. ``accepted``: for ``page`` and ``proxy``, whether the provider sends answers
    to that address, None if it does not say.
    """
    apart = _apart(place, front_end, reached)
    so = "The answer comes back" if apart is None else f"{apart}, so the answer comes back"
    code = "you enter a code there" if apart else "a code can be entered on any device"
    hand = "you bring back the address you end on"
    by_code = Way(mode="device", why=f"{apart}, so {code}." if apart else _sentence(f"{code}."))
    by_hand = Way(mode="paste", why=f"{apart}, so {hand}." if apart else _sentence(f"{hand}."))
    back = [
        Way(mode=mode, why=f"{so} {how}.")
        for mode, how, there in (
            ("page", "over a page of your Jupyter server", front_end and front_end.page),
            ("proxy", "through your Jupyter server's proxy", _proxy(place, front_end)),
        )
        if there
    ]
    if apart is None:
        here = "Your browser is on the kernel's machine, so the answer comes back to it directly."
        first = [Way(mode="loopback", why=here)]
        return (*first, *[by_code] * device, *(way for way in back if way.mode == "page"), by_hand)
    sure = [way for way in back if accepted.get(way.mode) is True]
    unsure = [way for way in back if accepted.get(way.mode) is None]
    return (*sure, *[by_code] * device, *unsure, by_hand)


def _apart(place: Place, front_end: FrontEnd | None, reached: bool | None) -> str | None:  # noqa: FBT001 - a fact
    """Why the browser is taken to be on another machine, or None."""
    if reached:
        return None
    if place.remote is not None:
        return _sentence(place.remote)
    if reached is False:
        return "Your browser does not reach 127.0.0.1 of the kernel's machine"
    if front_end is not None:
        return None if is_loopback(front_end.origin) else f"This notebook comes from {front_end.origin}"
    return _sentence(place.doubt) if place.doubt else None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _proxy(place: Place, front_end: FrontEnd | None) -> str | None:
    return front_end.proxy if front_end is not None else public_proxy(place)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How the caller of `authnb.login` wants somebody to sign in."""

    mode: str
    view: str | None
    ports: tuple[int, ...]
    timeout: float
    create: bool = False

    @property
    def unattended(self) -> bool:
        """Whether this takes nobody."""
        return self.mode in UNATTENDED

    def check_somebody_there(self, place: Place) -> None:
        """Raise `InteractionRequired` unless there is somebody to show a sign-in to."""
        if self.unattended or place.somebody_there or (self.view is None and self.mode != "auto"):
            return
        raise InteractionRequired(
            "interaction_required",
            "Signing in needs a person, and nobody is there: this notebook or script runs unattended. Three ways "
            "out: sign in once by hand with remember=True, for the same account on this machine; let the client sign "
            "in for itself, with mode='client_credentials' and AUTHNB_CLIENT_SECRET (AUTHNB_MODE sets the mode from "
            "outside); or take a token from a trusted place, with mode='token' (a file, JupyterHub, the CI). If "
            "somebody does watch, set AUTHNB_INTERACTIVE=1.",
        )

    def patience(self, place: Place, *, panel: bool) -> float:
        """Seconds to wait for what the panel reports before a way is chosen."""
        if not panel or (self.mode == "auto" and not (place.remote or place.doubt)):
            return 0.0
        if self.mode == "proxy" and public_proxy(place):
            return 0.0
        return PATIENCE.get(self.mode, 0.0)

    def ways(
        self, client: Client, place: Place, front_end: FrontEnd | None, *, reached: bool | None, forms: bool
    ) -> tuple[Way, ...]:
        """The ways to sign in, or up, that can work, the best first; ``forms``: whether one can be shown.

        With ``auto`` the provider is asked whether it sends answers to the addresses that come into question.
        """
        device = self.mode == "device" or client.provider.device_authorization_endpoint is not None
        accepted: dict[str, bool | None] = {}
        if self.mode == "auto" and _apart(place, front_end, reached):
            accepted = self._accepted(client, place, front_end)
        ways = rank(place, front_end, reached=reached, device=device, accepted=accepted)
        allowed = client.may_use(tuple(way.mode for way in ways))
        ways = tuple(way for way in ways if way.mode in allowed)
        if self.mode not in {"auto", FORM, *allowed}:
            ways = (Way(mode=self.mode, why=""), *ways)  # as was asked for
        if self.create:
            from authnb.registration import begins_with_account, check_sign_up  # noqa: PLC0415 - few create accounts

            form, pages = check_sign_up(client.provider, forms=forms)
            here = Way(mode=FORM, why=f"{client.provider.host} lets its sign-up form be shown here.")
            if begins_with_account(client.provider):
                ways = tuple(way for way in ways if way.mode != "device")
            ways = (*[here] * form, *(ways if pages else ()))
        return tuple(sorted(ways, key=lambda way: way.mode != self.mode))

    def _accepted(self, client: Client, place: Place, front_end: FrontEnd | None) -> dict[str, bool | None]:
        accepted: dict[str, bool | None] = {}
        if front_end is not None and front_end.page:
            accepted["page"] = accepts_redirect(client, front_end.page)
        proxy, port = _proxy(place, front_end), next(filter(None, self.ports), None)
        if proxy is not None:
            # Registered addresses are whole: a port that changes each time is not among them
            accepted["proxy"] = port is not None and accepts_redirect(client, f"{proxy}{port}/callback")
        return accepted

    def flow(self, client: Client, mode: str, place: Place, front_end: FrontEnd | None, inbox: Inbox) -> Flow:
        """The flow for this mode."""
        if not self.create:
            return self._sign_in(client, mode, place, front_end, inbox)
        from authnb.registration import form_flow, page_flow  # noqa: PLC0415 - few create accounts

        if mode == FORM:
            after = next(
                way.mode
                for way in rank(
                    place, front_end, reached=None, device=_has_device(client.provider), accepted={}
                )
            )
            return form_flow(
                client,
                lambda name: self._sign_in(
                    client, after, place, front_end, inbox, **({"login_hint": name} if name else {})
                ),
            )
        return page_flow(
            client.provider, lambda **more: self._sign_in(client, mode, place, front_end, inbox, **more)
        )

    def _sign_in(
        self,
        client: Client,
        mode: str,
        place: Place,
        front_end: FrontEnd | None,
        inbox: Inbox,
        **parameters: str,
    ) -> Flow:
        if mode == "device":
            return device_flow(client, timeout=self.timeout)
        if mode == "page":
            if front_end is None or front_end.page is None:
                raise _not_reported("page", front_end)
            if "fragment" in client.provider.response_modes_supported:  # then no server sees the code
                parameters["response_mode"] = "fragment"
            own = front_end.own_page
            return redirect_flow(
                client, front_end.page, inbox, timeout=self.timeout, ends_on=own, **parameters
            )
        if mode == "paste":
            port = next(filter(None, self.ports), None) or 49152 + secrets.randbelow(16384)
            address = f"http://{client.provider.quirks.redirect_host}:{port}/callback"
            return redirect_flow(client, address, inbox, timeout=self.timeout, **parameters)
        below = None
        if mode == "proxy" and (below := _proxy(place, front_end)) is None:
            raise _not_reported("proxy", front_end)
        return loopback_flow(
            client,
            ports=self.ports,
            timeout=self.timeout,
            inbox=inbox,
            below=below,
            notify=inbox.notify,
            **parameters,
        )

    def own_token(self, client: Client, audience: str) -> Token:
        """A token with nobody there."""
        if self.mode == "token":
            from authnb.trusted import trusted_token  # noqa: PLC0415 - where a person signs in it is not needed

            return trusted_token(os.environ, audience)
        return client.own_token()


def _has_device(provider: Provider) -> bool:
    return provider.device_authorization_endpoint is not None


def _not_reported(mode: str, front_end: FrontEnd | None) -> LoginFailed:
    if front_end is None:
        why = (
            "the panel did not report where it is shown. It must be shown in JupyterLab or Notebook 7, and a kernel "
            "older than ipykernel 7.1 hears it only while no cell runs"
        )
    elif mode == "page":
        why = f"{front_end.origin} does not serve authnb's callback page. Install authnb where the server runs, too"
    else:
        why = f"{front_end.origin} has no jupyter-server-proxy. Install it where the server runs"
    return LoginFailed("not_supported", f"mode={mode!r} does not work here: {why}; or take another mode.")
