"""
The commands a text server knows: names, argument types, help, handlers.

Argument types are letters, as in the monitor of 2009:

======  ========================================================================
``s``   a string
``F``   a file name
``B``   a block device's name
``i``   a 32-bit integer: decimal, ``0x`` or leading ``0``, with a sign
``l``   a 64-bit integer
``/``   an optional format joined to the verb (``x/4i``), given as ``"4i"`` or None
``-x``  an optional flag, given as True or False
``?``   after a letter: the argument may be missing, and is None then
``.``   after ``i``: optional, and joined to the integer before it (``0x3c0.2``)
======  ========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from txqmp.errors import CommandFailed, CommandRejected

if TYPE_CHECKING:
    from txqmp.text.server import Request

Handler = Callable[..., Any]
_H = TypeVar("_H", bound=Handler)
Value = str | int | bool | None

_TYPE = re.compile(r"\A/|-[A-Za-z]|(?<=[il])i\.|[sFBil]\??")
_NAME = re.compile(r"[!#-.0-~][!-.0-~]*")  # what a client can send as one verb, format apart
_INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))")
_EXPECTED = {
    "s": "string expected",
    "F": "filename expected",
    "B": "block device name expected",
    "i": "integer expected",
    "l": "integer expected",
}


def _integer(word: str, bits: int) -> int:
    match = _INTEGER.fullmatch(word)
    if match is None or len(word) > 32:
        raise ValueError(f"integer expected, not '{word}'")
    sign, hexadecimal, octal, decimal = match.groups()
    if hexadecimal is not None:
        value = int(hexadecimal, 16)
    elif octal is not None:
        value = int(octal or "0", 8)
    else:
        value = int(decimal)
    value = -value if sign == "-" else value
    if not -(1 << (bits - 1)) <= value < 1 << bits:
        raise ValueError(f"integer is for {bits}-bit values")
    return value


class Entry:
    """
    One command, or one sub-command of ``info``.

    :ivar name: its canonical name; for a sub-command ``info`` and its own (rule 2).
    :ivar aliases: all its names.
    :ivar parameters: its arguments as ``help`` shows them.
    :ivar summary: what ``help`` says of it.
    """

    def __init__(
        self, names: str, args: str, parameters: str, summary: str, handler: Handler
    ) -> None:
        self.types = _TYPE.findall(args)
        if "".join(self.types) != args:
            raise ValueError(f"command {names!r}: unknown argument types {args!r}")
        info, _, last = names.lower().rpartition(" ")
        words = last.split("|")
        if info not in ("", "info") or not all(_NAME.fullmatch(word) for word in words):
            raise ValueError(f"{names!r} cannot be the name of a command")
        self.aliases = tuple(f"{info} {word}".lstrip() for word in words)
        self.name = max(self.aliases, key=len)
        self.parameters = parameters
        self.summary = summary
        self.handler = handler

    def bind(self, words: tuple[str, ...]) -> list[Value]:
        """
        Check arguments against their types.

        :returns: one value for each type.
        :raises CommandFailed: ``<command>: <what was expected>`` (rule 14).
        """
        if not self.types and not words:
            return []
        left = list(words)
        try:
            bound = [self._take(index, left) for index in range(len(self.types))]
        except ValueError as error:
            raise CommandFailed(f"{self.name}: {error}") from None
        if left:
            raise CommandFailed(f"{self.name}: extraneous characters at the end of line")
        return bound

    def _take(self, index: int, left: list[str]) -> Value:
        kind = self.types[index]
        if kind == "/":
            return left.pop(0)[1:] if left and left[0].startswith("/") else None
        if kind[0] == "-":
            if left and left[0] == kind:
                del left[0]
                return True
            if left and re.fullmatch("-[A-Za-z]", left[0]):
                raise ValueError(f"unsupported option {left[0]}")
            return False
        if kind[-1] == ".":
            return _integer(left.pop(0)[1:], 32) if left and left[0].startswith(".") else None
        if not left:
            if kind[-1] == "?":
                return None
            raise ValueError(_EXPECTED[kind[0]])
        word = left.pop(0)
        if kind[0] in "sFB":
            return word
        if index + 1 < len(self.types) and self.types[index + 1][-1] == "." and "." in word:
            word, _, joined = word.partition(".")
            left.insert(0, "." + joined)
        return _integer(word, 32 if kind[0] == "i" else 64)

    def __str__(self) -> str:
        head = f"{'|'.join(self.aliases)} {self.parameters}".strip()
        return f"{head} -- {self.summary}" if self.summary else head


class CommandTable:
    """
    Commands by name, each with its handler::

        table = CommandTable()

        @table.command("set_link", args="ss", params="name up|down", help="set a link")
        def set_link(request, name, state): ...

        @table.command("info network")
        def info_network(request):
            yield "VLAN 0 devices:"

    A handler gets the :class:`~txqmp.text.server.Request` and one value for each letter of
    ``args`` (see the module's table). What it returns is the command's data: None, one string
    (split at line ends), or an iterable, an asynchronous iterator, a Deferred or a coroutine of
    those. Long output is taken from an iterator as fast as the client reads it. To fail, it
    raises :class:`~txqmp.CommandFailed` (``- ERR``) or :class:`~txqmp.CommandRejected`
    (``- BAD``) with the reason.

    ``help`` and a bare ``info`` are there from the start, made from the table.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self.command("help|?", args="s?s?", params="[cmd]", help="show the help")(self._help)
        self.command("info", params="[subcommand]", help="show various information")(self._info)

    def command(
        self,
        names: str,
        args: str = "",
        params: str = "",
        help: str = "",
    ) -> Callable[[_H], _H]:
        """
        Register the decorated handler.

        :param names: its name, with aliases after ``|`` (the longest is canonical);
            ``info <name>`` for a sub-command.
        :param args: the types of its arguments.
        :param params: its arguments as ``help`` shows them.
        :param help: one line that says what it does.
        :raises ValueError: unknown types, or a name that is taken or cannot be sent.
        """

        def register(handler: _H) -> _H:
            entry = Entry(names, args, params, help, handler)
            for alias in entry.aliases:
                if alias in self._entries:
                    raise ValueError(f"command {alias!r} is there already")
            for alias in entry.aliases:
                self._entries[alias] = entry
            return handler

        return register

    def __iter__(self) -> Iterator[Entry]:
        """All entries, each once, in the order of their names."""
        return iter(sorted(set(self._entries.values()), key=lambda e: e.name))

    def lookup(self, verb: str, words: tuple[str, ...]) -> tuple[Entry, tuple[str, ...]]:
        """
        Find a command (rules 7 and 15).

        :param verb: in lower case.
        :returns: its entry, and the words that are its arguments.
        :raises CommandRejected: ``unknown command``.
        """
        if verb == "info" and words:
            verb, words = f"info {words[0].lower()}", words[1:]
        elif " " in verb:  # "info name" in quotes is one word
            raise CommandRejected("unknown command")
        entry = self._entries.get(verb)
        if entry is None:
            raise CommandRejected("unknown command")
        return entry, words

    def call(self, request: Request) -> Any:
        """
        Carry out one command.

        :returns: what its handler returned.
        :raises CommandError: its name or its arguments are wrong, or its handler says so.
        """
        entry, words = self.lookup(request.command.verb, request.command.arguments)
        request.name = entry.name
        return entry.handler(request, *entry.bind(words))

    def _help(self, request: Request, name: str | None, sub: str | None) -> list[str]:
        if name is None:
            return [str(entry) for entry in self if not entry.name.startswith("info ")]
        asked = name if sub is None else f"{name} {sub}"
        if asked.lower() == "info":
            return self._info(request)
        entry = self._entries.get(asked.lower())
        if entry is None:
            raise CommandFailed(f"help: no command '{asked}'")
        return [str(entry)]

    def _info(self, request: Request) -> list[str]:
        return [str(entry) for entry in self if entry.name.startswith("info ")]
