"""One application on one reactor: start, serve and stop, each in its order and with its exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.served import (
    Events,
    HeldEvents,
    Log,
    Served,
    refuses,
    until,
)

from ropewalk.reactor import Reactor
from ropewalk.server.config import Config
from ropewalk.service import EXIT_LISTEN, EXIT_OK, EXIT_SHUTDOWN, EXIT_STARTUP, Service, configure_logging

pytestmark = pytest.mark.usefixtures("log", "package_logger")


def service(application: Any, loop: Any = "asyncio", **options: Any) -> Service:
    options.setdefault("bind", "127.0.0.1:0")
    options.setdefault("access_log", False)
    return Service(application, Config.from_options(**options), Reactor(loop, end_timeout=1.0))


def run(made: Service, scenario: Callable[[Served], Awaitable[None]] | None = None) -> int:
    """Run a service until the scenario is over; its exit code."""
    failures: list[BaseException] = []
    tasks: list[asyncio.Task[None]] = []

    async def play() -> None:
        served = Served(made)
        try:
            if scenario is not None:
                async with asyncio.timeout(3):
                    await scenario(served)
        except BaseException as error:
            failures.append(error)
        finally:
            for client in served.clients:
                client.close()
            if made.reactor.running and not made.reactor.stopping:
                made.stop()

    made.reactor.call_when_running(lambda: tasks.append(asyncio.create_task(play())))
    code = made.run()
    if failures:
        raise failures[0]
    return code


def free_address() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address: tuple[str, int] = sock.getsockname()
        return address


# exit codes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_run_that_is_stopped_is_exit_code_0(loop: str) -> None:
    app = Events()

    async def scenario(served: Served) -> None:
        assert (await served.get()).body == b"hello"
        app.happened.append("served")

    assert run(service(app, loop), scenario) == EXIT_OK
    assert app.happened == ["startup", "served", "shutdown"]


def test_failed_start_up_is_exit_code_3_and_nothing_listens(log: Log) -> None:
    app = Events(fails_in="startup")
    host, port = free_address()
    made = service(app, bind=f"{host}:{port}")
    assert run(made) == EXIT_STARTUP == 3
    assert made.ports == []
    assert refuses((host, port))
    assert app.happened == ["startup"]
    assert log.text.count("no startup today") == 1
    assert len(log.take_errors()) == 2
    assert not any("listening on" in message for message in log.messages())


def test_address_that_cannot_be_had_is_exit_code_1_after_an_orderly_shutdown(log: Log) -> None:
    app = Events()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        made = service(app, bind=("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}"))
        assert run(made) == EXIT_LISTEN == 1
    assert "not serving: cannot listen on" in log.take_error()
    assert app.happened == ["startup", "shutdown"]
    assert not any("listening on" in message for message in log.messages())


def test_failed_shutdown_is_exit_code_4(log: Log) -> None:
    app = Events(fails_in="shutdown")
    assert run(service(app)) == EXIT_SHUTDOWN == 4
    assert "no shutdown today" in log.take_error()


def test_failed_shutdown_does_not_hide_what_went_wrong_before(log: Log) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        made = service(Events(fails_in="shutdown"), bind=f"127.0.0.1:{taken.getsockname()[1]}")
        assert run(made) == EXIT_LISTEN
    assert len(log.take_errors()) == 2


def test_second_signal_ends_at_once_with_the_shell_s_exit_code() -> None:
    app = HeldEvents()
    made = service(app)

    async def scenario(served: Served) -> None:
        client = await served.connect()
        await client.ask()
        await app.held.called.wait()
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: made.reactor.stopping)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()

    assert run(made, scenario) == 128 + signal.SIGTERM
    assert app.happened == ["startup", "cancelled"]


def test_garbage_collector_is_put_back_as_it_was() -> None:
    before = gc.get_threshold()
    during: list[tuple[int, int, int]] = []

    async def scenario(served: Served) -> None:
        during.append(gc.get_threshold())

    run(service(Events()), scenario)
    assert during[0][0] >= before[0]
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_service_listens_on_every_endpoint(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "s"
    made = service(Events(), bind=("127.0.0.1:0", f"unix:{path}"))

    async def scenario(served: Served) -> None:
        assert (await served.get()).body == b"hello"
        made.ports.reverse()
        assert (await served.get()).body == b"hello"

    assert run(made, scenario) == EXIT_OK
    assert not path.exists()
    assert any(message == f"listening on http+unix:{path}" for message in log.messages())


def test_address_of_ipv6_is_logged_as_a_url_has_it(log: Log) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    run(service(Events(), bind="[::1]:0"))
    assert any(message.startswith("listening on http://[::1]:") for message in log.messages())


def test_access_log_is_written_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(served: Served) -> None:
        await served.get("/a?b")

    run(service(Events(), access_log=True), scenario)
    (line,) = capsys.readouterr().out.splitlines()
    assert '"GET /a?b HTTP/1.1" 200 5 ' in line


# logging ---------------------------------------------------------------------------------------------


@contextmanager
def unconfigured(package_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The loggers as a program has them that configures nothing, without those who listen to this test."""
    with monkeypatch.context() as patch:
        patch.setattr(package_logger, "handlers", [])
        patch.setattr(logging.getLogger(), "handlers", [])
        yield


def test_log_goes_to_standard_error_when_nothing_is_configured(
    package_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with unconfigured(package_logger, monkeypatch):
        for _ in range(2):
            configure_logging("warning")
        logging.getLogger("ropewalk.server").info("too little")
        logging.getLogger("ropewalk.server").warning("enough")
        assert len(package_logger.handlers) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("WARNING enough\n")


def test_log_is_left_to_a_program_that_has_configured_it(
    package_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unconfigured(package_logger, monkeypatch):
        logging.getLogger().addHandler(logging.NullHandler())
        configure_logging("debug")
        assert package_logger.handlers == []
    assert package_logger.propagate
    assert package_logger.level == logging.DEBUG
