"""The access log: what a line says, what it never lets through, and when lines are written."""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Callable

import pytest

from ropewalk.reactor import Tick
from ropewalk.server.access_log import AccessLog, escape

from .http1.driving import GET, WALL, Server, answer

LOCAL = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(WALL))
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


class Timer:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Logging:
    """A server with an access log, its lines, its clock and the calls that were asked for."""

    def __init__(self, consumer: Callable[..., None] | None = None, **options: object) -> None:
        self.stream = io.StringIO()
        self.timer = Timer()
        self.later: list[tuple[float, Callable[[], object]]] = []
        self.log: AccessLog | None = None
        self.server = Server(consumer, self._make, **options)

    def _make(self, tick: Tick) -> AccessLog:
        self.log = AccessLog(
            self.stream, tick, lambda delay, call: self.later.append((delay, call)), self.timer
        )
        return self.log

    @property
    def lines(self) -> list[str]:
        """What was written, once all that waits has been."""
        assert self.log is not None
        self.log.flush()
        return self.stream.getvalue().splitlines()


def test_a_line_says_when_who_what_and_how_it_went():
    logging_ = Logging()
    logging_.server.connect().send(GET.replace(b"/ ", b"/a?b=c "))
    logging_.timer.now += 0.00042
    answer(logging_.server.begun[0], b"hello, world!", 201)
    assert logging_.lines == [f'{LOCAL} 192.0.2.7:50312 "GET /a?b=c HTTP/1.1" 201 13 0.42ms']


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0.00ms"), (0.00001, "0.0[01]ms"), (0.25, "250.00ms"), (61.5, "61500.00ms"), (-1.0, "-1000.00ms")],
)
def test_the_duration_is_in_milliseconds_with_two_digits(seconds, shown):
    logging_ = Logging()
    logging_.server.connect().send(GET)
    logging_.timer.now += seconds
    answer(logging_.server.begun[0])
    (line,) = logging_.lines
    assert re.search(f" {shown}$", line)


def test_the_second_is_the_ticks():
    logging_ = Logging(answer)
    client = logging_.server.connect()
    client.send(GET)
    logging_.server.tick.turn(0.5, WALL + 1)
    client.send(GET)
    later = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(WALL + 1))
    assert [line[:19] for line in logging_.lines] == [LOCAL, later]


def test_bytes_are_those_of_the_body_before_chunking_and_none_for_head():
    logging_ = Logging()
    client = logging_.server.connect()
    client.send(GET)
    exchange = logging_.server.begun[0]
    exchange.start_response(200, [])
    exchange.write(b"abc")
    exchange.finish(b"de")
    client.send(GET.replace(b"GET", b"HEAD"))
    answer(logging_.server.begun[1])
    assert [line.split('" ')[1] for line in logging_.lines] == ["200 5 0.00ms", "200 0 0.00ms"]


@pytest.mark.parametrize("how", ["vanishes", "aborted"])
def test_a_response_that_broke_off_is_marked(how):
    logging_ = Logging()
    client = logging_.server.connect()
    client.send(GET)
    exchange = logging_.server.begun[0]
    exchange.start_response(200, [])
    exchange.write(b"abc")
    if how == "aborted":
        exchange.abort()
    else:
        client.vanish()
    (line,) = logging_.lines
    assert line.endswith('" 200 - 3 0.00ms')


def test_a_request_whose_body_never_came_whole_is_marked():
    logging_ = Logging()
    client = logging_.server.connect()
    client.send(POST + b"he")
    client.close_side()
    (line,) = logging_.lines
    assert line.endswith('"POST / HTTP/1.1" 0 - 0 0.00ms')


def test_a_request_refused_for_its_body_is_logged_with_the_refusal():
    logging_ = Logging(limit_request_body=4)
    logging_.server.connect().send(POST)
    (line,) = logging_.lines
    assert line.endswith('"POST / HTTP/1.1" 413 0 0.00ms')


def test_a_head_that_was_refused_is_no_request():
    logging_ = Logging()
    logging_.server.connect().send(b"NONSENSE\r\n\r\n")
    assert logging_.lines == []


