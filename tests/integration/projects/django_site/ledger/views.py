"""One view for each way Django talks to a server."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from .models import Entry

ended_streams: list[str] = []


def entries(request: HttpRequest) -> HttpResponse:
    """The number of entries, counted in a worker thread."""
    main = threading.current_thread() is threading.main_thread()
    return JsonResponse({"count": Entry.objects.count(), "main_thread": main})


async def entries_async(request: HttpRequest) -> HttpResponse:
    """The number of entries, counted from a coroutine."""
    return JsonResponse({"count": await Entry.objects.acount()})


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    """A hundred lines, one at a time."""

    async def lines() -> AsyncIterator[str]:
        for number in range(100):
            yield f"line {number}\n"
            await asyncio.sleep(0)

    return StreamingHttpResponse(lines(), content_type="text/plain")


async def endless(request: HttpRequest) -> StreamingHttpResponse:
    """Lines until the client leaves."""

    async def lines() -> AsyncIterator[str]:
        try:
            while True:
                yield "more\n"
                await asyncio.sleep(0.05)
        finally:
            ended_streams.append("endless")

    return StreamingHttpResponse(lines(), content_type="text/plain")


async def ended(request: HttpRequest) -> HttpResponse:
    """The endless streams that were ended."""
    return JsonResponse({"ended": ended_streams})


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    """Name, size and digest of an uploaded file, and the form's other fields."""
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    fields = {name: request.POST.getlist(name) for name in request.POST}
    answer = {"name": file.name, "size": file.size, "sha256": digest.hexdigest(), "fields": fields}
    return JsonResponse(answer)


def fail(request: HttpRequest) -> HttpResponse:
    """An error of the application's."""
    raise RuntimeError("not for the client's eyes")
