"""The chunked coding of request bodies: what it decodes to, what breaks it, and its exact limits."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.server.config import Limits
from ropewalk.server.errors import LimitExceeded, RemoteProtocolError
from ropewalk.server.http1.framing import ChunkedDecoder

from .driving import GET, Outcome, judge

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(body: bytes, **options: object) -> Outcome:
    """What becomes of a chunked request with ``body``, however it is cut."""
    return judge(HEAD + body, **options)


@pytest.mark.parametrize(
    ("coded", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
        (b"0005\r\nhello\r\n000\r\n\r\n", b"hello"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
        (b'05;ext=val;q="a;b"\r\nhello\r\nA\r\n0123456789\r\n000\r\n\r\n', b"hello0123456789"),
        (b"5 ;a\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;a = b ; c\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b'5;a="\\"\\\\\t\xe9"\r\nhello\r\n0;last\r\n\r\n', b"hello"),
    ],
)
def test_chunks_are_decoded(coded, body):
    result = chunked(coded)
    assert result.statuses == [200]
    assert result.requests[0].body == body
    assert result.ending == "open"
    assert chunked(coded + GET).statuses == [200, 200], "what follows is the next request"


@pytest.mark.parametrize(
    "coded",
    [
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5_\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5\t\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b";a\r\nhello\r\n0\r\n\r\n",
        b"g\r\nhello\r\n0\r\n\r\n",
        b"\xd9\xa5\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFF1\r\nhello\r\n0\r\n\r\n",
        b"8000000000000000\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello67\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello\rX0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5\r\nhello\r\n0\r\n\n",
        b"5\r\r;ABCD\r\nhello\r\n0\r\n\r\n",
        b"5;a\nhello\r\n0\r\n\r\n",
        b"5;a=b\rX\r\nhello\r\n0\r\n\r\n",
        b"5;a=\x00\r\nhello\r\n0\r\n\r\n",
        b"5;\r\nhello\r\n0\r\n\r\n",
        b"5;a=\r\nhello\r\n0\r\n\r\n",
        b'5;a="x\r\nhello\r\n0\r\n\r\n',
        b'5;a="x"y\r\nhello\r\n0\r\n\r\n',
        b"5;a b\r\nhello\r\n0\r\n\r\n",
        b"5 a\r\nhello\r\n0\r\n\r\n",
        b"INVALID!!!\r\n" + GET,
        b"0\r\nNoColon\r\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\n: y\r\n\r\n",
        b"0\r\nX: a\rb\r\n\r\n",
        b"0\r\nX: a\x00\r\n\r\n",
        b"0\r\nX: a\n\r\n",
        b"0\r\nX: y\r\n folded\r\n\r\n",
    ],
)
def test_a_broken_coding_is_refused_and_nothing_behind_it_parsed(coded):
    result = chunked(coded + GET)
    assert result.statuses == [400]
    assert result.requests == []
    assert b"\r\nconnection: close\r\n" in result.written
    assert result.ending == "half-closed"


@pytest.mark.parametrize(
    "coded", [b"5\r\nhello\r\n0\r\n", b"5\r\nhel", b"5", b"0\r\nX: y\r\n", b"7fffffffffffffff\r\nx"]
)
def test_an_incomplete_body_ends_no_request(coded):
    result = chunked(coded)
    assert (result.requests, result.written, result.ending) == ([], b"", "open")


def test_trailer_fields_are_apart_from_the_header_fields():
    (request,) = chunked(b"1\r\na\r\n0\r\nX-Sum: 7 \r\nETag:\r\nX-Sum: 8\r\n\r\n").requests
    assert request.trailers == [(b"x-sum", b"7"), (b"etag", b""), (b"x-sum", b"8")]
    assert request.fields == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]


def test_a_request_line_in_the_trailers_is_a_trailer():
    result = chunked(b"0\r\nX:POST / HTTP/1.1\r\n\r\n")
    assert result.statuses == [200]
    assert result.requests[0].trailers == [(b"x", b"POST / HTTP/1.1")]


@pytest.mark.parametrize(
    "name",
    [
        b"Content-Length",
        b"Transfer-Encoding",
        b"Host",
        b"Connection",
        b"Upgrade",
        b"Trailer",
        b"TE",
        b"Expect",
        b"Authorization",
        b"Cookie",
        b"Set-Cookie",
        b"Content-Type",
        b"Content-Encoding",
        b"Content-Range",
        b"Range",
        b"If-Match",
        b"Cache-Control",
        b"Forwarded",
        b"X-Forwarded-For",
        b"X-Real-IP",
        b"X_Sum",
    ],
)
def test_a_field_that_frames_routes_or_authenticates_is_dropped_from_the_trailers(name):
    (request,) = chunked(b"0\r\nA: 1\r\n" + name + b": 99\r\nB: 2\r\n\r\n").requests
    assert request.trailers == [(b"a", b"1"), (b"b", b"2")]


# limits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coded", "limit", "size", "status"),
    [
        (b"000001;abc\r\nx\r\n0\r\n\r\n", "limit_chunk_line", 10, 400),
        (b"1;abc\r\nx\r\n1;de\r\ny\r\n0;f\r\n\r\n", "limit_chunk_extensions", 9, 400),
        (b"1\r\nx\r\n0\r\nA: 1\r\nBB: 2\r\n\r\n", "limit_trailer_section", 13, 431),
        (b"1\r\nx\r\n0\r\nA: 1\r\nBB: 2\r\n\r\n", "limit_trailer_count", 2, 431),
        (b"1\r\nx\r\n0\r\nHost: 1\r\nTE: 2\r\n\r\n", "limit_trailer_count", 2, 431),
        (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "limit_request_body", 5, 413),
    ],
    ids=["line", "extensions", "trailers", "trailer count", "dropped trailers count", "body"],
)
def test_a_limit_lets_its_own_size_through_and_one_more_not(coded, limit, size, status):
    assert chunked(coded, **{limit: size}).statuses == [200]
    past = chunked(coded, **{limit: size - 1})
    assert (past.statuses, past.requests, past.ending) == ([status], [], "half-closed")
    assert chunked(coded, **{limit: 0}).statuses == [200], "0 switches the limit off"


def test_many_small_chunks_with_extensions_are_refused_by_their_sum():
    coded = (b"1;" + b"x" * 1000 + b"\r\na\r\n") * 40
    assert chunked(coded).statuses == [400]


@pytest.mark.parametrize(
    ("start", "line", "option"),
    [
        (b"", b"0" * 2000, "--limit-chunk-line"),
        (b"0\r\n", b"X: " + b"y" * 9000, "--limit-trailer-section"),
    ],
    ids=["chunk size", "trailer"],
)
def test_a_line_without_end_is_refused_at_the_limit(start, line, option):
    for size in (len(line), 1):
        decoder = ChunkedDecoder(Limits())
        decoder.feed(start, [])
        with pytest.raises(LimitExceeded) as caught:
            for at in range(0, len(line), size):
                decoder.feed(line[at : at + size], [])
        assert caught.value.option == option


def test_feeding_says_how_much_belonged_to_the_body():
    decoder = ChunkedDecoder(Limits())
    pieces: list[bytes] = []
    assert decoder.feed(b"2\r\nab", pieces) == 5
    assert not decoder.done
    assert decoder.feed(b"\r\n0\r\n\r\nGET /", pieces) == 7
    assert decoder.done
    assert pieces == [b"ab"]


def test_a_piece_that_is_all_chunk_data_is_passed_on_uncopied():
    decoder = ChunkedDecoder(Limits())
    decoder.feed(b"100\r\n", [])
    piece = b"x" * 100
    pieces: list[bytes] = []
    decoder.feed(piece, pieces)
    assert pieces[0] is piece


def test_what_was_decoded_ahead_of_an_error_is_given():
    decoder = ChunkedDecoder(Limits())
    pieces: list[bytes] = []
    with pytest.raises(RemoteProtocolError):
        decoder.feed(b"2\r\nab\r\nx\r\n", pieces)
    assert pieces == [b"ab"]


@given(
    st.lists(st.binary(min_size=1, max_size=30), max_size=8),
    st.lists(st.integers(1, 300), max_size=8),
)
@settings(max_examples=100, deadline=None, database=None)
def test_any_body_in_any_chunks_and_cuts_comes_out_the_same(chunks, cuts):
    coded = b"".join(b"%X;n=%d\r\n%b\r\n" % (len(chunk), at, chunk) for at, chunk in enumerate(chunks))
    coded += b"0\r\nX: y\r\n\r\n"
    decoder = ChunkedDecoder(Limits())
    pieces: list[bytes] = []
    bounds = [0, *sorted({at for at in cuts if at < len(coded)}), len(coded)]
    for start, end in pairwise(bounds):
        assert decoder.feed(coded[start:end], pieces) == end - start
    assert b"".join(pieces) == b"".join(chunks)
    assert decoder.done
    assert decoder.trailers == [(b"x", b"y")]
