r"""
JSON QMP: a byte stream to JSON values, as QEMU's own lexer and parser cut it.

Clients end a command without a line end, several values come in one read and one value
in many. What is cut out is balanced text of well-formed tokens; whether it is JSON and a
message is for :mod:`txqmp.jsonqmp.grammar` to say. As in QEMU 7.2:

* an object or array ends with the bracket that balances it, a string with its quote, at
  once; a number or a word only when something else follows it;
* strings are "double" or 'single' quoted; a backslash takes any next byte with it;
* a byte that fits no token (a control byte other than white space, 0xFE, 0xFF, a line end
  in a string, an upper-case letter …) drops the value it came in. What follows is skipped
  up to the next bracket, comma, colon or control byte (a tab excepted);
* a bracket too many, a bracket of the wrong kind, and a value nested too deeply drop what
  came before them; what comes next is read afresh.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

INCOMPLETE = "incomplete value"
SKIPPED = "skipped after an error"
TOO_DEEP = "value too deep"
TOO_LONG = "value too long"
UNBALANCED = "unbalanced bracket"
UNKNOWN_WORD = "unknown word"
WHITE_SPACE = "white space"


class Value(NamedTuple):
    """
    One top-level JSON value.

    :ivar raw: its bytes exactly, with the white space before it, and what white space had
        already come after it.
    """

    raw: bytes


class Junk(NamedTuple):
    """
    Bytes that are no JSON value.

    QEMU would answer with one or more errors, except where the problem is
    :data:`WHITE_SPACE`, :data:`INCOMPLETE`, or :data:`SKIPPED`: the rest, which came too
    late, of a piece of junk that has already been handed out.

    :ivar raw: the bytes exactly, up to where a value may begin again.
    :ivar problem: what is wrong with them, without a word of the peer's.
    """

    raw: bytes
    problem: str


Piece = Value | Junk


def _repeated(item: bytes) -> bytes:
    # Atomic inside possessive: before 3.11.5, re does not step back from the round that fails.
    return rb"(?:(?>%b))*+" % item


def _open_string(quote: bytes) -> bytes:
    plain = rb"[^%b\\\x00-\x1f\xfe\xff]*+" % quote
    return quote + plain + _repeated(rb"\\[\x20-\xfd]" + plain)


def _run(levels: int) -> bytes:
    """Tokens and white space, and whole objects and arrays up to so many levels deep."""
    item = rb"(?:%b)[ \t\r\n,:]*+|[ \t\r\n,:]++" % _SCALAR
    if levels:
        inner = _run(levels - 1)
        item += rb"|\{%b\}|\[%b\]" % (inner, inner)
    return _repeated(item)


_WHITE = rb"[ \t\r\n]*+"
_STRING = rb'%b"|%b\'' % (_open_string(b'"'), _open_string(b"'"))
_EXPONENT = rb"[eE][+-]?+[0-9]++"
_FRACTION = rb"\.[0-9]++(?:%b|(?![eE]))" % _EXPONENT
_NUMBER = rb"-?+(?:0(?:%b|(?![0-9.]))|[1-9][0-9]*+(?:%b|%b|(?![.eE])))(?=.)" % (
    _FRACTION,
    _FRACTION,
    _EXPONENT,
)
_SCALAR = rb"%b|[a-z]++(?=.)|%b" % (_STRING, _NUMBER)
_OPEN_EXPONENT = rb"(?:[eE][+-]?+[0-9]*+)?"
_OPEN_FRACTION = rb"\.(?:[0-9]++%b)?" % _OPEN_EXPONENT
_OPEN_NUMBER = rb"-?+(?:0(?:%b)?|[1-9][0-9]*+(?:%b|%b))?" % (
    _OPEN_FRACTION,
    _OPEN_FRACTION,
    _OPEN_EXPONENT,
)
_SKIP = rb"[^{}\[\]:,\x00-\x08\x0a-\x1f\xfe\xff]*+"
# What begins no token: alone (a closing bracket, a comma, a colon), or skipping on from there.
_STRAY = _repeated(rb"[}\]:,]++|[^{}\[\]:, \t\r\n\"'0-9a-z-]" + _SKIP)

# Taken in by one match. More make a run shorter and a match that fails dearer.
_LEVELS = 2
_white = re.compile(_WHITE)
_object = re.compile(rb"%b(\{%b\})%b" % (_WHITE, _run(_LEVELS), _WHITE), re.DOTALL)
_deep_run = re.compile(_run(_LEVELS), re.DOTALL)
_flat_run = re.compile(_run(0), re.DOTALL)
_scalar = re.compile(_SCALAR, re.DOTALL)
_token = re.compile(
    rb"(?:%b|%b)(\\?+)|[a-z]++|%b" % (_open_string(b'"'), _open_string(b"'"), _OPEN_NUMBER)
)
_rest = re.compile(_SKIP)
_error = re.compile(_SKIP + _STRAY)
_stray = re.compile(_STRAY)
_repetition = re.compile(rb"([0-9])[0-9]++|([a-z])[a-z]++")

_WHITE_BYTES = b" \t\r\n"
_BRACKETS = b"{}[]"
_CLOSED = b"}]:,"
_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_WORDS = (b"true", b"false", b"null")
# Bytes of white space or skipped junk that wait for what comes next, at most.
_WAITING = 4096


class ValueSplitter:
    """
    Split a byte stream into JSON values and junk, as it comes.

    The ``raw`` of everything handed out, put together, is the stream. Values do not depend
    on how the stream was cut into chunks, nor does the work, which grows with its length.

    QEMU bounds a value otherwise: 64 MiB in tokens, not counting white space, and 2 Mi
    tokens. What a splitter takes for one value near these bounds may be junk to QEMU.

    :param max_length: bytes in a value; of a longer one, what comes after these is skipped
        like the bytes after any error. It also bounds what is held between two chunks.
    :param max_depth: objects and arrays inside each other.
    """

    def __init__(self, max_length: int = 64 << 20, max_depth: int = 1024) -> None:
        if max_length < 1 or max_depth < 1:
            raise ValueError("a splitter needs room for a value")
        self._max_length = max_length
        self._max_depth = max_depth
        self._held = bytearray()
        self._reset()

    def _reset(self) -> None:
        self._held.clear()
        self._length = 0  # of the unfinished value, in bytes
        self._braces = self._brackets = 0
        # The fewest bytes that bring the lexer to where it was inside a token.
        self._token = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[Piece]:
        """
        Take the next bytes of the stream.

        :returns: what is complete now, in order.
        """
        pieces: list[Piece] = []
        if not data:
            return pieces
        given = len(self._token)
        text = self._token + data
        for end, problem in self._cuts(text):
            pieces.append(self._piece(text[given:end], problem))
            given = end
        self._held += text[given:]
        if len(self._held) >= _WAITING and not self._length:
            pieces.append(self._piece(b"", SKIPPED if self._skipping else WHITE_SPACE))
        return pieces

    def finish(self) -> list[Piece]:
        """
        End the stream: hand out what is left, and be ready for another.

        A number or a word is complete now; anything else is not.
        """
        pieces: list[Piece] = []
        if self._held:
            if not self._length:
                problem: str | None = SKIPPED if self._skipping else WHITE_SPACE
            elif self._braces or self._brackets or not _scalar.match(self._token + b" "):
                problem = INCOMPLETE
            else:
                problem = UNKNOWN_WORD if self._token in _LETTERS else None
            pieces.append(self._piece(b"", problem))
        self._reset()
        return pieces

    def _piece(self, raw: bytes, problem: str | None) -> Piece:
        if self._held:
            self._held += raw
            raw = bytes(self._held)
            self._held.clear()
        if problem is None or (problem is UNKNOWN_WORD and raw.strip(_WHITE_BYTES) in _WORDS):
            return Value(raw)
        return Junk(raw, problem)

    def _cuts(self, text: bytes) -> Iterator[tuple[int, str | None]]:
        """
        Say where pieces end, and with what problem (None: a value; the word may be none).

        :param text: the bytes that stand for the unfinished token, and the new ones.
        """
        position = 0
        # Where the unfinished value would begin, had all of it come in this text.
        begin = len(self._token) - self._length
        begun = self._length > 0
        self._length, self._token = 0, b""
        if self._skipping:
            position = self._skip(_rest, text, 0)
            if position < len(text) and (position or self._held):
                position = _end(_white, text, position)
                yield position, SKIPPED
        while position < len(text):
            if not begun:
                match = _object.match(text, position) if self._max_depth > _LEVELS else None
                if match and match.end(1) - match.start(1) <= self._max_length:
                    position = match.end()
                    yield position, None
                    continue
                begin = position = _end(_white, text, position)
                if position == len(text):
                    return
            cut = self._lex(text, begin, position)
            if cut is None:
                self._length = len(text) - begin
                return
            end, problem = cut
            self._braces = self._brackets = 0
            begun = False
            position = _end(_white, text, end)
            yield position, problem

    def _lex(self, text: bytes, begin: int, position: int) -> tuple[int, str | None] | None:
        """
        Go on with a value.

        :param begin: where it begins (before the text, if its first bytes came earlier).
        :param position: what comes before it has been lexed.
        :returns: where the piece ends and its problem, or None when the text ends first.
        """
        limit = min(len(text), begin + self._max_length)
        if position == begin and (end := self._skip(_stray, text, position)) > position:
            closing = text[position] in _BRACKETS
            return end, UNBALANCED if closing else _unexpected(text[position])
        while True:
            depth = self._braces + self._brackets
            if depth:
                run = _deep_run if depth + _LEVELS <= self._max_depth else _flat_run
                position = _end(run, text, position, limit)
            elif scalar := _scalar.match(text, position, limit):
                return scalar.end(), UNKNOWN_WORD if text[position] in _LETTERS else None
            if position < limit and text[position] in _BRACKETS:
                position += 1
                problem = self._count(text[position - 1])
                if problem or not (self._braces or self._brackets):
                    return position, problem
                continue
            token = _token.match(text, position, limit)
            stop = token.end() if token else position
            if stop < limit:
                return self._skip(_error, text, stop + 1), _unexpected(text[stop])
            if limit == begin + self._max_length:
                return self._skip(_error, text, stop), TOO_LONG
            self._token = _shortest(token) if token else b""
            return None

    def _count(self, bracket: int) -> str | None:
        """Count a bracket that was read, and say what is wrong with it."""
        step = 1 if bracket in b"{[" else -1
        if bracket in b"{}":
            self._braces += step
        else:
            self._brackets += step
        if self._braces < 0 or self._brackets < 0:
            return UNBALANCED
        return TOO_DEEP if self._braces + self._brackets > self._max_depth else None

    def _skip(self, pattern: re.Pattern[bytes], text: bytes, position: int) -> int:
        """
        Pass over junk.

        :returns: where it ends. At the end of the text, more may follow: ``_skipping``.
        """
        end = _end(pattern, text, position)
        # A closing bracket, a comma or a colon is an error that ends by itself.
        self._skipping = end == len(text) and (end == position or text[end - 1] not in _CLOSED)
        return end


def _end(pattern: re.Pattern[bytes], text: bytes, position: int, limit: int = sys.maxsize) -> int:
    match = pattern.match(text, position, limit)
    return match.end() if match else position


def _shortest(token: re.Match[bytes]) -> bytes:
    """Shorten an unfinished token to what the lexer needs to go on with it."""
    if token[1] is not None:
        return token[0][:1] + token[1]
    return _repetition.sub(rb"\1\2", token[0])


def _unexpected(byte: int) -> str:
    return f"unexpected byte 0x{byte:02x}"
