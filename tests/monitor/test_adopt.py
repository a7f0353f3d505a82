"""Sockets that somebody else has made."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ConnectError, NoProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock

from tests.wires import Raw, Sockets
from txqmp.monitor.adopt import adopt_connection, adopt_port


def factory(protocol: Any) -> Factory:
    made = Factory.forProtocol(protocol)
    made.noisy = False
    return made


class Refusing(Factory):
    """Has no protocol for anybody."""

    def buildProtocol(self, addr: Any) -> None:
        return None


class TestConnection:
    async def test_its_protocol_is_connected(self, running_reactor: Any) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            protocol: Any = adopt_connection(running_reactor, theirs, factory(Raw))
            protocol.transport.write(b"hello\n")
            protocol.transport.loseConnection()
            await protocol.when_lost()
            assert ours.recv(100) == b"hello\n"

    async def test_one_that_was_never_connected(self, running_reactor: Any) -> None:
        with socket.socket(socket.AF_UNIX) as lonely, pytest.raises(ConnectError):
            adopt_connection(running_reactor, lonely, factory(Raw))

    async def test_a_factory_that_has_none(self, running_reactor: Any) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, pytest.raises(NoProtocol):
            adopt_connection(running_reactor, theirs, Refusing())

    async def test_a_factory_that_raises(self, running_reactor: Any) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, pytest.raises(ZeroDivisionError):
            adopt_connection(running_reactor, theirs, factory(lambda: 1 // 0))

    def test_a_reactor_that_cannot(self) -> None:
        with socket.socket() as any_socket, pytest.raises(ConnectError, match="cannot adopt"):
            adopt_connection(Clock(), any_socket, factory(Raw))


class TestPort:
    async def test_a_unix_socket_keeps_its_name_and_mode(
        self, running_reactor: Any, short_path: Path
    ) -> None:
        path = short_path / "m.sock"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            path.chmod(0o600)
            listening.listen()
            port = adopt_port(running_reactor, listening, factory(Protocol))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert port.getHost().name == bytes(path)  # type: ignore[attr-defined]
        await port.stopListening()
        assert path.is_socket()

    async def test_one_whose_name_is_another_by_now(
        self, running_reactor: Any, short_path: Path
    ) -> None:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(short_path / "first"))
            listening.listen()
            (short_path / "first").rename(short_path / "m.sock")
            port = adopt_port(running_reactor, listening, factory(Raw))
        sockets = Sockets(running_reactor, "unix", short_path)
        client = await sockets.raw()
        transport: Any = client.transport
        transport.loseConnection()
        await port.stopListening()
        await client.when_lost()
