"""Tests that are coroutine functions run in both event loops, with the server in the same loop."""

from __future__ import annotations

from tests.served import log, loop_kinds, run_in_loop, watched_log

__all__ = ["log", "pytest_generate_tests", "pytest_pyfunc_call", "watched_log"]

pytest_generate_tests = loop_kinds
pytest_pyfunc_call = run_in_loop
