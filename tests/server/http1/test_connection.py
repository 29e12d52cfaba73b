"""The life of an HTTP/1.1 connection: pipelining, deadlines, half-closes, staged closes and draining."""

from __future__ import annotations

import logging
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .driving import GET, OK, TAIL, Client, Listener, Server, answer, cut, judge, outcome, read_all, refused

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SECOND = GET.replace(b"/ ", b"/2 ")
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)


class RecentSocket:
    """The socket of a connection over which data came in just now, as Linux's tcp_info tells it."""

    family: ClassVar[int] = 2

    def getsockopt(self, _level: int, _option: int, size: int) -> bytes:
        return bytes(size)

    def setsockopt(self, *_option: object) -> None:
        pass


def began(server: Server) -> list[bytes]:
    """The paths of the exchanges that have begun."""
    return [exchange.path for exchange in server.begun]


# cuts ----------------------------------------------------------------------------------------------

CONVERSATIONS = [
    GET + SECOND + GET,
    POST + b"hello" + GET,
    CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n\r\n" + SECOND,
    b"\r\n" + GET + b"\r\n" + POST + b"hello" + b"\r\n" + GET,
    GET + POST + b"hello" + CHUNKED + b"0\r\n\r\n" + CLOSE + GET,
    GET + b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n" + GET,
    GET + CHUNKED + b"5\r\nhelloXX" + GET,
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nHEAD /x?y HTTP/1.1\r\nHost: b\r\n\r\n" + TLS_HELLO,
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET + b"GET / HTTP/1.0\r\n\r\n" + GET,
    GET[:-1],
    b"",
]


@settings(max_examples=250, deadline=None, database=None)
@given(st.sampled_from(CONVERSATIONS), st.lists(st.integers(1, 250), max_size=12))
def test_no_cut_changes_what_is_answered(data, places):
    places = [at for at in places if at < len(data)]
    assert outcome(cut(data, places)) == outcome([data])


def test_a_connection_that_said_nothing_holds_nothing():
    result = outcome([])
    assert (result.written, result.ending) == (b"", "open")


# empty lines and other beginnings ------------------------------------------------------------------


def test_one_empty_line_before_a_request_is_skipped():
    assert judge(b"\r\n" + GET).written == OK
    assert judge(GET + b"\r\n" + GET).written == OK + OK


def test_two_empty_lines_are_refused():
    refused(b"\r\n\r\n" + GET, 400)


def test_a_lone_carriage_return_is_refused_once_something_follows():
    refused(b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400)
    assert outcome([b"\r"]).written == b""


@pytest.mark.parametrize(
    "pieces",
    [
        [GET, b"\r\n", GET, b"\r\n" + GET],
        [GET, b"\r\n" + GET, b"\r", b"\n" + GET, b"\r\n", GET],
        [b"\r\n", GET, b"\r\n", GET, b"\r\n", GET],
    ],
)
def test_one_empty_line_before_every_request_is_skipped_also_on_the_fast_path(pieces):
    result = outcome(pieces)
    assert result.statuses == [200] * sum(piece.count(b"GET") for piece in pieces)
    assert result.ending == "open"


def test_an_empty_line_is_skipped_once_also_when_it_came_alone():
    result = outcome([GET, b"\r\n", b"\r\n", GET])
    assert result.statuses == [200, 400]


def test_a_tls_hello_is_refused_at_its_first_byte():
    refused(TLS_HELLO, 400)
    assert outcome([TLS_HELLO[:1]]).statuses == [400]


def test_the_preface_of_http2_is_refused():
    refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 505)


@pytest.mark.parametrize(
    ("line", "limits", "status"),
    [
        (b"GET /" + b"a" * 50, {"limit_request_line": 20}, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 50, {"limit_header_field": 20}, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5, {"limit_header_count": 4}, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5, {"limit_header_section": 25}, 431),
    ],
    ids=["request line", "field", "count", "section"],
)
def test_a_head_over_a_limit_is_refused_before_its_end(line, limits, status, caplog):
    with caplog.at_level(logging.INFO, "ropewalk.server"):
        refused(line, status, **limits)
    (option,) = limits
    assert f"(--{option.replace('_', '-')})" in caplog.text


