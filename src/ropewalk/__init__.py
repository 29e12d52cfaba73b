"""Ropewalk: an event-driven application server for ASGI, WSGI and raw TCP/UDP protocols in one process."""

__version__ = "0.1.0.dev0"

__all__ = ["__version__"]
