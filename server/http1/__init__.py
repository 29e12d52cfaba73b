"""HTTP/1.1 (RFC 9112), sans I/O: bytes in, calls on a small sink interface out."""