def test_the_default_limits_are_held_to_the_byte():
    line = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
    assert outcome([line % (b"a" * (8190 - 14))]).statuses == [200]
    assert outcome([line % (b"a" * (8190 - 13))]).statuses == [414]
    fields = b"".join(b"X: %d\r\n" % number for number in range(127))
    assert outcome([GET[:-2] + fields + b"\r\n"]).statuses == [200]
    assert outcome([GET[:-2] + fields + b"X: y\r\n\r\n"]).statuses == [431]


# pipelining ----------------------------------------------------------------------------------------


def test_the_second_request_begins_when_the_first_was_answered_and_not_in_its_stack():
    server = Server()
    client = server.connect()
    client.send(GET + SECOND)
    assert began(server) == [b"/"]
    answer(server.begun[0])
    assert began(server) == [b"/"], "not from within the first one's call"
    server.run()
    assert began(server) == [b"/", b"/2"]
    answer(server.begun[1])
    assert client.received == OK + OK


def test_many_requests_answered_at_once_are_answered_in_order_without_recursion():
    paths = [b"/%d" % number for number in range(3000)]
    data = b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in paths)
    server = Server(answer)
    client = server.connect()
    client.send(data)
    assert began(server) == paths
    assert client.received == OK * 3000


def test_a_malformed_second_request_is_answered_after_the_first():
    server = Server()
    client = server.connect()
    client.send(GET + b"NONSENSE\r\n\r\n" + GET)
    assert client.received == b""
    answer(server.begun[0])
    server.run()
    assert client.statuses == [200, 400]
    assert client.ending == "half-closed"
    assert len(server.begun) == 1


def test_nothing_behind_a_request_that_closes_the_connection_is_begun():
    result = judge(CLOSE + GET)
    assert result.statuses == [200]
    assert result.ending == "half-closed"


def test_reading_pauses_when_enough_was_read_ahead():
    server = Server(limit_pipelined=100)
    client = server.connect()
    client.send(GET, b"x" * 99)
    assert client.transport.reading
    client.send(b"x", b"y" * 50)
    assert not client.transport.reading
    assert client.transport.unread == 50


@pytest.mark.xfail(strict=True, reason="reading stays paused after the last request read ahead")
def test_all_requests_of_a_flood_are_answered_although_little_of_it_is_read_ahead():
    server = Server(limit_pipelined=100)
    client = server.connect()
    client.send(*[GET] * 50)
    assert not client.transport.reading
    assert client.transport.unread > 1000
    for number in range(50):
        answer(server.begun[number])
        server.run()
    assert client.received == OK * 50
    assert client.transport.reading


@pytest.mark.xfail(strict=True, reason="reading stays paused after the last request read ahead")
def test_reading_goes_on_when_the_last_request_read_ahead_was_answered():
    server = Server(limit_pipelined=10)
    client = server.connect()
    client.send(GET, SECOND)
    assert not client.transport.reading
    answer(server.begun[0])
    server.run()
    answer(server.begun[1])
    server.run()
    client.send(GET)
    assert len(server.begun) == 3


def test_reading_ahead_is_not_bounded_where_the_limit_is_off():
    server = Server(limit_pipelined=0)
    client = server.connect()
    client.send(GET, b"x" * 1_000_000)
    assert client.transport.reading


@pytest.mark.parametrize(
    ("head", "rest"),
    [(POST, [b"hello"]), (CHUNKED + b"5", [b"\r\nhello\r\n0\r\n\r\n"]), (POST + b"h", [b"ell", b"o"])],
    ids=["length", "chunked", "part of the body"],
)
def test_reading_goes_on_for_the_body_of_a_request_that_was_read_ahead(head, rest):
    server = Server(limit_pipelined=10)
    client = server.connect()
    client.send(GET, head)
    answer(server.begun[0])
    server.run()
    body = read_all(server.begun[1])
    for piece in rest:
        client.send(piece)
        body += read_all(server.begun[1])
    assert body == b"hello"
    assert server.begun[1].body_ended