def test_every_response_has_one_line():
    logging_ = Logging(answer)
    client = logging_.server.connect()
    client.send(GET + GET, GET, POST + b"hello")
    client.vanish()
    assert len(logging_.lines) == 4


def test_a_target_cannot_forge_a_line_or_end_the_quotes():
    logging_ = Logging(answer)
    logging_.server.connect().send(b'GET /"\\?x="200 HTTP/1.1\r\nHost: a\r\n\r\n')
    (line,) = logging_.lines
    assert '"GET /\\x22\\x5c?x=\\x22200 HTTP/1.1" 200' in line


def test_lines_that_leave_together_are_escaped_each_for_itself():
    logging_ = Logging()
    client = logging_.server.connect()
    for path in (b"/a?b", b"/%22", b"/", b"/c"):
        client.send(GET.replace(b"/ ", path + b" "))
        exchange = logging_.server.begun[-1]
        if path == b"/":
            exchange.path = b'/"\xe9 /c'  # with a space, as HTTP/2 can carry it
        answer(exchange)
    targets = [line.split('"')[1] for line in logging_.lines]
    assert targets == [
        "GET /a?b HTTP/1.1",
        "GET /%22 HTTP/1.1",
        r"GET /\x22\xe9 /c HTTP/1.1",
        "GET /c HTTP/1.1",
    ]


def test_a_target_with_a_space_shifts_no_other_line():
    logging_ = Logging()
    client = logging_.server.connect()
    for path in (b"/a", b"/b c", b"/d"):
        client.send(GET)
        exchange = logging_.server.begun[-1]
        exchange.path = path
        answer(exchange)
    assert [line.split('"')[1] for line in logging_.lines] == [
        "GET /a HTTP/1.1",
        "GET /b c HTTP/1.1",
        "GET /d HTTP/1.1",
    ]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("/plain?a=b&c", "/plain?a=b&c"),
        ("a b", "a b"),
        ('"', r"\x22"),
        ("\\", r"\x5c"),
        ("\r\n\t\0", r"\x0d\x0a\x09\x00"),
        ("\x1b[31m\x7f", r"\x1b[31m\x7f"),
        ("\xe9\xff", r"\xe9\xff"),
    ],
)
def test_what_could_act_on_the_log_is_escaped(text, escaped):
    assert escape(text) == escaped


# batching ------------------------------------------------------------------------------------------


def test_lines_wait_for_one_another_and_leave_together():
    logging_ = Logging(answer)
    logging_.server.connect().send(GET, GET, GET)
    assert logging_.stream.getvalue() == ""
    ((delay, call),) = logging_.later
    assert 0 < delay < 1
    call()
    assert len(logging_.stream.getvalue().splitlines()) == 3
    logging_.server.connect().send(GET)
    assert len(logging_.later) == 2


def test_no_more_than_so_many_lines_wait():
    logging_ = Logging(answer)
    client = logging_.server.connect()
    sent = 0
    while not logging_.stream.getvalue() and sent < 1000:
        client.send(GET)
        sent += 1
    assert 1 < sent < 1000
    assert len(logging_.stream.getvalue().splitlines()) == sent
    (_, call) = logging_.later[0]
    call()
    assert len(logging_.stream.getvalue().splitlines()) == sent, "nothing is written twice"


@pytest.mark.parametrize("error", [None, BrokenPipeError("gone"), OSError(28, "No space left on device")])
def test_a_stream_that_cannot_be_written_is_reported_and_costs_no_request(error, caplog):
    logging_ = Logging(answer)
    if error is None:
        logging_.stream.close()
    else:

        def write(_text: str) -> int:
            raise error

        logging_.stream.write = write
    client = logging_.server.connect()
    client.send(GET)
    assert logging_.log is not None
    with caplog.at_level(logging.WARNING, "ropewalk.server"):
        logging_.log.flush()
    assert "the access log cannot be written" in caplog.text
    client.send(GET)
    assert client.statuses == [200, 200]


def test_flushing_nothing_writes_nothing():
    stream = io.StringIO()
    stream.close()
    AccessLog(stream, Tick(), lambda delay, call: None).flush()
