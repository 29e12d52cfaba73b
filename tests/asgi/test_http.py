"""send(): what reaches the wire, when it waits, and what an application hears of its mistakes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.served import Log, Message, Pair, body, held, serving, standstill, start, until

from ropewalk.server.errors import LocalProtocolError

LENGTH_5 = (b"content-length", b"5")
TRAILERS: Message = {"type": "http.response.trailers", "headers": [(b"x-t", b"t")]}
HINT: Message = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]}
PIECE = bytes(64 << 10)


async def test_response_of_two_messages_is_one_answer() -> None:
    async with held() as (app, client, _):
        await app.send(start(LENGTH_5, (b"x-a", b"b"), status=201))
        await app.send(body(b"hello"))
        answer = await client.answer()
        assert (answer.status, answer.body, answer["x-a"]) == (201, b"hello", "b")
        assert (answer["content-length"], answer["transfer-encoding"]) == ("5", None)


async def test_single_body_without_a_length_gets_one() -> None:
    async with held() as (app, client, _):
        await app.send(start())
        await app.send(body(b"hello"))
        answer = await client.answer()
        assert (answer["content-length"], answer.body) == ("5", b"hello")


async def test_entries_that_may_be_left_out_have_their_defaults() -> None:
    async with held() as (app, client, _):
        await app.send({"type": "http.response.start", "status": 200})
        await app.send({"type": "http.response.body"})
        answer = await client.answer()
        assert (answer.status, answer.body, answer["content-length"]) == (200, b"", "0")


async def test_streamed_body_without_a_length_is_chunked() -> None:
    async with held() as (app, client, _):
        await app.send(start())
        for data in (b"one", b"", b"two"):
            await app.send(body(data, more=True))
        await app.send(body(b"three"))
        answer = await client.answer()
        assert (answer["transfer-encoding"], answer.body) == ("chunked", b"onetwothree")


async def test_streamed_body_with_a_length_is_not_chunked() -> None:
    async with held() as (app, client, _):
        await app.send(start(LENGTH_5))
        await app.send(body(b"hel", more=True))
        await app.send(body(b"lo"))
        answer = await client.answer()
        assert (answer["transfer-encoding"], answer["content-length"]) == (None, "5")
        assert answer.body == b"hello"


async def test_streamed_body_to_http_1_0_ends_with_the_connection() -> None:
    async with held(version="1.0") as (app, client, _):
        await app.send(start())
        await app.send(body(b"one", more=True))
        await app.send(body(b"two"))
        head, _, rest = (await client.rest()).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert rest == b"onetwo"


async def test_pieces_are_on_the_wire_before_the_response_is_complete() -> None:
    async with held() as (app, client, _):
        await app.send(start())
        await app.send(body(b"event: 1\n\n", more=True))
        await client.receive_until(b"event: 1\n\n")
        await app.send(body(b"event: 2\n\n", more=True))
        await client.receive_until(b"event: 2\n\n")
        await app.send(body())


@pytest.mark.parametrize("streamed", [False, True])
async def test_head_request_gets_the_fields_and_no_body(streamed: bool) -> None:
    async with held(method="HEAD") as (app, client, _):
        await app.send(start(LENGTH_5))
        if streamed:
            await app.send(body(b"he", more=True))
        await app.send(body(b"llo"[: 5 - 2 * streamed] if streamed else b"hello"))
        answer = await client.answer("HEAD")
        assert (answer["content-length"], answer.body, client.unread) == ("5", b"", b"")


@pytest.mark.parametrize("kind_of_bytes", [bytes, bytearray, memoryview])
async def test_body_may_be_any_kind_of_bytes(kind_of_bytes: Any) -> None:
    async with held() as (app, client, _):
        data = bytearray(b"hello")
        await app.send(start())
        await app.send(body(kind_of_bytes(data), more=True))
        data[:] = b"later"
        await app.send(body(kind_of_bytes(b"!")))
        assert (await client.answer()).body == b"hello!"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(((b"x-a", b"b"), (b"x-c", b"d")), id="tuple"),
        pytest.param([[b"x-a", b"b"], [b"x-c", b"d"]], id="lists"),
        pytest.param([(bytearray(b"x-a"), memoryview(b"b")), (b"x-c", b"d")], id="other-bytes"),
        pytest.param([(b"X-A", b" b\t"), (b"X-C", b"d")], id="upper-case-and-spaces"),
        pytest.param({b"x-a": b"b", b"x-c": b"d"}.items(), id="items"),
    ],
)
async def test_fields_may_be_any_iterable_of_pairs(fields: Any) -> None:
    async with held() as (app, client, _):
        await app.send({"type": "http.response.start", "status": 200, "headers": fields})
        await app.send(body())
        answer = await client.answer()
        assert (answer["x-a"], answer["x-c"]) == ("b", "d")


async def test_fields_may_come_from_a_generator() -> None:
    async with held() as (app, client, _):
        pairs = ((b"x-%d" % number, b"v") for number in range(2))
        await app.send({"type": "http.response.start", "status": 200, "headers": pairs})
        await app.send(body())
        answer = await client.answer()
        assert (answer["x-0"], answer["x-1"]) == ("v", "v")


async def test_list_of_fields_that_is_changed_and_sent_again_is_what_is_sent() -> None:
    fields: list[Pair] = [(b"x-n", b"1")]

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send(body())
        fields[0] = (b"x-n", b"%d" % (int(fields[0][1]) + 1))

    async with serving(app, lifespan="off") as served:
        client = await served.connect()
        assert [(await client.get())["x-n"] for _ in range(3)] == ["1", "2", "3"]


# the order of messages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "message", "words"),
    [
        pytest.param([], body(), "http.response.body .*before http.response.start", id="body-first"),
        pytest.param([], TRAILERS, "http.response.trailers .*before", id="trailers-first"),
        pytest.param(
            [], {"type": "http.response.pathsend", "path": "/"}, "pathsend .*before", id="pathsend-first"
        ),
        pytest.param(
            [],
            {"type": "http.response.zerocopysend", "file": 0},
            "zerocopysend .*before",
            id="zerocopy-first",
        ),
        pytest.param([start()], start(), "start .*after http.response.start", id="two-starts"),
        pytest.param([start()], HINT, "early_hint .*after http.response.start", id="hint-after-start"),
        pytest.param([start()], TRAILERS, "trailers .*after http.response.start", id="trailers-for-body"),
        pytest.param(
            [start(), body(b"a", more=True)], start(), "start .*after the first http.resp", id="start-in-body"
        ),
        pytest.param(
            [start(), body(b"a", more=True)], TRAILERS, "trailers .*after the first", id="trailers-in-body"
        ),
        pytest.param(
            [start(), body(b"a", more=True)],
            {"type": "http.response.pathsend", "path": "/"},
            "pathsend .*after the first",
            id="pathsend-in-body",
        ),
        pytest.param([start(), body()], body(), "body .*after the response was complete", id="two-ends"),
        pytest.param([start(), body()], start(), "start .*after the response was", id="second-response"),
        pytest.param([start(), body()], TRAILERS, "trailers .*after the response", id="unpromised-trailers"),
        pytest.param(
            [start(trailers=True), body()],
            body(),
            "body .*when http.response.trailers",
            id="body-for-trailers",
        ),
        pytest.param([], {"type": "http.request"}, "'http.request' is not", id="message-to-receive"),
        pytest.param([], {"type": "websocket.accept"}, "'websocket.accept' is not", id="other-protocol"),
        pytest.param([], {"type": "http.response.push"}, "'http.response.push' is not", id="other-extension"),
        pytest.param([start()], {"type": "http.response.bdoy"}, "'http.response.bdoy'", id="misspelt"),
    ],
)
async def test_misplaced_message_raises_and_names_message_and_state(
    before: list[Message], message: Message, words: str
) -> None:
    async with held() as (app, client, _):
        for earlier in before:
            await app.send(earlier)
        with pytest.raises(LocalProtocolError, match=words):
            await app.send(message)
        # The response is what it was: the application may go on with it.
        rest: list[Message] = [start(), body()]
        if before and before[0].get("trailers"):
            rest = [start(), body(), TRAILERS]
        for later in rest[len(before) :]:
            await app.send(later)
        if len(before) == 2 and before[1]["more_body"]:
            await app.send(body())
        assert (await client.answer()).status == 200


@pytest.mark.parametrize(
    ("before", "message", "words"),
    [
        pytest.param([], start(status="200"), "status .*'200'", id="status-str"),
        pytest.param([], start(status=None), "status .*None", id="status-none"),
        pytest.param([], start(status=True), "status .*True", id="status-bool"),
        pytest.param([], start(status=200.0), "status .*200.0", id="status-float"),
        pytest.param([], start(status=99), "status .*99", id="status-too-small"),
        pytest.param([], start(status=1000), "status .*1000", id="status-too-large"),
        pytest.param([], start(status=-200), "status .*-200", id="status-negative"),
        pytest.param([], start(status=100), "100 is not a final status", id="status-informational"),
        pytest.param([], start(status=101), "101 is not a final status", id="status-upgrade"),
        pytest.param([], start(("x", b"y")), "header name is bytes, not 'x'", id="name-str"),
        pytest.param([], start((b"x", "y")), "header value is bytes, not 'y'", id="value-str"),
        pytest.param([], start((b"x", 1)), "header value is bytes, not 1", id="value-int"),
        pytest.param([], start((b"x",)), "pairs", id="field-of-one"),
        pytest.param([], start((b"x", b"y", b"z")), "pairs", id="field-of-three"),
        pytest.param([], start(b"xyz"), "pairs", id="field-is-bytes"),
        pytest.param([], start(headers=7), "not int", id="headers-no-iterable"),
        pytest.param([], start(headers=None), "not NoneType", id="headers-none"),
        pytest.param([], start(headers={"x": "y"}), "pairs", id="headers-dict"),
        pytest.param([], start((b"", b"y")), "name b'' is not a token", id="name-empty"),
        pytest.param([], start((b"x y", b"z")), "name b'x y' is not a token", id="name-space"),
        pytest.param([], start((b"x:", b"z")), "name b'x:' is not a token", id="name-colon"),
        pytest.param([], start((b"x\r\ny", b"z")), "is not a token", id="name-splits"),
        pytest.param([], start((b"x", b"y\r\nSet-Cookie: a=b")), "control character", id="value-splits"),
        pytest.param([], start((b"x", b"y\nz")), "control character", id="value-lf"),
        pytest.param([], start((b"x", b"y\rz")), "control character", id="value-cr"),
        pytest.param([], start((b"x", b"y\0z")), "control character", id="value-nul"),
        pytest.param([], start(LENGTH_5, LENGTH_5), "more than one content-length", id="two-lengths"),
        pytest.param([], start((b"content-length", b"-5")), "content-length is b'-5'", id="length-negative"),
        pytest.param([], start((b"content-length", b"")), "content-length is b''", id="length-empty"),
        pytest.param([], start((b"transfer-encoding", b"gzip")), "frames the response itself", id="coding"),
        pytest.param([], HINT | {"links": ["a"]}, "bytes, not 'a'", id="link-str"),
        pytest.param(
            [],
            HINT | {"links": [b"a\r\n\r\nHTTP/1.1 200"]},
            "control character",
            id="link-splits",
        ),
        pytest.param([start()], body("text"), "body is bytes, not str", id="body-str"),
        pytest.param([start()], body(None), "body is bytes, not NoneType", id="body-none"),
        pytest.param([start()], body([1, 2]), "body is bytes, not list", id="body-list"),
        pytest.param([start()], body(5), "body is bytes, not int", id="body-int"),
        pytest.param([start()], body("text", more=True), "body is bytes, not str", id="piece-str"),
    ],
)  # fmt: skip
async def test_unusable_value_raises_and_leaves_no_trace(
    before: list[Message], message: Message, words: str
) -> None:
    async with held() as (app, client, _):
        for earlier in before:
            await app.send(earlier)
        with pytest.raises(LocalProtocolError, match=words):
            await app.send(message)
        for later in [start(), body(b"fine")][len(before) :]:
            await app.send(later)
        answer = await client.answer()
        assert (answer.status, answer.body, answer.informational) == (200, b"fine", [])
        assert {name for name, _ in answer.fields} == {b"content-length", b"date", b"server"}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param(None, "NoneType", id="none"),
        pytest.param("http.response.start", "str", id="str"),
        pytest.param([], "list", id="list"),
        pytest.param({}, "type", id="no-type"),
        pytest.param({"type": None}, "None", id="type-none"),
        pytest.param({"type": ["http.response.start"]}, "is not one", id="type-list"),
        pytest.param({"type": "http.response.start"}, "status", id="no-status"),
    ],
)
async def test_what_is_no_message_raises_and_says_what_is_wrong(message: Any, words: str) -> None:
    async with held() as (app, client, _):
        with pytest.raises(LocalProtocolError, match=words):
            await app.send(message)
        await app.send(start())
        await app.send(body())
        assert (await client.answer()).status == 200


async def test_body_past_its_length_raises_and_the_surplus_is_never_sent(log: Log) -> None:
    async with held() as (app, client, _):
        await app.send(start(LENGTH_5))
        with pytest.raises(LocalProtocolError, match="longer than its content-length"):
            await app.send(body(b"hello world"))
        data = await client.rest()
        assert data.endswith(b"\r\n\r\nhello")
    assert "longer than its content-length" in log.take_error()


async def test_body_short_of_its_length_raises_and_breaks_the_connection_off(log: Log) -> None:
    async with held() as (app, client, _):
        await app.send(start(LENGTH_5))
        await app.send(body(b"hel", more=True))
        with pytest.raises(LocalProtocolError, match="2 bytes shorter"):
            await app.send(body())
        assert (await client.until_broken()).endswith(b"\r\n\r\nhel")
    assert "2 bytes shorter" in log.take_error()


# back-pressure and the client's end --------------------------------------------------------------------


class Flood:
    """Sends pieces without end, each as soon as the one before is let through."""

    def __init__(self) -> None:
        self.sent = 0
        self.error: BaseException | None = None

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        await send(start())
        try:
            while True:
                await send(body(PIECE, more=True))
                self.sent += 1
        except OSError as error:
            self.error = error


async def test_send_waits_while_the_client_does_not_read_and_goes_on_when_it_does() -> None:
    app = Flood()
    async with serving(app, lifespan="off") as served:
        client = await served.connect(receive_buffer=4096)
        await client.ask()
        waiting_at = await standstill(lambda: app.sent)
        (connection,) = served.service.site.connections
        assert connection.transport.get_write_buffer_size() < 2 * (64 << 10) + len(PIECE)
        for _ in range(10_000):
            await client.receive()
            if app.sent > waiting_at + 2:
                break
        assert app.sent > waiting_at + 2
        client.reset()
        await until(lambda: app.error is not None)


@pytest.mark.parametrize("leave", ["close", "reset"])
async def test_send_that_waits_raises_an_os_error_when_the_client_leaves(leave: str) -> None:
    app = Flood()
    async with serving(app, lifespan="off") as served:
        client = await served.connect(receive_buffer=4096)
        await client.ask()
        await standstill(lambda: app.sent)
        getattr(client, leave)()
        await until(lambda: app.error is not None)
        assert type(app.error).__name__ == "ClientDisconnected"
        assert isinstance(app.error, OSError)
        await until(lambda: not served.service.bridge.calls)
        assert not served.service.site.connections


async def test_every_task_that_waits_in_send_raises_when_the_client_leaves() -> None:
    async with held(receive_buffer=4096) as (app, client, _):
        await app.send(start())
        tasks = []
        while not tasks or tasks[-1].done():
            tasks = [asyncio.create_task(app.send(body(PIECE, more=True))) for _ in range(3)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        client.reset()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[-1], OSError)
        assert all(result is None or isinstance(result, OSError) for result in done)


async def test_client_that_does_not_read_is_given_up_after_the_write_stall(log: Log) -> None:
    app = Flood()
    async with serving(app, lifespan="off", timeout_write_stall=3) as served:
        client = await served.connect(receive_buffer=4096)
        await client.ask()
        await standstill(lambda: app.sent)
        served.advance(10)
        await until(lambda: app.error is not None)
        assert "--timeout-write-stall" in log.text
        await client.until_broken()


async def test_answer_to_a_client_that_left_in_an_upload_nobody_reads_is_no_error(log: Log) -> None:
    async with held("/", f"Content-Length: {64 << 20}", method="POST") as (app, client, served):
        sending = asyncio.create_task(client.send(bytes(64 << 20)))
        (connection,) = served.service.site.connections
        exchange = connection.exchange
        assert exchange is not None
        assert exchange.body is not None
        pieces = exchange.body.pieces
        await standstill(lambda: sum(map(len, pieces)))
        sending.cancel()
        client.reset()
        await app.send(start())
        await app.send(body(b"unread"))
        await until(lambda: not served.service.site.connections)
    assert not log.take_errors()


@pytest.mark.parametrize(
    ("before", "message"),
    [
        pytest.param([], start(), id="start"),
        pytest.param([], HINT, id="early-hint"),
        pytest.param([start()], body(b"x"), id="body"),
        pytest.param([start()], body(b"x", more=True), id="piece"),
        pytest.param([start(), body(b"x", more=True)], body(b"x", more=True), id="later-piece"),
        pytest.param([start(), body(b"x", more=True)], body(), id="last-piece"),
        pytest.param([start(trailers=True), body(b"x")], TRAILERS, id="trailers"),
        pytest.param([start()], {"type": "http.response.pathsend", "path": __file__}, id="pathsend"),
        pytest.param([start()], {"type": "http.response.zerocopysend", "file": 0}, id="zerocopysend"),
    ],
)
async def test_send_raises_an_os_error_once_the_client_is_gone(
    before: list[Message], message: Message
) -> None:
    async with held() as (app, client, served):
        for earlier in before:
            await app.send(earlier)
        client.reset()
        await until(lambda: not served.service.site.connections)
        for _ in range(2):
            with pytest.raises(OSError, match="disconnected"):
                await app.send(message)
        assert await app.receive() == {"type": "http.disconnect"}


async def test_sends_from_tasks_at_once_are_whole_pieces() -> None:
    async with held() as (app, client, _):
        await app.send(start())
        letters = [bytes([letter]) * 1000 for letter in b"abcdefgh"]
        reading = asyncio.create_task(client.answer())
        await asyncio.gather(*(app.send(body(piece, more=True)) for piece in letters))
        await app.send(body())
        answer = await reading
        found = sorted(answer.body[at : at + 1000] for at in range(0, 8000, 1000))
        assert found == letters