def test_a_request_that_was_answered_early_and_the_next_keep_their_order():
    server = Server()
    client = server.connect()
    client.send(POST + b"he")
    answer(server.begun[0])
    client.send(b"llo" + SECOND + GET)
    answer(server.begun[1], b"22")
    server.run()
    answer(server.begun[2])
    assert client.received == OK + OK.replace(b"ok", b"22") + OK
    assert began(server) == [b"/", b"/2", b"/"]


# writing is paused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [[GET], [GET[:5], GET[5:]], [POST, b"hello"]], ids=["fast", "cut", "body"])
def test_a_request_waits_until_the_last_response_has_drained(pieces):
    server = Server()
    client = server.connect(takes=False)
    client.send(GET)
    answer(server.begun[0], b"x" * 100_000)
    server.run()
    client.send(*pieces)
    assert len(server.begun) == 1
    client.take()
    assert len(server.begun) == 2


@pytest.mark.xfail(strict=True, reason="reading stays paused after the last request read ahead")
def test_what_is_read_ahead_is_bounded_while_the_client_does_not_read():
    server = Server(limit_pipelined=100)
    client = server.connect(takes=False)
    client.send(GET)
    answer(server.begun[0], b"x" * 100_000)
    client.send(*[GET] * 20)
    assert not client.transport.reading
    client.take()
    assert client.transport.get_write_buffer_size() == 0
    for number in range(1, 21):
        answer(server.begun[number])
        server.run()
    assert client.statuses == [200] * 21


# half-closes ---------------------------------------------------------------------------------------


def test_a_half_close_before_any_request_closes():
    client = Server().connect()
    client.close_side()
    assert client.ending == "closed"
    assert client.received == b""


@pytest.mark.parametrize("part", [GET[:-1], GET[:5], b"\r", b"GET / HTTP/1.1\r\n"])
def test_a_half_close_in_the_middle_of_a_head_closes_without_an_answer(part):
    client = Server().connect()
    client.send(part)
    client.close_side()
    assert client.ending == "closed"
    assert client.received == b""


def test_a_client_that_closes_its_side_with_the_request_has_the_whole_answer():
    server = Server()
    client = server.connect(socket=RecentSocket())
    client.send(GET)
    listener = Listener(server.begun[0])
    client.close_side()
    assert client.ending == "open"
    assert listener.told == []
    answer(server.begun[0])
    assert client.received == OK.replace(b"date", b"connection: close\r\ndate")
    assert client.ending == "closed"


def test_a_client_that_closes_its_side_later_is_leaving_but_may_be_answered():
    server = Server()
    client = server.connect()
    client.send(GET)
    listener = Listener(server.begun[0])
    client.close_side()
    assert listener.told == ["client_leaving"]
    answer(server.begun[0])
    assert client.statuses == [200]
    assert client.ending == "closed"


def test_a_client_that_closes_its_side_while_the_response_streams_is_leaving():
    server = Server()
    client = server.connect(socket=RecentSocket())
    client.send(GET)
    exchange = server.begun[0]
    listener = Listener(exchange)
    exchange.start_response(200, [])
    exchange.write(b"a")
    client.close_side()
    assert listener.told == ["client_leaving"]
    exchange.finish(b"b")
    assert client.received.partition(TAIL)[2] == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    assert client.ending == "closed"


@pytest.mark.parametrize("count", [2, 3])
def test_the_last_of_the_requests_sent_before_the_half_close_ends_the_connection(count):
    server = Server()
    client = server.connect()
    client.send(GET * count)
    client.close_side()
    for number in range(count):
        assert client.ending == "open"
        answer(server.begun[number])
        server.run()
    assert client.statuses == [200] * count
    assert client.received.count(b"connection: close") == 1
    assert client.ending == "closed"


def test_requests_answered_at_once_before_the_half_close_end_the_connection():
    server = Server(answer)
    client = server.connect()
    client.send(GET + GET)
    client.close_side()
    assert client.received == OK + OK
    assert client.ending == "closed"


def test_what_was_incomplete_at_the_half_close_is_not_waited_for():
    server = Server()
    client = server.connect()
    client.send(GET + GET[:10])
    client.close_side()
    answer(server.begun[0])
    server.run()
    assert client.statuses == [200]
    assert client.ending == "closed"


