"""Tests of the servers' command lines and of choosing among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sidebyside.peers import (
    CHECKOUT,
    NAMES,
    PEERS,
    Server,
    UnknownPeerError,
    choose,
    parse_checkout,
    ropewalk,
)

SERVERS = (ropewalk("ropewalk", CHECKOUT), *PEERS)


def words(server: Server, *, access_log: bool = False, patient: bool = False) -> list[str]:
    return server.command(Path("python"), "module:app", 4321, access_log=access_log, patient=patient)


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_command_names_application_and_port(server: Server) -> None:
    command = words(server)
    assert command[:3] == ["python", "-m", server.module]
    assert "module:app" in command
    assert "4321" in " ".join(command)
    assert not any("{" in word for word in command)


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_access_log_changes_the_command(server: Server) -> None:
    assert words(server) != words(server, access_log=True)


def test_patience_is_added_for_idle_connections_only() -> None:
    own = SERVERS[0]
    assert words(own, patient=True) == [*words(own), "--timeout-keep-alive", "600"]


def test_all_servers_run_when_none_is_named() -> None:
    assert [server.name for server in choose(None, [])] == list(NAMES)


def test_named_servers_keep_their_order_with_ropewalk_first() -> None:
    assert [server.name for server in choose(["granian", "uvicorn", "ropewalk"], [])] == [
        "ropewalk",
        "uvicorn",
        "granian",
    ]


def test_unknown_server_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownPeerError, match=r"no server called unicorn; there are ropewalk, uvicorn"):
        choose(["unicorn"], [])


def test_checkouts_run_alone_unless_peers_are_named() -> None:
    checkouts = [ropewalk("before", CHECKOUT), ropewalk("after", CHECKOUT)]
    assert [server.name for server in choose(None, checkouts)] == ["before", "after"]
    assert [server.name for server in choose(["uvicorn"], checkouts)] == ["before", "after", "uvicorn"]


@pytest.mark.parametrize("labels", [["same", "same"], ["uvicorn"]])
def test_labels_that_are_taken_are_refused(labels: list[str]) -> None:
    with pytest.raises(ValueError, match="label of its own"):
        choose(None, [ropewalk(label, CHECKOUT) for label in labels])


@pytest.mark.parametrize(
    ("text", "name"),
    [(f"before={CHECKOUT}", "before"), (str(CHECKOUT), CHECKOUT.name)],
    ids=["label", "bare"],
)
def test_checkout_takes_its_label_or_its_folder_name(text: str, name: str) -> None:
    server = parse_checkout(text)
    assert (server.name, server.checkout) == (name, CHECKOUT)
    assert server.requirements


def test_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no checkout of ropewalk"):
        parse_checkout(f"x={tmp_path}")


def test_empty_label_is_refused() -> None:
    with pytest.raises(ValueError, match="empty label"):
        parse_checkout(f"={CHECKOUT}")
