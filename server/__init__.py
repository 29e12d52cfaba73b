"""The HTTP server: engines, exchanges, connections and configuration. Knows no ASGI or WSGI."""
