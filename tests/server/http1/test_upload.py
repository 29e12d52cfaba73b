"""Request bodies on their way in: how much is read ahead, who is told, and what stops them."""

from __future__ import annotations

import logging

import pytest

from .driving import GET, OK, Listener, Server, answer, judge, read_all, refused

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(length: int, *fields: bytes) -> bytes:
    """A head that announces ``length`` bytes."""
    lines = [b"POST / HTTP/1.1", b"Host: a", b"Content-Length: %d" % length, *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def begin(server: Server, data: bytes):
    """Send ``data`` and return the client, the exchange that began, and its listener."""
    client = server.connect()
    client.send(data)
    exchange = server.begun[-1]
    return client, exchange, Listener(exchange)


# content-length ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE", b"OPTIONS"])
def test_a_body_belongs_to_any_method_and_what_follows_is_the_next_request(method):
    data = post(5).replace(b"POST", method) + b"helloGET /next HTTP/1.1\r\nHost: a\r\n\r\n"
    result = judge(data)
    assert [(request.path, request.body) for request in result.requests] == [
        (b"/", b"hello"),
        (b"/next", b""),
    ]
    assert result.written == OK + OK


def test_leading_zeros_do_not_make_a_length_octal():
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 010\r\n\r\n0123456789"
    assert judge(data + GET).requests[0].body == b"0123456789"


def test_a_request_without_a_body_is_read_to_its_end_at_once():
    server = Server()
    _, exchange, listener = begin(server, GET)
    assert exchange.body_ended
    assert exchange.read() == b""
    assert exchange.trailers == []
    assert listener.told == []


def test_the_body_comes_piece_by_piece_and_then_its_end():
    server = Server()
    client, exchange, listener = begin(server, post(5) + b"he")
    assert exchange.read() == b"he"
    assert exchange.read() is None
    assert not exchange.body_ended
    client.send(b"l")
    assert listener.told == ["body_received"]
    client.send(b"lo")
    assert exchange.read() == b"l"
    assert not exchange.body_ended
    assert exchange.read() == b"lo"
    assert exchange.body_ended
    assert exchange.read() == b""


def test_the_end_of_a_chunked_body_is_told_although_it_brings_no_bytes():
    server = Server()
    client, exchange, listener = begin(server, CHUNKED)
    client.send(b"1\r\n")
    assert listener.told == []
    client.send(b"a", b"\r\n0\r\n", b"\r\n")
    assert listener.told == ["body_received", "body_received"]
    assert read_all(exchange) == b"a"
    assert exchange.body_ended


def test_an_application_may_answer_from_within_body_received():
    server = Server()
    client, exchange, listener = begin(server, post(2))

    def body_received() -> None:
        assert exchange.read() == b"hi"
        answer(exchange)

    listener.body_received = body_received
    client.send(b"hi" + GET)
    assert client.received == OK
    assert len(server.begun) == 2


# back-pressure -------------------------------------------------------------------------------------


def test_reading_pauses_at_the_buffers_size_and_goes_on_when_some_is_taken():
    server = Server(limit_write_buffer=1024)
    client, exchange, _ = begin(server, post(4096))
    client.send(b"x" * 1023)
    assert client.transport.reading
    client.send(b"x")
    assert not client.transport.reading
    client.send(b"y" * 500)
    assert client.transport.unread == 500
    assert len(exchange.read()) == 1023
    server.run()
    assert client.transport.reading
    assert client.transport.unread == 0


def test_taking_too_little_does_not_resume_reading():
    server = Server(limit_write_buffer=1024)
    client, exchange, _ = begin(server, post(9000))
    client.send(b"x", b"y" * 2000)
    assert exchange.read() == b"x"
    assert not client.transport.reading
    exchange.read()
    assert client.transport.reading


def test_a_body_that_ends_at_the_buffers_size_does_not_pause_reading():
    server = Server(limit_write_buffer=1024)
    client, _, _ = begin(server, post(1024))
    client.send(b"x" * 1024)
    assert client.transport.reading


def test_the_time_in_which_the_application_does_not_read_is_not_the_clients():
    server = Server(limit_write_buffer=1024)
    client, exchange, _ = begin(server, post(4096) + b"x" * 2048)
    server.pass_time(200)
    assert client.ending == "open"
    assert exchange.read() is not None
    server.pass_time(29)
    assert client.ending == "open", "measured afresh from the moment at which reading went on"
    server.pass_time(1)
    assert client.statuses == [408]


# limits --------------------------------------------------------------------------------------------


def test_a_body_announced_too_large_is_refused_before_it_is_read():
    refused(post(6), 413, limit_request_body=5)
    assert judge(post(5) + b"hello", limit_request_body=5).statuses == [200]


def test_a_body_that_turns_out_too_large_is_refused_in_the_middle(caplog):
    server = Server(limit_request_body=5)
    client, exchange, listener = begin(server, CHUNKED + b"5\r\nhello\r\n")
    with caplog.at_level(logging.INFO, "ropewalk.server"):
        client.send(b"1\r\nx\r\n")
    assert client.statuses == [413]
    assert client.ending == "half-closed"
    assert listener.told == ["disconnected"]
    assert "--limit-request-body" in caplog.text
    assert exchange.consumer is None


def test_a_body_too_large_under_a_response_on_its_way_breaks_that_off():
    server = Server(limit_request_body=5)
    client, exchange, listener = begin(server, CHUNKED)
    exchange.start_response(200, [])
    exchange.write(b"a")
    client.send(b"6\r\nhello!\r\n")
    assert client.ending == "aborted"
    assert client.statuses == [200]
    assert listener.told == ["disconnected"]


def test_a_broken_coding_under_a_response_on_its_way_breaks_that_off():
    server = Server()
    client, exchange, _ = begin(server, CHUNKED)
    exchange.start_response(200, [])
    exchange.write(b"a")
    client.send(b"nonsense\r\n")
    assert client.ending == "aborted"


# time ----------------------------------------------------------------------------------------------


def test_a_body_that_stalls_is_answered_408(caplog):
    server = Server(timeout_body_stall=5)
    client, _, listener = begin(server, post(10) + b"hello")
    with caplog.at_level(logging.INFO, "ropewalk.server"):
        server.pass_time(4.5)
        assert client.ending == "open"
        server.pass_time(0.5)
    assert client.statuses == [408]
    assert client.ending == "half-closed"
    assert listener.told == ["disconnected"]
    assert "--timeout-body-stall" in caplog.text


def test_every_arrival_postpones_the_stall():
    server = Server(timeout_body_stall=5, limit_body_rate=0)
    client, _, _ = begin(server, post(10))
    for _ in range(9):
        server.pass_time(4.5)
        client.send(b"x")
    assert client.ending == "open"
    server.pass_time(5)
    assert client.statuses == [408]


def test_a_body_may_stall_for_ever_when_the_timeout_is_off():
    server = Server(timeout_body_stall=0)
    client, _, _ = begin(server, post(10))
    server.pass_time(1000)
    assert client.ending == "open"


@pytest.mark.parametrize(("rate", "status"), [(1, 408), (9, 408), (10, None), (100, None)])
def test_a_body_below_the_rate_is_answered_408_after_ten_seconds(rate, status):
    server = Server(limit_body_rate=10)
    client, _, _ = begin(server, post(100_000))
    for _ in range(10):
        server.pass_time(1)
        client.send(b"x" * rate)
        assert client.ending == "open", "within the grace"
    for _ in range(3):
        server.pass_time(1)
        client.send(b"x" * rate)
    assert client.statuses == ([] if status is None else [status])


def test_the_rate_is_not_looked_at_when_the_body_has_ended():
    server = Server(limit_body_rate=1000)
    client, _, _ = begin(server, post(2) + b"a")
    server.pass_time(20)
    client.send(b"b")
    assert client.ending == "open"


def test_no_rate_is_asked_for_when_the_limit_is_off():
    server = Server(limit_body_rate=0)
    client, _, _ = begin(server, post(1000))
    for _ in range(30):
        server.pass_time(10)
        client.send(b"x")
    assert client.ending == "open"


# 100-continue --------------------------------------------------------------------------------------

EXPECTING = post(5, b"Expect: 100-continue")


def test_the_client_is_told_to_continue_when_the_application_first_reads():
    server = Server()
    client, exchange, _ = begin(server, EXPECTING)
    assert client.received == b""
    assert exchange.read() is None
    assert exchange.read() is None
    assert client.received == CONTINUE
    client.send(b"hello")
    assert exchange.read() == b"hello"
    answer(exchange)
    assert client.received == CONTINUE + OK
    assert client.ending == "open"


def test_a_client_that_did_not_wait_is_not_told_to_continue():
    server = Server()
    client, exchange, _ = begin(server, EXPECTING + b"he")
    assert exchange.read() == b"he"
    assert exchange.read() is None
    assert client.received == b""


def test_reading_after_the_response_has_begun_tells_nobody_to_continue():
    server = Server()
    client, exchange, _ = begin(server, EXPECTING)
    exchange.start_response(200, [])
    exchange.write(b"a")
    exchange.read()
    assert CONTINUE not in client.received


def test_an_answer_without_reading_closes_because_the_body_may_or_may_not_come():
    server = Server()
    client, exchange, _ = begin(server, EXPECTING)
    answer(exchange, b"no", status=403)
    assert client.statuses == [403]
    assert b"\r\nconnection: close\r\n" in client.received
    assert client.ending == "half-closed"
    client.send(b"hello" + GET)
    assert len(server.begun) == 1


def test_http_10_is_never_told_to_continue():
    server = Server()
    head = b"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    client, exchange, _ = begin(server, head)
    assert exchange.read() is None
    assert client.received == b""


def test_each_request_of_a_connection_is_told_for_itself():
    server = Server()
    client, _, _ = begin(server, EXPECTING)
    for number in range(2):
        if number:
            client.send(EXPECTING)
        exchange = server.begun[-1]
        assert exchange.read() is None
        client.send(b"hello")
        answer(exchange)
    assert client.received == (CONTINUE + OK) * 2


# early answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "sent", "rest"),
    [
        (post(10), b"hello", b"world"),
        (post(10), b"", b"helloworld"),
        (CHUNKED, b"5\r\nhello\r\n", b"5\r\nworld\r\n0\r\n\r\n"),
    ],
    ids=["length", "nothing sent yet", "chunked"],
)
def test_after_an_early_answer_the_rest_is_thrown_away_and_the_connection_used_again(head, sent, rest):
    server = Server()
    client, exchange, _ = begin(server, head + sent)
    answer(exchange)
    assert client.received == OK
    assert client.ending == "open"
    client.send(*(rest[at : at + 1] for at in range(len(rest))), GET)
    assert len(server.begun) == 2
    answer(server.begun[1])
    assert client.received == OK + OK


