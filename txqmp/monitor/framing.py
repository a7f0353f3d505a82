"""
Bytes to lines, in one scan per chunk and within hard bounds (rules 10 and 12).

The stock ``LineReceiver`` copies the rest of its buffer for every line, and reads the tail
of an over-long line as a new one. Here a line is searched for only in the bytes that have
just come, and an over-long line is discarded up to its end.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from twisted.protocols.basic import LineReceiver


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
    """

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length
        self._partial = bytearray()  # a list of tiny chunks would weigh 20 times as much
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
            elif self._partial:
                self._partial += first
                lines[0] = self.clear()
            if len(data) > self.max_length or len(lines[0]) > self.max_length:
                lines = [self._bounded(line) for line in lines]
        if self._overlong:
            if rest:
                lines.append(Overlong(rest, False, False))
        elif rest:
            self._partial += rest
            length = len(self._partial)
            if length > self.max_length and not (
                length == self.max_length + 1 and rest.endswith(b"\r")
            ):
                lines.append(Overlong(self.clear(), True, False))
                self._overlong = True
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
        held = bytes(self._partial)
        self._partial.clear()
        return held


class BoundedLineReceiver(LineReceiver):
    """
    A ``LineReceiver`` that is linear in what it receives.

    Lines end with CRLF or LF; both are stripped. Pausing, raw mode and
    ``clearLineBuffer`` work as documented for ``LineReceiver``. Once the transport is
    disconnecting, nothing is delivered in either mode.
    """

    delimiter = b"\r\n"
    MAX_LENGTH = 1024 * 1024

    _splitter: LineSplitter | None = None

    def __init__(self) -> None:
        self._arrived: deque[bytes | Overlong] = deque()
        self._raw: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """Take a chunk from the transport, or b"" to go on after a pause."""
        if data and not self._is_disconnecting():
            if self.line_mode:
                self._arrived.extend(self._line_splitter().feed(data))
            else:
                self._raw.append(data)
        if self._busyReceiving:
            return
        self._busyReceiving = True
        try:
            self._deliver()
        finally:
            self._busyReceiving = False

    def _line_splitter(self) -> LineSplitter:
        if self._splitter is None:
            self._splitter = LineSplitter(self.MAX_LENGTH)
        return self._splitter

    def _is_disconnecting(self) -> bool:
        # Every stream transport has it, though no interface says so.
        return bool(getattr(self.transport, "disconnecting", False))

    def _deliver(self) -> None:
        while not (self.paused or self._is_disconnecting()):
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
                else:
                    self.lineReceived(line[:-1] if line.endswith(b"\r") else line)
            else:
                return

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
        waiting = b"".join(
            piece.data + (b"\n" if piece.last else b"")
            if isinstance(piece, Overlong)
            else piece + b"\n"
            for piece in self._arrived
        )
        self._arrived.clear()
        return waiting + self._line_splitter().clear()

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        Called once for a line longer than ``MAX_LENGTH``; its rest will be discarded.

        :param line: what has come of it.
        """
        if self.transport is not None:
            self.transport.loseConnection()
