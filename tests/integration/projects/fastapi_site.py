"""A FastAPI application: validation, dependencies that must be closed, uploads, server-sent events."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sse_starlette.sse import EventSourceResponse

app = FastAPI()

events: Counter[str] = Counter()
"""What happened and how often; /events shows it."""


class Item(BaseModel):
    name: str
    price: float = Field(gt=0)


class Connection:
    """Stands for a database connection that a dependency lends to an endpoint."""

    is_open = True


async def connection() -> AsyncIterator[Connection]:
    lent = Connection()
    events["connection opened"] += 1
    try:
        yield lent
    finally:
        lent.is_open = False
        events["connection closed"] += 1


@app.get("/events")
async def show_events() -> dict[str, int]:
    return dict(events)


@app.post("/items", status_code=201)
async def add(item: Item) -> Item:
    return item


@app.get("/once")
async def once(lent: Annotated[Connection, Depends(connection)]) -> dict[str, bool]:
    return {"open": lent.is_open}


@app.get("/numbers")
async def numbers(lent: Annotated[Connection, Depends(connection)]) -> StreamingResponse:
    async def count() -> AsyncIterator[str]:
        number = 0
        while True:
            yield f"{number}\n"
            number += 1
            await asyncio.sleep(0.01)

    return StreamingResponse(count(), media_type="text/plain")


@app.post("/upload/stream")
async def upload_stream(request: Request) -> dict[str, int | str]:
    digest, size = hashlib.sha256(), 0
    async for chunk in request.stream():
        digest.update(chunk)
        size += len(chunk)
    return {"size": size, "sha256": digest.hexdigest()}


@app.post("/upload/file")
async def upload_file(file: UploadFile) -> dict[str, int | str | None]:
    digest, size = hashlib.sha256(), 0
    while chunk := await file.read(65536):
        digest.update(chunk)
        size += len(chunk)
    return {"size": size, "sha256": digest.hexdigest(), "name": file.filename}


async def ticks(name: str) -> AsyncIterator[str]:
    """Count quickly until the consumer goes away, and tell `events` that it was noticed."""
    number = 0
    try:
        while True:
            yield f"{number}"
            number += 1
            await asyncio.sleep(0.05)
    finally:
        events[f"{name} ended"] += 1


@app.get("/sse")
async def server_sent_events() -> EventSourceResponse:
    return EventSourceResponse(ticks("sse"))


@app.get("/sse/plain")
async def server_sent_events_by_hand() -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        async for tick in ticks("plain sse"):
            yield f"data: {tick}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


@app.get("/sse/quiet")
async def server_sent_events_seldom(again_after: float = 0) -> EventSourceResponse:
    """One event or two, then nothing: only the disconnect message can tell that the client has gone."""

    async def one() -> AsyncIterator[str]:
        try:
            yield "only"
            if again_after:
                await asyncio.sleep(again_after)
                yield "again"
            await asyncio.sleep(3600)
        finally:
            events["quiet sse ended"] += 1

    return EventSourceResponse(one(), ping=3600)
