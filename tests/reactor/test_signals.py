"""Stop signals: what they do to a reactor, and that the process gets its handlers back."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

from ropewalk.reactor import Reactor

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

DEADLINE = 10.0
NUMBERS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_a_signal_stops_the_reactor_and_is_told(reactor, number):
    calls: list[str] = []
    reactor.add_system_event_trigger("before", "shutdown", calls.append, "shutdown")
    reactor.call_when_running(lambda: reactor.call_soon(signal.raise_signal, number))
    reactor.run()
    assert reactor.exit_signal == number
    assert not reactor.crashed
    assert calls == ["shutdown"]
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert reactor.exit_signal is None


def test_a_signal_during_startup_stops_the_reactor(reactor):
    async def hang() -> None:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()

    reactor.add_system_event_trigger("before", "startup", hang)
    reactor.run()
    assert reactor.exit_signal == signal.SIGTERM
    assert not reactor.crashed


def test_a_first_signal_while_stopping_is_no_crash(reactor):
    calls: list[str] = []

    async def interrupted() -> None:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0.01)
        calls.append("drained")

    reactor.add_system_event_trigger("before", "shutdown", interrupted)
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert calls == ["drained"]
    assert not reactor.crashed
    assert reactor.exit_signal is None


@pytest.fixture
def python_handler():
    def handler(number: int, frame: object) -> None:
        raise AssertionError("the handler from before was called")

    before = {number: signal.signal(number, handler) for number in NUMBERS}
    yield handler
    for number, previous in before.items():
        signal.signal(number, previous)


def test_the_handlers_from_before_are_put_back(reactor, python_handler):
    during: list[object] = []
    reactor.call_when_running(lambda: during.extend(map(signal.getsignal, NUMBERS)))
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert python_handler not in during
    assert [signal.getsignal(number) for number in NUMBERS] == [python_handler] * 2


@pytest.mark.parametrize("ending", ["crash", "interrupt"])
def test_the_handlers_are_put_back_however_the_run_ends(reactor, python_handler, ending):
    def interrupt() -> None:
        raise SystemExit

    reactor.call_when_running(reactor.crash if ending == "crash" else lambda: reactor.call_soon(interrupt))
    try:
        reactor.run()
    except SystemExit:
        pass
    assert [signal.getsignal(number) for number in NUMBERS] == [python_handler] * 2


def test_the_wake_up_descriptor_from_before_is_put_back(reactor):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        before = signal.set_wakeup_fd(ours.fileno())
        try:
            reactor.call_when_running(lambda: reactor.call_soon(signal.raise_signal, signal.SIGTERM))
            reactor.run()
            assert reactor.exit_signal == signal.SIGTERM
        finally:
            assert signal.set_wakeup_fd(before) == ours.fileno()


def test_a_wake_up_descriptor_that_was_closed_meanwhile_is_let_go():
    reactor = Reactor("asyncio")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        before = signal.set_wakeup_fd(ours.fileno())
        reactor.call_when_running(ours.close)
        reactor.call_when_running(reactor.stop)
        reactor.run()
        assert signal.set_wakeup_fd(before) == -1


def test_a_given_loop_forgets_the_handlers(kind):
    if kind == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    else:
        loop = asyncio.SelectorEventLoop()
    reactor = Reactor(loop)
    reactor.call_when_running(reactor.stop)
    reactor.run()

    async def forgets() -> bool:
        return not any(loop.remove_signal_handler(number) for number in NUMBERS)

    assert loop.run_until_complete(forgets())
    loop.close()


def test_without_install_signals_the_handlers_stay(reactor, python_handler):
    during: list[object] = []
    reactor.call_when_running(lambda: during.extend(map(signal.getsignal, NUMBERS)))
    reactor.call_when_running(reactor.stop)
    reactor.run(install_signals=False)
    assert during == [python_handler] * 2


def test_in_another_thread_no_handlers_are_installed(reactor, python_handler):
    during: list[object] = []
    reactor.call_when_running(lambda: during.extend(map(signal.getsignal, NUMBERS)))
    reactor.call_when_running(reactor.stop)
    thread = threading.Thread(target=reactor.run)
    thread.start()
    thread.join(DEADLINE)
    assert during == [python_handler] * 2


def test_a_loop_without_signal_handlers_is_served_through_the_interpreter():
    class Plain(asyncio.SelectorEventLoop):
        def add_signal_handler(self, *args):
            raise NotImplementedError

        def remove_signal_handler(self, *args):
            raise NotImplementedError

    before = signal.getsignal(signal.SIGTERM)
    loop = Plain()
    reactor = Reactor(loop)
    reactor.call_when_running(lambda: reactor.call_soon(signal.raise_signal, signal.SIGTERM))
    reactor.run()
    loop.close()
    assert reactor.exit_signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    from ropewalk.reactor import Reactor

    reactor = Reactor(sys.argv[1])

    async def drain():
        print("draining", flush=True)
        await asyncio.sleep(3600)

    reactor.add_system_event_trigger("before", "shutdown", drain)
    reactor.call_when_running(print, "running")
    reactor.call_when_running(sys.stdout.flush)
    reactor.run()
    print(reactor.exit_signal, reactor.crashed, flush=True)
    sys.stdin.read()
    """
)


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_signal_ends_at_once_and_the_process_has_its_handlers_back(kind):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(DEADLINE, process.kill)
        watchdog.start()
        try:
            assert read_line(process) == "running"
            process.send_signal(signal.SIGTERM)
            assert read_line(process) == "draining"
            process.send_signal(signal.SIGINT)
            assert read_line(process) == f"{int(signal.SIGTERM)} True"
            process.send_signal(signal.SIGTERM)
            assert process.wait() == -signal.SIGTERM
        finally:
            watchdog.cancel()
            watchdog.join()
            process.kill()
