"""A replay from the exchanges of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authnb.recording.replay import Replay
from authnb.recording.replay_defences import defences_of
from authnb.recording.replay_facts import facts_of
from authnb.recording.replay_hops import hops_of, parties_of
from authnb.recording.replay_signature import unchecked
from authnb.recording.replay_texts import NOT_REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from authnb.recording.redact import Exchange
    from authnb.recording.replay import Hop, Signature

_TITLES = {
    "finished": ("Your sign-in at {host}, step by step", "Your sign-in, step by step"),
    "unattended": (
        "Tokens for the notebook itself at {host}, step by step",
        "Tokens for the notebook itself, step by step",
    ),
    "refused": (
        "A sign-in at {host} that was refused, step by step",
        "A sign-in that was refused, step by step",
    ),
    "unfinished": (
        "A sign-in at {host} that has not come to its end, step by step",
        "A sign-in that has not come to its end, step by step",
    ),
    "other": ("What was said at {host}, step by step", "What was said, step by step"),
    "empty": ("Nothing was recorded", "Nothing was recorded"),
}
_OF_A_SIGN_IN = {"response_type", "request_uri", "device_code", "grant_type"}


def build_replay(
    exchanges: Sequence[Exchange], signature_of: Callable[[Exchange, str], Signature] = unchecked
) -> Replay:
    """The replay of these exchanges, of which ``signature_of`` tells the signatures of JWTs.

    Values stand in it only where the exchanges have them. Of no exchanges it is empty.
    """
    hops = hops_of(exchanges, signature_of)
    outcome = _outcome(hops)
    parties = parties_of(exchanges)
    unattended = outcome == "finished" and all(party.id != "browser" for party in parties)
    hosts = [urlsplit(each.address).netloc for each in exchanges if each.receiver == "provider"]
    at_a_host, title = _TITLES["unattended" if unattended else outcome]
    return Replay(
        title=at_a_host.format(host=hosts[0]) if hosts else title,
        outcome=outcome,
        parties=parties,
        hops=hops,
        defences=defences_of(facts_of(hops)),
    )


def _outcome(hops: Sequence[Hop]) -> str:
    """How the sign-in ended: by the tokens, else by what came last of it."""
    if not hops:
        return "empty"
    hops = [hop for hop in hops if hop.topic != "redirect_check"]  # its error is what it asked for
    names = [{each.name for each in hop.parameters} for hop in hops]
    if any("access_token" in each for each in names):
        return "finished"
    if not any(each & _OF_A_SIGN_IN for each in names):
        return "other"
    errors = [each.value for hop in hops for each in hop.parameters if each.name == "error"]
    return "refused" if errors and errors[-1] not in NOT_REFUSED else "unfinished"
