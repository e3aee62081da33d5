"""Checks for the exercises: correct, incorrect and why, or not attempted. A check never raises.

``checks.hint("02_pkce_challenge")`` gives one hint after the other, ``checks.solution("02_pkce_challenge")`` shows the
solution, and ``checks.progress("02")`` a progress bar. The names of the exercises you passed, and nothing else, are
stored beside this file, or for a class in the folder that the environment variable ``AUTHNB_CLASS`` names, one file for
each learner. ``python checks.py FOLDER`` prints the progress of a class.
"""

from __future__ import annotations

import os
import sys

from checking.help import hint, solution
from checking.n00 import meant_for, rush_hour
from checking.n01 import kinds_of_client, well_known
from checking.n02 import pkce_challenge, state_matches, who_protects_what
from checking.n03 import callback_order, half_hash, why_refuse
from checking.n04 import keep_and_fits, password_problem, what_helps
from checking.n05 import next_wait, who_sees_what
from checking.n06 import is_fresh, true_or_false
from checking.n07 import all_rows, busiest
from checking.n08 import safe_next, what_broke, what_to_keep
from checking.n09 import attack_and_defence, find_the_flaw, pick_the_key
from checking.n10 import when_nobody, which_way
from checking.n11 import registration, three_values
from checking.n14 import what_stops, why_not
from checking.n15 import where_to_look, whom_to_trust
from checking.outcome import Outcome
from checking.progress import EXERCISES, of_class, passed, progress

if __name__ == "__main__":
    print(of_class(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AUTHNB_CLASS", ".")))
