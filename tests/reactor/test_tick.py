"""The coarse tick: turned by hand, and on both event loops."""

from __future__ import annotations

import asyncio

import pytest

from ropewalk.reactor import Reactor, Tick


class Clock:
    """A time of day that is set by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_callbacks_get_the_advanced_now_in_the_order_of_adding():
    tick = Tick(0.5)
    calls: list[tuple[str, float]] = []
    tick.add(lambda now: calls.append(("first", now)))
    tick.add(lambda now: calls.append(("second", now)))
    tick.turn(0.5, 100.0)
    tick.turn(0.25, 100.25)
    assert calls == [("first", 0.5), ("second", 0.5), ("first", 0.75), ("second", 0.75)]
    assert tick.now == 0.75


@pytest.mark.parametrize(
    ("elapsed", "advance"),
    [(0.5, 0.5), (0.7, 0.7), (1.0, 1.0), (1.01, 1.0), (3600.0, 1.0), (0.0, 0.0), (-5.0, 0.0)],
    ids=["on time", "late", "two intervals", "just over two", "an hour", "none", "backwards"],
)
def test_a_late_turn_advances_now_by_two_intervals_at_most(elapsed, advance):
    tick = Tick(0.5)
    tick.turn(elapsed, 0)
    assert tick.now == advance


def test_wall_is_whole_unix_seconds_and_follows_every_turn():
    tick = Tick(wall_clock=Clock(1000.9))
    assert tick.wall == 1000
    tick.turn(0.5, 1001.4)
    assert tick.wall == 1001
    tick.turn(0.5, 900.0)
    assert tick.wall == 900


def test_a_failing_callback_is_logged_and_the_others_are_called(caplog):
    tick = Tick()
    calls = []

    def fail(now: float) -> None:
        raise ValueError("broken sweep")

    tick.add(fail)
    tick.add(calls.append)
    tick.turn(0.5, 0)
    assert calls == [0.5]
    assert "broken sweep" in caplog.text


def test_a_callback_added_twice_is_called_once():
    tick = Tick()
    calls: list[float] = []
    callback = calls.append
    tick.add(callback)
    tick.add(callback)
    tick.turn(0.5, 0)
    assert calls == [0.5]


def test_removing_an_unknown_callback_does_nothing():
    tick = Tick()
    tick.remove(print)
    tick.turn(0.5, 0)


def test_a_callback_removed_by_an_earlier_one_is_not_called_in_that_sweep():
    tick = Tick()
    calls: list[str] = []

    def second(now: float) -> None:
        calls.append("second")

    def first(now: float) -> None:
        calls.append("first")
        tick.remove(second)

    tick.add(first)
    tick.add(second)
    tick.turn(0.5, 0)
    assert calls == ["first"]


def test_a_callback_may_remove_itself():
    tick = Tick()
    calls: list[float] = []

    def once(now: float) -> None:
        calls.append(now)
        tick.remove(once)

    tick.add(once)
    tick.turn(0.5, 0)
    tick.turn(0.5, 0)
    assert calls == [0.5]


def test_a_callback_added_during_a_sweep_is_called_from_the_next_one():
    tick = Tick()
    calls: list[float] = []
    tick.add(lambda now: tick.add(calls.append))
    tick.turn(0.5, 0)
    assert calls == []
    tick.turn(0.5, 0)
    assert len(calls) == 1


@pytest.mark.parametrize("interval", [0, -1.0, float("nan")])
def test_an_interval_that_is_not_above_zero_is_refused(interval):
    with pytest.raises(ValueError, match="tick interval"):
        Tick(interval)


def test_a_started_tick_turns_on_the_loop_until_it_is_stopped(kind, drive):
    async def scenario() -> None:
        tick = Tick(0.005)
        ticks: asyncio.Queue[float] = asyncio.Queue()
        tick.add(ticks.put_nowait)
        tick.start(asyncio.get_running_loop())
        first, second, third = [await ticks.get() for _ in range(3)]
        assert 0 < first < second < third == tick.now
        tick.stop()
        tick.stop()
        await asyncio.sleep(0.03)
        assert ticks.empty()

    drive(Reactor(kind), scenario)


def test_starting_a_started_tick_is_an_error(kind, drive):
    async def scenario() -> None:
        tick = Tick()
        tick.start(asyncio.get_running_loop())
        try:
            with pytest.raises(RuntimeError, match="started"):
                tick.start(asyncio.get_running_loop())
        finally:
            tick.stop()

    drive(Reactor(kind), scenario)


def test_a_callback_that_stops_the_tick_ends_it(kind, drive):
    async def scenario() -> None:
        tick = Tick(0.002)
        calls: list[float] = []
        stopped = asyncio.Event()

        def stop(now: float) -> None:
            calls.append(now)
            tick.stop()
            stopped.set()

        tick.add(stop)
        tick.start(asyncio.get_running_loop())
        await stopped.wait()
        await asyncio.sleep(0.02)
        assert len(calls) == 1

    drive(Reactor(kind), scenario)


class LateLoop:
    """The two methods of a loop that the tick uses, with a time that is set by hand."""

    def __init__(self) -> None:
        self.clock = 50.0
        self.scheduled: list[float] = []

    def time(self) -> float:
        return self.clock

    def call_at(self, when, callback):
        self.scheduled.append(when)
        self.callback = callback
        return self

    def cancel(self) -> None:
        pass


def test_a_slightly_late_tick_does_not_shift_the_following_ones():
    loop = LateLoop()
    tick = Tick(0.5)
    tick.start(loop)
    for clock in (50.51, 51.02, 51.53):
        loop.clock = clock
        loop.callback()
    assert loop.scheduled == [50.5, 51.0, 51.5, 52.0]
    assert tick.now == pytest.approx(1.53)


def test_after_a_block_the_missed_ticks_are_left_out():
    loop = LateLoop()
    tick = Tick(0.5)
    calls: list[float] = []
    tick.add(calls.append)
    tick.start(loop)
    loop.clock = 80.0
    loop.callback()
    assert calls == [1.0]
    assert loop.scheduled == [50.5, 80.5]


def test_the_wall_time_is_fresh_as_soon_as_the_tick_starts():
    clock = Clock(1000.0)
    tick = Tick(wall_clock=clock)
    clock.now = 2000.0
    tick.start(LateLoop())
    assert tick.wall == 2000


def test_the_reactor_ticks_while_it_runs_and_now_goes_on_in_the_next_run(kind, drive):
    reactor = Reactor(kind, tick_interval=0.005)
    assert reactor.tick.now == 0.0

    async def scenario() -> float:
        ticked = asyncio.Event()
        reactor.tick.add(callback := lambda now: ticked.set())
        await ticked.wait()
        reactor.tick.remove(callback)
        return reactor.tick.now

    first = drive(reactor, scenario)
    second = drive(reactor, scenario)
    assert 0 < first < second
