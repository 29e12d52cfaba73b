"""The WSGI bridge; it arrives with the thread pool."""
