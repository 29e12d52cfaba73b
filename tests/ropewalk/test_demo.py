"""The demo application by itself, in conversation with a server made of two queues."""

from __future__ import annotations

import asyncio
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from ropewalk.demo import ECHO_LIMIT, app

SCRIPT = "<script>alert('x')</script>"
SECONDS = 5.0


class Conversation:
    """One call of the application: what it is told, and what it says."""

    def __init__(self, **scope: Any) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "http_version": "1.1",
            "scheme": "http",
            "path": "/",
            "raw_path": None,
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"example")],
            "client": ("192.0.2.7", 50000),
            "server": ("127.0.0.1", 8000),
            **scope,
        }
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def start(self) -> asyncio.Task[None]:
        """Call the application."""
        return asyncio.create_task(app(self.scope, self.told.get, self.said.put))

    def tell(self, kind: str, **fields: Any) -> None:
        """Have the application receive a message."""
        self.told.put_nowait({"type": kind, **fields})

    async def hear(self) -> dict[str, Any]:
        """The next message that the application sends."""
        return await asyncio.wait_for(self.said.get(), SECONDS)


class Answer:
    """A whole response."""

    def __init__(self, conversation: Conversation) -> None:
        start = conversation.said.get_nowait()
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        body = b""
        while not conversation.said.empty():
            body += conversation.said.get_nowait()["body"]
        self.body = body
        self.text = body.decode("utf-8", "replace")


def ask(*body: bytes, **scope: Any) -> Answer:
    """Send one request and return the response to it."""

    async def converse() -> Answer:
        conversation = Conversation(**scope)
        pieces = body or (b"",)
        for number, piece in enumerate(pieces, 1):
            conversation.tell("http.request", body=piece, more_body=number < len(pieces))
        await asyncio.wait_for(conversation.start(), SECONDS)
        return Answer(conversation)

    return asyncio.run(converse())


