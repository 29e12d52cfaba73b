"""The extensions of ASGI HTTP: files, early hints and trailers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.served import Log, Message, body, held, start, until

from ropewalk.server.errors import LocalProtocolError

CONTENT = bytes(range(256)) * 400


def path_message(path: Path | str) -> Message:
    return {"type": "http.response.pathsend", "path": str(path)}


def file_message(file: Any, **entries: Any) -> Message:
    return {"type": "http.response.zerocopysend", "file": file, **entries}


def trailer_message(*fields: tuple[bytes, bytes], **entries: Any) -> Message:
    return {"type": "http.response.trailers", "headers": list(fields), **entries}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with some content."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def fd(path: Path) -> Iterator[int]:
    """The same file, open; its position is the system's and no buffer's."""
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """A file that no socket's buffers hold."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    return path


# pathsend --------------------------------------------------------------------------------------------


async def test_pathsend_sends_the_file_with_its_length(path: Path) -> None:
    async with held() as (app, client, _):
        await app.send(start((b"content-type", b"text/plain")))
        await app.send(path_message(path))
        answer = await client.answer()
        assert (answer["content-length"], answer["transfer-encoding"]) == (str(len(CONTENT)), None)
        assert answer.body == CONTENT
        assert await app.receive() == {"type": "http.disconnect"}


async def test_pathsend_keeps_the_connection(path: Path) -> None:
    async with held() as (app, client, _):
        await app.send(start())
        await app.send(path_message(path))
        await client.answer()
        app.called.clear()
        await client.ask()
        await app.called.wait()
        await app.send(start())
        await app.send(body(b"next"))
        assert (await client.answer()).body == b"next"


