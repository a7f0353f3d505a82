"""Who a client is, as far as its connection tells."""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from txqmp.proxy.peer import describe_peer, identify_peer


class Connected:
    """A transport with these addresses, on one of a pair of sockets."""

    def __init__(self, peer: Any, host: Any, handle: Any) -> None:
        self.getPeer = lambda: peer
        self.getHost = lambda: host
        self.getHandle = lambda: handle


class Handle:
    """A socket whose peer is another."""

    def __init__(self, pid: int, uid: int, gid: int) -> None:
        self._credentials = struct.pack("iII", pid, uid, gid)

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
        return self._credentials[:size]


def unix(peer: str | None, host: str | None, handle: Any = None) -> dict[str, Any]:
    return describe_peer(Connected(UNIXAddress(peer), UNIXAddress(host), handle))


@pytest.mark.parametrize(
    "address", [IPv4Address("TCP", "10.0.0.1", 4444), IPv6Address("TCP", "::1", 4444)]
)
def test_over_tcp_an_address_and_a_port(address: Any) -> None:
    assert describe_peer(Connected(address, None, None)) == {"address": address.host, "port": 4444}


def test_over_a_unix_socket_its_path_and_the_user() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        described = unix(None, "/run/p.sock", ours)
    program = described.pop("program")
    assert described == {
        "path": "/run/p.sock", "uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid(),
    }  # fmt: skip
    assert program


def test_a_client_with_a_name_of_its_own_is_called_by_it() -> None:
    assert unix("/run/client.sock", "/run/p.sock") == {"path": "/run/client.sock"}


def test_a_name_need_not_be_text() -> None:
    address = UNIXAddress(b"/run/\xff")
    assert describe_peer(Connected(address, None, None)) == {"path": "/run/\\xff"}


def test_where_the_system_does_not_tell_there_is_the_path_alone() -> None:
    assert unix(None, "/run/p.sock", None) == {"path": "/run/p.sock"}


def test_a_great_number_of_a_user_is_not_negative() -> None:
    described = unix(None, "/p", Handle(pid=0, uid=0xFFFF_FFF0, gid=0xFFFF_FFF1))
    assert (described["uid"], described["gid"]) == (0xFFFF_FFF0, 0xFFFF_FFF1)


def test_a_client_that_is_gone_has_no_program() -> None:
    assert "program" not in unix(None, "/p", Handle(pid=0, uid=1, gid=1))


def test_another_kind_of_address_is_shown_as_it_is() -> None:
    assert describe_peer(Connected("a process", None, None)) == {"address": "a process"}


class Certificate:
    """What a certificate of pyOpenSSL's tells."""

    def __init__(self, *components: tuple[bytes, bytes]) -> None:
        self._components = list(components)

    def get_subject(self) -> Certificate:
        return self

    def get_components(self) -> list[tuple[bytes, bytes]]:
        return self._components


def test_a_policy_wants_to_know_the_executable() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = Connected(UNIXAddress(None), UNIXAddress("/p"), ours)
        assert identify_peer(transport) == {
            **describe_peer(transport),
            "executable": str(Path(sys.executable).resolve()),
        }


def test_a_client_that_is_gone_has_no_executable() -> None:
    transport = Connected(UNIXAddress(None), UNIXAddress("/p"), Handle(pid=0, uid=1, gid=1))
    assert "executable" not in identify_peer(transport)


def test_a_policy_wants_to_know_the_certificate() -> None:
    transport: Any = Connected(IPv4Address("TCP", "10.0.0.1", 4444), None, None)
    transport.getPeerCertificate = lambda: Certificate((b"CN", b"ann,O=x"), (b"O", b"\xc3\xa9\\"))
    assert identify_peer(transport) == {
        "address": "10.0.0.1",
        "port": 4444,
        "certificate": "CN=ann\\,O\\=x,O=é\\\\",
    }
    transport.getPeerCertificate = lambda: None
    assert identify_peer(transport) == {"address": "10.0.0.1", "port": 4444}
