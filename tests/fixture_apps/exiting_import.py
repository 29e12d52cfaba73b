"""Ends the process while it is imported, as a script does that was not meant to be imported."""

from __future__ import annotations

import sys

sys.exit(7)
