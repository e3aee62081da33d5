"""The exercises of notebook 11."""

from __future__ import annotations

import json
from typing import Any

from checking.judge import text
from checking.outcome import ensure, exercise


@exercise(
    "11",
    task="Write what you would register for a notebook, with the names of RFC 7591.",
    praise="A public client, PKCE in place of a secret, and an address on this computer.",
)
def registration(answer: Any) -> None:
    ensure(isinstance(answer, dict), "Give a dictionary.")
    mine = json.loads(json.dumps(dict(answer.items())))  # as it is sent
    uris = mine.get("redirect_uris")
    ensure(isinstance(uris, list), "redirect_uris is a list of addresses.")
    ensure("http://127.0.0.1/callback" in uris, "authnb answers at http://127.0.0.1/callback, on any port.")
    local = all(isinstance(uri, str) and uri.startswith(("http://127.0.0.1/", "http://[::1]/")) for uri in uris)
    ensure(local, "Each further address is one more to which codes may go: a notebook needs those of this computer only.")
    ensure(mine.get("token_endpoint_auth_method") == "none", "A notebook keeps no secret: the method is 'none'.")
    grants = mine.get("grant_types")
    ensure(isinstance(grants, list), "grant_types is a list.")
    ensure("authorization_code" in grants, "The code for tokens is a grant: authorization_code.")
    ensure("refresh_token" in grants, "Without refresh_token people sign in once an hour.")
    ensure("client_credentials" not in grants, "client_credentials is for programs with a secret and no person.")
    ensure("password" not in grants, "With the grant `password` the notebook would see passwords.")
    ensure("implicit" not in grants, "With the grant `implicit` tokens stand in addresses.")
    ensure("client_secret" not in mine, "A client does not choose its secret, and this one has none.")
    named = isinstance(mine.get("client_name"), str) and mine["client_name"].strip()
    ensure(named, "client_name is missing: people see it when they are asked for their consent.")


@exercise(
    "11",
    task="Which arguments of authnb.login change with the provider? Give their names as a set.",
    praise="Three values, and everything else stays as it is.",
)
def three_values(answer: Any) -> None:
    ensure(isinstance(answer, (set, frozenset, list, tuple)), "Give a set of names.")
    names = {text(name, "Give the names as texts.") for name in answer}
    ensure(len(names) == 3, "There are three.")
    ensure(names == {"issuer", "client_id", "api"}, "Who signs in whom: the provider, the client, and the API behind it.")