async def test_pathsend_of_an_empty_file_is_an_empty_body(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    async with held() as (app, client, _):
        await app.send(start())
        await app.send(path_message(tmp_path / "empty"))
        answer = await client.answer()
        assert (answer["content-length"], answer.body) == ("0", b"")


async def test_pathsend_to_a_head_request_sends_the_length_alone(path: Path) -> None:
    async with held(method="HEAD") as (app, client, _):
        await app.send(start())
        await app.send(path_message(path))
        answer = await client.answer("HEAD")
        assert (answer["content-length"], client.unread) == (str(len(CONTENT)), b"")


async def test_pathsend_of_a_large_file_waits_for_the_client_and_arrives_whole(tmp_path: Path) -> None:
    path = tmp_path / "large"
    data = os.urandom(1 << 20) * 8
    path.write_bytes(data)
    async with held(receive_buffer=4096) as (app, client, _):
        await app.send(start())
        sending = client.loop.create_task(app.send(path_message(path)))
        head = await client.receive_until(b"\r\n\r\n")
        assert b"content-length: %d" % len(data) in head
        assert not sending.done()
        received = bytearray()
        while len(received) < len(data):
            received += await client.receive(1 << 20)
        assert received == data
        await sending


@pytest.mark.parametrize("content", [CONTENT, b""], ids=["some-content", "empty"])
async def test_receive_that_waits_is_woken_when_the_file_is_sent(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    async with held() as (app, client, _):
        assert (await app.receive())["type"] == "http.request"
        waiting = client.loop.create_task(app.receive())
        await asyncio.sleep(0)
        await app.send(start())
        await app.send(path_message(path))
        assert (await client.answer()).body == content
        assert await waiting == {"type": "http.disconnect"}


async def test_pathsend_of_a_missing_file_is_an_error_of_the_application(tmp_path: Path, log: Log) -> None:
    async with held() as (app, client, _):
        await app.send(start())
        with pytest.raises(FileNotFoundError) as raised:
            await app.send(path_message(tmp_path / "missing"))
        app.release(raised.value)
        assert (await client.answer()).status == 500
    assert "FileNotFoundError" in log.take_error()


@pytest.mark.parametrize("what", ["directory", "/dev/null"])
async def test_pathsend_of_what_is_no_regular_file_is_refused(what: str, tmp_path: Path, log: Log) -> None:
    async with held() as (app, client, _):
        await app.send(start())
        with pytest.raises(LocalProtocolError, match="not a regular file"):
            await app.send(path_message(tmp_path if what == "directory" else what))
        await app.send(body(b"instead"))
        assert (await client.answer()).body == b"instead"


async def test_pathsend_of_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    rescued = threading.Event()

    def rescue() -> None:
        if not refused.wait(0.5):
            rescued.set()
            os.close(os.open(pipe, os.O_RDWR))

    refused = threading.Event()
    rescuer = threading.Thread(target=rescue)
    async with held() as (app, client, _):
        await app.send(start())
        rescuer.start()
        try:
            with pytest.raises(LocalProtocolError, match="not a regular file"):
                await app.send(path_message(pipe))
        finally:
            refused.set()
            rescuer.join()
        await app.send(body())
        await client.answer()
    assert not rescued.is_set()


async def test_pathsend_of_a_file_that_shrinks_breaks_the_connection_off(sparse: Path, log: Log) -> None:
    async with held(receive_buffer=4096) as (app, client, _):
        await app.send(start())
        sending = client.loop.create_task(app.send(path_message(sparse)))
        await client.receive_until(b"\r\n\r\n")
        os.truncate(sparse, 0)
        received = len(await client.until_broken())
        assert received < 64 << 20
        with pytest.raises(OSError, match="disconnected"):
            await sending
        app.release()
    assert "shorter than it was" in log.take_error()


async def test_pathsend_raises_an_os_error_when_the_client_leaves(sparse: Path, log: Log) -> None:
    async with held(receive_buffer=4096) as (app, client, _):
        await app.send(start())
        sending = client.loop.create_task(app.send(path_message(sparse)))
        await client.receive_until(b"\r\n\r\n")
        client.reset()
        with pytest.raises(OSError, match="disconnected"):
            await sending
    assert not log.take_errors()


async def test_pathsend_that_is_cancelled_breaks_the_connection_off(sparse: Path) -> None:
    async with held(receive_buffer=4096) as (app, client, _):
        await app.send(start())
        sending = client.loop.create_task(app.send(path_message(sparse)))
        await client.receive_until(b"\r\n\r\n")
        sending.cancel()
        assert len(await client.until_broken()) < 64 << 20
        assert sending.cancelled()


# zerocopysend ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param({}, CONTENT, id="whole"),
        pytest.param({"offset": 100}, CONTENT[100:], id="offset"),
        pytest.param({"count": 100}, CONTENT[:100], id="count"),
        pytest.param({"offset": 5, "count": 7}, CONTENT[5:12], id="offset-and-count"),
        pytest.param({"offset": 5, "count": 0}, b"", id="count-of-0"),
        pytest.param({"offset": len(CONTENT) - 5, "count": 100}, CONTENT[-5:], id="count-past-the-end"),
        pytest.param({"offset": len(CONTENT)}, b"", id="offset-at-the-end"),
        pytest.param({"offset": len(CONTENT) + 9}, b"", id="offset-past-the-end"),
        pytest.param({"offset": None, "count": None, "more_body": False}, CONTENT, id="none"),
    ],
)
async def test_zerocopysend_sends_the_part_that_is_asked_for(
    fd: int, entries: dict[str, Any], expected: bytes
) -> None:
    async with held() as (app, client, _):
        await app.send(start())
        await app.send(file_message(fd, **entries))
        answer = await client.answer()
        assert (answer.body, answer["content-length"]) == (expected, str(len(expected)))


async def test_zerocopysend_takes_file_objects(path: Path) -> None:
    with path.open("rb") as file:
        async with held() as (app, client, _):
            await app.send(start())
            await app.send(file_message(file))
            assert (await client.answer()).body == CONTENT
        assert not file.closed


async def test_zerocopysend_without_an_offset_goes_on_from_the_file_s_position(fd: int) -> None:
    os.lseek(fd, 10, os.SEEK_SET)
    async with held() as (app, client, _):
        await app.send(start())
        await app.send(file_message(fd, count=20, more_body=True))
        assert os.lseek(fd, 0, os.SEEK_CUR) == 30
        await app.send(file_message(fd, count=5, more_body=True))
        await app.send(file_message(fd, offset=0, count=3))
        assert os.lseek(fd, 0, os.SEEK_CUR) == 35
        assert (await client.answer()).body == CONTENT[10:35] + CONTENT[:3]


async def test_zerocopysend_in_a_chunked_body_is_a_piece_like_others(fd: int) -> None:
    async with held() as (app, client, _):
        await app.send(start())
        await app.send(body(b"<", more=True))
        await app.send(file_message(fd, offset=0, count=1000, more_body=True))
        await app.send(body(b"|", more=True))
        await app.send(file_message(fd, offset=1000, count=1000, more_body=True))
        await app.send(body(b">"))
        answer = await client.answer()
        assert answer["transfer-encoding"] == "chunked"
        assert answer.body == b"<" + CONTENT[:1000] + b"|" + CONTENT[1000:2000] + b">"


