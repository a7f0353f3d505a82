"""When a peer that is gone is heard out, and when nobody would hear it."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from txqmp.proxy.lastwords import LastWords


class Socket:
    """One with something in it that was not read."""

    def __init__(self, unread: bytes) -> None:
        self._unread = unread

    def recv(self, size: int, flags: int) -> bytes:
        return self._unread[:size]


class Wire:
    """As much of a transport as it takes."""

    disconnecting = False
    producer = None
    producerPaused = False

    def __init__(self, unread: bytes = b"x") -> None:
        self.socket = Socket(unread)
        self.lost: list[Any] = []

    def writeSomeData(self, data: bytes) -> Any:
        return ConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason.type)


def test_who_has_said_something_yet_is_heard_out() -> None:
    wire = Wire()
    words = LastWords(wire)
    wire.connectionLost(Failure(ConnectionLost()))
    assert wire.lost == []
    assert words.gone
    assert wire.writeSomeData(b"123") == 3
    wire.connectionLost(Failure(ConnectionDone()))
    assert wire.lost == [ConnectionDone]


def test_who_has_said_all_is_lost() -> None:
    wire = Wire(unread=b"")
    LastWords(wire)
    wire.connectionLost(Failure(ConnectionLost()))
    assert wire.lost == [ConnectionLost]


@pytest.mark.parametrize("error", [ConnectionLost, ConnectionAborted])
def test_whom_we_have_left_nobody_reads_any_more(error: type[Exception]) -> None:
    """The connection would never end, and the proxy with it."""
    wire = Wire()
    LastWords(wire)
    wire.disconnecting = error is ConnectionLost
    wire.connectionLost(Failure(error()))
    assert wire.lost == [error]
