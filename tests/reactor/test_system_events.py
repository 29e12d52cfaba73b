"""System events of a whole run: the phases, failures, and stopping or crashing while starting."""

from __future__ import annotations

import asyncio


def test_the_phases_of_a_run_come_in_order_and_wait_for_their_triggers(reactor):
    calls: list[str] = []

    async def later(text: str) -> None:
        calls.append(f"{text} begins")
        await asyncio.sleep(0.001)
        calls.append(f"{text} ends")

    for event in ("shutdown", "startup"):
        for phase in ("after", "before", "during"):
            reactor.add_system_event_trigger(phase, event, later, f"{phase} {event}")

    def stop_after_startup() -> None:
        if calls[-1] == "after startup ends":
            reactor.call_soon(reactor.call_soon, reactor.stop)
        else:
            reactor.call_later(0.001, stop_after_startup)

    reactor.call_when_running(stop_after_startup)
    reactor.run()
    assert calls[:4] == [
        "before startup begins",
        "before startup ends",
        "during startup begins",
        "during startup ends",
    ]
    assert calls[-6:] == [
        f"{phase} shutdown {what}" for phase in ("before", "during", "after") for what in ("begins", "ends")
    ]


def test_a_failing_trigger_stops_neither_startup_nor_shutdown(reactor, caplog):
    calls: list[str] = []

    def fail() -> None:
        raise ValueError("broken trigger")

    for event in ("startup", "shutdown"):
        reactor.add_system_event_trigger("before", event, fail)
        reactor.add_system_event_trigger("after", event, calls.append, event)
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert calls == ["startup", "shutdown"]
    assert len([record for record in caplog.records if "failed" in record.getMessage()]) == 2


def test_triggers_serve_one_run(reactor):
    calls: list[str] = []
    reactor.add_system_event_trigger("before", "startup", calls.append, "startup")
    reactor.add_system_event_trigger("before", "shutdown", calls.append, "shutdown")
    for _ in range(2):
        reactor.call_when_running(reactor.stop)
        reactor.run()
    assert calls == ["startup", "shutdown"]


def test_a_trigger_added_during_a_run_for_the_next_startup_is_kept(reactor, drive):
    calls: list[str] = []

    async def scenario() -> None:
        reactor.add_system_event_trigger("before", "startup", calls.append, "next startup")

    drive(reactor, scenario)
    assert calls == []
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert calls == ["next startup"]


def test_stopping_during_startup_skips_the_rest_of_it_and_shuts_down(reactor, echo):
    calls: list[str] = []
    port = reactor.listen("127.0.0.1:0", echo)
    reactor.add_system_event_trigger("before", "startup", reactor.stop)
    reactor.add_system_event_trigger("before", "startup", calls.append, "skipped")
    reactor.add_system_event_trigger("during", "startup", calls.append, "skipped")
    reactor.add_system_event_trigger(
        "before", "shutdown", lambda: calls.append(f"accepting: {port.accepting}")
    )
    reactor.call_when_running(calls.append, "skipped")
    reactor.run()
    assert calls == ["accepting: False"]
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert calls == ["accepting: False"]


def test_stopping_during_startup_cancels_a_trigger_that_hangs(reactor):
    calls: list[str] = []

    async def hang() -> None:
        asyncio.get_running_loop().call_soon(reactor.stop)
        try:
            await asyncio.Event().wait()
        finally:
            calls.append("cleaned up")

    reactor.add_system_event_trigger("before", "startup", hang)
    reactor.add_system_event_trigger("before", "shutdown", calls.append, "shutdown")
    reactor.run()
    assert calls == ["cleaned up", "shutdown"]


def test_a_startup_trigger_that_stops_the_reactor_runs_to_its_end(reactor):
    calls: list[str] = []

    async def refuse() -> None:
        reactor.stop()
        await asyncio.sleep(0.001)
        calls.append("refused in order")

    reactor.add_system_event_trigger("before", "startup", refuse)
    reactor.run()
    assert calls == ["refused in order"]


def test_crashing_during_startup_drops_its_triggers(reactor):
    calls: list[str] = []
    reactor.add_system_event_trigger("before", "startup", reactor.crash)
    reactor.add_system_event_trigger("during", "startup", asyncio.sleep, 3600)
    reactor.add_system_event_trigger("after", "startup", calls.append, "dropped")
    reactor.run()
    reactor.call_when_running(reactor.stop)
    reactor.run()
    assert calls == []
