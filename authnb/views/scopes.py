"""What a client asks for, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authnb.messages import N_, gettext

if TYPE_CHECKING:
    from authnb.signin.login import Login

_SCOPES = {
    "openid": "",
    "profile": N_("your name"),
    "email": N_("your e-mail address"),
    "address": N_("your postal address"),
    "phone": N_("your phone number"),
    "offline_access": N_("staying signed in while you are away"),
}


def asks_for(login: Login) -> str:
    """Who asks for what: a line below the title."""
    client = login.account.client_id
    if login.client is None:
        return gettext("for {client}", client=client) if client else gettext("for this notebook")
    requested = [
        gettext(_SCOPES[scope]) if scope in _SCOPES else scope for scope in login.client.scope.split()
    ]
    requested = [words for words in requested if words] or [gettext("knowing that it is you")]
    if not login.client.scope:
        requested = [gettext("what {host} gives by default", host=login.host)]
    listed = requested[0]
    if requested[1:]:
        listed = gettext("{first} and {last}", first=", ".join(requested[:-1]), last=requested[-1])
    if client:
        return gettext("{client} asks for {wanted}", client=client, wanted=listed)
    return gettext("This notebook asks for {wanted}", wanted=listed)
