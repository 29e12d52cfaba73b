"""Status lines and header sections of responses: rendered once, kept in bounds."""

from __future__ import annotations

import pytest

from ropewalk.server.errors import LocalProtocolError
from ropewalk.server.http1.response_head import (
    ResponseHead,
    ResponseHeadMemo,
    refusal,
    render_fields,
    status_line,
)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (103, b"HTTP/1.1 103 Early Hints\r\n"),
        (404, b"HTTP/1.1 404 Not Found\r\n"),
        (299, b"HTTP/1.1 299 \r\n"),
        (999, b"HTTP/1.1 999 \r\n"),
    ],
)
def test_a_status_line_has_the_registered_phrase_or_none(status, line):
    assert status_line(status) == line


def test_fields_are_rendered_one_a_line():
    assert render_fields([(b"a", b"1"), (b"b", b"")]) == b"a: 1\r\nb: \r\n"
    assert render_fields([]) == b""


def test_a_refusal_is_a_whole_response_that_announces_the_close():
    response = refusal(431, "too long: \xe9\u20ac", b"date: x\r\n\r\n")
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"\r\nconnection: close\r\n" in head
    assert head.endswith(b"\r\ndate: x")
    assert b"\r\ncontent-length: %d\r\n" % len(body) in head
    assert body == b"431 Request Header Fields Too Large: too long: \\xe9\\u20ac\n"


def test_a_refusal_of_head_has_the_fields_only():
    whole = refusal(413, "too large", b"date: x\r\n\r\n")
    assert (
        refusal(413, "too large", b"date: x\r\n\r\n", True) == whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    )


def test_what_speaks_of_the_connection_is_left_out():
    head = ResponseHead(
        200,
        [
            (b"connection", b"keep-alive"),
            (b"keep-alive", b"timeout=5"),
            (b"transfer-encoding", b"Chunked"),
            (b"upgrade", b"h2c"),
            (b"x", b"y"),
        ],
    )
    assert head.block == b"HTTP/1.1 200 OK\r\nx: y\r\n"
    assert not head.close


@pytest.mark.parametrize("value", [b"close", b"Close", b"x, CLOSE"])
def test_the_application_may_ask_for_the_connection_to_be_closed(value):
    head = ResponseHead(200, [(b"connection", value), (b"content-length", b"2")])
    assert head.close
    assert head.plain_length == -1


def test_a_transfer_coding_that_the_server_does_not_apply_is_refused():
    with pytest.raises(LocalProtocolError, match="gzip"):
        ResponseHead(200, [(b"transfer-encoding", b"gzip, chunked")])


@pytest.mark.parametrize(
    ("names", "tail"),
    [([], 0), ([b"date"], 1), ([b"server"], 2), ([b"date", b"server"], 3)],
    ids=["neither", "date", "server", "both"],
)
def test_the_tail_leaves_out_what_the_application_set_itself(names, tail):
    assert ResponseHead(200, [(name, b"x") for name in names]).tail == tail


@pytest.mark.parametrize(
    ("status", "bodiless", "block"),
    [
        (200, False, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"),
        (204, True, b"HTTP/1.1 204 No Content\r\n"),
        (304, True, b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n"),
    ],
)
def test_204_has_no_content_length_and_304_that_of_what_it_stands_for(status, bodiless, block):
    head = ResponseHead(status, [(b"content-length", b"5")])
    assert (head.bodiless, head.block) == (bodiless, block)
    assert head.plain_length == (-1 if bodiless else 5)


def test_a_head_without_a_length_is_not_plain():
    head = ResponseHead(200, [])
    assert (head.content_length, head.plain_length) == (None, -1)


# the memo ------------------------------------------------------------------------------------------


def test_the_memo_gives_the_same_head_for_the_same_values():
    memo = ResponseHeadMemo()
    assert memo.get((200, (b"a", b"b"))) is None
    head = memo.add(200, [(b"a", b"b")])
    assert memo.get((200, (b"a", b"b"))) is head
    assert memo.get((201, (b"a", b"b"))) is None
    assert memo.get((200, (b"a", b"c"))) is None


@pytest.mark.parametrize(
    "fields",
    [[[b"a", b"b"]], [(bytearray(b"a"), b"b")], [(b"a", bytearray(b"b"))]],
    ids=["pairs as lists", "name as bytearray", "value as bytearray"],
)
def test_what_cannot_be_hashed_is_rendered_and_not_kept(fields):
    memo = ResponseHeadMemo()
    assert memo.add(200, fields).block == b"HTTP/1.1 200 OK\r\na: b\r\n"
    assert len(memo) == 0


@pytest.mark.parametrize("status", [100, 103, 199])
def test_a_final_response_has_a_final_status(status):
    with pytest.raises(LocalProtocolError, match="not a final status"):
        ResponseHeadMemo().add(status, [])


def test_what_was_refused_is_refused_again():
    memo = ResponseHeadMemo()
    for _ in range(2):
        with pytest.raises(LocalProtocolError):
            memo.add(200, [(b"a", b"b\r\nc: d")])
    assert len(memo) == 0


def test_the_memo_starts_afresh_when_full():
    memo = ResponseHeadMemo(max_entries=3)
    for status in (200, 201, 202):
        memo.add(status, [])
    assert len(memo) == 3
    memo.add(203, [])
    assert len(memo) == 1
    assert memo.get((200,)) is None


def test_a_block_larger_than_an_entry_may_be_is_not_kept():
    block = len(ResponseHead(200, [(b"a", b"b")]).block)
    memo = ResponseHeadMemo(max_block=block)
    memo.add(200, [(b"a", b"b")])
    assert len(memo) == 1
    memo.add(200, [(b"a", b"bc")])
    assert len(memo) == 1
