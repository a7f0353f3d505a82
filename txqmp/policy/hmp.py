r"""
A line of the human monitor, taken apart as QEMU does it (``monitor/hmp.c``).

A command's name ends at white space or at ``/``. What comes then depends on the command: a
word ends at white space, or, quoted, with its quote, and the next may follow at once
(``memsave 0 16"file"``); so may a word behind a flag (``migrate -dexec:…``). A line feed is
white space: a line is one command, whatever is in it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from txqmp.policy.hmptable import PARAMETERS
from txqmp.policy.names import ALIASES, plain

LONGEST_WORD = 1023
"""Bytes of a word that QEMU keeps; it drops the rest without a word."""

LONGEST_LINE = 65536
"""Characters of arguments that are looked at; nobody can say what more than that is."""

_BLANK = " \t\n\v\f\r"
_NAME = re.compile(r"[^/ \t\n\v\f\r]*")
_WORD = re.compile(r"[^ \t\n\v\f\r]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r"}
_FORMAT = re.compile(r"/\w*")
# Brackets are passed over, not matched: what is wrong with them is for QEMU to say.
_OPERAND = re.compile(
    r"""
    (?: [-+~( \t\n\v\f\r] )*+
    (?: 0[xX][0-9a-fA-F]+ | 0[0-7]* | [1-9][0-9]* | \$[a-zA-Z0-9_.]+ | '.' )
    (?: [) \t\n\v\f\r] )*+
    """,
    re.DOTALL | re.VERBOSE,
)
_OPERATOR = re.compile(r"[-+*/%&|^]")
_SIZE = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]*\.?[0-9]+[bBkKmMgGtTpPeE]?")
_TIME = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?(?:[mun]s)?")


class Line(NamedTuple):
    """
    What a line of the human monitor asks for.

    :ivar name: of the command, as QEMU's table has it, with ``-`` for ``_``.
    :ivar sub: what ``info`` is asked for; empty where it is another command.
    :ivar arguments: the names that QEMU gives them, and their values.
    :ivar words: what stands behind the name, split at white space and by quotes.
    :ivar rest: the same as it came.
    :ivar readable: the arguments were read as QEMU reads them, or it would refuse them.
    """

    name: str
    sub: str
    arguments: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    rest: str
    readable: bool


def read_line(text: str) -> Line | None:
    """
    Take a line apart.

    :returns: None where there is no command in it.
    """
    text = text.lstrip(_BLANK)
    if not text:
        return None
    name, rest = _name(text)
    sub = ""
    if name == "info":
        sub, rest = _name(rest)
    if len(rest) > LONGEST_LINE:
        return Line(name, sub, (), (), rest, False)
    if name == "info":
        return Line(name, sub, (), _words(rest), rest, True)
    words = _words(rest)
    parameters = PARAMETERS.get(name)
    if parameters is None:
        # Of a command that is not known nobody can say where a quote begins a word.
        return Line(name, "", (), words, rest, '"' not in rest)
    reader = _Reader(rest)
    for parameter, kind in parameters:
        reader.take(parameter, kind)
    return Line(name, "", tuple(reader.taken), words, rest, reader.ended())


def _name(text: str) -> tuple[str, str]:
    text = text.lstrip(_BLANK)
    match = _NAME.match(text)
    assert match is not None, "it matches nothing, too"
    # QEMU knows no quotes here; the text protocol does (rule 9).
    name = plain(match[0].strip('"'))
    return ALIASES.get(name, name), text[match.end() :].lstrip(_BLANK)


def _words(text: str) -> tuple[str, ...]:
    """Split at white space, and where a quotation begins or ends."""
    words = []
    position = 0
    while position < len(text):
        if text[position] in _BLANK:
            position += 1
            continue
        match = _QUOTED.match(text, position)
        if match is not None:
            words.append(_unquoted(match[1]))
        else:
            match = _WORD.match(text, position)
            assert match is not None, "there is a character"
            words.append(match[0])
        position = match.end()
    return tuple(words)


def _unquoted(inner: str) -> str:
    return _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), inner)


class _Reader:
    """Reads arguments one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._failed = False
        self.taken: list[tuple[str, str]] = []

    def ended(self) -> bool:
        """Whether all was read, and nothing is left."""
        return not self._failed and not self._text.strip(_BLANK)

    def take(self, name: str, kind: str) -> None:
        """Read an argument, if it is there."""
        self._text = self._text.lstrip(_BLANK)
        optional = kind.endswith(("?", "."))
        if self._failed or (optional and not self._text):
            return
        if kind.startswith("-"):
            self._flag(name, kind)
        elif kind.endswith("."):
            if self._text.startswith("."):
                self._text = self._text[1:].lstrip(_BLANK)
                self._number(name)
        elif kind[0] == "/":
            self._match(name, _FORMAT, needed=False)
        elif kind[0] in "ilM":
            self._number(name)
        elif kind[0] in "oT":
            self._match(name, _SIZE if kind[0] == "o" else _TIME)
        elif kind[0] == "S":
            self._keep(name, len(self._text))
        else:
            self._word(name)

    def _keep(self, name: str, end: int) -> None:
        self._failed = self._failed or end == 0
        self.taken.append((name, self._text[:end].strip(_BLANK)))
        self._text = self._text[end:]

    def _match(self, name: str, pattern: re.Pattern[str], needed: bool = True) -> None:
        match = pattern.match(self._text)
        if match is not None:
            self._keep(name, match.end())
        elif needed:
            self._failed = True

    def _flag(self, name: str, kind: str) -> None:
        if self._text[:2] != kind[:2]:
            return
        self._text = self._text[2:].lstrip(_BLANK)
        if kind.endswith("s"):
            self._word(name)
        else:
            self.taken.append((name, "true"))

    def _word(self, name: str) -> None:
        match = _QUOTED.match(self._text)
        if match is None:
            if self._text.startswith('"'):
                self._failed = True
            else:
                self._match(name, _WORD)
            return
        self.taken.append((name, _unquoted(match[1])))
        self._text = self._text[match.end() :]

    def _number(self, name: str) -> None:
        """Read an expression: QEMU goes on behind an operand where an operator is."""
        position = 0
        while (operand := _OPERAND.match(self._text, position)) is not None:
            position = operand.end()
            if _OPERATOR.match(self._text, position) is None:
                break
            position += 1
        else:
            self._failed = True
        self._keep(name, position)
