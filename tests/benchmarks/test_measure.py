"""Tests of what is read from /proc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sidebyside import measure
from sidebyside.measure import Memory, ProcessStat, parse_rollup, parse_stat, read_stats, tree

REST = "0 -1 4194560 100 20 0 0 150 50 30 20 20 0 4 0 987654 1000000 2500 18446744073709551615"


def stat(pid: int, parent: int, session: int) -> ProcessStat:
    return ProcessStat(pid=pid, state="S", parent=parent, session=session, cpu_ticks=1, start_ticks=1)


@pytest.mark.parametrize("name", ["python", "a name", "odd) R 1 (", "x(y)"])
def test_stat_is_read_whatever_the_command_is_called(name: str) -> None:
    parsed = parse_stat(f"4711 ({name}) S 12 4711 4700 {REST}\n")
    assert parsed == ProcessStat(
        pid=4711, state="S", parent=12, session=4700, cpu_ticks=250, start_ticks=987654
    )


def test_rollup_gives_resident_and_proportional_size() -> None:
    text = "55d0-7ffc ---p 00000000 00:00 0 [rollup]\nRss:  33412 kB\nPss:   27536 kB\nPss_Anon:  19004 kB\n"
    assert parse_rollup(text) == Memory(rss_kib=33412, pss_kib=27536)


def test_tree_holds_descendants_and_orphans_of_the_session_and_nobody_else() -> None:
    stats = [
        stat(10, 1, 10),
        stat(11, 10, 10),
        stat(12, 11, 12),
        stat(13, 1, 10),
        stat(20, 1, 20),
        stat(1, 0, 1),
    ]
    assert {found.pid for found in tree(10, stats)} == {10, 11, 12, 13}


def test_tree_of_a_process_that_is_gone_is_empty() -> None:
    assert tree(99, [stat(1, 0, 1), stat(10, 1, 10)]) == []


def test_processes_that_end_while_they_are_read_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(f"7 (sleep) S 1 7 7 {REST}")
    (tmp_path / "8").mkdir()
    (tmp_path / "sys").mkdir()
    assert [found.pid for found in read_stats(tmp_path)] == [7]


def test_cpu_time_of_this_process_agrees_with_what_it_knows_of_itself() -> None:
    known = sum(os.times()[:4])
    assert measure.cpu_seconds(os.getpid()) == pytest.approx(known, abs=0.1)


def test_memory_of_this_process_is_shared_in_part() -> None:
    own = measure.memory(os.getpid())
    assert own.rss_kib >= own.pss_kib > 1024
