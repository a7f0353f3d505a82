"""Descriptors over UNIX sockets: read at their place, sent at their place, closed here."""

from __future__ import annotations

import errno
import os
import socket
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from txqmp.monitor.writing import write_at_once
from txqmp.proxy.descriptors import (
    MAX_WAITING,
    DescriptorSender,
    carries_descriptors,
    read_in_place,
)

RIGHTS = (socket.SOL_SOCKET, socket.SCM_RIGHTS)


def identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


class End(Protocol):
    """What the reactor's end of a pair of sockets hears: bytes, and descriptors between them."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @property
    def wire(self) -> Any:
        return self.transport

    def take(self, descriptors: list[int]) -> None:
        self.heard.append([identity(d) for d in descriptors])
        for descriptor in descriptors:
            assert not os.get_inheritable(descriptor)
            os.close(descriptor)

    def dataReceived(self, data: bytes) -> None:
        if self.heard and isinstance(self.heard[-1], bytes):
            self.heard[-1] += data
        else:
            self.heard.append(data)


class Pair:
    """A socket of the test's, blocking, and one that the reactor has."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.end = End()
        factory = Factory.forProtocol(lambda: self.end)
        factory.noisy = False
        with theirs:
            reactor.adoptStreamConnection(theirs.fileno(), socket.AF_UNIX, factory)

    def sends(self, data: bytes, *files: int) -> None:
        self.ours.sendmsg([data], [(*RIGHTS, array("i", files))] if files else [])

    def takes(self, size: int) -> tuple[bytes, list[tuple[int, int]]]:
        """Up to so many bytes, and what descriptors came with them."""
        data, control, _, _ = self.ours.recvmsg(size, socket.CMSG_SPACE(4 * MAX_WAITING))
        files = [file for _, _, ancillary in control for file in array("i", ancillary)]
        found = [identity(file) for file in files]
        for file in files:
            os.close(file)
        return data, found

    async def turn(self, times: int = 5) -> None:
        for _ in range(times):
            await deferLater(self._reactor, 0)

    async def close(self) -> None:
        self.ours.close()
        self.end.wire.abortConnection()
        await self.turn()


@pytest_twisted.async_yield_fixture
async def pair(running_reactor: Any) -> Any:
    pair = Pair(running_reactor)
    yield pair
    await pair.close()


@pytest.fixture
def files() -> Iterator[list[int]]:
    opened = [os.memfd_create(f"file {number}") for number in range(4)]
    yield opened
    for file in opened:
        os.close(file)


