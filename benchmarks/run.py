"""Runs Ropewalk side by side with other ASGI servers: ``python benchmarks/run.py --help``."""

from __future__ import annotations

import sys

from sidebyside.command import main

if __name__ == "__main__":
    sys.exit(main())
