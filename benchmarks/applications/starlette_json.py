"""A Starlette application with one JSON route."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

DOCUMENT = {"message": "Hello, world!", "numbers": [1, 2, 3], "nested": {"ready": True}}


async def document(request: Request) -> JSONResponse:
    return JSONResponse(DOCUMENT)


app = Starlette(routes=[Route("/document", document)])
