"""The exercises of each notebook, and what judges them. ``checks.py``, beside this folder, is what notebooks import."""
