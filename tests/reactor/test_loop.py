"""The reactor: running, stopping, restarting, calls and system events, on both event loops."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from ropewalk.reactor import Reactor, ReactorAlreadyRunning, ReactorNotRunning, RopewalkError

DEADLINE = 5.0


# Which loop


def test_the_loop_is_of_the_kind_asked_for(kind, reactor):
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert type(reactor.loop).__module__.startswith(kind)


def test_auto_takes_uvloop_where_it_can_be_imported():
    pytest.importorskip("uvloop")
    reactor = Reactor()
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert type(reactor.loop).__module__.startswith("uvloop")


def test_auto_takes_asyncio_where_uvloop_cannot_be_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    reactor = Reactor("auto")
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert type(reactor.loop).__module__.startswith("asyncio")


def test_asking_for_a_missing_uvloop_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(RopewalkError, match="pip install uvloop"):
        Reactor("uvloop")


def test_an_unknown_loop_is_refused_with_the_known_ones():
    with pytest.raises(RopewalkError, match=r"'trio'.*auto, uvloop, asyncio"):
        Reactor("trio")


def test_the_policy_of_the_process_does_not_change_the_loop_asked_for():
    uvloop = pytest.importorskip("uvloop")
    if sys.version_info >= (3, 12):
        pytest.skip("policies are on their way out")
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        reactor = Reactor("asyncio")
        reactor.call_when_running(reactor.stop)
        reactor.run()
    finally:
        asyncio.set_event_loop_policy(None)
    assert type(reactor.loop).__module__.startswith("asyncio")


def test_before_the_first_run_there_is_no_loop(reactor):
    with pytest.raises(ReactorNotRunning):
        _ = reactor.loop
    for call in (reactor.call_soon, reactor.call_from_thread, lambda f: reactor.call_later(0, f)):
        with pytest.raises(ReactorNotRunning):
            call(print)


def test_a_given_loop_is_there_before_the_run_and_is_left_open(new_loop):
    loop = new_loop()
    try:
        reactor = Reactor(loop)
        assert reactor.loop is loop
        calls: list[int] = []
        for number in range(2):
            reactor.call_soon(calls.append, number)
            reactor.call_when_running(reactor.stop)
            reactor.run()
        assert calls == [0, 1]
        assert not loop.is_closed()
        assert loop.run_until_complete(asyncio.sleep(0, "usable")) == "usable"
    finally:
        loop.close()


def test_tasks_of_others_on_a_given_loop_survive_the_run(new_loop):
    loop = new_loop()
    try:
        reactor = Reactor(loop)
        theirs = loop.create_task(asyncio.sleep(0.01, "done"))
        reactor.call_when_running(reactor.stop)
        reactor.run()
        assert loop.run_until_complete(theirs) == "done"
    finally:
        loop.close()


def test_a_given_loop_that_is_closed_is_refused(new_loop):
    loop = new_loop()
    loop.close()
    reactor = Reactor(loop)
    with pytest.raises(RopewalkError, match="closed"):
        reactor.run()
    assert not reactor.running


# Running and stopping


def test_run_returns_once_stopped_and_tells_its_state(reactor):
    states: list[tuple[bool, bool]] = []

    def note() -> None:
        states.append((reactor.running, reactor.stopping))

    def stop() -> None:
        note()
        reactor.stop()
        note()

    note()
    reactor.call_when_running(lambda: reactor.call_soon(stop))
    reactor.run()
    note()
    assert states == [(False, False), (True, False), (True, True), (False, False)]
    assert reactor.exit_signal is None
    assert reactor.crashed is False


def test_each_run_has_a_fresh_loop_which_is_closed_after_it(reactor):
    loops = []
    for _ in range(3):
        reactor.call_when_running(lambda: loops.append(reactor.loop))
        reactor.call_when_running(reactor.stop)
        reactor.run()
        assert reactor.loop.is_closed()
    assert len({id(loop) for loop in loops}) == 3


def test_after_a_run_calls_are_refused(reactor):
    reactor.call_when_running(reactor.stop)
    reactor.run()
    for call in (reactor.call_soon, reactor.call_from_thread, lambda f: reactor.call_later(0, f)):
        with pytest.raises(ReactorNotRunning):
            call(print)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs a list of the open descriptors")
def test_ten_runs_with_ports_and_connections_leave_no_descriptor(reactor, drive, echo, tmp_path):
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    async def scenario() -> None:
        for port in (tcp, unix):
            connect = (
                asyncio.open_unix_connection(port.address)
                if isinstance(port.address, str)
                else asyncio.open_connection(*port.address)
            )
            reader, writer = await connect
            writer.write(b"x")
            assert await reader.read(1) == b"x"
            writer.close()
            await writer.wait_closed()

    counts = []
    for _ in range(10):
        tcp = reactor.listen("127.0.0.1:0", echo)
        unix = reactor.listen(f"unix:{tmp_path}/s", echo)
        drive(reactor, scenario)
        counts.append(count())
    assert len(set(counts)) == 1


def test_reactors_in_several_threads_run_side_by_side(kind):
    reactors = [Reactor(kind) for _ in range(3)]
    all_running = threading.Barrier(3, timeout=DEADLINE)
    ran_in: list[int] = []

    def meet(reactor: Reactor) -> None:
        all_running.wait()
        ran_in.append(threading.get_ident())
        reactor.stop()

    threads = []
    for reactor in reactors:
        reactor.call_when_running(meet, reactor)
        threads.append(threading.Thread(target=reactor.run))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert sorted(ran_in) == sorted(thread.ident for thread in threads)


def test_running_a_running_reactor_is_refused_and_harmless(reactor, drive):
    async def scenario() -> None:
        with pytest.raises(ReactorAlreadyRunning):
            reactor.run()
        with pytest.raises(ReactorAlreadyRunning):
            await reactor.run_in_loop()
        with pytest.raises(ReactorAlreadyRunning):
            await asyncio.to_thread(reactor.run)
        assert reactor.running

    drive(reactor, scenario)


def test_running_inside_somebody_elses_loop_is_refused_and_points_to_the_right_call(reactor):
    async def main() -> None:
        with pytest.raises(ReactorAlreadyRunning, match="run_in_loop"):
            reactor.run()

    asyncio.run(main())
    assert not reactor.running


def test_stopping_or_crashing_what_does_not_run_is_refused(reactor):
    with pytest.raises(ReactorNotRunning):
        reactor.stop()
    with pytest.raises(ReactorNotRunning):
        reactor.crash()


def test_a_second_stop_is_ignored(reactor):
    calls: list[str] = []
    reactor.add_system_event_trigger("during", "shutdown", reactor.stop)
    reactor.add_system_event_trigger("during", "shutdown", calls.append, "shutdown")

    def stop_twice() -> None:
        reactor.stop()
        reactor.stop()

    reactor.call_when_running(stop_twice)
    reactor.run()
    assert calls == ["shutdown"]
    assert not reactor.crashed


@pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_that_escapes_a_callback_shuts_down_and_is_raised(reactor, exception):
    calls: list[str] = []

    async def end() -> None:
        await asyncio.sleep(0)
        calls.append("shutdown")

    def interrupt() -> None:
        raise exception(7)

    reactor.add_system_event_trigger("before", "shutdown", end)
    reactor.call_when_running(lambda: reactor.call_soon(interrupt))
    with pytest.raises(exception):
        reactor.run()
    assert calls == ["shutdown"]
    assert not reactor.running
    reactor.call_when_running(reactor.stop)
    reactor.run()


@pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_that_escapes_a_trigger_ends_the_run_and_is_raised(reactor, exception):
    def interrupt() -> None:
        raise exception(7)

    reactor.add_system_event_trigger("during", "startup", interrupt)
    with pytest.raises(exception):
        reactor.run()
    assert not reactor.running
    assert reactor.loop.is_closed()


def test_a_crash_waits_for_no_trigger(reactor):
    calls: list[str] = []

    async def hang() -> None:
        reactor.call_soon(reactor.crash)
        try:
            await asyncio.Event().wait()
        finally:
            calls.append("cancelled")

    reactor.add_system_event_trigger("before", "shutdown", hang)
    reactor.add_system_event_trigger("during", "shutdown", calls.append, "not called")
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert calls == ["cancelled"]
    assert reactor.crashed


def test_a_crash_without_a_stop_calls_no_shutdown_trigger_and_closes_the_ports(reactor, echo):
    calls: list[str] = []
    port = reactor.listen("127.0.0.1:0", echo)
    reactor.add_system_event_trigger("before", "shutdown", calls.append, "not called")
    reactor.call_when_running(reactor.crash)
    reactor.run()
    assert calls == []
    assert reactor.crashed
    with socket.socket() as client:
        assert client.connect_ex(port.address) != 0
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert not reactor.crashed
    assert calls == []


# Calls


def test_timed_calls_come_in_the_order_of_their_times_unless_cancelled(reactor):
    calls: list[str] = []

    def start() -> None:
        reactor.call_later(0.02, calls.append, "third")
        reactor.call_later(0.01, calls.append, "second")
        reactor.call_later(0.015, calls.append, "cancelled").cancel()
        reactor.call_soon(calls.append, "cancelled").cancel()
        reactor.call_soon(calls.append, "first")
        reactor.call_later(0.03, reactor.stop)

    reactor.call_when_running(start)
    reactor.run()
    assert calls == ["first", "second", "third"]


def test_a_failing_call_is_logged_and_the_reactor_goes_on(reactor, caplog):
    def fail() -> None:
        raise ValueError("broken call")

    def start() -> None:
        reactor.call_soon(fail)
        reactor.call_soon(reactor.stop)

    reactor.call_when_running(start)
    reactor.run()
    assert "broken call" in caplog.text


def test_call_when_running_waits_for_startup_and_then_calls_at_once(reactor, drive):
    calls: list[str] = []
    reactor.add_system_event_trigger("during", "startup", calls.append, "startup")
    assert reactor.call_when_running(calls.append, "when running") is not None
    reactor.remove_system_event_trigger(reactor.call_when_running(calls.append, "taken back"))

    async def scenario() -> None:
        assert reactor.call_when_running(calls.append, "at once") is None
        assert calls[-1] == "at once"

    drive(reactor, scenario)
    assert calls == ["startup", "when running", "at once"]


def test_calls_from_many_threads_keep_the_order_of_each_thread(reactor, drive):
    count = 200
    seen: list[tuple[int, int]] = []
    seen_in: set[int] = set()
    finished = []

    def note(who: int, number: int) -> None:
        seen.append((who, number))
        seen_in.add(threading.get_ident())

    async def scenario() -> None:
        all_done = asyncio.Event()

        def finish() -> None:
            finished.append(True)
            if len(finished) == 4:
                all_done.set()

        def work(who: int) -> None:
            for number in range(count):
                reactor.call_from_thread(note, who, number)
            reactor.call_from_thread(finish)

        threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        await all_done.wait()
        for thread in threads:
            thread.join()

    drive(reactor, scenario)
    for who in range(4):
        assert [number for name, number in seen if name == who] == list(range(count))
    assert seen_in == {threading.get_ident()}


def test_a_call_from_a_thread_wakes_a_sleeping_loop(reactor):
    started = threading.Event()
    reactor.call_when_running(started.set)
    thread = threading.Thread(
        target=lambda: started.wait(DEADLINE) and reactor.call_from_thread(reactor.stop)
    )
    thread.start()
    reactor.run()
    thread.join()
    assert not reactor.running


def test_a_failing_call_from_a_thread_is_logged(reactor, drive, caplog):
    def fail() -> None:
        raise ValueError("broken call")

    async def scenario() -> None:
        await asyncio.to_thread(reactor.call_from_thread, fail)
        await asyncio.sleep(0)

    drive(reactor, scenario)
    assert "broken call" in caplog.text
