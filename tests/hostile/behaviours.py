"""Behaviours of a provider or an attacker on the path, each with the error it must end in.

A behaviour with the error None is unusual but conforms to the standards, and must be accepted.
"""

from __future__ import annotations

from importlib import import_module

from behaviour import BEHAVIOURS

PARTS = ("id_token", "endpoints", "pushed", "responses", "callbacks", "texts", "api", "step_up", "dpop")
for _part in PARTS:
    import_module(f"behaviours_{_part}")

HOSTILE = [one for one in BEHAVIOURS if one.error is not None]
LAWFUL = [one for one in BEHAVIOURS if one.error is None]
assert len({one.name for one in BEHAVIOURS}) == len(BEHAVIOURS), "two behaviours have one name"
