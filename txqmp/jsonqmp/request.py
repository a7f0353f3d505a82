"""
Requests as a server reads them: strictly, by QEMU's rules and with its words for what is wrong.

What :class:`~txqmp.jsonqmp.values.ValueSplitter` cuts out is read here once more, token by token,
because QEMU says something about each error in it: ``}},`` is three. Unlike QEMU, refuse
numbers that are not finite, which it takes and then writes as ``inf``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from txqmp.errors import ProtocolViolation
from txqmp.jsonqmp.grammar import ABSENT, Command, JSONObject, JSONValue

MAX_DEPTH = 1024
"""Objects and arrays inside each other, in QEMU."""


class _Token(NamedTuple):
    """``kind`` is the token itself for brackets, commas and colons, and a name for the others."""

    kind: str
    text: bytes


_LEX = re.compile(
    rb"""
    (?P<space>   [ \t\r\n]++ )
  | (?P<mark>    [{}\[\]:,] )
  | (?P<string>  "(?:[^"\\\x00-\x1f\xfe\xff]|\\[\x20-\xfd])*+"
               | '(?:[^'\\\x00-\x1f\xfe\xff]|\\[\x20-\xfd])*+' )
  | (?P<number>  -?+ (?: 0 (?! [0-9.] ) | [1-9][0-9]*+ (?! [.eE] )
                       | (?:0|[1-9][0-9]*+) \.[0-9]++ (?! [eE] )
                       | (?:0\.[0-9]++ | [1-9][0-9]*+ (?:\.[0-9]++)?+) [eE][+-]?+[0-9]++ ) )
  | (?P<word>    [a-z]++ )
  | (?P<stray>   (?: "(?:[^"\\\x00-\x1f\xfe\xff]|\\[\x20-\xfd])*+ \\?+
                   | '(?:[^'\\\x00-\x1f\xfe\xff]|\\[\x20-\xfd])*+ \\?+
                   | -?+ (?: 0 (?:\.[0-9]*+)?+ | [1-9][0-9]*+ (?:\.[0-9]*+)?+ )?+
                     (?: (?<=[0-9]) [eE][+-]?+ )?+ )
                 [\x00-\xff]?+ )
    """,
    re.DOTALL | re.VERBOSE,
)
_RECOVERY = re.compile(rb"[^{}\[\]:,\x00-\x08\x0a-\x1f\xfe\xff]*+")
_ESCAPE = re.compile(r"\\(?:u(.{0,4})|(.))", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PLAIN = frozenset("\"'\\/")
_HEX = re.compile("[0-9a-fA-F]{4}")
_WORDS: dict[bytes, JSONValue] = {b"true": True, b"false": False, b"null": None}
_MARKS = {"{": "}", "[": "]"}


def _bad(problem: str, raw: bytes = b"") -> ProtocolViolation:
    return ProtocolViolation(f"JSON parse error, {problem}", raw)


def read(raw: bytes, max_depth: int = MAX_DEPTH) -> Iterator[JSONValue | ProtocolViolation]:
    """
    Read bytes as QEMU does that begins afresh with them.

    :param raw: what a splitter has cut out; the end of it ends a number or a word.
    :param max_depth: objects and arrays inside each other.
    :returns: values, and what is wrong with the rest, in the order of QEMU's answers.
    """
    tokens: list[_Token] = []
    braces = brackets = 0
    for token in _lex(raw):
        braces += (token.kind == "{") - (token.kind == "}")
        brackets += (token.kind == "[") - (token.kind == "]")
        tokens.append(token)
        if token.kind == "stray":
            # In C, a string ends at its first NUL.
            shown = token.text.partition(b"\0")[0].decode("utf-8", "replace")
            yield _bad(f"stray '{shown}'", raw)
        elif braces + brackets > max_depth:
            yield ProtocolViolation("JSON nesting depth limit exceeded", raw)
        elif (braces > 0 or brackets > 0) and braces >= 0 and brackets >= 0:
            continue
        else:
            try:
                yield _parse(tokens)
            except ProtocolViolation as violation:
                violation.line = raw
                yield violation
        tokens = []
        braces = brackets = 0


def parse_request(raw: bytes, oob: bool = True) -> Command:
    """
    Read one message of a client as QEMU does.

    :param oob: whether out-of-band commands were negotiated.
    :raises ProtocolViolation: it is none; its ``problem`` is what QEMU says.
    """
    for message in read(raw):
        if isinstance(message, ProtocolViolation):
            raise message
        return as_command(message, oob)
    raise ProtocolViolation("not a message", raw)


def as_command(message: JSONValue, oob: bool = True) -> Command:
    """
    See that a value is a command.

    :param oob: whether out-of-band commands were negotiated.
    :raises ProtocolViolation: it is none; its ``problem`` is what QEMU says.
    """
    if not isinstance(message, dict):
        raise ProtocolViolation("QMP input must be a JSON object")
    executes = ("execute", "exec-oob") if oob else ("execute",)
    found = None
    arguments: JSONObject = {}
    for key, value in message.items():
        if key in executes:
            if not isinstance(value, str):
                raise ProtocolViolation(f"QMP input member '{key}' must be a string")
            if found is not None:
                raise ProtocolViolation(f"QMP input member '{key}' clashes with '{found[0]}'")
            found = key, value
        elif key == "arguments":
            if not isinstance(value, dict):
                raise ProtocolViolation("QMP input member 'arguments' must be an object")
            arguments = value
        elif key != "id":
            raise ProtocolViolation(f"QMP input member '{key}' is unexpected")
    if found is None:
        raise ProtocolViolation("QMP input lacks member 'execute'")
    return Command(found[1], arguments, message.get("id", ABSENT), found[0] == "exec-oob")


def _lex(raw: bytes) -> Iterator[_Token]:
    position = 0
    while position < len(raw):
        match = _LEX.match(raw, position)
        assert match is not None
        assert match.lastgroup is not None
        position, kind = match.end(), match.lastgroup
        if kind == "stray":
            recovered = _RECOVERY.match(raw, position)
            assert recovered is not None
            position = recovered.end()
        if kind != "space":
            text = match[0]
            yield _Token(text.decode() if kind == "mark" else kind, text)


class _Open:
    """An object or array whose end has not come; ``key`` is that of the value to come."""

    def __init__(self, mark: str) -> None:
        self.closing = _MARKS[mark]
        self.members: JSONObject = {}
        self.items: list[JSONValue] = []
        self.key: str | None = None

    @property
    def value(self) -> JSONValue:
        return self.members if self.closing == "}" else self.items


def _parse(tokens: Sequence[_Token]) -> JSONValue:
    # Without recursion: Python's is more limited than QEMU's depth. The tokens are balanced in
    # number, so that an error shows before they run out.
    enclosing: list[_Open] = []
    index = 0
    while True:
        token = tokens[index]
        index += 1
        if token.kind in _MARKS:
            opened = _Open(token.kind)
            if tokens[index].kind != opened.closing:
                enclosing.append(opened)
                continue
            index += 1
            value = opened.value
        else:
            value = _scalar(token)
        while enclosing:
            inner = enclosing[-1]
            after = tokens[index].kind
            index += 1
            if _more(inner, value, after):
                break
            value = enclosing.pop().value
        else:
            return value


def _more(inner: _Open, value: JSONValue, after: str) -> bool:
    """Put a value in, or take it for a key; say whether another is to come."""
    if inner.closing == "]":
        inner.items.append(value)
    elif inner.key is None:
        if not isinstance(value, str):
            raise _bad("key is not a string in object")
        if after != ":":
            raise _bad("missing : in object pair")
        inner.key = value
        return True
    elif inner.key in inner.members:
        raise _bad("duplicate key")
    else:
        inner.members[inner.key] = value
        inner.key = None
    if after not in (",", inner.closing):
        raise _bad(f"expected separator in {'list' if inner.closing == ']' else 'dict'}")
    return after == ","


def _scalar(token: _Token) -> JSONValue:
    if token.kind == "string":
        return _string(token.text[1:])
    if token.kind == "number":
        return _number(token.text)
    if token.kind == "word":
        if token.text not in _WORDS:
            raise _bad(f"invalid keyword '{token.text.decode()}'")
        return _WORDS[token.text]
    raise _bad("expecting value")


def _number(text: bytes) -> JSONValue:
    if len(text) <= 20 and text.lstrip(b"-").isdigit():
        whole = int(text)
        if -(1 << 63) <= whole < 1 << 64:
            return whole
    number = float(text)
    if math.isinf(number):
        raise _bad("number out of range")
    return number


def _string(raw: bytes) -> str:
    """Read a string; its closing quote is still there, since QEMU quotes it with a bad escape."""
    try:
        # QEMU writes NUL as two bytes.
        text = raw.replace(b"\xc0\x80", b"\0").decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("invalid UTF-8 sequence in string") from None
    if not text.isascii() and any(not _is_character(ord(c)) for c in text):
        raise _bad("invalid UTF-8 sequence in string")
    if "\\" not in text:
        return text[:-1]
    parts: list[str] = []
    position = 0
    while match := _ESCAPE.search(text, position):
        parts.append(text[position : match.start()])
        character, position = _unescape(text, match)
        parts.append(character)
    return "".join([*parts, text[position:-1]])


def _unescape(text: str, match: re.Match[str]) -> tuple[str, int]:
    """Say what an escape stands for, and where what follows it begins."""
    if match[2] is not None:
        if match[2] in _ESCAPES:
            return _ESCAPES[match[2]], match.end()
        if match[2] in _PLAIN:
            return match[2], match.end()
        raise _bad("invalid escape sequence in string")
    code = int(match[1], 16) if _HEX.fullmatch(match[1]) else -1
    end = match.end()
    if 0xD800 <= code <= 0xDBFF and text.startswith("\\u", end):
        second = text[end + 2 : end + 6]
        low = int(second, 16) if _HEX.fullmatch(second) else -1
        if 0xDC00 <= low <= 0xDFFF:
            code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF)
            end += 6
    if not _is_character(code):
        raise _bad(f"{text[match.start() : end]} is not a valid Unicode character")
    return chr(code), end


def _is_character(code: int) -> bool:
    noncharacter = 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
    return 0 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF and not noncharacter
