"""
Bytes to lines, in one scan per chunk and within hard bounds (rules 10 and 12).

The stock ``LineReceiver`` copies the rest of its buffer for every line, and reads the tail
of an over-long line as a new one. Here a line is searched for only in the bytes that have
just come, and an over-long line is discarded up to its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from twisted.protocols.basic import LineReceiver

from txqmp.monitor.writing import GatheringWriter

_CR = 13

_TINY = 512
"""Bytes below which pieces of a line are gathered."""


class _Open:
    """A transport that cannot be seen to be disconnecting."""

    disconnecting: ClassVar[bool] = False


class Overlong(NamedTuple):
    """
    A piece of a line that is longer than allowed.

    :ivar data: the bytes, without the LF.
    :ivar first: the line begins with this piece.
    :ivar last: the line ends with this piece.
    """

    data: bytes
    first: bool
    last: bool


class LineSplitter:
    """
    Split a stream at LF, however it is cut into chunks.

    :param max_length: bytes in a line without its end; a CR before the LF does not count.
    :ivar fresh: what comes next begins a line.
    """

    __slots__ = ("_overlong", "_partial", "fresh", "max_length")

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length
        self.fresh = True
        self._partial = _Pieces()
        self._overlong = False

    def feed(self, data: bytes) -> list[bytes | Overlong]:
        """
        Take a chunk; give back the lines that end in it.

        :returns: lines without their LF but with a CR before it, and every piece of a line
            that is too long.
        """
        lines: list[bytes | Overlong] = data.split(b"\n")  # type: ignore[assignment]
        rest = lines.pop()
        assert isinstance(rest, bytes)
        if lines:
            first = lines[0]
            assert isinstance(first, bytes)
            if self._overlong:
                lines[0] = Overlong(first, False, True)
                self._overlong = False
                self.fresh = True
            elif self._partial.size:
                lines[0] = self.clear() + first
            if len(data) > self.max_length or len(lines[0]) > self.max_length:
                lines = [self._bounded(line) for line in lines]
        if self._overlong:
            if rest:
                lines.append(Overlong(rest, False, False))
        elif rest:
            self._hold(rest)
            length = self._partial.size
            if length > self.max_length and not (
                length == self.max_length + 1 and rest.endswith(b"\r")
            ):
                self._overlong = True
                lines.append(Overlong(self.clear(), True, False))
        return lines

    def feed_crlf(self, data: bytes) -> Sequence[bytes] | None:
        """
        Take a chunk whose lines all end with CRLF, as most do: it is split by one search.

        :returns: the lines that end in it, without their ends; None where it is no such chunk,
            or not a short one, and nothing was taken.
        """
        held = self._partial.size
        if held + len(data) > self.max_length or self._overlong:
            return None
        ends = data.count(b"\n")
        if not ends:
            if data:
                self._hold(data)
            return ()
        lines = data.split(b"\r\n")
        if len(lines) <= ends:
            return None
        rest = lines.pop()
        if held:
            self._partial.add(lines[0])
            lines[0] = self.clear()
        if rest:
            self._hold(rest)
        return lines

    def _bounded(self, line: bytes | Overlong) -> bytes | Overlong:
        if isinstance(line, Overlong) or len(line) <= self.max_length:
            return line
        if len(line) == self.max_length + 1 and line.endswith(b"\r"):
            return line
        return Overlong(line, True, True)

    def clear(self) -> bytes:
        """
        Forget what is held of a line that has not ended, and give it back.

        The rest of an over-long line stays over-long: it is never read as a line.
        """
        self.fresh = not self._overlong
        return self._partial.take()

    def _hold(self, data: bytes) -> None:
        self._partial.add(data)
        self.fresh = False


class _Pieces:
    """What is held of a line; :ivar size: bytes in it."""

    __slots__ = ("_large", "_small", "size")

    def __init__(self) -> None:
        self._large: list[bytes] = []
        self._small = bytearray()  # a list of tiny chunks would weigh 20 times as much
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if len(piece) < _TINY:
            self._small += piece
            return
        if self._small:
            self._large.append(bytes(self._small))
            self._small.clear()
        self._large.append(piece)

    def take(self) -> bytes:
        if self._large:
            taken = b"".join([*self._large, self._small])
            self._large.clear()
        else:
            taken = bytes(self._small)
        self._small.clear()
        self.size = 0
        return taken


class BoundedLineReceiver(GatheringWriter, LineReceiver):
    """
    A ``LineReceiver`` that is linear in what it receives, and sends an answer at once.

    Lines end with CRLF or LF; both are stripped. Pausing, raw mode and
    ``clearLineBuffer`` work as documented for ``LineReceiver``. Once the transport is
    disconnecting, nothing is delivered in either mode.
    """

    delimiter = b"\r\n"
    MAX_LENGTH = 1024 * 1024

    _splitter: LineSplitter | None = None
    _coming: Iterator[bytes] = iter(())
    _wire: Any = _Open

    def __init__(self) -> None:
        super().__init__()
        # What is being delivered, and behind it what came or was held back meanwhile.
        self._arrived: deque[bytes | Overlong] | tuple[()] = ()
        self._raw: list[bytes] = []

    def makeConnection(self, transport: Any) -> None:
        """The transport is there."""
        # Every stream transport has it, though no interface says so.
        self._wire = transport if hasattr(transport, "disconnecting") else _Open
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """Take a chunk from the transport, or b"" to go on after a pause."""
        wire = self._wire
        if wire.disconnecting:
            return
        if self._busyReceiving or self._arrived or self.paused or not self.line_mode:
            self._receive(data)
            return
        splitter = self._splitter or self._make_splitter()
        end = len(data) - 1
        if (
            splitter.fresh
            and 0 < data.find(b"\n") == end <= self.MAX_LENGTH
            and data[end - 1] == _CR
        ):
            # One line and nothing else, as in any conversation by turns.
            self._busyReceiving = True
            try:
                self.lineReceived(data[: end - 1])
            finally:
                self._busyReceiving = False
                if self._gathered or not self._alone:
                    self.flush()
        else:
            lines = splitter.feed_crlf(data)
            if lines is None:
                self._receive(data)
                return
            self._deliver(lines)
        if self._arrived or self._raw:
            self._go_on()

    def _deliver(self, lines: Sequence[bytes]) -> None:
        wire = self._wire
        self._busyReceiving = True
        self._coming = coming = iter(lines)
        try:
            for line in coming:
                self.lineReceived(line)
                if self.paused or wire.disconnecting or not self.line_mode:
                    self._hold_back()
        except BaseException:
            self._hold_back()
            raise
        finally:
            self._end_of_turn()

    @property
    def _at_line_start(self) -> bool:
        """Nothing waits: what comes next begins a line, and is delivered at once."""
        fresh = self._splitter is None or self._splitter.fresh
        return bool(fresh and not self._arrived and self.line_mode)

    def _end_of_turn(self) -> None:
        self._busyReceiving = False
        self.flush()

    def _make_splitter(self) -> LineSplitter:
        self._splitter = LineSplitter(self.MAX_LENGTH)
        return self._splitter

    def _receive(self, data: bytes) -> None:
        """Take a chunk of any kind, at any time."""
        if not self.line_mode:
            self._raw.append(data)
        else:
            lines = (self._splitter or self._make_splitter()).feed(data)
            if self._arrived:
                self._arrived.extend(lines)
            elif lines:
                self._arrived = deque(lines)
        if not self._busyReceiving:
            self._go_on()

    def _go_on(self) -> None:
        self._busyReceiving = True
        try:
            self._deliver_arrived()
        finally:
            self._end_of_turn()

    def _deliver_arrived(self) -> None:
        """Deliver what has arrived, as far as it may be."""
        while not (self.paused or self._wire.disconnecting):
            if not self.line_mode:
                data = b"".join(self._raw)
                if not data:
                    return
                self._raw = []
                self.rawDataReceived(data)
            elif self._arrived:
                line = self._arrived.popleft()
                if isinstance(line, Overlong):
                    if line.first:
                        self.lineLengthExceeded(line.data)
                    if line.last:
                        self.overlongLineEnded()
                else:
                    self.lineReceived(line[:-1] if line.endswith(b"\r") else line)
            else:
                return

    def _hold_back(self) -> None:
        """Put what was not delivered before what came meanwhile, each line with its CR."""
        rest = [line + b"\r" for line in self._coming]
        if self._arrived:
            self._arrived.extendleft(reversed(rest))
        elif rest:
            self._arrived = deque(rest)

    def setRawMode(self) -> None:
        """Deliver what comes from now on, and what waits, to ``rawDataReceived``."""
        if self.line_mode:
            self.line_mode = 0
            self._raw.append(self._clear_lines())
            self._splitter = None

    def setLineMode(self, extra: bytes = b"") -> None:
        """Deliver lines again; ``extra`` is read first."""
        raw, self._raw = self._raw, []
        self.line_mode = 1
        self.dataReceived(extra + b"".join(raw))

    def clearLineBuffer(self) -> bytes:
        """Forget what was received and not delivered, and give it back."""
        raw, self._raw = self._raw, []
        return self._clear_lines() + b"".join(raw)

    def _clear_lines(self) -> bytes:
        self._hold_back()
        waiting = b"".join(
            piece.data + (b"\n" if piece.last else b"")
            if isinstance(piece, Overlong)
            else piece + b"\n"
            for piece in self._arrived
        )
        self._arrived = ()
        return waiting + (self._splitter.clear() if self._splitter is not None else b"")

    def sendLine(self, line: bytes) -> None:
        """Write a line, and its end."""
        self.write(line + self.delimiter)

    def overlongLineEnded(self) -> None:
        """Called at the end of a line for which ``lineLengthExceeded`` was."""

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        Called once for a line longer than ``MAX_LENGTH``; its rest will be discarded.

        :param line: what has come of it.
        """
        if self.transport is not None:
            self.flush()
            self.transport.loseConnection()
