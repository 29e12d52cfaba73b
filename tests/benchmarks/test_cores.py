"""Tests of keeping processes to one core."""

from __future__ import annotations

import os

import pytest
from sidebyside.cores import Cores, pinned


def test_pinned_holds_for_the_block_only() -> None:
    before = os.sched_getaffinity(0)
    core = max(before)
    with pinned(core):
        inside = os.sched_getaffinity(0)
    assert inside == {core}
    assert os.sched_getaffinity(0) == before


def test_pinned_is_undone_after_an_exception() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(KeyError), pinned(min(before)):
        raise KeyError
    assert os.sched_getaffinity(0) == before


def test_default_cores_are_ones_that_may_be_used() -> None:
    chosen = Cores.furthest_apart()
    assert {chosen.server, chosen.load} <= os.sched_getaffinity(0)


def test_cores_are_read_in_the_order_server_load() -> None:
    usable = sorted(os.sched_getaffinity(0))
    assert Cores.parse(f"{usable[-1]},{usable[0]}") == Cores(server=usable[-1], load=usable[0])


@pytest.mark.parametrize("text", ["", "0", "0,0,0", "a,b", "0,99999", "-1,0"])
def test_cores_that_cannot_be_used_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Cores.parse(text)
