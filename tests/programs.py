"""Programs from outside Python that some tests talk to, and what happens where one is missing."""

from __future__ import annotations

import os
import shutil

import pytest

# Taken out of the environment: a server that a test starts inherits it, and refuses ROPEWALK_ variables
# that name no option.
PROGRAMS_REQUIRED = os.environ.pop("ROPEWALK_REQUIRE_PROGRAMS", "") not in ("", "0")


def require_program(name: str, *, search_path: str | None = None, required: bool | None = None) -> str:
    """Return the path of a program; without it, skip the test, or the whole module when called from its top.

    With ROPEWALK_REQUIRE_PROGRAMS=1 in the environment the test fails instead, so that a continuous
    integration run cannot pass by having skipped what it was meant to check.
    """
    found = shutil.which(name, path=search_path)
    if found is not None:
        return found
    reason = f"needs the program {name!r}, which is not installed"
    if PROGRAMS_REQUIRED if required is None else required:
        pytest.fail(f"{reason}, and ROPEWALK_REQUIRE_PROGRAMS is set", pytrace=False)
    pytest.skip(reason, allow_module_level=True)
