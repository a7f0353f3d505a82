"""Bytes to lines: against the stock receiver, at the bounds, paused, raw, and closing."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineReceiver

from txqmp.monitor.framing import BoundedLineReceiver, LineSplitter, Overlong

# Few letters, many line ends: what matters is where CR and LF fall.
STREAMS = st.lists(st.sampled_from([b"a", b"bc", b"\r", b"\n", b"\r\n"]), max_size=40).map(b"".join)
CUTS = st.lists(st.integers(0, 60), max_size=12)


def cut(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The stream in pieces, some of them empty."""
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


def every_cut(stream: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and cut in two at every place."""
    halves = [[stream[:i], stream[i:]] for i in range(1, len(stream))]
    return [[stream], [bytes([b]) for b in stream], *halves]


class Script(BoundedLineReceiver):
    """Notes what is delivered; ``on[line]`` is called with the receiver after ``line``."""

    MAX_LENGTH = 8

    def __init__(self) -> None:
        super().__init__()
        self.got: list[object] = []
        self.on: dict[bytes, Callable[[Script], object]] = {}
        self.stream = StringTransport()
        self.makeConnection(self.stream)

    def lineReceived(self, line: bytes) -> None:
        self.got.append(line)
        if line in self.on:
            self.on[line](self)

    def rawDataReceived(self, data: bytes) -> None:
        self.got.append(("raw", data))
        if data in self.on:
            self.on[data](self)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.got.append(("too long", line))
        if line in self.on:
            self.on[line](self)


class Stock(LineReceiver):
    """What Twisted does, told to take LF and CRLF."""

    delimiter = b"\n"

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.makeConnection(StringTransport())

    def lineReceived(self, line: bytes) -> None:
        self.got.append(line.removesuffix(b"\r"))


# Lines within the bounds.


@settings(deadline=None)
@given(STREAMS, CUTS)
@example(b"\r\n", [1])
@example(b"a\r\r\n\n", [2, 3])
def test_short_lines_are_those_of_the_stock_receiver(stream: bytes, cuts: list[int]) -> None:
    ours, stock = Script(), Stock()
    ours.MAX_LENGTH = 100
    for chunk in cut(stream, cuts):
        ours.dataReceived(chunk)
        stock.dataReceived(chunk)
        assert ours.got == stock.got


def test_a_line_ends_with_crlf_or_lf_and_both_are_stripped() -> None:
    receiver = Script()
    receiver.dataReceived(b"stop\r\ncont\n\r\n\n")
    assert receiver.got == [b"stop", b"cont", b"", b""]


def test_one_carriage_return_alone_is_stripped() -> None:
    receiver = Script()
    receiver.dataReceived(b"a\rb\r\r\n")
    assert receiver.got == [b"a\rb\r"]


def test_what_we_send_ends_with_crlf() -> None:
    receiver = Script()
    receiver.sendLine(b"stop")
    assert receiver.stream.value() == b"stop\r\n"


def test_lines_come_without_a_transport_too() -> None:
    receiver = Script()
    receiver.transport = None
    receiver.dataReceived(b"one\ntwo\n")
    assert receiver.got == [b"one", b"two"]


# The limit.


def test_rule_12_a_line_may_have_a_mebibyte_unless_told_otherwise() -> None:
    assert BoundedLineReceiver.MAX_LENGTH == 1 << 20


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_line_of_the_limit_passes_however_it_is_cut(end: bytes) -> None:
    for chunks in every_cut(b"12345678" + end + b"next" + end):
        receiver = Script()
        for chunk in chunks:
            receiver.dataReceived(chunk)
        assert receiver.got == [b"12345678", b"next"]


@pytest.mark.parametrize("line", [b"123456789\n", b"123456789\r\n", b"12345678\r\r\n"])
def test_one_byte_more_is_too_long_however_it_is_cut(line: bytes) -> None:
    for chunks in every_cut(line + b"next\r\n"):
        receiver = Script()
        for chunk in chunks:
            receiver.dataReceived(chunk)
        assert [what if isinstance(what, bytes) else what[0] for what in receiver.got] == [
            "too long",
            b"next",
        ]


def test_a_carriage_return_that_ends_a_chunk_at_the_limit_waits_for_its_line_feed() -> None:
    receiver = Script()
    receiver.dataReceived(b"12345678\r")
    assert receiver.got == []
    receiver.dataReceived(b"\n")
    assert receiver.got == [b"12345678"]


def test_a_carriage_return_at_the_limit_that_has_no_line_feed_counts() -> None:
    receiver = Script()
    receiver.dataReceived(b"12345678\r")
    receiver.dataReceived(b"x")
    assert receiver.got == [("too long", b"12345678\rx")]


def test_a_line_is_known_to_be_too_long_before_it_ends() -> None:
    receiver = Script()
    receiver.dataReceived(b"123456789")
    assert receiver.got == [("too long", b"123456789")]


def test_the_tail_of_a_line_that_is_too_long_is_no_command() -> None:
    receiver = Script()
    for chunk in (b"x" * 20, b"quit", b"\r", b"\nstop\r\n"):
        receiver.dataReceived(chunk)
    assert receiver.got == [("too long", b"x" * 20), b"stop"]


def test_the_tail_is_no_command_after_the_buffer_was_cleared_either() -> None:
    receiver = Script()
    receiver.on[b"x" * 20] = Script.clearLineBuffer
    for chunk in (b"x" * 20, b"quit\r\nstop\r\n"):
        receiver.dataReceived(chunk)
    assert receiver.got == [("too long", b"x" * 20), b"stop"]


def test_two_lines_that_are_too_long_are_told_apart() -> None:
    receiver = Script()
    receiver.dataReceived(b"x" * 9)
    receiver.dataReceived(b"x\n" + b"y" * 9)
    receiver.dataReceived(b"y\nstop\n")
    assert receiver.got == [("too long", b"x" * 9), ("too long", b"y" * 9), b"stop"]


def test_short_lines_around_a_long_one_in_one_chunk() -> None:
    receiver = Script()
    receiver.dataReceived(b"one\n" + b"x" * 9 + b"\ntwo\n")
    assert receiver.got == [b"one", ("too long", b"x" * 9), b"two"]


@settings(deadline=None)
@given(STREAMS, CUTS)
def test_a_line_is_delivered_or_is_reported_once(stream: bytes, cuts: list[int]) -> None:
    receiver = Script()
    receiver.MAX_LENGTH = 3
    for chunk in cut(stream, cuts):
        receiver.dataReceived(chunk)
    ended = [line.removesuffix(b"\r") for line in stream.split(b"\n")[:-1]]
    rest = stream.split(b"\n")[-1]
    expected: list[object] = [line if len(line) <= 3 else "too long" for line in ended]
    if len(rest) > 4 or (len(rest) == 4 and not rest.endswith(b"\r")):
        expected.append("too long")
    assert [what if isinstance(what, bytes) else "too long" for what in receiver.got] == expected


def test_unless_overridden_a_line_that_is_too_long_ends_the_connection() -> None:
    class Plain(Script):
        lineLengthExceeded = BoundedLineReceiver.lineLengthExceeded

    receiver = Plain()
    receiver.dataReceived(b"123456789\nstop\n")
    assert receiver.stream.disconnecting
    assert receiver.got == []


# Pausing.


def test_a_pause_keeps_later_lines_until_it_ends() -> None:
    receiver = Script()
    receiver.on[b"one"] = Script.pauseProducing
    receiver.dataReceived(b"one\ntwo\nthr")
    receiver.dataReceived(b"ee\nfour\n")
    assert receiver.got == [b"one"]
    assert receiver.stream.producerState == "paused"
    receiver.resumeProducing()
    assert receiver.got == [b"one", b"two", b"three", b"four"]
    assert receiver.stream.producerState == "producing"


def test_each_resumption_can_be_followed_by_a_pause_at_once() -> None:
    receiver = Script()
    receiver.on = dict.fromkeys([b"one", b"two"], Script.pauseProducing)
    receiver.dataReceived(b"one\ntwo\nthree\n")
    receiver.resumeProducing()
    assert receiver.got == [b"one", b"two"]
    receiver.resumeProducing()
    assert receiver.got == [b"one", b"two", b"three"]


def test_a_pause_that_ends_before_lineReceived_returns_changes_nothing() -> None:
    def blink(receiver: Script) -> None:
        receiver.pauseProducing()
        receiver.resumeProducing()
        assert receiver.got == [b"one"]

    receiver = Script()
    receiver.on[b"one"] = blink
    receiver.dataReceived(b"one\ntwo\nthree\n")
    assert receiver.got == [b"one", b"two", b"three"]


def test_bytes_that_come_while_a_line_is_handled_wait_for_their_turn() -> None:
    receiver = Script()
    receiver.on[b"one"] = lambda r: r.dataReceived(b"three\n")
    receiver.dataReceived(b"one\ntwo\n")
    assert receiver.got == [b"one", b"two", b"three"]


def test_a_line_that_is_too_long_is_reported_after_the_pause() -> None:
    receiver = Script()
    receiver.on[b"one"] = Script.pauseProducing
    receiver.dataReceived(b"one\n" + b"x" * 9)
    receiver.dataReceived(b"quit\ntwo\n")
    assert receiver.got == [b"one"]
    receiver.resumeProducing()
    assert receiver.got == [b"one", ("too long", b"x" * 9), b"two"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_receiver_goes_on_after_lineReceived_raised(end: bytes) -> None:
    def fail(receiver: Script) -> None:
        raise ZeroDivisionError

    receiver = Script()
    receiver.on[b"one"] = fail
    with pytest.raises(ZeroDivisionError):
        receiver.dataReceived(b"one" + end + b"two" + end)
    receiver.dataReceived(b"three" + end)
    assert receiver.got == [b"one", b"two", b"three"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_what_comes_while_a_line_is_read_waits_behind_the_rest_of_its_chunk(end: bytes) -> None:
    def more(receiver: Script) -> None:
        receiver.dataReceived(b"four" + end)
        receiver.pauseProducing()

    receiver = Script()
    receiver.makeConnection(StringTransport())
    receiver.on[b"one"] = more
    receiver.dataReceived(b"one" + end + b"two" + end + b"three" + end)
    assert receiver.got == [b"one"]
    receiver.resumeProducing()
    assert receiver.got == [b"one", b"two", b"three", b"four"]


# Raw mode.


def test_raw_mode_takes_what_is_left_of_the_chunk_unchanged() -> None:
    receiver = Script()
    receiver.on[b"raw"] = Script.setRawMode
    receiver.dataReceived(b"raw\r\na\r\nb\n" + b"x" * 20 + b"\nc")
    receiver.dataReceived(b"d\n")
    assert receiver.got == [
        b"raw",
        ("raw", b"a\r\nb\n" + b"x" * 20 + b"\nc"),
        ("raw", b"d\n"),
    ]


@settings(deadline=None)
@given(STREAMS, CUTS)
def test_raw_mode_loses_no_byte(stream: bytes, cuts: list[int]) -> None:
    receiver = Script()
    receiver.on[b"raw"] = Script.setRawMode
    for chunk in cut(b"raw\n" + stream, cuts):
        receiver.dataReceived(chunk)
    line, *raw = receiver.got
    assert line == b"raw"
    assert b"".join(data for _, data in raw) == stream


def test_line_mode_again_reads_what_raw_mode_did_not_want_first() -> None:
    receiver = Script()
    receiver.on[b"raw"] = Script.setRawMode
    receiver.on[b"12345one\ntw"] = lambda r: r.setLineMode(b"one\ntw")
    receiver.dataReceived(b"raw\n12345one\ntw")
    receiver.dataReceived(b"o\n")
    assert receiver.got == [b"raw", ("raw", b"12345one\ntw"), b"one", b"two"]


def test_line_mode_again_from_outside_delivers_at_once() -> None:
    receiver = Script()
    receiver.setRawMode()
    receiver.dataReceived(b"12345")
    receiver.setLineMode(b"one\n")
    assert receiver.got == [("raw", b"12345"), b"one"]


def test_raw_data_waits_for_the_end_of_a_pause() -> None:
    receiver = Script()
    receiver.setRawMode()
    receiver.pauseProducing()
    receiver.dataReceived(b"12")
    receiver.dataReceived(b"345")
    assert receiver.got == []
    receiver.resumeProducing()
    assert receiver.got == [("raw", b"12345")]


def test_raw_data_that_waited_is_lines_when_the_mode_changes_before_the_pause_ends() -> None:
    receiver = Script()
    receiver.setRawMode()
    receiver.pauseProducing()
    receiver.dataReceived(b"two\n")
    receiver.setLineMode(b"one\n")
    receiver.resumeProducing()
    assert receiver.got == [b"one", b"two"]


def test_raw_mode_takes_the_tail_of_a_line_that_is_too_long() -> None:
    receiver = Script()
    receiver.on[b"x" * 9] = Script.setRawMode
    receiver.on[b"yy\nz"] = lambda r: r.setLineMode(b"z")
    receiver.dataReceived(b"x" * 9)
    receiver.dataReceived(b"yy\nz")
    receiver.dataReceived(b"!\n")
    assert receiver.got == [("too long", b"x" * 9), ("raw", b"yy\nz"), b"z!"]


# Clearing.


def test_clearing_gives_back_all_that_was_not_delivered() -> None:
    receiver = Script()
    receiver.on[b"one"] = Script.pauseProducing
    receiver.dataReceived(b"one\ntwo\r\n" + b"x" * 20 + b"\nth")
    assert receiver.clearLineBuffer() == b"two\r\n" + b"x" * 20 + b"\nth"
    receiver.resumeProducing()
    receiver.dataReceived(b"four\n")
    assert receiver.got == [b"one", b"four"]


def test_clearing_gives_back_raw_data() -> None:
    receiver = Script()
    receiver.setRawMode()
    receiver.pauseProducing()
    receiver.dataReceived(b"12345")
    assert receiver.clearLineBuffer() == b"12345"
    assert receiver.clearLineBuffer() == b""


def test_clearing_while_a_line_is_handled_drops_the_rest_of_the_chunk() -> None:
    receiver = Script()
    receiver.on[b"one"] = Script.clearLineBuffer
    receiver.dataReceived(b"one\ntwo\nthr")
    receiver.dataReceived(b"four\n")
    assert receiver.got == [b"one", b"four"]


# Closing.


def close(receiver: Script) -> None:
    receiver.stream.loseConnection()


def test_after_loseConnection_the_rest_of_the_chunk_is_not_delivered() -> None:
    receiver = Script()
    receiver.on[b"one"] = close
    receiver.dataReceived(b"one\ntwo\n")
    assert receiver.got == [b"one"]


@pytest.mark.parametrize("raw", [False, True])
def test_after_loseConnection_what_still_comes_is_not_kept(raw: bool) -> None:
    receiver = Script()
    if raw:
        receiver.setRawMode()
    close(receiver)
    receiver.dataReceived(b"one\n")
    assert receiver.got == []
    assert receiver.clearLineBuffer() == b""


def test_after_loseConnection_the_end_of_a_pause_delivers_nothing() -> None:
    receiver = Script()
    receiver.on[b"one"] = Script.pauseProducing
    receiver.dataReceived(b"one\ntwo\nthree\n")
    close(receiver)
    receiver.stream._lenient = True  # as a TCP transport is
    receiver.resumeProducing()
    assert receiver.got == [b"one"]


def test_after_loseConnection_raw_mode_is_given_nothing() -> None:
    def close_raw(receiver: Script) -> None:
        receiver.setRawMode()
        close(receiver)

    receiver = Script()
    receiver.on[b"one"] = close_raw
    receiver.dataReceived(b"one\n12345")
    assert receiver.got == [b"one"]


# The splitter.


def joined(pieces: Sequence[bytes | Overlong]) -> bytes:
    return b"".join(
        piece + b"\n" if isinstance(piece, bytes) else piece.data + (b"\n" if piece.last else b"")
        for piece in pieces
    )


@settings(deadline=None)
@given(STREAMS, CUTS, st.integers(0, 6))
def test_the_pieces_joined_are_the_stream(stream: bytes, cuts: list[int], limit: int) -> None:
    splitter = LineSplitter(limit)
    pieces = [piece for chunk in cut(stream, cuts) for piece in splitter.feed(chunk)]
    assert joined(pieces) + splitter.clear() == stream


@settings(deadline=None)
@given(STREAMS, CUTS, st.integers(0, 6))
def test_every_long_line_begins_once_and_ends_once(
    stream: bytes, cuts: list[int], limit: int
) -> None:
    splitter = LineSplitter(limit)
    inside = False
    for chunk in cut(stream, cuts):
        for piece in splitter.feed(chunk):
            if isinstance(piece, Overlong):
                assert piece.first is not inside
                inside = not piece.last
            else:
                assert not inside
                assert len(piece.removesuffix(b"\r")) <= limit


def test_the_pieces_of_a_long_line_are_marked() -> None:
    splitter = LineSplitter(3)
    assert splitter.feed(b"12") == []
    assert splitter.feed(b"34") == [Overlong(b"1234", True, False)]
    assert splitter.feed(b"56") == [Overlong(b"56", False, False)]
    assert splitter.feed(b"7\r\nok\n") == [Overlong(b"7\r", False, True), b"ok"]
    assert splitter.feed(b"1234\n") == [Overlong(b"1234", True, True)]


def test_a_long_line_whose_end_comes_alone_has_an_empty_last_piece() -> None:
    splitter = LineSplitter(3)
    splitter.feed(b"1234")
    assert splitter.feed(b"\n") == [Overlong(b"", False, True)]


@settings(deadline=None)
@given(STREAMS, CUTS, st.integers(0, 6))
def test_what_the_splitter_holds_is_bounded(stream: bytes, cuts: list[int], limit: int) -> None:
    chunks = cut(stream, cuts)
    for fed in range(len(chunks) + 1):
        splitter = LineSplitter(limit)
        for chunk in chunks[:fed]:
            splitter.feed(chunk)
        assert len(splitter.clear()) <= limit + 1


def test_a_line_in_tiny_chunks_takes_no_more_memory_than_its_length() -> None:
    splitter = LineSplitter(100_000)
    tracemalloc.start()
    try:
        for _ in range(50_000):
            splitter.feed(bytes(bytearray(b"ab")))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2 * 100_000


class Counted(bytearray):
    """What the splitter holds, counting the bytes that go in and out."""

    moved = 0

    def __iadd__(self, data: bytes) -> Counted:  # type: ignore[override]
        Counted.moved += len(data)
        return super().__iadd__(data)  # type: ignore[return-value]

    def __bytes__(self) -> bytes:
        Counted.moved += len(self)
        return bytes(memoryview(self))


def test_a_byte_is_copied_once_on_its_way_in_and_once_on_its_way_out() -> None:
    splitter = LineSplitter(10_000)
    splitter._partial._small = held = Counted()
    for _ in range(1000):
        splitter.feed(b"0123456789")
    assert splitter.feed(b"\n") == [b"0123456789" * 1000]
    assert splitter._partial._small is held
    assert Counted.moved == 20_000


class Searched(bytes):
    """A chunk that counts how often it is looked through."""

    searches = 0

    def split(self, *args: object) -> list[bytes]:  # type: ignore[override]
        self.searches += 1
        return super().split(*args)  # type: ignore[arg-type]


def test_a_chunk_is_searched_once_however_many_lines_are_in_it() -> None:
    splitter = LineSplitter(10)
    chunks = [Searched(b"one\ntwo\nthr"), Searched(b"ee\n\n")]
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    assert lines == [b"one", b"two", b"three", b""]
    assert [chunk.searches for chunk in chunks] == [1, 1]
