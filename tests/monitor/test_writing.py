"""What is written, and when it leaves."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.testing import StringTransport

from txqmp.monitor.framing import BoundedLineReceiver
from txqmp.monitor.writing import is_plain, write_at_once


class Reactor:
    """Knows who wants to write."""

    def __init__(self) -> None:
        self.writers: list[Any] = []

    def addWriter(self, writer: Any) -> None:
        self.writers.append(writer)

    def removeWriter(self, writer: Any) -> None:
        self.writers = [each for each in self.writers if each is not writer]


class Socket(FileDescriptor):
    """A socket of Twisted's kind; ``takes`` is how much it sends at a time."""

    disconnecting = False

    def __init__(self) -> None:
        super().__init__(Reactor())  # type: ignore[arg-type]
        self.connected = 1
        self.takes = 1000
        self.sent: list[bytes] = []

    def writeSomeData(self, data: bytes) -> Any:
        if self.takes < 0:
            return CONNECTION_LOST
        taken = bytes(data)[: self.takes]
        if taken:
            self.sent.append(taken)
        return len(taken)

    def later(self) -> None:
        """The reactor's next turn."""
        for writer in list(self.reactor.writers):  # type: ignore[attr-defined]
            writer.doWrite()


class Echo(BoundedLineReceiver):
    """Answers each line twice; ``go`` ends the connection."""

    def lineReceived(self, line: bytes) -> None:
        self.sendLine(b"one " + line)
        self.sendLine(b"two " + line)
        if line == b"go":
            self.flush()
            self.transport.loseConnection()  # type: ignore[union-attr]


@pytest.fixture
def socket() -> Socket:
    return Socket()


@pytest.fixture
def echo(socket: Socket) -> Echo:
    protocol = Echo()
    protocol.makeConnection(socket)  # type: ignore[arg-type]
    return protocol


def test_a_socket_is_plain_and_a_test_transport_is_not(socket: Socket) -> None:
    assert is_plain(socket)
    assert not is_plain(StringTransport())


def test_what_is_written_while_something_arrives_leaves_as_one(echo: Echo, socket: Socket) -> None:
    echo.dataReceived(b"a\r\nb\r\n")
    assert socket.sent == [b"one a\r\ntwo a\r\none b\r\ntwo b\r\n"]


def test_it_leaves_though_a_line_could_not_be_read(echo: Echo, socket: Socket) -> None:
    echo.lineReceived = lambda line: (echo.write(b"x"), 1 / 0)  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        echo.dataReceived(b"a\r\n")
    assert socket.sent == [b"x"]


def test_of_many_writes_in_a_row_the_first_goes_ahead(echo: Echo, socket: Socket) -> None:
    for data in (b"1", b"2", b"3"):
        echo.write(data)
    assert socket.sent == [b"1"]
    socket.later()
    assert socket.sent == [b"1", b"23"]


def test_after_something_came_the_next_write_goes_ahead_again(echo: Echo, socket: Socket) -> None:
    echo.write(b"1")
    echo.dataReceived(b"")
    echo.write(b"2")
    assert socket.sent == [b"1", b"2"]


def test_what_does_not_fit_follows_in_order(echo: Echo, socket: Socket) -> None:
    socket.takes = 4
    echo.dataReceived(b"a\r\n")
    echo.write(b"more")
    while socket.reactor.writers:  # type: ignore[attr-defined]
        socket.later()
    assert b"".join(socket.sent) == b"one a\r\ntwo a\r\nmore"


def test_a_socket_that_takes_nothing_gets_it_later(socket: Socket) -> None:
    socket.takes = 0
    write_at_once(socket, b"abc")
    assert socket.sent == []
    socket.takes = 1000
    socket.later()
    assert socket.sent == [b"abc"]


def test_nothing_overtakes_what_waits(socket: Socket) -> None:
    socket.write(b"first ")
    write_at_once(socket, b"second")
    socket.later()
    assert socket.sent == [b"first second"]


def test_a_lost_connection_is_found_out_by_the_reactor(socket: Socket) -> None:
    socket.takes = -1
    write_at_once(socket, b"abc")
    assert socket.doWrite() is CONNECTION_LOST


def test_what_is_encrypted_is_not_sent_as_it_is(socket: Socket) -> None:
    written: list[bytes] = []
    socket.TLS = True  # type: ignore[attr-defined]
    socket.write = written.append  # type: ignore[method-assign]
    write_at_once(socket, b"secret")
    assert (written, socket.sent) == ([b"secret"], [])


def test_a_socket_that_is_closed_gets_nothing(socket: Socket) -> None:
    socket.connected = 0
    write_at_once(socket, b"abc")
    assert socket.sent == []


def test_more_than_can_be_gathered_leaves_before_the_end(echo: Echo, socket: Socket) -> None:
    socket.takes = 10**6
    sizes: list[int] = []

    def answer(line: bytes) -> None:
        for _ in range(20):
            echo.write(b"x" * 1000)
        sizes.append(sum(map(len, socket.sent)))

    echo.lineReceived = answer  # type: ignore[method-assign]
    echo.dataReceived(b"a\r\n")
    assert sizes == [17_000]
    assert sum(map(len, socket.sent)) == 20_000
