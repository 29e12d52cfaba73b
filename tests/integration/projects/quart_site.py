"""A Quart application: hooks, streams in both directions, forms."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from quart import Quart, Response, request

app = Quart(__name__)
app.config["MAX_CONTENT_LENGTH"] = None


@app.before_serving
async def open_shop() -> None:
    app.extensions["opened"] = True


@app.after_serving
async def close_shop() -> None:
    if "SITE_FAREWELL" in os.environ:
        Path(os.environ["SITE_FAREWELL"]).write_text("closed", encoding="ascii")


@app.get("/hello/<name>")
async def hello(name: str) -> dict[str, str | None]:
    return {"hello": name, "loud": request.args.get("loud"), "agent": request.headers.get("User-Agent")}


@app.get("/opened")
async def opened() -> dict[str, bool]:
    return {"opened": app.extensions.get("opened", False)}


@app.get("/stream")
async def stream() -> Response:
    async def lines() -> AsyncIterator[bytes]:
        for number in range(100):
            yield f"line {number}\n".encode()
            await asyncio.sleep(0)

    return Response(lines(), mimetype="text/plain")


@app.post("/digest")
async def digest() -> dict[str, int | str]:
    sum_, size = hashlib.sha256(), 0
    async for chunk in request.body:
        sum_.update(chunk)
        size += len(chunk)
    return {"size": size, "sha256": sum_.hexdigest()}


@app.post("/form")
async def form() -> dict[str, object]:
    fields, files = await request.form, await request.files
    return {
        "fields": fields.to_dict(flat=False),
        "files": {name: [file.filename, len(file.read())] for name, file in files.items()},
    }


@app.get("/fail")
async def fail() -> str:
    raise RuntimeError("not for the client's eyes")
