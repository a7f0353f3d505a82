"""
A journal as a capture that Wireshark opens: each connection is a TCP stream, each message a packet.

Only the messages are real. The addresses, and what Ethernet, IP and TCP add, are made up, so that
*Follow TCP Stream* shows a conversation. The libraries that write pcapng are no longer kept, or
under the GPL: these are the few blocks of the format that are wanted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from txqmp.errors import escaped
from txqmp.journal.record import Direction, Kind, Record
from txqmp.reports.rows import Chosen
from txqmp.reports.spans import Place, place

MONITOR_PORT = 14444
"""The port of every monitor; it is nobody's, so that nobody's dissector takes the messages."""
CLIENT_PORT = 50000

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_END, _COMMENT, _NAME = 0, 1, 2
_ETHERNET = 1
_MACS = {Direction.TO_MONITOR: b"\x02\0\0\0\0\x01", Direction.TO_CLIENT: b"\x02\0\0\0\0\x02"}
_FIN, _SYN, _PUSH, _ACK = 1, 2, 8, 16
_SEGMENT = 60_000
"""Bytes of a message in a packet at most."""
_TAKEN_OUT = b"[redacted]\r\n"
_OTHER = {
    Direction.TO_MONITOR: Direction.TO_CLIENT,
    Direction.TO_CLIENT: Direction.TO_MONITOR,
}


def write_capture(records: Iterable[Record], chosen: Chosen | None, out: BinaryIO) -> None:
    """Write the messages, and where connections begin and end."""
    out.write(_block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    about = struct.pack("<HHI", _ETHERNET, 0, 0) + _option(_NAME, b"txqmp") + _option(_END)
    out.write(_block(_INTERFACE, about))
    streams = _Streams()
    for record in records:
        if chosen is None or chosen(record):
            for frame, comment in streams.frames(record):
                out.write(_packet(record.time, frame, comment))


class _Streams:
    """The TCP streams that connections become."""

    def __init__(self) -> None:
        self._servers: dict[str, bytes] = {}
        self._streams: dict[Place, _Stream] = {}
        self._count = 0

    def frames(self, record: Record) -> Iterator[tuple[bytes, str]]:
        """Give the packets of a record, each with a comment."""
        if record.kind is not Kind.OPENED and record.kind is not Kind.CLOSED:
            if record.direction is not None:
                yield from self._stream(place(record)).message(record)
        elif record.kind is Kind.OPENED:
            self._streams.pop(place(record), None)
            yield from self._stream(place(record)).opened(record)
        else:
            stream = self._stream(place(record))
            del self._streams[place(record)]
            yield from stream.closed(record)

    def _stream(self, where: Place) -> _Stream:
        stream = self._streams.get(where)
        if stream is None:
            number = len(self._servers) + 1
            server = self._servers.setdefault(where[1], struct.pack(">BBH", 10, 0, number & 0xFFFF))
            self._count += 1
            client = struct.pack(">I", 0x0A800000 | (self._count & 0x7FFFFF))
            stream = self._streams[where] = _Stream(client, server)
        return stream


class _Stream:
    """
    One TCP stream.

    :param client: its address.
    :param server: likewise.
    """

    def __init__(self, client: bytes, server: bytes) -> None:
        self._ends = {Direction.TO_MONITOR: client, Direction.TO_CLIENT: server}
        # As after the handshake, which a journal that begins later does not tell of.
        self._sent = dict.fromkeys(Direction, 1)

    def opened(self, record: Record) -> Iterator[tuple[bytes, str]]:
        """Shake hands."""
        self._sent = dict.fromkeys(Direction, 0)
        to_monitor, to_client = Direction
        yield self._frame(to_monitor, _SYN), _about(record, record.fields.get("upstream"))
        yield self._frame(to_client, _SYN | _ACK), ""
        yield self._frame(to_monitor, _ACK), ""

    def message(self, record: Record) -> Iterator[tuple[bytes, str]]:
        """Say something."""
        way = record.direction
        if way is None:
            return
        name = record.fields.get("event", record.fields.get("command"))
        comment = _about(record, name)
        raw = record.raw
        if record.kind is Kind.FAULT:
            raw = _delivered(record)
        elif raw is None:
            raw = _TAKEN_OUT
            comment += " (its bytes were taken out)"
        for start in range(0, len(raw), _SEGMENT):
            part = raw[start : start + _SEGMENT]
            last = start + _SEGMENT >= len(raw)
            yield self._frame(way, _ACK | _PUSH if last else _ACK, part), comment
            comment = ""

    def closed(self, record: Record) -> Iterator[tuple[bytes, str]]:
        """Say good-bye: who ended it does so first."""
        by_client = record.fields.get("ended_by") == "client"
        first = Direction.TO_MONITOR if by_client else Direction.TO_CLIENT
        yield self._frame(first, _FIN | _ACK), _about(record, record.fields.get("reason"))
        yield self._frame(_OTHER[first], _FIN | _ACK), ""
        yield self._frame(first, _ACK), ""

    def _frame(self, way: Direction, flags: int, payload: bytes = b"") -> bytes:
        source, target = self._ends[way], self._ends[_OTHER[way]]
        ports = (CLIENT_PORT, MONITOR_PORT)
        if way is Direction.TO_CLIENT:
            ports = (MONITOR_PORT, CLIENT_PORT)
        seq, ack = self._sent[way], self._sent[_OTHER[way]] if flags & _ACK else 0
        # Whoever says SYN or FIN counts one byte more.
        more = len(payload) + bool(flags & (_SYN | _FIN))
        self._sent[way] = (seq + more) & 0xFFFFFFFF
        size = 20 + len(payload)
        start = struct.pack(">HHIIBBH", *ports, seq, ack, 5 << 4, flags, 0xFFFF)
        pseudo = source + target + struct.pack(">BBH", 0, 6, size)
        tcp = start + _sum(pseudo + start + payload) + b"\0\0" + payload
        ip = struct.pack(">BBHHHBB", 0x45, 0, 20 + size, 0, 0x4000, 64, 6)
        ip += _sum(ip + source + target) + source + target
        return _MACS[_OTHER[way]] + _MACS[way] + b"\x08\0" + ip + tcp


def _sum(data: bytes) -> bytes:
    """The checksum of IP and TCP: the complement of the sum in ones' complement."""
    if len(data) % 2:
        data += b"\0"
    return struct.pack(">H", 0xFFFF - ((int.from_bytes(data, "big") % 0xFFFF) or 0xFFFF))


def _delivered(record: Record) -> bytes:
    """What got through of a message that a fault kept back, or a part of."""
    count = record.fields.get("bytes")
    return (record.raw or b"")[:count] if isinstance(count, int) and count > 0 else b""


def _about(record: Record, what: Any) -> str:
    text = f"{record.monitor}#{record.connection} {record.kind.value}"
    return f"{text} {what}" if isinstance(what, str) and what else text


def _packet(time: float, frame: bytes, comment: str) -> bytes:
    stamp = max(0, round(time * 1_000_000))
    head = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame))
    options = b""
    if comment:
        told = escaped(comment.encode("utf-8", "backslashreplace")).encode()
        options = _option(_COMMENT, told) + _option(_END)
    return _block(_PACKET, head + _padded(frame) + options)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


def _option(code: int, value: bytes = b"") -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
