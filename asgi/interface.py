"""Which ASGI an application speaks, and ASGI 2's two callables as ASGI 3's one."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal

from ..server.errors import RopewalkError

if TYPE_CHECKING:
    from .bridge import Application

__all__ = ["NotAnApplication", "as_asgi3"]


class NotAnApplication(RopewalkError):
    """The object that was to be served is no ASGI application; the message says what it looks like."""


def as_asgi3(application: Any, interface: Literal["auto", "asgi", "asgi2"] = "auto") -> Application:
    """The application as a single ASGI 3 callable.

    :raises NotAnApplication: it is not callable, or its signature is none of ASGI's.
    """
    if not callable(application):
        raise NotAnApplication(
            f"an ASGI application is a callable, not {type(application).__name__} {application!r}"
        )
    if interface == "auto":
        interface = _interface_of(application)
    if interface == "asgi":
        return application  # type: ignore[no-any-return]
    # Imported here: hardly any application is still ASGI 2.
    from asgiref.compatibility import double_to_single_callable

    return double_to_single_callable(application)  # type: ignore[no-any-return,no-untyped-call]


def _interface_of(application: Any) -> Literal["asgi", "asgi2"]:
    # Marks that asgiref's decorators leave where the signature does not tell.
    if getattr(application, "_asgi_single_callable", False):
        return "asgi"
    if getattr(application, "_asgi_double_callable", False):
        return "asgi2"
    try:
        signature = inspect.signature(application)
    except (TypeError, ValueError):
        return "asgi"
    is_async = _is_coroutine_function(application)
    if not is_async and _count_required(signature) == 2:
        raise _looks_like_wsgi(application)
    if _takes(signature, 3):
        any_number = _takes(signature, 1) and _takes(signature, 4)
        # A class is ASGI 2's: an instance per scope. Unless that can be awaited, as an endpoint class's can.
        is_asgi2 = any_number and inspect.isclass(application) and not hasattr(application, "__await__")
        return "asgi2" if is_asgi2 else "asgi"
    if _takes(signature, 1) and not is_async:
        return "asgi2"
    if _takes(signature, 2):
        raise _looks_like_wsgi(application)
    if _takes(signature, 0):
        raise NotAnApplication(
            f"{application!r} takes no arguments: if it returns the application, say so with --factory"
        )
    raise NotAnApplication(
        f"an ASGI application takes scope, receive and send; {application!r} takes {signature}"
    )


def _looks_like_wsgi(application: Any) -> NotAnApplication:
    return NotAnApplication(
        f"{application!r} takes two arguments, as a WSGI application does; only ASGI is served as yet. "
        "Wrap it, for example in asgiref.wsgi.WsgiToAsgi."
    )


def _is_coroutine_function(application: Any) -> bool:
    if inspect.isclass(application):
        return False
    return inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(
        getattr(application, "__call__", None)  # noqa: B004 - the method itself is looked at
    )


def _takes(signature: inspect.Signature, count: int) -> bool:
    """Whether a call with so many positional arguments fits."""
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _count_required(signature: inspect.Signature) -> int | None:
    """How many positional arguments a call must have; None where it may have any number."""
    parameters = signature.parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    return sum(
        parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    )