@pytest.mark.xfail(
    strict=True, reason="an incomplete body is waited for although the client has closed its side"
)
def test_a_body_that_was_incomplete_at_the_half_close_is_not_waited_for():
    server = Server()
    client = server.connect()
    client.send(GET + POST + b"he")
    client.close_side()
    answer(server.begun[0])
    server.run()
    assert client.statuses == [200]
    assert client.ending == "closed"


def test_a_request_read_before_the_half_close_is_answered_once_the_client_reads():
    server = Server()
    client = server.connect(takes=False)
    client.send(GET + SECOND)
    answer(server.begun[0], b"x" * 100_000)
    server.run()
    client.close_side()
    assert client.ending == "open"
    client.take()
    assert began(server) == [b"/", b"/2"]
    answer(server.begun[1])
    client.take()
    assert client.statuses == [200, 200]
    assert client.ending == "closed"


# the staged close ----------------------------------------------------------------------------------


def test_the_server_closes_its_side_first_and_reads_on():
    client = Server(answer).connect()
    client.send(CLOSE)
    assert client.ending == "half-closed"
    client.send(b"more", b"and more")
    assert client.ending == "half-closed"
    client.close_side()
    assert client.ending == "closed"
    assert client.statuses == [200]


def lingering(**options: object) -> tuple[Server, Client]:
    """A connection on which the server has closed its side."""
    server = Server(answer, **options)
    client = server.connect()
    client.send(CLOSE)
    return server, client


def test_lingering_ends_after_the_bytes_it_may_read():
    _, client = lingering(limit_linger=100)
    client.send(b"x" * 100)
    assert client.ending == "half-closed"
    client.send(b"x")
    assert client.ending == "closed"


def test_lingering_ends_when_the_client_is_silent():
    server, client = lingering()
    server.pass_time(4.5)
    client.send(b"x")
    server.pass_time(4.5)
    assert client.ending == "half-closed"
    server.pass_time(0.5)
    assert client.ending == "closed"


def test_lingering_ends_after_its_whole_time_whatever_comes():
    server, client = lingering()
    for _ in range(9):
        server.pass_time(3)
        client.send(b"x")
    assert client.ending == "half-closed"
    server.pass_time(3)
    assert client.ending == "closed"


def test_lingering_without_timeouts_waits_for_the_client():
    server, client = lingering(timeout_linger=0, timeout_linger_idle=0)
    server.pass_time(1000)
    assert client.ending == "half-closed"


def test_without_lingering_the_connection_is_closed_at_once():
    _, client = lingering(limit_linger=0)
    assert client.ending == "closed"


def test_a_transport_that_cannot_close_one_side_is_closed():
    server = Server(answer)
    client = server.connect(half_closes=False)
    client.send(CLOSE)
    assert client.ending == "closed"
    assert client.statuses == [200]


def test_a_refusal_reaches_a_client_that_is_still_sending():
    server = Server(limit_request_body=10)
    client = server.connect(takes=False)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n")
    client.send(b"x" * 50_000)
    assert client.statuses == [413]
    assert client.ending == "half-closed"
    assert not client.transport.lost


def test_closing_waits_for_what_was_written_and_no_longer_than_the_write_stall():
    server = Server(limit_linger=0, timeout_write_stall=10)
    client = server.connect(takes=False)
    client.send(CLOSE)
    answer(server.begun[0])
    assert client.ending == "closed"
    server.pass_time(9.5)
    assert not client.transport.lost
    server.pass_time(0.5)
    assert client.ending == "aborted"


# deadlines -----------------------------------------------------------------------------------------


def ends_after(seconds: float, server: Server, client: Client, ending: str = "closed") -> None:
    """The connection is open up to the last tick before ``seconds`` have passed, and ends with that one."""
    before = client.ending
    server.pass_time(seconds - 0.5)
    assert client.ending == before
    server.pass_time(0.5)
    assert client.ending == ending


def test_a_connection_that_sends_nothing_is_closed_without_a_word():
    server = Server()
    client = server.connect()
    ends_after(30, server, client)
    assert client.received == b""


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_has_one_deadline_from_its_first_byte(start, caplog):
    server = Server(timeout_head=10)
    client = server.connect()
    server.pass_time(20)
    client.send(start)
    with caplog.at_level(logging.INFO, "ropewalk.server"):
        ends_after(10, server, client, "half-closed")
    assert client.statuses == [408]
    assert "--timeout-head" in caplog.text


