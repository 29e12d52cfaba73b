"""Which applications are taken for ASGI 3, for ASGI 2, and for something that cannot be served."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from ropewalk.asgi.interface import NotAnApplication, as_asgi3

Scope = dict[str, Any]


async def function(scope: Scope, receive: Any, send: Any) -> None:
    await send("function")


class Callable3:
    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        await send("instance")

    async def method(self, scope: Scope, receive: Any, send: Any) -> None:
        await send("method")

    def plain_method(self, scope: Scope, receive: Any, send: Any) -> Awaitable[None]:
        return self.method(scope, receive, send)


class Awaited3:
    """An endpoint class: called with all three, and awaited."""

    def __init__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.send = send

    def __await__(self) -> Generator[Any, None, None]:
        yield from self.send("awaited").__await__()


class Class2:
    """ASGI 2: called with the scope, then with the other two."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await send("asgi2 class")


class Class2AnyArguments:
    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    async def __call__(self, receive: Any, send: Any) -> None:
        await send("asgi2 class with any arguments")


def function2(scope: Scope) -> Callable[[Any, Any], Awaitable[None]]:
    async def instance(receive: Any, send: Any) -> None:
        await send("asgi2 function")

    return instance


async def with_option(option: str, scope: Scope, receive: Any, send: Any) -> None:
    await send(option)


def plain_with_option(option: str, scope: Scope, receive: Any, send: Any) -> Awaitable[None]:
    return with_option(option, scope, receive, send)


@functools.wraps(function)
def wrapped(*args: Any, **options: Any) -> Awaitable[None]:
    return function(*args, **options)


def any_arguments(*args: Any) -> Awaitable[None]:
    return function(*args)


def plain(scope: Scope, receive: Any, send: Any) -> Awaitable[None]:
    return function(scope, receive, send)


class CallableInstanceAttribute:
    def __init__(self) -> None:
        self.__name__ = "app"

    def __call__(self, scope: Scope, receive: Any, send: Any, option: int = 0) -> Awaitable[None]:
        return function(scope, receive, send)


def marked_double(*args: Any) -> Any:
    return function2(args[0])


marked_double._asgi_double_callable = True  # type: ignore[attr-defined]


def said(app: Any) -> str:
    """What an application sends when it is called the ASGI 3 way."""
    sent: list[str] = []

    async def send(message: str) -> None:
        sent.append(message)

    async def call() -> None:
        await app({"type": "http"}, None, send)

    asyncio.run(call())
    (message,) = sent
    return message


@pytest.mark.parametrize(
    ("application", "message"),
    [
        pytest.param(function, "function", id="async-function"),
        pytest.param(Callable3(), "instance", id="instance"),
        pytest.param(Callable3().method, "method", id="method"),
        pytest.param(Callable3().plain_method, "method", id="method-that-returns-an-awaitable"),
        pytest.param(Awaited3, "awaited", id="class-that-is-awaited"),
        pytest.param(functools.partial(with_option, "partial"), "partial", id="partial"),
        pytest.param(functools.partial(plain_with_option, "partial"), "partial", id="plain-partial"),
        pytest.param(functools.partial(Callable3()), "instance", id="partial-of-an-instance"),
        pytest.param(wrapped, "function", id="decorated"),
        pytest.param(any_arguments, "function", id="any-arguments"),
        pytest.param(plain, "function", id="function-that-returns-an-awaitable"),
        pytest.param(lambda scope, receive, send: plain(scope, receive, send), "function", id="lambda"),
        pytest.param(CallableInstanceAttribute(), "function", id="with-an-optional-argument"),
        pytest.param(Class2, "asgi2 class", id="asgi2-class"),
        pytest.param(Class2AnyArguments, "asgi2 class with any arguments", id="asgi2-class-any-arguments"),
        pytest.param(function2, "asgi2 function", id="asgi2-function"),
        pytest.param(functools.partial(Class2), "asgi2 class", id="asgi2-partial"),
        pytest.param(marked_double, "asgi2 function", id="marked-asgi2"),
    ],
)
def test_interface_is_found_out(application: Any, message: str) -> None:
    assert said(as_asgi3(application)) == message


def test_interface_can_be_said_where_it_cannot_be_seen() -> None:
    assert said(as_asgi3(lambda *args: function2(*args), "asgi2")) == "asgi2 function"
    application = Class2AnyArguments
    assert as_asgi3(application, "asgi") is application


def test_asgi_3_application_is_not_wrapped() -> None:
    instance = Callable3()
    assert as_asgi3(function) is function
    assert as_asgi3(instance) is instance


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    return []


class WsgiInstance:
    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        return []


class WsgiClass:
    def __init__(self, environ: Any, start_response: Any) -> None: ...


def wsgi_with_an_option(environ: Any, start_response: Any, option: int = 0) -> list[bytes]:
    return []


async def two_arguments(scope: Scope, receive: Any) -> None: ...


@pytest.mark.parametrize(
    "application",
    [
        pytest.param(wsgi, id="function"),
        pytest.param(WsgiInstance(), id="instance"),
        pytest.param(WsgiInstance().__call__, id="method"),
        pytest.param(WsgiClass, id="class"),
        pytest.param(wsgi_with_an_option, id="with-an-option"),
        pytest.param(two_arguments, id="async"),
    ],
)
def test_wsgi_application_is_refused_with_a_way_out(application: Any) -> None:
    with pytest.raises(NotAnApplication, match=r"as a WSGI application does.*WsgiToAsgi"):
        as_asgi3(application)


@pytest.mark.parametrize("application", [None, 7, "app", {}, object()])
@pytest.mark.parametrize("interface", ["auto", "asgi", "asgi2"])
def test_what_is_not_callable_is_refused_by_name(application: Any, interface: Any) -> None:
    with pytest.raises(NotAnApplication, match=f"a callable, not {type(application).__name__}"):
        as_asgi3(application, interface)


def create_app() -> Any:
    return function


async def create_app_later() -> Any:
    return function


@pytest.mark.parametrize("application", [create_app, create_app_later, lambda: function])
def test_factory_that_is_not_called_one_is_refused_with_the_option(application: Any) -> None:
    with pytest.raises(NotAnApplication, match=r"takes no arguments.*--factory"):
        as_asgi3(application)


async def four_arguments(a: int, b: int, c: int, d: int) -> None: ...


async def one_argument(scope: Scope) -> None: ...


def keyword_only(*, scope: Scope) -> None: ...


@pytest.mark.parametrize("application", [four_arguments, one_argument, keyword_only])
def test_other_signature_is_refused_and_shown(application: Any) -> None:
    with pytest.raises(NotAnApplication, match=r"takes scope, receive and send; .* takes \("):
        as_asgi3(application)


def marked_single(*args: Any) -> Any:
    return function(*args)


marked_single._asgi_single_callable = True  # type: ignore[attr-defined]


def test_mark_for_asgi_3_is_believed() -> None:
    assert as_asgi3(marked_single) is marked_single


def test_callable_without_a_signature_is_taken_at_its_word() -> None:
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(type)
    assert as_asgi3(type) is type
