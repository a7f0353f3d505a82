"""A journal as a capture: blocks as the format has them, and TCP as it might have been."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.test_record import records
from tests.reports.sessions import hostile, session
from txqmp.journal.record import Direction, Kind, Record
from txqmp.reports.pcapng import MONITOR_PORT, write_capture

SYN, FIN, ACK = 2, 1, 16


def capture(said: list[Record]) -> bytes:
    out = io.BytesIO()
    write_capture(said, None, out)
    return out.getvalue()


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        kind, size = struct.unpack_from("<II", data)
        assert size % 4 == 0
        assert data[size - 4 : size] == data[4:8]
        yield kind, data[8 : size - 4]
        data = data[size:]


@dataclass
class Packet:
    """What Wireshark would make of a packet."""

    stamp: int
    source: bytes
    target: bytes
    seq: int
    ack: int
    flags: int
    payload: bytes
    comment: str

    @property
    def to_monitor(self) -> bool:
        return self.target.endswith(struct.pack(">H", MONITOR_PORT))


def is_right(data: bytes) -> bool:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def packets(data: bytes) -> list[Packet]:
    (head, section), (interface, about), *rest = blocks(data)
    assert (head, section[:4]) == (0x0A0D0D0A, b"\x4d\x3c\x2b\x1a")
    assert (interface, about[:2]) == (1, b"\x01\x00")
    found = []
    for kind, body in rest:
        assert kind == 6
        _, high, low, size, original = struct.unpack_from("<IIIII", body)
        assert size == original
        frame, options = body[20 : 20 + size], body[20 + size + -size % 4 :]
        ip, tcp = frame[14:34], frame[34:]
        source, target = ip[12:16], ip[16:20]
        assert is_right(ip)
        assert struct.unpack(">H", ip[2:4]) == (len(frame) - 14,)
        assert is_right(source + target + struct.pack(">HH", 6, len(tcp)) + tcp)
        seq, ack, _, flags = struct.unpack_from(">IIBB", tcp, 4)
        code, length = struct.unpack_from("<HH", options) if options else (0, 0)
        assert code in (0, 1)
        comment = options[4 : 4 + length].decode()
        ends = source + tcp[:2], target + tcp[2:4]
        found.append(Packet((high << 32) + low, *ends, seq, ack, flags, tcp[20:], comment))
    return found


def test_a_stream_is_what_was_said() -> None:
    said = session("text")
    found = packets(capture(said))
    for way in Direction:
        raw = b"".join(one.raw or b"" for one in said if one.direction is way)
        is_way = way is Direction.TO_MONITOR
        assert b"".join(p.payload for p in found if p.to_monitor is is_way) == raw


@pytest.mark.parametrize("name", ["text", "secrets"])
def test_every_byte_has_its_number_and_is_acknowledged(name: str) -> None:
    sent = {True: 0, False: 0}
    found = packets(capture(session(name)))
    for packet in found:
        assert packet.seq == sent[packet.to_monitor]
        assert packet.ack == (sent[not packet.to_monitor] if packet.flags & ACK else 0)
        sent[packet.to_monitor] += len(packet.payload) + bool(packet.flags & (SYN | FIN))
    assert [bool(p.flags & SYN) for p in found[:4]] == [True, True, False, False]
    assert [bool(p.flags & FIN) for p in found[-4:]] == [False, True, True, False]


def test_who_ended_it_says_good_bye_first() -> None:
    by_monitor = packets(capture(session("text")))[-3]
    by_client = packets(capture(session("secrets")))[-3]
    assert (by_monitor.to_monitor, by_client.to_monitor) == (False, True)


def test_stamps_and_comments() -> None:
    said = session("text")
    found = packets(capture(said))
    assert found[0].stamp == round(said[0].time * 1_000_000)
    assert found[0].comment == "demo#1 opened machine:"
    assert [p.comment for p in found if p.comment.endswith("stop")] == [
        "demo#1 command stop",
        "demo#1 event stop",
        "demo#1 success stop",
    ]


def test_connections_and_monitors_have_addresses_of_their_own() -> None:
    said = session("text")
    more = [replace(one, connection=2) for one in said]
    other = [replace(one, monitor="vm2") for one in said]
    again = [replace(one, run="ffffffff") for one in said]
    found = packets(capture([*said, *more, *other, *again, *said]))
    clients = {p.source for p in found if p.to_monitor}
    monitors = {p.source for p in found if not p.to_monitor}
    assert (len(clients), len(monitors)) == (5, 2)


def test_a_connection_that_is_over_or_begins_anew_is_another_stream() -> None:
    said = session("text")
    for again in ([*said[:-1], *said], [*said, said[10]]):
        found = packets(capture(again))
        assert len({p.source for p in found if p.to_monitor}) == 2


def test_a_checksum_is_zero_rather_than_all_ones() -> None:
    # Both are right; RFC 1624 wants the one, and Wireshark complains of the other.
    (one,) = [one for one in session("text") if one.seq == 12]

    def checksum(raw: bytes) -> bytes:
        *_, (_, body) = blocks(capture([replace(one, raw=raw)]))
        return body[20 + 50 : 20 + 52]

    assert checksum(checksum(b"\0\0")) == b"\0\0"


def test_a_journal_that_begins_in_the_middle() -> None:
    found = packets(capture(session("text")[10:12]))
    assert [(p.seq, p.ack, p.payload) for p in found] == [
        (1, 1, b"info status\r\n"),
        (1, 14, b"= VM status: paused\r\n"),
    ]


def test_a_long_message_is_cut_into_packets() -> None:
    (one,) = [one for one in session("text") if one.seq == 12]
    raw = bytes(range(256)) * 1000
    found = packets(capture([replace(one, raw=raw)]))
    assert len(found) == 5
    assert b"".join(p.payload for p in found) == raw
    assert [p.seq for p in found] == [1, 60001, 120001, 180001, 240001]
    assert [bool(p.comment) for p in found] == [True, False, False, False, False]


def test_numbers_go_round() -> None:
    (one,) = [one for one in session("text") if one.seq == 12]
    raw = bytes(2_000_000)
    last = packets(capture([replace(one, raw=raw)] * 3))[-1]
    assert last.seq + len(last.payload) == 6_000_001


def test_bytes_that_were_taken_out_leave_a_packet_that_says_so() -> None:
    said = [replace(one, raw=None) for one in session("text") if one.seq == 12]
    (packet,) = packets(capture(said))
    assert packet.payload == b"[redacted]\r\n"
    assert packet.comment == "demo#1 output info (its bytes were taken out)"


def test_what_is_no_message_is_no_packet() -> None:
    (one,) = [one for one in session("text") if one.seq == 12]
    gap = replace(one, kind=Kind.GAP, direction=None, raw=None)
    assert packets(capture([gap])) == []


def test_of_what_a_fault_kept_back_there_is_what_got_through() -> None:
    (one,) = [one for one in session("text") if one.seq == 12]
    fields = {"fault": "cut", "bytes": 4}
    cut = replace(one, kind=Kind.FAULT, fields=fields, direction=Direction.TO_CLIENT)
    (packet,) = packets(capture([cut, replace(cut, fields={"fault": "drop"})]))
    assert packet.payload == (one.raw or b"")[:4]


def test_comments_are_short_and_plain() -> None:
    for packet in packets(capture(hostile())):
        assert packet.comment.isascii()
        assert len(packet.comment) < 1000


@given(said=st.lists(records, max_size=4))
def test_whatever_was_recorded_can_be_written(said: list[Record]) -> None:
    packets(capture(said))
