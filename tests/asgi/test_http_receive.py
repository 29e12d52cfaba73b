"""receive(): the request body in pieces, and http.disconnect once there is nothing more to receive."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.served import Message, body, serving, standstill, start, until

DISCONNECT = {"type": "http.disconnect"}


def piece(data: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


class Reader:
    """Receives only when the test says so; `go` ends the call with an answer."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.go = asyncio.Event()
        self.ended = asyncio.Event()
        self.receive: Any = None
        self.send: Any = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        self.receive, self.send = receive, send
        self.called.set()
        try:
            await self.go.wait()
            await send(start())
            await send(body())
        finally:
            self.ended.set()


async def answer_with_body(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Sends back what it receives, with the number of messages it took."""
    data, count, more = b"", 0, True
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        assert type(message["body"]) is bytes
        assert type(message["more_body"]) is bool
        data, more, count = data + message["body"], message["more_body"], count + 1
    await send(start((b"x-messages", b"%d" % count)))
    await send(body(data))


async def test_request_without_a_body_is_one_empty_message() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        await (await served.connect()).ask()
        await reader.called.wait()
        assert await reader.receive() == piece(b"", more=False)
        reader.go.set()


async def test_body_that_comes_with_the_head_is_one_message() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        await (await served.connect()).ask(method="POST", body=b"hello")
        await reader.called.wait()
        assert await reader.receive() == piece(b"hello", more=False)
        reader.go.set()


async def test_body_in_pieces_says_that_more_follows_until_it_has_ended() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", "Content-Length: 10", method="POST")
        await reader.called.wait()
        for data, more in ((b"abc", True), (b"def", True), (b"ghij", False)):
            await client.send(data)
            assert await reader.receive() == piece(data, more=more)
        reader.go.set()
        assert (await client.answer()).status == 200


async def test_chunked_body_is_given_without_its_framing() -> None:
    async with serving(answer_with_body, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", "Transfer-Encoding: chunked", method="POST")
        for data in (b"3\r\nabc\r\n", b"2;x=y\r\nde\r", b"\n0\r\nTrailer: t\r\n\r\n"):
            await client.send(data)
        assert (await client.answer()).body == b"abcde"


@pytest.mark.parametrize("framing", ["Content-Length: 0", "Transfer-Encoding: chunked"])
async def test_empty_body_is_one_empty_message(framing: str) -> None:
    async with serving(answer_with_body, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", framing, method="POST")
        if "chunked" in framing:
            await client.send(b"0\r\n\r\n")
        answer = await client.answer()
        assert (answer.body, answer["x-messages"]) == (b"", "1")


async def test_large_body_arrives_whole() -> None:
    data = bytes(range(256)) * 4096
    async with serving(answer_with_body, lifespan="off") as served:
        client = await served.connect()
        sending = asyncio.create_task(client.ask(method="POST", body=data))
        assert (await client.answer("POST")).body == data
        await sending


async def test_bodies_of_pipelined_requests_are_kept_apart() -> None:
    async with serving(answer_with_body, lifespan="off") as served:
        client = await served.connect()
        for data in (b"first", b"", b"third"):
            await client.ask(method="POST", body=data)
        assert [(await client.answer()).body for _ in range(3)] == [b"first", b"", b"third"]


async def test_receive_after_the_response_is_disconnect() -> None:
    received: list[Message] = []
    done = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        received.append(await receive())
        await send(start())
        await send(body())
        received.append(await receive())
        received.append(await receive())
        done.set()

    async with serving(app, lifespan="off") as served:
        await served.get()
        await done.wait()
    assert received == [piece(b"", more=False), DISCONNECT, DISCONNECT]


async def test_receive_after_an_early_response_is_disconnect_and_no_body() -> None:
    received: list[Message] = []
    done = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"early"))
        received.append(await receive())
        done.set()

    async with serving(app, lifespan="off") as served:
        client = await served.connect()
        await client.ask(method="POST", body=b"unread")
        assert (await client.answer()).body == b"early"
        await done.wait()
    assert received == [DISCONNECT]


async def test_waiting_receive_is_woken_when_the_response_completes() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask()
        await reader.called.wait()
        await reader.receive()
        waiting = asyncio.create_task(reader.receive())
        await asyncio.sleep(0)
        reader.go.set()
        assert (await client.answer()).status == 200
        assert await waiting == DISCONNECT


@pytest.mark.parametrize("leave", ["close", "reset"])
async def test_waiting_receive_is_woken_when_the_client_leaves(leave: str) -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask()
        await reader.called.wait()
        await reader.receive()
        waiting = asyncio.create_task(reader.receive())
        await asyncio.sleep(0.02)  # a FIN right behind the request would be a half-close
        assert not waiting.done()
        getattr(client, leave)()
        assert await waiting == DISCONNECT
        assert await reader.receive() == DISCONNECT
        reader.go.set()


@pytest.mark.parametrize("leave", ["close", "reset", "half_close"])
async def test_client_that_leaves_in_the_middle_of_a_body_is_no_end_of_the_body(leave: str) -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", "Content-Length: 10", method="POST")
        await client.send(b"abc")
        await reader.called.wait()
        assert await reader.receive() == piece(b"abc", more=True)
        getattr(client, leave)()
        assert await reader.receive() == DISCONNECT
        reader.go.set()


async def test_truncated_chunked_body_is_no_end_of_the_body() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", "Transfer-Encoding: chunked", method="POST")
        await client.send(b"3\r\nabc\r\n0\r\n")  # without the empty line behind the last chunk
        await reader.called.wait()
        assert await reader.receive() == piece(b"abc", more=True)
        client.close()
        assert await reader.receive() == DISCONNECT
        reader.go.set()


async def test_broken_chunked_body_is_no_end_of_the_body_and_is_refused() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", "Transfer-Encoding: chunked", method="POST")
        await client.send(b"3\r\nabc\r\n")
        await reader.called.wait()
        assert await reader.receive() == piece(b"abc", more=True)
        await client.send(b"nonsense\r\n")
        assert await reader.receive() == DISCONNECT
        assert (await client.answer()).status == 400
        reader.go.set()


async def test_half_close_with_the_request_gets_its_whole_answer() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        client.socket.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        client.half_close()
        await reader.called.wait()
        assert await reader.receive() == piece(b"", more=False)
        reader.go.set()
        answer = await client.answer()
        assert (answer.status, answer["connection"]) == (200, "close")
        assert await client.rest() == b""


async def test_several_tasks_may_receive_at_once() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", "Content-Length: 4", method="POST")
        await reader.called.wait()
        waiting = [asyncio.create_task(reader.receive()) for _ in range(3)]
        await asyncio.sleep(0)
        await client.send(b"body")
        await until(lambda: any(task.done() for task in waiting))
        reader.go.set()
        await client.answer()
        messages = await asyncio.gather(*waiting)
        assert sorted(messages, key=lambda message: message["type"]) == [
            DISCONNECT,
            DISCONNECT,
            piece(b"body", more=False),
        ]


async def test_polling_receive_with_a_timeout_leaves_no_waiters_behind() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        await (await served.connect()).ask()
        await reader.called.wait()
        await reader.receive()
        (call,) = served.service.bridge.calls
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.receive(), 0.001)
        assert not call._waiters
        reader.go.set()


async def test_cancelled_receive_loses_nothing() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", "Content-Length: 4", method="POST")
        await reader.called.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.receive(), 0.005)
        await client.send(b"body")
        assert await reader.receive() == piece(b"body", more=False)
        reader.go.set()


async def test_receive_that_is_cancelled_as_the_body_arrives_loses_nothing() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", "Content-Length: 4", method="POST")
        await reader.called.wait()
        first, second = (asyncio.create_task(reader.receive()) for _ in range(2))
        # Both are woken in the same turn; the first to run cancels the other.
        first.add_done_callback(lambda _: second.cancel())
        await asyncio.sleep(0)
        await client.send(b"bo")
        assert await first == piece(b"bo", more=True)
        with pytest.raises(asyncio.CancelledError):
            await second
        await client.send(b"dy")
        assert await reader.receive() == piece(b"dy", more=False)
        reader.go.set()


async def test_application_that_does_not_read_holds_the_client_back() -> None:
    reader = Reader()
    announced = 96 << 20
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", f"Content-Length: {announced}", method="POST")
        await reader.called.wait()
        data = bytes(1 << 20)
        sent = 0

        def push() -> int:
            """Send as long as the system takes more."""
            nonlocal sent
            try:
                while sent < announced:
                    sent += client.socket.send(data[: announced - sent])
            except BlockingIOError:
                pass
            return sent

        held_back = await standstill(push)
        assert held_back < announced / 2
        while push() == held_back:
            assert (await reader.receive())["more_body"]
        client.close()
        assert (await until_disconnect(reader))["type"] == "http.disconnect"
        reader.go.set()


async def until_disconnect(reader: Reader) -> Message:
    while (message := await reader.receive())["type"] == "http.request":
        assert message["more_body"]
    return message


async def test_little_more_than_the_buffer_is_held_of_an_unread_body() -> None:
    reader = Reader()
    async with serving(reader, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/", f"Content-Length: {8 << 20}", method="POST")
        await reader.called.wait()
        sending = asyncio.create_task(client.send(bytes(8 << 20)))
        (connection,) = served.service.site.connections
        exchange = connection.exchange
        assert exchange is not None
        assert exchange.body is not None
        pieces = exchange.body.pieces
        one_read = 256 << 10
        assert await standstill(lambda: sum(map(len, pieces))) < (64 << 10) + one_read
        sending.cancel()
        client.close()
        await until_disconnect(reader)
        reader.go.set()
