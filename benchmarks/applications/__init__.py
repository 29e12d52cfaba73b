"""The ASGI applications that every server is measured with, identical for all of them.

One module per framework: a server measured with a plain application must not carry a framework's memory.
"""