def test_progress_does_not_extend_the_deadline_of_a_head():
    server = Server(timeout_head=10)
    client = server.connect()
    for byte in b"GET / HTTP/1.1\r\nX":
        client.send(bytes((byte,)))
        server.pass_time(0.5)
    client.send(b"-")
    server.pass_time(1.5)
    assert client.statuses == [408]


def test_the_head_of_the_second_request_has_a_deadline_of_its_own():
    server = Server(answer, timeout_head=10)
    client = server.connect()
    client.send(GET)
    server.pass_time(50)
    client.send(b"G")
    ends_after(10, server, client, "half-closed")
    assert client.statuses == [200, 408]


def test_an_empty_line_does_not_extend_the_first_deadline():
    server = Server(timeout_first_byte=10)
    client = server.connect()
    server.pass_time(5)
    client.send(b"\r\n")
    ends_after(5, server, client)
    assert client.received == b""


def test_no_deadline_runs_while_the_application_answers():
    server = Server()
    client = server.connect()
    client.send(GET)
    server.pass_time(1000)
    answer(server.begun[0])
    assert client.received == OK


def test_no_deadline_runs_while_the_application_answers_a_request_whose_body_is_there():
    server = Server()
    client = server.connect()
    client.send(POST, b"hello")
    server.pass_time(1000)
    assert read_all(server.begun[0]) == b"hello"
    answer(server.begun[0])
    assert client.received == OK


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_connection_is_kept_for_the_keep_alive_time(asynchronous):
    server = Server(None if asynchronous else answer)
    client = server.connect()
    client.send(GET)
    if asynchronous:
        server.pass_time(100)
        answer(server.begun[0])
    ends_after(75, server, client)
    assert client.received == OK


def test_every_request_begins_the_keep_alive_time_anew():
    server = Server(answer)
    client = server.connect()
    for _ in range(3):
        client.send(GET)
        server.pass_time(74)
    assert client.ending == "open"


@pytest.mark.parametrize(
    ("option", "data"),
    [("timeout_first_byte", b""), ("timeout_head", b"G"), ("timeout_keep_alive", GET)],
)
def test_a_timeout_of_0_never_fires(option, data):
    server = Server(answer, **{option: 0})
    client = server.connect()
    if data:
        client.send(data)
    server.pass_time(500)
    assert client.ending == "open"


def stalled(**options: object) -> tuple[Server, Client]:
    """A client that does not read a large response."""
    server = Server(**options)
    client = server.connect(takes=False)
    client.send(GET)
    exchange = server.begun[0]
    exchange.start_response(200, [])
    exchange.write(b"x" * 100_000)
    return server, client


def test_a_client_that_does_not_read_is_aborted(caplog):
    server, client = stalled()
    listener = Listener(server.begun[0])
    with caplog.at_level(logging.INFO, "ropewalk.server"):
        ends_after(60, server, client, "aborted")
    assert listener.told == ["disconnected"]
    assert "--timeout-write-stall" in caplog.text


def test_a_client_that_reads_a_little_is_given_more_time():
    server, client = stalled()
    for _ in range(5):
        server.pass_time(59)
        client.take(1000)
        server.pass_time(1)
        assert client.ending == "open"
    server.pass_time(60)
    assert client.ending == "aborted"


def test_a_client_that_has_read_enough_is_under_no_deadline():
    server, client = stalled()
    client.take()
    server.pass_time(1000)
    assert client.ending == "open"


def test_a_write_stall_of_0_never_fires():
    server, client = stalled(timeout_write_stall=0)
    server.pass_time(1000)
    assert client.ending == "open"


def test_a_kept_connection_whose_response_is_unread_ends_by_the_write_stall():
    server = Server(timeout_keep_alive=5, timeout_write_stall=20)
    client = server.connect(takes=False)
    client.send(GET)
    answer(server.begun[0])
    server.pass_time(5)
    assert client.ending == "closed"
    assert not client.transport.lost
    ends_after(20, server, client, "aborted")


# requests per connection ---------------------------------------------------------------------------


