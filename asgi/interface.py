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

    :raises NotAnApplication: it is not callable, or its signature is WSGI's.
    """
    if not callable(application):
        raise NotAnApplication(
            f"an ASGI application is a callable, not {type(application).__name__} {application!r}"
        )
    if interface == "asgi" or (interface == "auto" and _is_coroutine_function(application)):
        return application  # type: ignore[no-any-return]
    if interface == "auto" and _takes_two(application):
        raise NotAnApplication(
            f"{application!r} takes two arguments, as a WSGI application does; only ASGI is served as yet. "
            "Wrap it, for example in asgiref.wsgi.WsgiToAsgi."
        )
    # Imported here: most applications show at once that they are ASGI 3.
    from asgiref.compatibility import double_to_single_callable, is_double_callable

    if interface == "asgi2" or is_double_callable(application):  # type: ignore[no-untyped-call]
        return double_to_single_callable(application)  # type: ignore[no-any-return,no-untyped-call]
    return application  # type: ignore[no-any-return]


def _is_coroutine_function(application: Any) -> bool:
    if inspect.isclass(application):
        return False
    return inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(
        getattr(application, "__call__", None)  # noqa: B004 - the method itself is looked at
    )


def _takes_two(application: Any) -> bool:
    """Whether the callable's required positional arguments are two, as in (environ, start_response)."""
    try:
        parameters = inspect.signature(application).parameters.values()
    except (TypeError, ValueError):
        return False
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return False
    required = [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return len(required) == 2
