"""The beginnings and ends of an HTTP/1.1 connection, and that no cut of what it is sent changes anything."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .driving import GET, OK, TAIL, Listener, Server, answer, cut, judge, outcome, refused

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SECOND = GET.replace(b"/ ", b"/2 ")
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)


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
