"""What curl, an HTTP client that shares no code with the other tests, makes of the server."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..programs import require_program
from .projects.starlette_site import CHUNKS
from .serving import Server, serve

STREAM = b"".join(CHUNKS)

Curl = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("starlette_site:app") as server:
        yield server


@pytest.fixture(scope="module")
def uploads() -> Iterator[Server]:
    with serve("fastapi_site:app") as server:
        yield server


@pytest.fixture
def curl() -> Curl:
    """Run curl, unimpressed by the machine's settings for it, and require that it is content."""
    program = require_program("curl")

    def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [
            program,
            "-q",
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "20",
            *arguments,
        ]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done

    return run


def head_lines(output: bytes) -> list[str]:
    """The status line and the fields of a response printed with --include or --head, in lower case."""
    return output.partition(b"\r\n\r\n")[0].decode("latin-1").lower().split("\r\n")


def test_http_1_0_gets_an_unchunked_body_that_ends_with_the_connection(curl: Curl, server: Server) -> None:
    done = curl("--http1.0", "--include", f"{server.url}/stream")
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.lower().startswith((b"http/1.1 200", b"http/1.0 200"))
    assert b"transfer-encoding" not in head.lower()
    assert body == STREAM


def test_http_1_0_without_keep_alive_is_told_that_the_connection_closes(curl: Curl, server: Server) -> None:
    done = curl("--http1.0", "--include", f"{server.url}/")
    assert "connection: close" in head_lines(done.stdout)
    assert done.stdout.endswith(b"Hello from Starlette")


def test_http_1_0_with_keep_alive_is_kept_alive(curl: Curl, server: Server) -> None:
    done = curl(
        *("--http1.0", "--include", "--header", "Connection: keep-alive"),
        *("--write-out", "[%{num_connects}]", f"{server.url}/", f"{server.url}/"),
    )
    assert "connection: keep-alive" in head_lines(done.stdout)
    assert (b"[1]" in done.stdout, done.stdout.endswith(b"[0]")) == (True, True)


def test_head_prints_the_fields_of_get(curl: Curl, server: Server) -> None:
    lines = head_lines(curl("--head", f"{server.url}/").stdout)
    assert lines[0] == "http/1.1 200 ok"
    assert "content-length: 20" in lines


def test_upload_from_a_pipe_is_chunked(curl: Curl, uploads: Server) -> None:
    body = bytes(range(256)) * 4000
    done = curl(
        *("--verbose", "--request", "POST", "--upload-file", "-", f"{uploads.url}/upload/stream"), stdin=body
    )
    assert b"> Transfer-Encoding: chunked" in done.stderr
    assert hashlib.sha256(body).hexdigest().encode() in done.stdout
    assert b'"size":1024000' in done.stdout


def test_data_sent_chunked_arrives(curl: Curl, server: Server) -> None:
    done = curl(
        *("--header", "Transfer-Encoding: chunked", "--data-binary", "@-", f"{server.url}/echo"),
        stdin=b"one two",
    )
    assert done.stdout == b"one two"


def test_large_body_is_sent_after_100_continue(curl: Curl, uploads: Server) -> None:
    body = bytes(2_000_000)
    done = curl(
        *("--verbose", "--header", "Expect: 100-continue", "--expect100-timeout", "15"),
        *("--data-binary", "@-", f"{uploads.url}/upload/stream"),
        stdin=body,
    )
    assert b"< HTTP/1.1 100 Continue" in done.stderr
    assert b"Done waiting for 100-continue" not in done.stderr
    assert b'"size":2000000' in done.stdout


def test_body_that_is_refused_is_not_sent(curl: Curl, uploads: Server) -> None:
    done = curl(
        *("--verbose", "--header", "Expect: 100-continue", "--expect100-timeout", "15"),
        *("--write-out", "[%{http_code} %{size_upload}]", "--data-binary", "@-", f"{uploads.url}/events"),
        stdin=bytes(2_000_000),
    )
    assert b"100 Continue" not in done.stderr
    assert done.stdout.endswith(b"[405 0]")


def test_two_urls_are_fetched_over_one_connection(curl: Curl, server: Server) -> None:
    done = curl("--verbose", "--write-out", "[%{num_connects}]", f"{server.url}/", f"{server.url}/thread")
    assert done.stdout == b"Hello from Starlette[1]Hello from a thread[0]"
    assert b"re-using existing" in done.stderr.lower()


def test_connection_is_kept_after_a_chunked_body_and_an_upload(curl: Curl, server: Server) -> None:
    done = curl(
        *("--data-binary", "@-", "--write-out", "[%{num_connects}]", f"{server.url}/echo"),
        *("--next", "--silent", "--noproxy", "*", "--output", "/dev/null"),
        *("--write-out", "[%{num_connects} %{size_download}]", f"{server.url}/stream"),
        *("--next", "--silent", "--noproxy", "*", "--write-out", "[%{num_connects}]", f"{server.url}/"),
        stdin=b"coil",
    )
    assert done.stdout == b"coil[1][0 %d]Hello from Starlette[0]" % len(STREAM)


def test_unix_socket_is_served(curl: Curl) -> None:
    # Not in tmp_path: a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="rw-") as folder:
        path = Path(folder, "app.sock")
        with serve("starlette_site:app", bind=f"unix:{path}") as server:
            assert server.socket_path == str(path)
            done = curl("--unix-socket", str(path), "http://localhost/", "http://localhost/describe")
            assert done.stdout.startswith(b"Hello from Starlette{")
            assert b'"client":null' in done.stdout
        assert not path.exists()


def test_compressed_and_conditional_requests_are_answered(curl: Curl, server: Server) -> None:
    done = curl(
        *("--compressed", "--include", "--header", 'If-None-Match: "one"'),
        *("--write-out", "[%{http_code}]", f"{server.url}/version"),
    )
    assert done.stdout.endswith(b"\r\n\r\n[304]")