def test_the_last_request_that_a_connection_may_carry_is_answered_with_close():
    server = Server(answer, limit_requests=3)
    client = server.connect()
    client.send(GET, GET, POST + b"hello", GET)
    assert client.statuses == [200] * 3
    assert client.received.count(b"connection: close") == 1
    assert client.received.rindex(b"connection: close") > len(OK + OK)
    assert client.ending == "half-closed"
    assert len(server.begun) == 3


# draining ------------------------------------------------------------------------------------------


def test_drain_closes_what_is_idle():
    server = Server(answer)
    fresh, used = server.connect(), server.connect()
    used.send(GET)
    server.site.drain()
    assert (fresh.ending, used.ending) == ("closed", "closed")


def test_drain_closes_after_the_response_under_way():
    server = Server()
    client = server.connect()
    client.send(GET)
    server.site.drain()
    assert client.ending == "open"
    assert server.site.busy
    answer(server.begun[0])
    assert b"connection: close\r\n" in client.received
    assert client.ending == "half-closed"
    assert not server.site.busy


def test_drain_closes_after_a_response_whose_head_was_already_sent():
    server = Server()
    client = server.connect()
    client.send(GET)
    exchange = server.begun[0]
    exchange.start_response(200, [])
    exchange.write(b"a")
    server.site.drain()
    exchange.finish(b"b")
    assert client.received.endswith(b"1\r\nb\r\n0\r\n\r\n")
    assert client.ending == "half-closed"


def test_drain_lets_a_request_arrive_that_has_begun_to():
    server = Server(answer)
    client = server.connect()
    client.send(GET[:10])
    assert server.site.busy
    server.site.drain()
    assert client.ending == "open"
    client.send(GET[10:])
    assert client.statuses == [200]
    assert client.ending == "half-closed"


def test_a_connection_that_comes_while_the_site_drains_is_closed():
    server = Server()
    server.site.drain()
    assert server.connect().ending == "closed"


def test_close_idle_closes_also_what_has_begun_to_send():
    server = Server()
    partial, answering = server.connect(), server.connect()
    partial.send(GET[:10])
    answering.send(GET)
    server.site.close_idle()
    assert (partial.ending, answering.ending) == ("closed", "open")


def test_abort_ends_everything():
    server = Server()
    clients = [server.connect() for _ in range(3)]
    clients[0].send(GET)
    clients[1].send(GET[:10])
    listener = Listener(server.begun[0])
    server.site.abort()
    server.run()
    assert [client.ending for client in clients] == ["aborted"] * 3
    assert listener.told == ["disconnected"]
    assert not server.site.connections


# the end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"", b"G", GET, POST, POST + b"he", CHUNKED + b"5", GET + GET, CLOSE, b"NONSENSE\r\n"]
)
def test_a_reset_in_any_phase_leaves_nothing(data):
    server = Server()
    client = server.connect()
    if data:
        client.send(data)
    listeners = [Listener(exchange) for exchange in server.begun]
    client.vanish(ConnectionResetError())
    assert not server.site.connections
    assert [listener.told for listener in listeners] == [["disconnected"]] * len(listeners)
    server.pass_time(200)
    assert len(server.begun) == len(listeners)


def test_what_arrives_after_the_end_is_not_looked_at():
    server = Server(answer)
    client = server.connect()
    client.send(GET)
    client.connection.close()
    client.connection.data_received(GET)
    assert len(server.begun) == 1


def test_a_refusal_is_logged_in_one_line_without_what_the_peer_sent(caplog):
    with caplog.at_level(logging.INFO, "ropewalk.server"):
        outcome([b"GET /secret\x01 HTTP/1.1\r\nHost: a\r\n\r\n"])
    (record,) = caplog.records
    assert record.getMessage().startswith("192.0.2.7:50312: refused with 400: ")
    assert "secret" not in record.getMessage()
    assert record.exc_info is None


@pytest.mark.parametrize("reason", ["too large", "stalled"])
def test_a_refusal_of_head_has_no_content(reason):
    server = Server(limit_request_body=5 if reason == "stalled" else 4)
    client = server.connect()
    client.send(POST.replace(b"POST", b"HEAD"))
    server.pass_time(30)
    assert client.statuses == [413 if reason == "too large" else 408]
    assert client.received.endswith(TAIL)
