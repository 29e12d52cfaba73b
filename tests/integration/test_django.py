"""A Django project on ASGI: migrations, admin, static files, streams, uploads."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from .serving import PROJECTS, Server, environment, serve

PROJECT = PROJECTS / "django_site"
USER, PASSWORD = "harbourmaster", "a test's password"


def manage(*arguments: str, env: dict[str, str]) -> None:
    """Run one of Django's management commands, as the person who installs the site would."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment(env), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    env = {
        "SITE_DATABASE": str(tmp_path_factory.mktemp("django") / "db.sqlite3"),
        "DJANGO_SUPERUSER_USERNAME": USER,
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "DJANGO_SUPERUSER_EMAIL": "harbourmaster@example.com",
    }
    manage("migrate", "--verbosity=0", env=env)
    manage("createsuperuser", "--noinput", "--verbosity=0", env=env)
    with serve("shipyard.asgi:application", cwd=PROJECT, env=env) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client(follow_redirects=True) as client:
        yield client


def form_token(page: httpx.Response) -> str:
    """The token that Django wants back with the form on ``page``."""
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert found is not None, page.text
    return found[1]


def log_in(client: httpx.Client) -> httpx.Response:
    page = client.get("/admin/")
    form = {
        "username": USER,
        "password": PASSWORD,
        "csrfmiddlewaretoken": form_token(page),
        "next": "/admin/",
    }
    return client.post(str(page.url), data=form)


def test_admin_sends_a_stranger_to_the_login_page(client: httpx.Client) -> None:
    response = client.get("/admin/")
    assert [step.status_code for step in response.history] == [302]
    assert response.url.path == "/admin/login/"


def test_login_without_the_token_is_403(client: httpx.Client) -> None:
    response = client.post("/admin/login/", data={"username": USER, "password": PASSWORD})
    assert response.status_code == 403


def test_login_with_a_wrong_password_is_refused(client: httpx.Client) -> None:
    page = client.get("/admin/login/")
    form = {"username": USER, "password": "wrong", "csrfmiddlewaretoken": form_token(page)}
    response = client.post("/admin/login/", data=form)
    assert response.url.path == "/admin/login/"
    assert "sessionid" not in client.cookies


def test_login_leads_to_the_admin(client: httpx.Client) -> None:
    response = log_in(client)
    assert (response.status_code, response.url.path) == (200, "/admin/")
    assert "Site administration" in response.text
    assert USER in response.text


def test_entry_is_added_and_changed_and_deleted_in_the_admin(client: httpx.Client) -> None:
    log_in(client)
    page = client.get("/admin/ledger/entry/add/")
    form = {"title": "Höhe der Flut", "amount": "17", "csrfmiddlewaretoken": form_token(page)}
    listing = client.post(str(page.url), data=form)
    assert listing.url.path == "/admin/ledger/entry/"
    assert "Höhe der Flut" in listing.text
    assert client.get("/sync/").json()["count"] == 1

    found = re.search(r"/admin/ledger/entry/(\d+)/change/", listing.text)
    assert found is not None
    page = client.get(found[0])
    changed = client.post(
        found[0], data={"title": "Ebbe", "amount": "3", "csrfmiddlewaretoken": form_token(page)}
    )
    assert "Ebbe" in changed.text

    page = client.get(f"/admin/ledger/entry/{found[1]}/delete/")
    client.post(str(page.url), data={"post": "yes", "csrfmiddlewaretoken": form_token(page)})
    assert client.get("/async/").json() == {"count": 0}


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("/static/ledger/style.css", "text/css", "tabular-nums"),
        ("/static/admin/css/base.css", "text/css", "DJANGO Admin styles"),
        ("/static/admin/js/core.js", "text/javascript", "function"),
    ],
    ids=["project's", "admin's", "script"],
)
def test_static_file_is_served_by_the_application(
    client: httpx.Client, path: str, kind: str, text: str
) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(kind)
    assert text in response.text


def test_unchanged_static_file_is_304(client: httpx.Client) -> None:
    modified = client.get("/static/ledger/style.css").headers["last-modified"]
    response = client.get("/static/ledger/style.css", headers={"If-Modified-Since": modified})
    assert (response.status_code, response.content) == (304, b"")


def test_missing_static_file_is_404(client: httpx.Client) -> None:
    assert client.get("/static/ledger/none.css").status_code == 404


def test_sync_view_runs_off_the_reactors_thread(client: httpx.Client) -> None:
    response = client.get("/sync/")
    assert response.status_code == 200
    assert response.json()["main_thread"] is False


def test_streaming_response_of_an_async_generator_arrives_whole(client: httpx.Client) -> None:
    assert client.get("/stream/").text == "".join(f"line {number}\n" for number in range(100))


def test_endless_stream_ends_when_its_client_leaves(client: httpx.Client, server: Server) -> None:
    with client.stream("GET", "/endless/") as response:
        # Kept, since httpx closes the response when the iterator goes away.
        lines = response.iter_lines()
        assert next(lines) == "more"
        with server.client() as other:
            assert other.get("/ended/").json() == {"ended": []}

    def ended() -> bool:
        with server.client() as other:
            return bool(other.get("/ended/").json() == {"ended": ["endless"]})

    server.poll(ended, "the generator was closed", seconds=2)


@pytest.mark.parametrize("size", [1000, 4 * 1024 * 1024], ids=["in memory", "on disk"])
def test_file_upload_arrives(client: httpx.Client, size: int) -> None:
    content = os.urandom(size)
    answer = client.post(
        "/upload/", data={"note": "ahoy"}, files={"file": ("map.bin", content, "application/octet-stream")}
    ).json()
    assert answer == {
        "name": "map.bin",
        "size": size,
        "sha256": hashlib.sha256(content).hexdigest(),
        "fields": {"note": ["ahoy"]},
    }


def test_error_in_a_view_is_a_500_without_its_text(client: httpx.Client) -> None:
    response = client.get("/fail/")
    assert response.status_code == 500
    assert "not for the client" not in response.text
    assert client.get("/sync/").status_code == 200


def test_unknown_host_is_400(client: httpx.Client) -> None:
    assert client.get("/sync/", headers={"Host": "elsewhere.example"}).status_code == 400


def test_client_that_leaves_during_its_upload_leaves_no_error(client: httpx.Client, server: Server) -> None:
    with server.connect() as wire:
        wire.send(b"POST /upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly a part")
    # The module's server fixture finds any traceback that this left in the log.
    assert client.get("/sync/").status_code == 200
