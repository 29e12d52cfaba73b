"""The project: settings, URLs, the ASGI entry point."""
