"""
The last words of a peer that is gone: they are read although nothing can be written to it any more.

To Twisted a connection is lost when a write fails, or when the kernel tells of its end while it is
not read from, and what the peer had said before is lost with it.
"""

from __future__ import annotations

from socket import MSG_PEEK
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.python.failure import Failure


class LastWords:
    """
    Hears a peer out: its connection is lost once it was read to its end.

    :ivar gone: nothing can be written any more; what was to be is dropped.
    :param transport: a socket of Twisted's own.
    """

    def __init__(self, transport: Any) -> None:
        self.gone = False
        self._transport = transport
        self._at_end = False
        self._write = transport.writeSomeData
        self._lose = transport.connectionLost
        transport.writeSomeData = self._write_or_drop
        transport.connectionLost = self._lost

    def read(self) -> None:
        """It was read to its end: from now on a connection that is lost is lost."""
        self._at_end = True

    def _write_or_drop(self, data: bytes) -> Any:
        sent = self._write(data)
        if isinstance(sent, int) or self._at_end:
            return sent
        # As if it were sent: there is nobody to read it.
        self.gone = True
        return len(data)

    def _lost(self, reason: Failure) -> None:
        transport = self._transport
        # What we have ended ourselves nobody reads any more.
        ours = transport.disconnecting or reason.check(ConnectionAborted)
        if ours or not reason.check(ConnectionLost) or not self._has_unread():
            self._lose(reason)
            return
        self.gone = True
        transport.dataBuffer, transport.offset = b"", 0
        transport._tempDataBuffer, transport._tempDataLen = [], 0
        if transport.producer is not None and transport.producerPaused:
            transport.producerPaused = False
            transport.producer.resumeProducing()

    def _has_unread(self) -> bool:
        try:
            return bool(self._transport.socket.recv(1, MSG_PEEK))
        except OSError:
            return False
