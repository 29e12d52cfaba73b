"""The ASGI bridge: exchanges in, ASGI 3 scopes and messages out."""