def test_the_rest_and_the_next_request_may_come_in_one_segment():
    server = Server()
    client, exchange, _ = begin(server, post(10))
    answer(exchange)
    client.send(b"helloworld" + GET)
    assert len(server.begun) == 2


def test_what_was_read_ahead_of_an_early_answer_does_not_keep_reading_paused():
    server = Server(limit_write_buffer=1024)
    client, exchange, _ = begin(server, post(5000) + b"x" * 2000)
    assert not client.transport.reading
    answer(exchange)
    client.send(b"x" * 3000 + GET)
    assert len(server.begun) == 2


def test_a_body_announced_past_the_linger_limit_closes_the_connection_with_the_answer():
    server = Server(limit_linger=100)
    client, exchange, _ = begin(server, post(101))
    answer(exchange)
    assert b"\r\nconnection: close\r\n" in client.received
    assert client.ending == "half-closed"


def test_a_chunked_body_that_goes_past_the_linger_limit_closes_the_connection():
    server = Server(limit_linger=100)
    client, exchange, _ = begin(server, CHUNKED)
    answer(exchange)
    client.send(b"32\r\n" + b"x" * 50 + b"\r\n")
    assert client.ending == "open"
    client.send(b"32\r\n" + b"x" * 50 + b"\r\n")
    assert client.ending == "half-closed"
    assert client.received == OK


