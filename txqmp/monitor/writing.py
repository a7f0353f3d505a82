"""
Bytes to a transport, sooner than Twisted would by itself.

A transport sends what is written to it a turn of the reactor later, two system calls more. Here
what is written while something is being received is gathered and leaves as one; and where
nothing waits before it, it is sent at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.abstract import FileDescriptor

_GATHERED = 16 * 1024 - 1
"""Bytes gathered at most: beyond, the transport's own flow control must see them."""


def is_plain(transport: Any) -> bool:
    """Whether a transport is a socket of Twisted's own, whose buffers can be seen."""
    return isinstance(transport, FileDescriptor) and hasattr(transport, "_tempDataBuffer")


def write_at_once(transport: Any, data: bytes) -> None:
    """
    Send what a socket can take, if nothing waits to be sent before; write it otherwise.

    :param transport: is plain.
    """
    if (
        transport._tempDataBuffer
        or transport.dataBuffer
        or transport._writeDisconnected
        or not transport.connected
        or getattr(transport, "TLS", False)
    ):
        transport.write(data)
        return
    sent = transport.writeSomeData(data)
    if sent.__class__ is not int:
        # The connection is lost, which the reactor finds out by itself.
        transport.write(data)
    elif sent < len(data):
        transport.write(data[sent:])


def writer_at_once(transport: Any) -> Callable[[bytes], object]:
    """Say how to write to a transport so that it is sent at once, if that can be."""
    if is_plain(transport):
        return partial(write_at_once, transport)
    # One that wraps another may know how to.
    if hasattr(transport, "write_at_once"):
        return lambda data: transport.write_at_once(data)
    return lambda data: transport.write(data)


class GatheringWriter:
    """
    Writes for a protocol: ``_busyReceiving`` says that something is being received.

    Whoever sets it calls :meth:`flush` at the end.
    """

    transport: Any
    _busyReceiving: bool

    # Of the class while nothing was written: a server may have thousands of idle connections.
    _gathered_size = 0
    _alone = True
    _send_now: Callable[[bytes], object] | None = None

    def __init__(self) -> None:
        self._gathered: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Write: by the end of the turn, if anything is being received, and at once otherwise."""
        if self._busyReceiving:
            self._gathered.append(data)
            self._gathered_size += len(data)
            if self._gathered_size > _GATHERED:
                self.flush()
        elif self._alone:
            # Of many writes in a row one goes ahead; the transport gathers the others.
            self._alone = False
            self._put_out(data)
        else:
            self.transport.write(data)

    def flush(self) -> None:
        """Send what was gathered."""
        if not self._alone:
            self._alone = True
        if self._gathered:
            data = self._gathered[0] if len(self._gathered) == 1 else b"".join(self._gathered)
            self._gathered.clear()
            self._gathered_size = 0
            self._put_out(data)

    def _put_out(self, data: bytes) -> None:
        if self._send_now is None:
            self._send_now = writer_at_once(self.transport)
        self._send_now(data)