class Elements(HTMLParser):
    """Counts the elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)


def test_page_shows_the_request() -> None:
    page = ask(method="GET", raw_path=b"/", query_string=b"a=1", headers=[(b"x-strand", b"hemp")]).text
    assert "<b>GET</b> /?a=1 <span>HTTP/1.1</span>" in page
    assert "<th>x-strand</th><td>hemp</td>" in page
    assert "<dd>192.0.2.7:50000</dd>" in page
    assert "curl -N http://127.0.0.1:8000/clock" in page


def test_page_declares_its_length_and_type() -> None:
    answer = ask()
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert int(answer.headers["content-length"]) == len(answer.body)


HOSTILE: dict[str, dict[str, Any]] = {
    "header value": {"headers": [(b"x-evil", SCRIPT.encode())]},
    "header name": {"headers": [(SCRIPT.encode(), b"x")]},
    "attribute in a header": {"headers": [(b"x-evil", b'\'" onmouseover=alert(1) x="')]},
    "query": {"query_string": SCRIPT.encode()},
    "raw path": {"raw_path": b"/" + SCRIPT.encode()},
    "method, refused before the page": {"method": SCRIPT},
    "HTTP version": {"http_version": SCRIPT},
    "client": {"client": (SCRIPT, 1)},
    "server": {"server": (SCRIPT, 1)},
    "scheme": {"scheme": SCRIPT},
    "root path": {"root_path": '/"><script>alert(1)</script>'},
    "extension": {"extensions": {SCRIPT: {}}},
    "another placeholder": {"headers": [(b"x-evil", b"$headers ${origin} $$")]},
}


@pytest.mark.parametrize("scope", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_of_the_request_becomes_markup(scope: dict[str, Any]) -> None:
    harmless = Elements(ask(headers=[(b"x", b"y")]).text).names
    answer = ask(**scope)
    if answer.status == 200:
        assert sorted(set(Elements(answer.text).names)) == sorted(set(harmless))
        assert Elements(answer.text).names.count("script") == 1
        assert 'onmouseover=alert(1) x="' not in answer.text
    else:
        assert answer.headers["content-type"].startswith("text/plain")


def test_placeholder_in_a_header_is_shown_as_it_is() -> None:
    assert "<td>$headers ${origin} $$</td>" in ask(headers=[(b"x", b"$headers ${origin} $$")]).text


def test_policy_permits_only_what_the_page_holds() -> None:
    answer = ask()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", policy)) == 2
    # An inline attribute or a resource from elsewhere would be refused by the policy.
    assert re.search(r"<[^>]*\s(style|on\w+)=", answer.text) is None
    assert re.search(r"<[^>]*\s(src|href)=[\"'](?!data:)", answer.text) is None


@pytest.mark.parametrize(
    ("pair", "text"),
    [(None, "unknown"), (("::1", 80), "[::1]:80"), (("/run/app.sock", None), "unix:/run/app.sock")],
    ids=["none", "IPv6", "unix"],
)
def test_address_that_is_not_ipv4_is_spelt_out(pair: tuple[str, int | None] | None, text: str) -> None:
    assert f"<dd>{text}</dd>" in ask(client=pair).text


@pytest.mark.parametrize("server", [None, ("/run/app.sock", None)], ids=["none", "unix"])
def test_commands_name_localhost_where_the_server_has_no_port(server: tuple[str, None] | None) -> None:
    assert "curl -N http://localhost/clock" in ask(server=server).text


def test_page_below_a_mount_names_urls_below_it() -> None:
    page = ask(root_path="/demo", path="/demo/").text
    assert 'data-source="/demo/clock"' in page
    assert "curl -N http://127.0.0.1:8000/demo/clock" in page


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing", 404, None),
        ("POST", "/", 405, "GET, HEAD"),
        ("POST", "/clock", 405, "GET, HEAD"),
        ("GET", "/echo", 405, "POST"),
    ],
)
def test_wrong_path_or_method_is_refused(method: str, path: str, status: int, allow: str | None) -> None:
    answer = ask(method=method, path=path)
    assert (answer.status, answer.headers.get("allow")) == (status, allow)


def test_echo_sends_the_whole_body_back_as_bytes() -> None:
    answer = ask(b"heave ", b"", b"ho", method="POST", path="/echo")
    assert (answer.status, answer.body) == (200, b"heave ho")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 413)], ids=["at the limit", "one byte more"])
def test_echo_takes_a_body_up_to_its_limit(extra: int, status: int) -> None:
    assert ask(b"x" * ECHO_LIMIT, b"x" * extra, method="POST", path="/echo").status == status


def test_echo_says_nothing_to_a_client_that_left() -> None:
    async def converse() -> bool:
        conversation = Conversation(method="POST", path="/echo")
        conversation.tell("http.request", body=b"half", more_body=True)
        conversation.tell("http.disconnect")
        await asyncio.wait_for(conversation.start(), SECONDS)
        return conversation.said.empty()

    assert asyncio.run(converse())


async def first_tick(conversation: Conversation) -> dict[str, Any]:
    """Hear the start of a clock and its first event."""
    assert (await conversation.hear())["type"] == "http.response.start"
    message = await conversation.hear()
    assert message["more_body"] is True
    lines = message["body"].decode().split("\n")
    assert lines[:2] == ["event: tick", "id: 1"]
    assert lines[3:] == ["", ""]
    data: dict[str, Any] = json.loads(lines[2].removeprefix("data: "))
    return data


def test_clock_tells_the_time_at_once() -> None:
    async def converse() -> dict[str, Any]:
        conversation = Conversation(path="/clock")
        running = conversation.start()
        tick = await first_tick(conversation)
        conversation.tell("http.disconnect")
        await asyncio.wait_for(running, SECONDS)
        return tick

    tick = asyncio.run(converse())
    assert re.fullmatch(r"\d\d:\d\d:\d\d", tick["time"])
    assert tick["clients"] == 1


def test_clock_completes_its_response_when_told_that_the_client_left() -> None:
    async def converse() -> bool:
        conversation = Conversation(path="/clock")
        running = conversation.start()
        await first_tick(conversation)
        conversation.tell("http.request", body=b"", more_body=False)
        conversation.tell("http.disconnect")
        await asyncio.wait_for(running, SECONDS)
        assert await conversation.hear() == {"type": "http.response.body", "body": b""}
        return conversation.said.empty() and asyncio.all_tasks() == {asyncio.current_task()}

    assert asyncio.run(converse())


def test_clock_takes_an_error_of_send_for_the_client_leaving() -> None:
    async def converse() -> bool:
        conversation = Conversation(path="/clock")

        async def refuse(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                raise ConnectionResetError("gone")

        await asyncio.wait_for(app(conversation.scope, conversation.told.get, refuse), SECONDS)
        return asyncio.all_tasks() == {asyncio.current_task()}

    assert asyncio.run(converse())


def test_cancelled_clock_leaves_no_task() -> None:
    async def converse() -> bool:
        conversation = Conversation(path="/clock")
        running = conversation.start()
        await first_tick(conversation)
        running.cancel()
        await asyncio.wait([running])
        return running.cancelled() and asyncio.all_tasks() == {asyncio.current_task()}

    assert asyncio.run(converse())


def test_head_of_the_clock_is_complete_at_once() -> None:
    answer = ask(method="HEAD", path="/clock")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.body == b""


def test_clocks_are_counted_and_end_with_the_shutdown() -> None:
    async def converse() -> None:
        state: dict[str, Any] = {}
        lifespan = Conversation(type="lifespan", state=state)
        living = lifespan.start()
        lifespan.tell("lifespan.startup")
        assert (await lifespan.hear())["type"] == "lifespan.startup.complete"
        first, second = (Conversation(path="/clock", state=dict(state)) for _ in range(2))
        clocks = [first.start()]
        assert (await first_tick(first))["clients"] == 1
        clocks.append(second.start())
        assert (await first_tick(second))["clients"] == 2
        lifespan.tell("lifespan.shutdown")
        assert (await lifespan.hear())["type"] == "lifespan.shutdown.complete"
        await asyncio.wait_for(asyncio.gather(living, *clocks), SECONDS)
        for conversation in (first, second):
            assert await conversation.hear() == {"type": "http.response.body", "body": b""}

    asyncio.run(converse())


def test_websocket_is_declined() -> None:
    async def converse() -> dict[str, Any]:
        conversation = Conversation(type="websocket")
        conversation.tell("websocket.connect")
        await asyncio.wait_for(conversation.start(), SECONDS)
        return await conversation.hear()

    assert asyncio.run(converse())["type"] == "websocket.close"


def test_unknown_scope_is_an_error() -> None:
    with pytest.raises(ValueError, match="'datagram'"):
        ask(type="datagram")
