"""Endpoint strings: what they mean, what is refused and how, and that they survive being written and read."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.reactor import (
    EndpointError,
    FDServerEndpoint,
    RopewalkError,
    TCPServerEndpoint,
    UnixServerEndpoint,
    parse_endpoint,
)

TCP = TCPServerEndpoint
UNIX = UnixServerEndpoint
FD = FDServerEndpoint


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("tcp:8000", TCP(8000)),
        ("tcp:0", TCP(0)),
        ("tcp:65535", TCP(65535)),
        ("tcp:8000:interface=0.0.0.0", TCP(8000, "0.0.0.0")),
        ("tcp:8000:interface=*", TCP(8000)),
        ("tcp:8000:interface=127.0.0.1:backlog=100", TCP(8000, "127.0.0.1", backlog=100)),
        ("tcp:8000:interface=app.example", TCP(8000, "app.example")),
        ("tcp:8000:interface=udp", TCP(8000, "udp")),
        ("tcp:8000:interface=[::1]", TCP(8000, "::1", "tcp6")),
        ("tcp6:8000", TCP(8000, family="tcp6")),
        (r"tcp6:8000:interface=\:\:1", TCP(8000, "::1", "tcp6")),
        ("tcp6:8000:interface=[::1]", TCP(8000, "::1", "tcp6")),
        ("tcp6:8000:interface=[0:0:0:0:0:0:0:1]", TCP(8000, "::1", "tcp6")),
        ("tcp6:8000:interface=[::1]:backlog=5", TCP(8000, "::1", "tcp6", backlog=5)),
        ("tcp6:8000:interface=[fe80::1%eth0]", TCP(8000, "fe80::1%eth0", "tcp6")),
        ("tcp6:8000:ipv6only=off", TCP(8000, family="tcp6", ipv6only=False)),
        ("tcp6:8000:ipv6only=on", TCP(8000, family="tcp6")),
        ("unix:/run/app.sock", UNIX("/run/app.sock")),
        ("unix:app.sock", UNIX("app.sock")),
        ("unix:/run/app.sock:mode=660", UNIX("/run/app.sock", 0o660)),
        ("unix:/run/app.sock:mode=0600", UNIX("/run/app.sock", 0o600)),
        ("unix:/run/app.sock:backlog=7:mode=000", UNIX("/run/app.sock", 0, 7)),
        (r"unix:/run/a\:b\=c\\d", UNIX("/run/a:b=c\\d")),
        ("unix:/run/[x", UNIX("/run/[x")),
        ("unix:@app", UNIX("@app")),
        ("fd:3", FD(3)),
        ("fd:0:backlog=9", FD(0, 9)),
        ("8000", TCP(8000)),
        (":8000", TCP(8000)),
        ("*:8000", TCP(8000)),
        ("127.0.0.1:8000", TCP(8000, "127.0.0.1")),
        ("localhost:8000", TCP(8000, "localhost")),
        ("web:8000", TCP(8000, "web")),
        ("my-host.example.:0", TCP(0, "my-host.example.")),
        ("[::1]:8000", TCP(8000, "::1", "tcp6")),
        ("[::]:8000", TCP(8000, "::", "tcp6")),
    ],
)
def test_a_right_string_gives_its_endpoint(text, endpoint):
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    ("text", "says", "shows"),
    [
        ("", "empty", "tcp:8000"),
        ("tcp", "nothing after tcp", "tcp:8000"),
        ("tcp:", "port is missing", "tcp:8000"),
        ("tcp:http", "'http', which is not a number", "tcp:8000"),
        ("tcp:-1", "'-1', which is not a number", "tcp:8000"),
        ("tcp: 80", "not a number", "tcp:8000"),
        ("tcp:\uff18\uff10", "not a number", "tcp:8000"),
        ("tcp:65536", "65536", "from 0 to 65535"),
        ("tcp:9999999999", "9999999999", "from 0 to 65535"),
        ("tcp:99999999999", "not a number", "tcp:8000"),
        ("99999", "99999", "from 0 to 65535"),
        ("localhost:70000", "70000", "from 0 to 65535"),
        ("tpc:8000", "'tpc' is no kind", "did you mean tcp"),
        ("TCP:8000", "'TCP' is no kind", "did you mean tcp"),
        ("tcp4:8000:interface=1.2.3.4", "'tcp4' is no kind", "did you mean tcp"),
        ("unxi:/run/app.sock", "'unxi' is no kind", "did you mean unix"),
        ("udp:5353", "'udp' is no kind", "tcp:8000:interface=udp"),
        ("ssl:443:privateKey=x", "'ssl' is no kind", "tcp, tcp6, unix, fd"),
        ("zzz:1:2", "'zzz' is no kind", "tcp:8000"),
        ("tcp:8000:interfaces=::1", "no option 'interfaces'", "did you mean interface"),
        ("tcp:8000:mode=660", "no option 'mode'", "interface, backlog"),
        ("tcp:8000:ipv6only=off", "no option 'ipv6only'", "interface, backlog"),
        ("tcp:8000:127.0.0.1", "'127.0.0.1' is no option", "interface="),
        ("tcp:8000:backlog=1:backlog=2", "given twice", "tcp:8000"),
        ("tcp:8000:interface=", "interface is empty", "leave the option out"),
        ("tcp:8000:interface=127.0.0.300", "'127.0.0.300' is no IP address", "interface=127.0.0.1"),
        ("tcp:8000:interface=a b", "'a b'", "interface=127.0.0.1"),
        ("tcp:8000:interface=[::1", "bracket is not closed", "interface=[::1]"),
        ("tcp6:8000:interface=[::g]", "'::g'", "interface=[::1]"),
        ("tcp6:8000:interface=::1", "interface is empty", "interface=[::1]"),
        ("tcp6:8000:interface=127.0.0.1", "IPv4 address", "tcp:8000:interface=127.0.0.1"),
        ("tcp6:8000:ipv6only=no", "'no'", "ipv6only=on or ipv6only=off"),
        ("tcp:8000:backlog=0", "backlog is 0", "backlog=100"),
        ("tcp:8000:backlog=x", "backlog is 'x'", "tcp:8000:backlog=100"),
        ("tcp:8000\\", "backslash", "\\\\"),
        ("unix:", "path is ''", "unix:/run/app.sock"),
        ("unix:@", "path is '@'", "unix:/run/app.sock"),
        ("unix:/a\0b", "path is", "unix:/run/app.sock"),
        ("unix:/run/a=b", "option /run/a=b", "/run/a\\\\=b"),
        ("unix:/run/app.sock:mode=rw", "'rw'", "mode=660"),
        ("unix:/run/app.sock:mode=689", "'689'", "mode=660"),
        ("unix:/run/app.sock:mode=1777", "1023", "mode=660"),
        ("unix:@app:mode=660", "no mode", "unix:@app"),
        ("fd:", "descriptor is missing", "fd:3"),
        ("fd:x", "'x'", "fd:3"),
        ("fd:-1", "'-1'", "fd:3"),
        ("fd:4294967296", "4294967296", "fd:3"),
        ("::1:8000", "brackets", "[::1]:8000"),
        ("::1", "brackets", "[::1]:8000"),
        ("[::1]", "bad endpoint", "tcp:8000"),
        ("[::1]:", "port is missing", "127.0.0.1:8000"),
        ("[127.0.0.1]:80", "not an IPv6 address", "[::1]:8000"),
        ("127.0.0.300:80", "no IP address", "127.0.0.1"),
        ("http://localhost:8000", "URL", "127.0.0.1:8000"),
        ("/run/app.sock", "Unix socket", "unix:/run/app.sock"),
        ("./app.sock", "Unix socket", "unix:./app.sock"),
        ("localhost", "no port", "127.0.0.1:8000"),
        ("localhost:", "port is missing", "127.0.0.1:8000"),
        ("local host:80", "'local host'", "interface=127.0.0.1"),
    ],
)
def test_a_wrong_string_is_refused_with_what_is_wrong_and_a_right_one(text, says, shows):
    with pytest.raises(EndpointError) as caught:
        parse_endpoint(text)
    message = str(caught.value)
    assert message.startswith(f"bad endpoint {text!r}: ")
    assert says in message
    assert shows.replace("\\\\", "\\") in message


def test_an_endpoint_error_is_a_value_error_and_one_of_ours():
    assert issubclass(EndpointError, ValueError)
    assert issubclass(EndpointError, RopewalkError)


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (TCP(8000), "tcp:8000"),
        (TCP(8000, "::1"), "tcp6:8000:interface=[::1]"),
        (TCP(8000, "*"), "tcp:8000"),
        (TCP(1, family="tcp6", ipv6only=False, backlog=2), "tcp6:1:ipv6only=off:backlog=2"),
        (UNIX("/a:b=c\\", 0o60), r"unix:/a\:b\=c\\:mode=060"),
        (FD(3), "fd:3"),
    ],
)
def test_the_canonical_string(endpoint, text):
    assert str(endpoint) == text


@pytest.mark.parametrize(
    "make",
    [
        lambda: TCP(True),
        lambda: TCP("8000"),
        lambda: TCP(-1),
        lambda: TCP(80, "127.0.0.1", "tcp6"),
        lambda: TCP(80, ipv6only=False),
        lambda: TCP(80, family="udp"),
        lambda: TCP(80, backlog=-1),
        lambda: UNIX(""),
        lambda: UNIX("/a", 0o1777),
        lambda: UNIX("/a", backlog=0),
        lambda: FD(-1),
        lambda: FD("3"),
    ],
)
def test_an_endpoint_that_cannot_be_is_not_constructed(make):
    with pytest.raises(EndpointError):
        make()


def test_endpoints_are_values():
    assert len({TCP(1), TCP(1), UNIX("a"), UNIX("a"), FD(1), FD(1)}) == 3
    with pytest.raises(AttributeError):
        TCP(1).port = 2


BACKLOGS = st.none() | st.integers(1, 2**31 - 1)
PORTS = st.integers(0, 65535)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}(\.[a-z0-9]{1,5}){0,2}", fullmatch=True)
IPV4 = st.integers(0, 2**32 - 1).map(lambda number: str(ipaddress.IPv4Address(number)))
IPV6 = st.integers(0, 2**128 - 1).map(lambda number: str(ipaddress.IPv6Address(number)))
ENDPOINTS = st.one_of(
    st.builds(TCP, PORTS, st.just("") | NAMES | IPV4 | IPV6, backlog=BACKLOGS),
    st.builds(
        TCP, PORTS, st.just("") | NAMES | IPV6, st.just("tcp6"), ipv6only=st.booleans(), backlog=BACKLOGS
    ),
    st.builds(
        UNIX,
        st.text(st.characters(exclude_characters="\0"), min_size=1).filter(lambda path: path[0] != "@"),
        st.none() | st.integers(0, 0o777),
        BACKLOGS,
    ),
    st.builds(UNIX, st.text(st.sampled_from("ab:=\\[]@/"), min_size=1).map("@".__add__), backlog=BACKLOGS),
    st.builds(FD, st.integers(0, 2**31 - 1), BACKLOGS),
)


@settings(max_examples=50)
@given(ENDPOINTS)
def test_every_endpoint_reads_back_equal_from_its_string(endpoint):
    assert parse_endpoint(str(endpoint)) == endpoint


@settings(max_examples=50)
@given(st.text(st.sampled_from("tcpunixfd6:=[]\\*./@0129- é\0")) | st.text())
def test_any_string_gives_an_endpoint_or_an_endpoint_error(text):
    try:
        endpoint = parse_endpoint(text)
    except EndpointError:
        return
    assert parse_endpoint(str(endpoint)) == endpoint
