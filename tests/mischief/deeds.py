"""What a provider, or somebody on the way, may do: each misdeed with the error it must end in, or None.

A deed without an error is strange but lawful and must be accepted.
"""

from __future__ import annotations

from importlib import import_module

from deed import DEEDS

for _part in ("deeds_id_token", "deeds_endpoints", "deeds_answers", "deeds_callbacks"):
    import_module(_part)

HOSTILE = [one for one in DEEDS if one.error is not None]
LAWFUL = [one for one in DEEDS if one.error is None]
assert len({one.name for one in DEEDS}) == len(DEEDS), "two deeds have one name"
