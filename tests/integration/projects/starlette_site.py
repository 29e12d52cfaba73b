"""A Starlette application with one route for each thing a server can get wrong."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECRET = "not for the client's eyes"
CHUNKS = [f"chunk {number:02} ".encode() * 50 for number in range(20)]


class State(TypedDict):
    greeting: str
    sent: dict[str, list[str]]
    tasks: dict[str, asyncio.Event]
    seen: list[str]


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[State]:
    yield {"greeting": "set at start-up", "sent": {}, "tasks": {}, "seen": []}


class MessageRecorder:
    """Keeps the types of the messages the application sent last for each path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        types: list[str] = []
        scope["state"]["sent"][scope["path"]] = types

        async def record(message: Message) -> None:
            types.append(message["type"])
            await send(message)

        await self.app(scope, receive, record)


async def hello(request: Request) -> Response:
    return PlainTextResponse("Hello from Starlette")


def hello_from_a_thread(request: Request) -> Response:
    return PlainTextResponse("Hello from a thread")


async def state(request: Request) -> Response:
    return PlainTextResponse(request.state.greeting)


async def sent(request: Request) -> Response:
    return JSONResponse(request.state.sent.get(request.query_params["path"]))


async def seen(request: Request) -> Response:
    return JSONResponse(request.state.seen)


async def chunks() -> AsyncIterator[bytes]:
    for chunk in CHUNKS:
        yield chunk
        await asyncio.sleep(0)


async def stream(request: Request) -> Response:
    return StreamingResponse(chunks(), media_type="text/plain")


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type=request.headers.get("content-type"))


async def describe(request: Request) -> Response:
    return JSONResponse(
        {
            "method": request.method,
            "path": request.scope["path"],
            "root_path": request.scope["root_path"],
            "raw_path": request.scope["raw_path"].decode("ascii"),
            "query": request.url.query,
            "http_version": request.scope["http_version"],
            "client": request.client.host if request.client else None,
            "server": request.scope["server"],
            "cookies": request.cookies,
            "headers": request.headers.items(),
            "here": str(request.url_for("describe")),
        }
    )


async def where(request: Request) -> Response:
    return JSONResponse(
        {"root_path": request.scope["root_path"], "here": request.url_for("mounted:where").path}
    )


async def background(request: Request) -> Response:
    name = request.path_params["name"]
    release = request.state.tasks[name] = asyncio.Event()

    async def work() -> None:
        await release.wait()
        request.state.seen.append(f"background {name} done")

    return PlainTextResponse("accepted", background=BackgroundTask(work))


async def release(request: Request) -> Response:
    request.state.tasks[request.path_params["name"]].set()
    return PlainTextResponse("released")


async def file(request: Request) -> Response:
    return FileResponse(os.environ["SITE_FILE"])


async def fail_before(request: Request) -> Response:
    raise RuntimeError(SECRET)


async def fail_after(request: Request) -> Response:
    async def two_chunks_and_an_error() -> AsyncIterator[bytes]:
        yield b"first,"
        yield b"second,"
        raise RuntimeError(SECRET)

    return StreamingResponse(two_chunks_and_an_error(), media_type="text/plain")


async def fail_short(request: Request) -> Response:
    async def part_of_it() -> AsyncIterator[bytes]:
        yield b"0123456789"
        raise RuntimeError(SECRET)

    return StreamingResponse(part_of_it(), headers={"content-length": "1000"}, media_type="text/plain")


async def wait_for_disconnect(request: Request) -> Response:
    rounds = 0
    while not await request.is_disconnected():
        rounds += 1
        if rounds == 20:
            # By now a client that leaves cannot be taken for one that closed its side with its request.
            request.state.seen.append("waiting for a disconnect")
        await asyncio.sleep(0.01)
    request.state.seen.append("disconnected")
    return PlainTextResponse("nobody reads this")


async def not_modified(request: Request) -> Response:
    headers = {"etag": '"one"'}
    if request.headers.get("if-none-match") == '"one"':
        return Response(status_code=304, headers=headers)
    return PlainTextResponse("version one", headers=headers)


async def no_content(request: Request) -> Response:
    return Response(status_code=204)


async def large_header(request: Request) -> Response:
    size = int(request.path_params["size"])
    return PlainTextResponse("large", headers={"x-large": "v" * size})


async def cookies(request: Request) -> Response:
    response = PlainTextResponse("cookies")
    response.set_cookie("first", "1")
    response.set_cookie("second", "2; quoted", httponly=True)
    return response


async def add_field(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["x-wrapped"] = "yes"
    return response


app = Starlette(
    lifespan=lifespan,
    middleware=[Middleware(MessageRecorder)],
    routes=[
        Route("/", hello),
        Route("/thread", hello_from_a_thread),
        Route("/state", state),
        Route("/sent", sent),
        Route("/seen", seen),
        Route("/stream", stream),
        Route("/echo", echo, methods=["POST", "PUT"]),
        Route("/describe", describe, name="describe"),
        Route("/describe/{rest:path}", describe),
        Route("/background/{name}", background, methods=["POST"]),
        Route("/release/{name}", release, methods=["POST"]),
        Route("/file", file),
        Route("/fail/before", fail_before),
        Route("/fail/after", fail_after),
        Route("/fail/short", fail_short),
        Route("/disconnect", wait_for_disconnect),
        Route("/version", not_modified),
        Route("/nothing", no_content),
        Route("/large/{size:int}", large_header),
        Route("/cookies", cookies),
        Mount("/mounted", routes=[Route("/where", where, name="where")], name="mounted"),
        Mount(
            "/wrapped",
            routes=[
                Route("/stream", stream),
                Route("/echo", echo, methods=["POST"]),
                Route("/file", file),
                Route("/fail", fail_before),
            ],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=add_field)],
        ),
    ],
)
