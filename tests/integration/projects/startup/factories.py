"""Applications made by a function, and things that are not applications."""

from __future__ import annotations

from types import SimpleNamespace

from startup.lifespans import Receive, Scope, Send, answer, without

number = 42


def create_app() -> object:
    async def made(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await answer(send, "made by a factory")
        else:
            raise ValueError("no lifespan")

    return made


def create_nothing() -> None:
    """Forgets to return the application."""


def raise_in_factory() -> object:
    raise LookupError("the settings are not there")


site = SimpleNamespace(api=SimpleNamespace(app=without))
