"""
QMP 0.1: bytes to messages and back. Pure functions, no I/O (sections 3.1 to 3.3 of the draft).

Lines come and go without their line end; adding CRLF and taking CRLF or LF off (rule 10)
is the framing's business.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from txqmp.errors import InvalidCommand, ProtocolViolation

MAX_COMMAND_LENGTH = 4095
"""Bytes in a command line, without its end (rule 12)."""


class Greeting(NamedTuple):
    """``+ OK QEMU <qemu> QMP <qmp>`` (section 3.3.1)."""

    qemu: str
    qmp: str


class Success(NamedTuple):
    """``+ OK <command> completed``; ``command`` is whatever the server wrote there (rule 2)."""

    command: str


class Failure(NamedTuple):
    """``- ERR <reason>``."""

    reason: str


class Rejection(NamedTuple):
    """``- BAD <reason>``."""

    reason: str


class Output(NamedTuple):
    """One line of command data, ``= <text>`` (section 3.3.3)."""

    text: str


class Event(NamedTuple):
    """
    ``* EVENT <name>`` (section 3.3.4).

    :ivar data: what follows the name, which the draft has no place for.
    """

    name: str
    data: str = ""


class Unknown(NamedTuple):
    """A ``*`` line that is not an event: to be ignored (section 5, rule 22)."""

    text: str


class Command(NamedTuple):
    """
    What a client asks for.

    :ivar verb: lower case (rule 7).
    :ivar arguments: verbatim, unquoted (rule 9).
    :ivar line: the command line as it came, without its end.
    """

    verb: str
    arguments: tuple[str, ...]
    line: str


Completion = Success | Failure | Rejection
ServerMessage = Completion | Output | Event | Unknown

_SHORT = 80
"""Bytes in a line that is worth remembering."""

_RUN_END = re.compile(rb"\r\n(?!= )")
_GREETING = re.compile(rb"\+ +OK +QEMU +(\S(?:.*\S)?) +QMP +(\S+) *", re.IGNORECASE)
_STATUS = re.compile(rb"([+-]) +(OK|ERR|BAD)(?: (.*))?", re.IGNORECASE)
_EVENT = re.compile(rb"\* +EVENT +([!-~]+)(?: (.*))?", re.IGNORECASE)
_UNSENDABLE = re.compile(r"[^ -~]")
_UNPRINTABLE = re.compile(r"[^\t -~]")
_NOT_IN_NAME = re.compile(r"[^!-~]")
_SPACE = re.compile(r"[ \t]")
_QUOTED = re.compile(r'"((?:[^"\\]|\\[nr\\\'"])*)"')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r"}


def _text(line: bytes) -> str:
    # Beyond ASCII nothing is legal, and nothing is lost: the surrogates give the bytes back.
    return line.decode("ascii", "surrogateescape")


def parse_greeting(line: bytes) -> Greeting:
    """
    Read the first line of a connection (rule 17).

    :raises ProtocolViolation: it is no greeting, or of a QMP that is not 0.x.
    """
    if line.startswith(b"{"):
        raise ProtocolViolation("this monitor speaks JSON QMP, not the text protocol", line)
    match = None if b"\r" in line else _GREETING.fullmatch(line)
    if match is None:
        raise ProtocolViolation("not a QMP 0.1 greeting", line)
    greeting = Greeting(_text(match[1]), _text(match[2]))
    if not greeting.qmp.startswith("0."):
        raise ProtocolViolation("a protocol version that is not 0.x", line)
    return greeting


def parse_server_line(line: bytes) -> ServerMessage:
    """
    Read any line of a server but its greeting.

    :raises ProtocolViolation: it is none of the four kinds (rules 10 and 22).
    """
    # Completions and events are few, and come again and again.
    if len(line) <= _SHORT and line[:1] != b"=":
        return _parse_often(line)
    return _parse_server_line(line)


def _parse_server_line(line: bytes) -> ServerMessage:
    # To search for bytes with "in" costs an exception that nobody sees.
    if line.find(b"\r") >= 0 or line.find(b"\n") >= 0:
        raise ProtocolViolation("a line end inside a line", line)
    first = line[:1]
    if first == b"=":
        return Output(_text(line[2:] if line[1:2] == b" " else line[1:]))
    if first == b"*":
        match = _EVENT.fullmatch(line)
        if match is None:
            return Unknown(_text(line[1:]).strip(" "))
        return Event(_text(match[1]), _text(match[2] or b""))
    match = _STATUS.fullmatch(line)
    if match is not None:
        word, rest = match[2].upper(), _text(match[3] or b"")
        if first == b"+" and word == b"OK":
            return Success(_completed(rest))
        if first == b"-" and word == b"ERR":
            return Failure(rest)
        if first == b"-" and word == b"BAD":
            return Rejection(rest)
    raise ProtocolViolation("not a line of QMP 0.1", line)


def parse_output_run(data: bytes) -> tuple[list[str], int]:
    """
    Read the data lines that a chunk begins with, all in one step.

    :param data: begins at the beginning of a line.
    :returns: their texts, and how many bytes they are; none where they are few, or not plainly
        ``= <text>`` with CRLF.
    """
    if not data.startswith(b"= "):
        return [], 0
    # Most often the chunk holds nothing else, and ends in the middle of a line.
    lines, size = _output_lines(data, data.rfind(b"\r\n"))
    if not size:
        found = _RUN_END.search(data)
        if found is not None:
            lines, size = _output_lines(data, found.start())
    return lines, size


def _output_lines(data: bytes, end: int) -> tuple[list[str], int]:
    run = data[2:end] if end >= 2 else b"\n"
    lines = str(run, "ascii", "surrogateescape").split("\r\n= ")
    ends = len(lines) - 1
    if run.count(b"\n") != ends or run.count(b"\r") != ends:
        return [], 0
    return lines, end + 2


_parse_often = lru_cache(maxsize=256)(_parse_server_line)


def _completed(text: str) -> str:
    # By hand: a regular expression that backtracks over a run of spaces is quadratic.
    stripped = text.rstrip(" ")
    head, word = stripped[:-9], stripped[-9:]
    if word.lower() != "completed" or (head and not head.endswith(" ")):
        return text
    return head[:-1]


def split_words(text: str, strict: bool = False) -> list[str]:
    """
    Split a command line at spaces and tabs, honouring ``"…"`` (rules 8 and 9).

    :param strict: refuse more than one space between words, and any around them.
    :raises ProtocolViolation: a quotation that does not end, that goes on after its
        end, or an unknown escape in it.
    """
    if '"' not in text:
        words = text.replace("\t", " ").split(" ")
        if strict and text and "" in words:
            raise ProtocolViolation("arguments are separated by a single space")
        return [word for word in words if word]
    words = []
    position, end = 0, len(text)
    while position < end:
        if text[position] in " \t":
            position += 1
            if strict and (position in (1, end) or text[position] in " \t"):
                raise ProtocolViolation("arguments are separated by a single space")
        elif text[position] == '"':
            match = _QUOTED.match(text, position)
            if match is None:
                raise ProtocolViolation("unterminated string or unsupported escape code")
            position = match.end()
            if position < end and text[position] not in " \t":
                raise ProtocolViolation("extraneous characters after a string")
            words.append(_ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), match[1]))
        else:
            space = _SPACE.search(text, position)
            stop = space.start() if space else end
            words.append(text[position:stop])
            position = stop
    return words


def parse_command(line: bytes, strict: bool = False) -> Command | None:
    """
    Read a line of a client.

    A format is split off its verb: ``x/4i 0`` is ``x`` with ``/4i`` and ``0``.

    :param strict: insist on single spaces (rule 8).
    :returns: None for an empty line (rule 11).
    :raises ProtocolViolation: not ASCII, a control character, or bad quoting
        (rules 8, 9, 10, 13).
    """
    # No secret is remembered: a command that has one has more arguments.
    if len(line) <= _SHORT and line.count(b" ") <= 1 and line.find(b"\t") < 0:
        return _parse_command_often(line, strict)
    return _parse_command(line, strict)


def _parse_command(line: bytes, strict: bool) -> Command | None:
    if not line.isascii():
        raise ProtocolViolation("only ASCII is permitted", line)
    text = line.decode("ascii")
    if (_UNSENDABLE if strict else _UNPRINTABLE).search(text):
        raise ProtocolViolation("control character in the command", line)
    try:
        words = split_words(text, strict)
    except ProtocolViolation as violation:
        raise ProtocolViolation(violation.problem, line) from None
    if not words:
        return None
    verb, slash, form = words[0].partition("/")
    if slash and verb:
        words[1:1] = ["/" + form]
    else:
        verb = words[0]
    return Command(verb.lower(), tuple(words[1:]), text)


_parse_command_often = lru_cache(maxsize=256)(_parse_command)


def quote(argument: str) -> str:
    """Write one argument so that :func:`split_words` gives it back (rule 9)."""
    if argument and not any(c in argument for c in ' "\\'):
        return argument
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'


def check_command_line(line: str, limit: int = MAX_COMMAND_LENGTH) -> bytes:
    """
    Encode a command line that was written by hand.

    :param limit: bytes allowed, without the line end.
    :raises InvalidCommand: empty, too long, or it holds anything but printable ASCII: a
        line end in an argument would be a second command (rule 9).
    """
    found = _UNSENDABLE.search(line)
    if found is not None:
        raise InvalidCommand(
            f"character {found[0]!r} at {found.start()} cannot be sent: a command is "
            "printable ASCII on one line"
        )
    if not line.strip(" "):
        raise InvalidCommand("a command cannot be empty: the monitor would not answer it")
    if len(line) > limit:
        raise InvalidCommand(f"the command line has {len(line)} bytes; the limit is {limit}")
    return line.encode("ascii")


def write_command(verb: str, *arguments: str | int, limit: int = MAX_COMMAND_LENGTH) -> bytes:
    """
    Write a command: single spaces, quotes only where needed (rules 8 and 9).

    :param limit: bytes allowed, without the line end.
    :raises InvalidCommand: it cannot be written, or would be read as something else.
    """
    # No secret is remembered: a command that has one has more arguments.
    if not arguments or (len(arguments) == 1 and arguments[0].__class__ is str):
        return _write_often(verb, arguments, limit)
    return _write_command(verb, arguments, limit)


def _write_command(verb: str, arguments: tuple[str | int, ...], limit: int) -> bytes:
    if not verb or " " in verb or '"' in verb:
        raise InvalidCommand(f"{verb!r} is not a command's name (use execute_line for whole lines)")
    return check_command_line(" ".join([verb, *(quote(str(a)) for a in arguments)]), limit)


_write_often = lru_cache(maxsize=256)(_write_command)


def printable(text: str) -> bytes:
    r"""
    Encode text for a server's line: what is not printable ASCII is written ``\xNN``,
    ``\uNNNN`` or ``\UNNNNNNNN`` (rule 13), tabs are kept.
    """
    if text.isascii() and text.isprintable():
        return text.encode("ascii")
    return _UNPRINTABLE.sub(_escape, text).encode("ascii")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def write_greeting(qemu: str, qmp: str = "0.1") -> bytes:
    """Write the greeting (section 3.3.1)."""
    return b"+ OK QEMU %b QMP %b" % (printable(qemu), printable(qmp))


@lru_cache(maxsize=256)
def write_success(command: str) -> bytes:
    """Write ``+ OK <command> completed``, naming the verb alone (rule 2)."""
    return b"+ OK %b completed" % printable(command)


def write_failure(reason: str) -> bytes:
    """Write ``- ERR <reason>``."""
    return b"- ERR " + printable(reason)


def write_rejection(reason: str) -> bytes:
    """Write ``- BAD <reason>``."""
    return b"- BAD " + printable(reason)


def write_output(text: str) -> bytes:
    """Write one data line; an empty one is ``=`` alone (rule 1)."""
    return b"= " + printable(text) if text else b"="


def write_event(name: str, data: str = "") -> bytes:
    """
    Write ``* EVENT <event>``; ``data`` is appended where it is wanted at all.

    Where the name is empty, so is the data; a space in the name is escaped as well: either
    would be read as the other.
    """
    line = b"* EVENT " + _NOT_IN_NAME.sub(_escape, name).encode("ascii")
    return b"%b %b" % (line, printable(data)) if name and data else line