class TestReading:
    async def test_with_the_byte_that_it_came_with(self, pair: Pair, files: list[int]) -> None:
        one, two, three, _ = files
        read_in_place(pair.end.wire, pair.end.take)
        pair.sends(b"before ")
        pair.sends(b"with one", one)
        pair.sends(b" between ")
        pair.sends(b"with two", two, three)
        pair.sends(b" after")
        await pair.turn(12)
        assert pair.end.heard == [
            b"before ",
            [identity(one)],
            b"with one between ",
            [identity(two), identity(three)],
            b"with two after",
        ]

    async def test_behind_much_it_comes_early_and_not_late(
        self, pair: Pair, files: list[int]
    ) -> None:
        read_in_place(pair.end.wire, pair.end.take)
        pair.sends(b"x" * 30_000)
        pair.sends(b"with", files[0])
        await pair.turn(8)
        descriptors, data = pair.end.heard
        assert descriptors == [identity(files[0])]
        assert data == b"x" * 30_000 + b"with"

    async def test_what_the_protocol_hung_up_on_is_closed(
        self, pair: Pair, files: list[int]
    ) -> None:
        read_in_place(pair.end.wire, pair.end.take)
        end = pair.end

        def hang_up(data: bytes) -> None:
            end.heard.append(data)
            end.wire.connectionLost(Failure(ConnectionLost()))

        end.dataReceived = hang_up  # type: ignore[method-assign]
        pair.sends(b"enough")
        pair.sends(b"!", files[0])
        before = set(Path("/proc/self/fd").iterdir())
        await pair.turn()
        assert end.heard == [b"enough"]
        assert not set(Path("/proc/self/fd").iterdir()) - before

    async def test_the_end(self, pair: Pair) -> None:
        read_in_place(pair.end.wire, pair.end.take)
        pair.sends(b"last words")
        pair.ours.close()
        await pair.turn()
        assert pair.end.heard == [b"last words"]
        assert not pair.end.wire.connected

    async def test_too_many_open_files_are_told_of(
        self, pair: Pair, files: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # One descriptor of two has room.
        monkeypatch.setattr("txqmp.proxy.descriptors._CONTROL", socket.CMSG_LEN(4))
        read_in_place(pair.end.wire, pair.end.take)
        with capturedLogs() as logged:
            pair.sends(b"two", files[0], files[1])
            await pair.turn()
        assert pair.end.heard == [[identity(files[0])], b"two"]
        assert ["RLIMIT_NOFILE" in entry["log_format"] for entry in logged] == [True]


class TestSending:
    async def test_at_once(self, pair: Pair, files: list[int]) -> None:
        sender = DescriptorSender(pair.end.wire)
        copy = os.dup(files[0])
        assert sender.send([copy])
        write_at_once(pair.end.wire, b"getfd")
        assert pair.takes(100) == (b"getfd", [identity(files[0])])
        assert not is_open(copy)

    async def test_after_what_waits(self, pair: Pair, files: list[int]) -> None:
        wire = pair.end.wire
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        before = wire.writeSomeData
        sender = DescriptorSender(wire)
        script = [(b"a" * 50_000, []), (b"b" * 3, files[:2]), (b"c" * 9_000, []), (b"d", files[2:])]
        for data, group in script:
            if group:
                assert sender.send([os.dup(file) for file in group])
            write_at_once(wire, data)
        heard, places = b"", {}
        while len(heard) < 59_004:
            await pair.turn(1)
            data, found = pair.takes(1)
            if found:
                places[len(heard)] = found
            heard += data
        assert heard == b"".join(data for data, _ in script)
        assert places == {
            50_000: [identity(file) for file in files[:2]],
            59_003: [identity(file) for file in files[2:]],
        }
        # From here on the transport is as it was.
        assert wire.writeSomeData == before

    async def test_too_many_that_wait_are_refused_and_closed(
        self, pair: Pair, files: list[int]
    ) -> None:
        sender = DescriptorSender(pair.end.wire)
        waiting = [os.dup(files[0]) for _ in range(MAX_WAITING)]
        assert sender.send(waiting)
        one_more = os.dup(files[0])
        assert not sender.send([one_more])
        assert not is_open(one_more)
        assert is_open(waiting[0])
        sender.close()
        assert not any(map(is_open, waiting))

    @pytest.mark.parametrize("reason", [errno.EAGAIN, errno.ENOBUFS])
    async def test_a_socket_that_takes_nothing_now(
        self, pair: Pair, files: list[int], reason: int
    ) -> None:
        wire = pair.end.wire
        sender = DescriptorSender(wire)
        real, refusals = wire.socket, iter([reason])
        wire.socket = Refusing(real, refusals)
        sender.send([os.dup(files[0])])
        write_at_once(wire, b"getfd")
        await pair.turn()
        assert pair.takes(100) == (b"getfd", [identity(files[0])])
        wire.socket = real

    async def test_too_many_on_their_way_are_lost_and_the_bytes_are_not(
        self, pair: Pair, files: list[int]
    ) -> None:
        wire = pair.end.wire
        sender = DescriptorSender(wire)
        real = wire.socket
        wire.socket = Refusing(real, iter([errno.ETOOMANYREFS]))
        copy = os.dup(files[0])
        sender.send([copy])
        with capturedLogs() as logged:
            write_at_once(wire, b"getfd")
            await pair.turn()
        assert pair.takes(100) == (b"getfd", [])
        assert not is_open(copy)
        assert ["lost" in entry["log_format"] for entry in logged] == [True]
        wire.socket = real


class Refusing:
    """A socket whose ``sendmsg`` fails for given reasons first."""

    def __init__(self, real: socket.socket, reasons: Iterator[int]) -> None:
        self._real = real
        self._reasons = reasons

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def sendmsg(self, *arguments: Any) -> int:
        for reason in self._reasons:
            raise OSError(reason, os.strerror(reason))
        return self._real.sendmsg(*arguments)


async def test_which_transports_carry_them(pair: Pair, running_reactor: Any) -> None:
    assert carries_descriptors(pair.end.wire)
    assert not carries_descriptors(StringTransport())
    with socket.socket(socket.AF_INET) as port:
        port.bind(("127.0.0.1", 0))
        port.listen()
        with socket.create_connection(port.getsockname()) as client:
            client.setblocking(False)
            end = End()
            factory = Factory.forProtocol(lambda: end)
            factory.noisy = False
            running_reactor.adoptStreamConnection(client.fileno(), socket.AF_INET, factory)
            assert not carries_descriptors(end.wire)
            end.wire.abortConnection()
            await pair.turn()
