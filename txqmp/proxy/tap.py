"""A copy of a conversation, decoded, into the journal, after the bytes are on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import monotonic, time
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from txqmp.journal.record import Direction, Entry, Kind, Record, Run, iso_time
from txqmp.proxy.decode import (
    UNHEARD,
    Decoder,
    JSONDecoder,
    Message,
    Slot,
    UnknownDecoder,
    decoder_for,
)
from txqmp.proxy.hearing import ITap

HOLD = 0.002
"""Seconds to wait for more before decoding: a good choice for a reactor that is not a test's."""

_ENOUGH = 64 * 1024
"""Bytes that are decoded without waiting for more."""

_NOT_DECODED = "not decoded: recorded as it came"


@implementer(ITap)
class Tap:
    """
    Journals one conversation.

    What it hears is stamped at once and decoded later, never before the next turn of the
    reactor: by then it has been sent. What was heard until then is decoded with it, in one go.

    Where nothing is decoded each read becomes a record as it is, ``undecoded``: nothing says
    which dialect it was, what a command was or which reply is whose. It is for conversations too
    big to be read, and **next to nothing is redacted**: a read that holds a word like *password*
    is hidden as a whole, but the secret itself may stand in the next one.

    :param record: takes records, in order, and many lines of command data as one
        :class:`~txqmp.journal.record.Run`; must not raise.
    :param clock: puts the decoding off.
    :param monitor: the monitor's name.
    :param connection: the conversation's number.
    :param peer: who the client is.
    :param upstream: where the monitor is.
    :param link: gives each command the number, if any, that it shares with those it led to or
        was led to by; its replies get it too.
    :param about: says more of a command of such a number, for the record of its completion.
    :param hold: seconds to wait for more before what was heard is decoded; it is not waited
        for more than 64 KiB. A turn of the reactor for each read costs more than to decode it.
        Records of several taps that hold are in their order no more, if ever so little: not for
        a gateway, whose readers follow a command from one connection to the other.
    :param decode: False to record what was heard as it came.
    :param agent: the monitor is a guest agent: it speaks JSON, and does not greet.
    """

    def __init__(
        self,
        record: Callable[[list[Entry]], None],
        clock: IReactorTime,
        *,
        monitor: str,
        connection: int,
        peer: dict[str, Any],
        upstream: str,
        link: Callable[[Slot], int | None] | None = None,
        about: Callable[[int], dict[str, Any]] | None = None,
        hold: float = 0.0,
        decode: bool = True,
        agent: bool = False,
    ) -> None:
        self._link = link
        self._about = about
        self._hold = hold
        self._record = record
        self._clock = clock
        self._monitor = monitor
        self._connection = connection
        self._peer = peer
        self._upstream = upstream
        self._seq = 0
        self._heard: list[tuple[Direction, bytes, float, float, int]] = []
        self._descriptors = dict.fromkeys(Direction, 0)
        self._waiting = 0
        self._turn: IDelayedCall | None = None
        self._first = b""
        self._decoder: Decoder | None = JSONDecoder() if agent else None
        if not decode:
            self._decoder = UnknownDecoder(_NOT_DECODED)
        self._bytes = dict.fromkeys(Direction, 0)

    def opened(self) -> None:
        """A client is there."""
        self._record([self._make(Kind.OPENED, {"upstream": self._upstream}, time(), monotonic())])

    def gap(self, since: float, problem: str, lost: int | None = None) -> None:
        """
        Say that something was not heard, or not said, for a while.

        :param since: when that began, in seconds since the epoch.
        :param lost: how much that was, where it is known.
        """
        records: list[Entry] = []
        self._decode_heard(records)
        fields: dict[str, Any] = {} if lost is None else {"lost": lost}
        fields |= {"problem": problem, "since": iso_time(since)}
        records.append(self._make(Kind.GAP, fields, time(), monotonic()))
        self._record(records)

    def resync(self, state: dict[str, Any]) -> None:
        """Say what the machine is and how it is, as it was asked."""
        records: list[Entry] = []
        self._decode_heard(records)
        records.append(self._make(Kind.RESYNC, state, time(), monotonic()))
        self._record(records)

    def fault(
        self,
        way: Direction,
        fields: dict[str, Any],
        of_last: bool = False,
        withheld: bytes = b"",
        delivered: int = 0,
    ) -> None:
        """
        Something was done to the conversation on purpose.

        :param way: which way what it was done to was going.
        :param fields: what was done, and to what.
        :param of_last: it was done to the message that was heard last; a command did not reach
            the monitor.
        :param withheld: what the monitor said and the client did not get, or not all of it.
        :param delivered: how many bytes of that it got, or of what the monitor did not say.
        """
        records: list[Entry] = []
        self._decode_heard(records)
        fields = dict(fields)
        if of_last:
            hit = _last(records)
            if hit is not None and hit.kind is Kind.COMMAND:
                fields["reply_to"] = hit.seq
                self._bytes[way] -= len(hit.raw or b"")
            elif hit is not None and "reply_to" in hit.fields:
                fields["reply_to"] = hit.fields["reply_to"]
        stamp, mono = time(), monotonic()
        self._bytes[way] += delivered
        sensitive = False
        if withheld:
            self._first = self._first or withheld.lstrip(b" \t\r\n")[:1]
            # What was kept until the dialect is known comes before it.
            self._decode_heard(records)
            decoder = self._decoder or UnknownDecoder()
            for message, answers in decoder.feed(way, withheld):
                sensitive = sensitive or message.sensitive
                if answers is not None:
                    fields["reply_to"] = answers.seq
        fault = self._make(Kind.FAULT, fields, stamp, mono)
        fault.direction = way
        fault.dialect = None if self._decoder is None else self._decoder.dialect
        fault.raw = withheld or None
        fault.sensitive = sensitive
        records.append(fault)
        self._record(records)

    def verdict(self, fields: dict[str, Any], raw: bytes = b"", sent: bool = True) -> None:
        """
        A policy has judged a command.

        :param fields: what it made of it, and of which command.
        :param raw: its bytes, where it is what was heard last.
        :param sent: False if those did not reach the monitor.
        """
        records: list[Entry] = []
        self._decode_heard(records)
        fields = dict(fields)
        last = _last(records)
        if raw and last is not None and last.raw == raw:
            fields["reply_to"] = last.seq
        if not sent:
            self._bytes[Direction.TO_MONITOR] -= len(raw)
        records.append(self._make(Kind.VERDICT, fields, time(), monotonic()))
        self._record(records)

    def to_monitor(self, data: bytes, descriptors: int = 0) -> None:
        """
        The client said this.

        :param descriptors: how many file descriptors came with the first byte.
        """
        self._hear(Direction.TO_MONITOR, data, descriptors)

    def to_client(self, data: bytes, descriptors: int = 0) -> None:
        """The monitor said this."""
        if not self._first:
            self._first = data.lstrip(b" \t\r\n")[:1]
        self._hear(Direction.TO_CLIENT, data, descriptors)

    def closed(self, reason: str, ended_by: str, ending: str = "") -> None:
        """
        It is over.

        :param ending: how the machine ended, in one word, where that is known.
        """
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        records: list[Entry] = []
        self._decode_heard(records, over=True)
        fields = {
            "reason": reason,
            "ended_by": ended_by,
            "bytes_to_monitor": self._bytes[Direction.TO_MONITOR],
            "bytes_to_client": self._bytes[Direction.TO_CLIENT],
        }
        if ending:
            fields["ending"] = ending
        records.append(self._make(Kind.CLOSED, fields, time(), monotonic()))
        self._record(records)

    def _hear(self, way: Direction, data: bytes, descriptors: int) -> None:
        self._bytes[way] += len(data)
        self._heard.append((way, data, time(), monotonic(), descriptors))
        if self._turn is None:
            self._turn = self._clock.callLater(self._hold, self._decode)
        if self._hold:
            self._waiting += len(data)
            if self._waiting >= _ENOUGH:
                self._waiting = 0
                self._turn.reset(0)

    def _decode(self) -> None:
        self._turn = None
        self._waiting = 0
        records: list[Entry] = []
        self._decode_heard(records)
        if records:
            self._record(records)

    def _decode_heard(self, records: list[Entry], over: bool = False) -> None:
        if self._decoder is None and (self._first or over or sum(self._bytes.values()) > UNHEARD):
            self._decoder = decoder_for(self._first)
        decoder = self._decoder
        if decoder is None:
            return
        heard, self._heard = self._heard, []
        for way, data, stamp, mono, descriptors in heard:
            self._descriptors[way] += descriptors
            self._write(records, decoder, way, decoder.feed(way, data), stamp, mono)
        if over:
            stamp, mono = time(), monotonic()
            for way in Direction:
                rest = ((message, None) for message in decoder.finish(way))
                self._write(records, decoder, way, rest, stamp, mono)

    def _write(
        self,
        records: list[Entry],
        decoder: Decoder,
        way: Direction,
        messages: Iterable[tuple[Message, Slot | None]],
        stamp: float,
        mono: float,
    ) -> None:
        monitor, connection, peer = self._monitor, self._connection, self._peer
        dialect, link, output = decoder.dialect, self._link, Kind.OUTPUT
        for (kind, fields, raw, slot, sensitive, lines), answers in messages:
            self._seq += 1
            if slot is not None:
                slot.seq = self._seq
                slot.mono = mono
                if link is not None:
                    slot.link = link(slot)
                if slot.link is not None:
                    fields["link"] = slot.link
            elif answers is not None:
                fields["command"] = answers.command
                fields["reply_to"] = answers.seq
                if kind is not output:
                    fields["latency"] = round(mono - answers.mono, 6)
                if answers.link is not None:
                    fields["link"] = answers.link
                    if self._about is not None and kind is not output:
                        fields |= self._about(answers.link)
            if self._descriptors[way] and lines == 1:
                # The message that the byte they came with belongs to.
                fields["descriptors"], self._descriptors[way] = self._descriptors[way], 0
            # By position: with keywords it takes twice as long.
            record = Record(
                stamp, mono, monitor, connection, self._seq, kind,
                peer, way, dialect, fields, raw, sensitive,
            )  # fmt: skip
            if lines == 1:
                records.append(record)
            else:
                records.append(Run(record, lines))
                self._seq += lines - 1

    def _make(self, kind: Kind, fields: dict[str, Any], stamp: float, mono: float) -> Record:
        self._seq += 1
        return Record(
            time=stamp,
            mono=mono,
            monitor=self._monitor,
            connection=self._connection,
            seq=self._seq,
            kind=kind,
            fields=fields,
            peer=self._peer,
        )


def _last(records: Sequence[Entry]) -> Record | None:
    last = records[-1] if records else None
    return last.joint if isinstance(last, Run) else last