@pytest.mark.parametrize("coded", [b"nonsense\r\n", b"6\r\nhello!\r\n"], ids=["coding", "too large"])
def test_a_thrown_away_body_that_breaks_the_rules_is_not_answered_a_second_time(coded):
    server = Server(limit_request_body=5)
    client, exchange, _ = begin(server, CHUNKED)
    answer(exchange)
    client.send(coded)
    assert client.received == OK
    assert client.ending == "half-closed"


def test_a_rest_that_does_not_come_ends_the_connection_after_the_idle_time():
    server = Server(timeout_linger_idle=5)
    client, exchange, _ = begin(server, post(10))
    answer(exchange)
    server.pass_time(4.5)
    client.send(b"x")
    server.pass_time(4.5)
    assert client.ending == "open"
    server.pass_time(0.5)
    assert client.ending == "half-closed"
    server.pass_time(5)
    assert client.ending == "closed"
    assert client.received == OK


def test_a_rest_that_trickles_ends_the_connection_after_the_whole_time():
    server = Server(timeout_linger_idle=5, timeout_linger=12)
    client, exchange, _ = begin(server, post(100))
    answer(exchange)
    for _ in range(3):
        server.pass_time(3.5)
        client.send(b"x")
    assert client.ending == "open"
    server.pass_time(1.5)
    assert client.ending == "half-closed"


def test_the_next_request_has_the_keep_alive_time_after_the_rest():
    server = Server(timeout_keep_alive=20)
    client, exchange, _ = begin(server, post(1))
    answer(exchange)
    server.pass_time(3)
    client.send(b"x")
    server.pass_time(19.5)
    assert client.ending == "open"
    server.pass_time(0.5)
    assert client.ending == "closed"


# the client leaves ---------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [post(10), CHUNKED + b"5\r\n"], ids=["length", "chunked"])
def test_a_client_that_stops_in_the_middle_of_a_body_gets_no_answer(head):
    server = Server()
    client, exchange, listener = begin(server, head + b"he")
    client.close_side()
    assert client.received == b""
    assert client.ending == "closed"
    assert listener.told == ["disconnected"]
    assert exchange.read() == b"he"
    assert exchange.read() is None, "never the end of the body"
    assert not exchange.body_ended
    with pytest.raises(OSError, match="disconnected"):
        exchange.start_response(200, [])


def test_a_client_that_stops_in_the_middle_under_a_response_has_it_broken_off():
    server = Server()
    client, exchange, listener = begin(server, post(10) + b"he")
    exchange.start_response(200, [])
    exchange.write(b"a")
    client.close_side()
    assert client.ending == "aborted"
    assert listener.told == ["disconnected"]


def test_a_client_that_stops_while_the_rest_is_thrown_away_has_its_answer():
    server = Server()
    client, exchange, _ = begin(server, post(10) + b"he")
    answer(exchange)
    client.close_side()
    assert client.received == OK
    assert client.ending == "closed"
