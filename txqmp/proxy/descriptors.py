"""
File descriptors between UNIX sockets, at their place among the bytes (``SCM_RIGHTS``, unix(7)).

A monitor takes a descriptor with the command it belongs to (``getfd``, ``add-fd``), and one that
comes before the last was used replaces it: where it stands in the stream matters. Twisted's own
transports do not say with which byte a descriptor came, and send it before what is buffered.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from errno import EAGAIN, EINTR, ENOBUFS, ETOOMANYREFS
from functools import partial
from socket import (
    AF_UNIX,
    CMSG_SPACE,
    MSG_CMSG_CLOEXEC,
    MSG_CTRUNC,
    MSG_PEEK,
    SCM_RIGHTS,
    SOL_SOCKET,
)
from typing import Any

from twisted.internet.main import CONNECTION_LOST
from twisted.logger import Logger

from txqmp.monitor.writing import is_plain

_log = Logger()

MAX_WAITING = 253
"""Descriptors that wait to be sent in one direction, at most: as many as one message may carry."""

_CONTROL = CMSG_SPACE(4 * MAX_WAITING)
_LOOKED_AT = bytearray(64 * 1024)
"""Where bytes are peeked into; nobody reads it."""
_CLOSELY = 16 * 1024
"""Bytes read one by one at most, to find the one with which a descriptor came."""
_LATER = (EAGAIN, EINTR, ENOBUFS)


def carries_descriptors(transport: Any) -> bool:
    """Whether a transport is a UNIX socket of Twisted's own."""
    return is_plain(transport) and transport.socket.family == AF_UNIX


def close_all(descriptors: Iterable[int]) -> None:
    """Close descriptors that were received and are passed on no further."""
    for descriptor in descriptors:
        os.close(descriptor)


def read_in_place(transport: Any, take: Callable[[list[int]], object]) -> None:
    """
    Have descriptors that come over a UNIX socket handed out at their place.

    :param transport: carries descriptors.
    :param take: gets them, just before the protocol gets the byte that they came with, first of
        its chunk.
    """
    # As abortConnection does: a transport's own doRead is for the reactor alone to call.
    transport.doRead = partial(_read, transport, take)


def _read(transport: Any, take: Callable[[list[int]], object]) -> Any:
    wire = transport.socket
    try:
        # Without room for them a flag tells of descriptors, be it that they come a little later.
        size, _, flags, _ = wire.recvmsg_into([_LOOKED_AT], 0, MSG_PEEK)
        if not flags & MSG_CTRUNC:
            return transport._dataReceived(wire.recv(size))
        before, descriptors, data = _read_closely(wire, size)
    except OSError as error:
        return None if error.errno in _LATER else CONNECTION_LOST
    if before:
        transport._dataReceived(before)
    if not descriptors:
        return None
    if not transport.connected:
        close_all(descriptors)
        return None
    take(descriptors)
    return transport._dataReceived(data)


def _read_closely(wire: Any, size: int) -> tuple[bytes, list[int], bytes]:
    """
    Read up to the byte with which the next descriptors come, and that.

    :returns: what comes before it, the descriptors, and the byte; neither of these if a
        descriptor is not there yet.
    """
    before: list[bytes] = []
    step = 1 if size <= _CLOSELY else size
    while len(before) < size:
        try:
            data, control, flags, _ = wire.recvmsg(step, _CONTROL, MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            break
        if flags & MSG_CTRUNC:
            _log.error("descriptors were lost: no more files may be open (RLIMIT_NOFILE)")
        descriptors = _unpacked(control)
        if descriptors:
            return b"".join(before), descriptors, data
        before.append(data)
        if not data or flags & MSG_CTRUNC:
            break
    return b"".join(before), [], b""


def _unpacked(control: Sequence[tuple[int, int, bytes]]) -> list[int]:
    descriptors = array("i")
    for level, kind, data in control:
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return list(descriptors)


class DescriptorSender:
    """
    Sends descriptors over a UNIX socket, each group with the byte that is written next, after
    what waits to be written.

    Each is closed here once it was sent, or cannot be.

    :param transport: carries descriptors.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._waiting: deque[tuple[int, list[int]]] = deque()
        self._sent = 0
        self._send_plainly = transport.writeSomeData

    def send(self, descriptors: list[int]) -> bool:
        """
        Send some with the next byte that is written.

        :returns: False if too many wait already; then they are closed.
        """
        if sum(len(others) for _, others in self._waiting) + len(descriptors) > MAX_WAITING:
            close_all(descriptors)
            return False
        transport = self._transport
        if not self._waiting:
            self._sent = 0
            transport.writeSomeData = self._write_some
        buffered = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
        self._waiting.append((self._sent + buffered, descriptors))
        return True

    def close(self) -> None:
        """Close those that were not sent; the connection is lost."""
        while self._waiting:
            close_all(self._waiting.popleft()[1])

    def _write_some(self, data: bytes) -> Any:
        """Send as much as goes, up to the next descriptors or from them to those after."""
        position, descriptors = self._waiting[0]
        before = position - self._sent
        if before:
            sent = self._send_plainly(memoryview(data)[:before])
        elif len(data):
            end = self._waiting[1][0] - self._sent if len(self._waiting) > 1 else len(data)
            sent = self._send_with(memoryview(data)[:end], descriptors)
        else:
            return 0
        if sent.__class__ is int:
            self._sent += sent
        return sent

    def _send_with(self, data: memoryview, descriptors: list[int]) -> Any:
        transport = self._transport
        control = [(SOL_SOCKET, SCM_RIGHTS, array("i", descriptors))]
        sent: Any = 0
        try:
            sent = transport.socket.sendmsg([data[: transport.SEND_LIMIT]], control)
        except OSError as error:
            if error.errno in _LATER:
                return 0
            if error.errno == ETOOMANYREFS:
                _log.error("descriptors were lost: too many of this user's are on their way")
            else:
                # It is for those who write without descriptors to say what becomes of that.
                sent = self._send_plainly(data)
        self._waiting.popleft()
        close_all(descriptors)
        if not self._waiting:
            transport.writeSomeData = self._send_plainly
        return sent