async def test_zerocopysend_as_the_last_piece_ends_the_body(fd: int) -> None:
    async with held() as (app, client, _):
        await app.send(start())
        await app.send(body(b"<", more=True))
        await app.send(file_message(fd))
        assert (await client.answer()).body == b"<" + CONTENT
        with pytest.raises(LocalProtocolError, match="after the response was complete"):
            await app.send(file_message(fd))


async def test_zerocopysend_within_a_content_length(fd: int) -> None:
    async with held() as (app, client, _):
        await app.send(start((b"content-length", b"10")))
        await app.send(file_message(fd, offset=0, count=4, more_body=True))
        await app.send(file_message(fd, offset=4, count=6))
        answer = await client.answer()
        assert (answer["transfer-encoding"], answer.body) == (None, CONTENT[:10])


async def test_zerocopysend_past_the_content_length_is_refused(fd: int, log: Log) -> None:
    async with held() as (app, client, _):
        await app.send(start((b"content-length", b"10")))
        with pytest.raises(LocalProtocolError, match="longer than the response's content-length"):
            await app.send(file_message(fd, count=11))
        assert (await client.until_broken()).partition(b"\r\n\r\n")[2] == b""
    log.take_error()


async def test_zerocopysend_to_http_1_0_ends_with_the_connection(fd: int) -> None:
    async with held(version="1.0") as (app, client, _):
        await app.send(start())
        await app.send(file_message(fd, count=10, more_body=True))
        await app.send(body(b"."))
        head, _, rest = (await client.rest()).partition(b"\r\n\r\n")
        assert rest == CONTENT[:10] + b"."
        assert b"transfer-encoding" not in head


@pytest.mark.parametrize("entries", [{"count": -5}, {"offset": -5}, {"offset": 0, "count": -1}])
@pytest.mark.parametrize("more", [False, True])
async def test_zerocopysend_of_a_negative_part_is_refused(
    fd: int, entries: dict[str, Any], more: bool, log: Log
) -> None:
    async with held() as (app, client, _):
        await app.send(start())
        with pytest.raises(LocalProtocolError, match="negative"):
            await app.send(file_message(fd, **entries, more_body=more))
        await app.send(body(b"instead"))
        assert (await client.answer()).body == b"instead"


async def test_zerocopysend_of_a_pipe_is_refused() -> None:
    reading, writing = os.pipe()
    try:
        async with held() as (app, client, _):
            await app.send(start())
            with pytest.raises(LocalProtocolError, match="not a regular file"):
                await app.send(file_message(reading))
            await app.send(body())
            await client.answer()
    finally:
        os.close(reading)
        os.close(writing)


async def test_zerocopysend_of_a_file_that_shrinks_breaks_the_connection_off(sparse: Path, log: Log) -> None:
    with sparse.open("rb") as file:
        async with held(receive_buffer=4096) as (app, client, _):
            await app.send(start())
            sending = client.loop.create_task(app.send(file_message(file, more_body=True)))
            await client.receive_until(b"\r\n\r\n")
            os.truncate(sparse, 0)
            assert not (await client.until_broken()).endswith(b"0\r\n\r\n")
            with pytest.raises(OSError, match="disconnected"):
                await sending
    assert "shorter than it was" in log.take_error()


async def test_body_during_a_file_is_refused_and_the_file_goes_on(sparse: Path) -> None:
    with sparse.open("rb") as file:
        async with held(receive_buffer=4096) as (app, client, _):
            await app.send(start())
            sending = client.loop.create_task(app.send(file_message(file, count=16 << 20, more_body=True)))
            await client.receive_until(b"\r\n\r\n")
            with pytest.raises(LocalProtocolError, match="while a file is still being sent"):
                await app.send(body(b"too early", more=True))
            assert not sending.done()
            sending.cancel()
            await client.until_broken()


# early hints -----------------------------------------------------------------------------------------


async def test_early_hint_is_on_the_wire_before_the_response_begins() -> None:
    async with held() as (app, client, _):
        await app.send({"type": "http.response.early_hint", "links": [b"</a>; rel=preload", b"</b>"]})
        assert await client.receive_until(b"\r\n\r\n") == (
            b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\nlink: </b>\r\n\r\n"
        )
        await app.send(start())
        await app.send(body(b"then"))
        answer = await client.answer()
        assert (answer.status, answer.body, answer["link"]) == (200, b"then", None)


async def test_several_early_hints_come_in_order() -> None:
    async with held() as (app, client, _):
        for link in (b"</a>", b"</b>"):
            await app.send({"type": "http.response.early_hint", "links": [link]})
        await app.send(start())
        await app.send(body())
        assert (await client.answer()).informational == [
            (103, [(b"link", b"</a>")]),
            (103, [(b"link", b"</b>")]),
        ]


