"""An application that needs a module that is not installed, two imports down."""

from __future__ import annotations

from startup.models import Boat

app = Boat
