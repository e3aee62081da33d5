"""``python -m authnb`` is the command ``authnb``."""

from __future__ import annotations

import sys

from authnb.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
