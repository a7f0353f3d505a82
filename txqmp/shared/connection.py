"""The connection that many clients' commands go over: replies are kept as they came."""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IUNIXTransport

from txqmp.jsonqmp import grammar
from txqmp.jsonqmp.client import JSONClient
from txqmp.jsonqmp.grammar import ServerMessage, Success
from txqmp.monitor.pending import Pending
from txqmp.shared.asked import Asked
from txqmp.text.client import TextClient


class Answer(NamedTuple):
    """
    What a monitor that speaks JSON has said to a command.

    :ivar raw: as it came, with an id of ours.
    :ivar message: what it says.
    """

    raw: bytes
    message: grammar.Completion


class SharedJSONClient(JSONClient):
    """
    A connection to a monitor that speaks JSON.

    :ivar raw: the message that came last, as it came.
    :ivar raw_greeting: the first.
    """

    raw = b""
    raw_greeting = b""

    def submit(self, asked: Asked) -> tuple[int, Deferred[Any]]:
        """
        Send a command.

        :returns: its id, and what fires with the :class:`Answer`.
        """
        self._number += 1
        assert isinstance(asked.data, bytes)
        data = b'%b,"id":%d}' % (asked.data[:-1], self._number)
        # One that is over has no socket any more; what is submitted fails below.
        over = self._over is not None
        if asked.descriptors and not over and IUNIXTransport.providedBy(self.transport):
            # It travels with the next byte that is written; QEMU takes the first of several.
            self.flush()
            self.transport.sendFileDescriptor(asked.descriptors[0])
        return self._number, self._enqueue(asked.name, None, data, self._number, urgent=True)

    def _read(self, raw: bytes) -> ServerMessage:
        self.raw = raw
        self.raw_greeting = self.raw_greeting or raw
        return super()._read(raw)

    def _settle(self, pending: Pending, message: grammar.Completion) -> None:
        pending.succeed(Answer(self.raw, message))

    def _ends_well(self, pending: Pending) -> Answer | None:
        value = super()._ends_well(pending)
        if value is None:
            return None
        raw = grammar.write_success(value, pending.number)
        return Answer(raw, Success(value, pending.number))


class SharedTextClient(TextClient):
    """A connection to a monitor that speaks the text protocol."""

    _place = 0

    def submit(self, asked: Asked) -> tuple[int, Deferred[Any]]:
        """
        Send a command.

        :returns: its place on the connection, and what fires with the reply.
        """
        self._place += 1
        assert isinstance(asked.data, str)
        return self._place, self.execute_line(asked.data)
