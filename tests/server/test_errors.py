"""Exceptions say whose fault it is and carry what is needed to answer and to log."""

from __future__ import annotations

from ropewalk.server.errors import (
    ClientDisconnected,
    ConfigError,
    LimitExceeded,
    LocalProtocolError,
    OutOfOrder,
    ProtocolError,
    RemoteProtocolError,
    RopewalkError,
)


def test_a_fault_of_the_peer_carries_the_status_to_answer_with():
    assert RemoteProtocolError("x").status == 400
    assert RemoteProtocolError("x", 505).status == 505
    assert str(RemoteProtocolError("x", 505)) == "x"


def test_a_limit_names_its_option():
    error = LimitExceeded("too long", 414, "--limit-request-line")
    assert (str(error), error.status, error.option) == ("too long", 414, "--limit-request-line")
    assert isinstance(error, RemoteProtocolError)


def test_a_disconnect_is_an_oserror_as_asgi_wants():
    assert issubclass(ClientDisconnected, OSError)


def test_a_configuration_error_says_which_option_and_where_it_stood():
    error = ConfigError("no number", "--limit-linger", "command line")
    assert (str(error), error.option, error.source) == ("no number", "--limit-linger", "command line")


def test_whose_fault_it_is_can_be_told_from_the_class():
    assert issubclass(OutOfOrder, LocalProtocolError)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
    for error in (RemoteProtocolError, LocalProtocolError):
        assert issubclass(error, ProtocolError)
    for error in (ProtocolError, ClientDisconnected, ConfigError):
        assert issubclass(error, RopewalkError)