async def test_early_hint_is_not_sent_to_http_1_0() -> None:
    async with held(version="1.0") as (app, client, _):
        await app.send({"type": "http.response.early_hint", "links": [b"</a>"]})
        await app.send(start())
        await app.send(body(b"then"))
        assert (await client.rest()).startswith(b"HTTP/1.1 200 OK\r\n")


# trailers --------------------------------------------------------------------------------------------


async def test_trailers_follow_the_last_chunk() -> None:
    async with held() as (app, client, _):
        await app.send(start((b"trailer", b"x-sum"), trailers=True))
        await app.send(body(b"data", more=True))
        await app.send(body(b"."))
        await app.send(trailer_message((b"X-Sum", b"42"), (b"x-b", b"c")))
        data = await client.receive_until(b"\r\n\r\n")
        assert b"\r\ntransfer-encoding: chunked\r\n" in data
        assert await client.receive_until(b"c\r\n\r\n") == (
            b"4\r\ndata\r\n1\r\n.\r\n0\r\nx-sum: 42\r\nx-b: c\r\n\r\n"
        )


async def test_response_of_one_body_message_is_chunked_for_its_trailers() -> None:
    async with held() as (app, client, _):
        await app.send(start(trailers=True))
        await app.send(body(b"data"))
        await app.send(trailer_message((b"x-sum", b"42")))
        answer = await client.answer()
        assert (answer.body, answer.trailers) == (b"data", [(b"x-sum", b"42")])


async def test_trailers_may_come_in_several_messages() -> None:
    async with held() as (app, client, served):
        await app.send(start(trailers=True))
        await app.send(body(b"data"))
        await app.send(trailer_message((b"a", b"1"), more_trailers=True))
        await app.send(trailer_message(more_trailers=True))
        await app.send(trailer_message((b"b", b"2"), more_trailers=False))
        assert (await client.answer()).trailers == [(b"a", b"1"), (b"b", b"2")]
        assert await app.receive() == {"type": "http.disconnect"}
        assert not served.service.bridge.trailers


async def test_promised_trailers_may_be_none() -> None:
    async with held() as (app, client, _):
        await app.send(start(trailers=True))
        await app.send(body(b"data"))
        await app.send({"type": "http.response.trailers"})
        answer = await client.answer()
        assert (answer.body, answer.trailers) == (b"data", [])


@pytest.mark.parametrize("with_length", [False, True])
async def test_trailers_that_cannot_be_sent_are_left_out(with_length: bool) -> None:
    version = "1.1" if with_length else "1.0"
    async with held("/", "Connection: close", version=version) as (app, client, _):
        fields = [(b"content-length", b"4")] if with_length else []
        await app.send(start(*fields, trailers=True))
        await app.send(body(b"data"))
        await app.send(trailer_message((b"x-sum", b"42")))
        assert (await client.rest()).endswith(b"\r\n\r\ndata")


async def test_trailers_are_not_sent_to_a_head_request() -> None:
    async with held("/", "Connection: close", method="HEAD") as (app, client, _):
        await app.send(start(trailers=True))
        await app.send(body(b"data"))
        await app.send(trailer_message((b"x-sum", b"42")))
        assert (await client.rest()).partition(b"\r\n\r\n")[2] == b""


async def test_trailer_that_splits_the_response_is_refused(log: Log) -> None:
    async with held() as (app, client, _):
        await app.send(start(trailers=True))
        await app.send(body(b"data"))
        with pytest.raises(LocalProtocolError, match="control character") as raised:
            await app.send(trailer_message((b"x", b"y\r\n\r\nHTTP/1.1 200 OK")))
        app.release(raised.value)
        assert (await client.until_broken()).endswith(b"4\r\ndata\r\n")
    log.take_error()


async def test_promised_trailers_that_never_come_break_the_connection_off(log: Log) -> None:
    async with held() as (app, client, _):
        await app.send(start(trailers=True))
        await app.send(body(b"data"))
        app.release()
        assert (await client.until_broken()).endswith(b"4\r\ndata\r\n")
    assert "without completing its response" in log.take_error()


async def test_unfinished_trailers_are_forgotten_with_their_call(log: Log) -> None:
    async with held() as (app, client, served):
        await app.send(start(trailers=True))
        await app.send(body(b"data"))
        await app.send(trailer_message((b"x", b"y"), more_trailers=True))
        app.release()
        await client.until_broken()
        await until(lambda: not served.service.bridge.calls)
        log.take_errors()
        assert not served.service.bridge.trailers
