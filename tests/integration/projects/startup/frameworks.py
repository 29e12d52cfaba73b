"""A Starlette application whose lifespan fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    raise LookupError("the mast is broken")
    yield


app = Starlette(lifespan=lifespan)
