"""Which recorded command a client's command is."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from txqmp.errors import MonitorError, escaped
from txqmp.jsonqmp.grammar import ABSENT, Absent, JSONValue
from txqmp.replay.fitting import NAMING, Names
from txqmp.replay.script import Exchange, Script

Mode = Literal["strict", "loose"]

MODES: tuple[Mode, ...] = ("strict", "loose")

HIDDEN = "[redacted]"
"""What a journal writes in the place of a secret."""
_SHOWN = 200
"""Characters of a command that are shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What a client asks for.

    :ivar name: of the command, or its verb; empty for a line that is no command.
    :ivar arguments: a list of words in the text dialect, an object in JSON.
    :ivar id: of a command in JSON.
    :ivar line: what came, for a line that is no command.
    :ivar problem: why it is none.
    """

    name: str
    arguments: Any
    id: JSONValue | Absent = ABSENT
    line: bytes = b""
    problem: str = ""

    def __str__(self) -> str:
        if not self.name:
            return f"the line '{escaped(self.line, _SHOWN)}'"
        return shown(self.name, self.arguments)


class NotRecorded(MonitorError):
    """
    A client asks for what it did not ask for when it was recorded.

    :ivar unknown: no command of this name is in the record.
    """

    def __init__(self, problem: str, unknown: bool = False) -> None:
        super().__init__(problem)
        self.unknown = unknown


class Matcher(Protocol):
    """Finds recorded commands."""

    names: Names

    def find(self, asked: Asked) -> Exchange:
        """
        Find the recorded command.

        :raises NotRecorded: there is none.
        """


def make_matcher(mode: Mode, script: Script) -> Matcher:
    """Make what finds the commands of one client in a script."""
    return StrictMatcher(script) if mode == "strict" else LooseMatcher(script)


def shown(name: str, arguments: Any) -> str:
    """Show a command in a message: printable ASCII, not too long."""
    if isinstance(arguments, list):
        text = " ".join([name, *(str(word) for word in arguments)])
    else:
        try:
            text = f"{name} {json.dumps(arguments)}" if arguments else name
        except RecursionError:
            text = f"{name} ..."
    data = text.encode("utf-8", "backslashreplace")
    return escaped(data, _SHOWN)


class StrictMatcher:
    """Takes the same commands in the same order, and nothing else."""

    def __init__(self, script: Script) -> None:
        self.names = Names()
        self._exchanges = script.exchanges
        self._place = 0

    def find(self, asked: Asked) -> Exchange:
        """
        Take the next recorded command, if it is that.

        :raises NotRecorded: it is another; that one is still the next.
        """
        if self._place == len(self._exchanges):
            raise NotRecorded("expected nothing more: the record is over")
        expected = self._exchanges[self._place]
        if not _is_same(expected, asked):
            wanted = Asked(
                expected.name, expected.arguments, line=(expected.record.raw or b"").rstrip(b"\r\n")
            )
            raise NotRecorded(f"expected {wanted}, not {asked}")
        self._place += 1
        return expected


class _Recorded:
    """The recorded commands that are the same; each is given once, and then the last again."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._next = 0

    def add(self, exchange: Exchange) -> None:
        self._exchanges.append(exchange)

    def take(self) -> Exchange:
        exchange = self._exchanges[min(self._next, len(self._exchanges) - 1)]
        self._next += 1
        return exchange


class LooseMatcher:
    """
    Takes commands in any order, by name and arguments.

    The answers to the same command are given in their order, and then the last one again. The
    arguments of ``qmp_capabilities`` do not count, nor do the names that are given to file
    descriptors.
    """

    def __init__(self, script: Script) -> None:
        self.names = Names()
        self._known = {exchange.name for exchange in script.exchanges}
        self._same: defaultdict[str, _Recorded] = defaultdict(_Recorded)
        self._hidden: defaultdict[str, list[tuple[Exchange, _Recorded]]] = defaultdict(list)
        self._naming: defaultdict[str, list[Exchange]] = defaultdict(list)
        for exchange in script.exchanges:
            arguments = exchange.arguments
            self._same[_key(exchange.name, arguments, _line(exchange))].add(exchange)
            if exchange.record.fields.get("redacted"):
                self._hide(exchange)
            if exchange.name in NAMING:
                self._naming[exchange.name].append(exchange)

    def _hide(self, exchange: Exchange) -> None:
        there = self._hidden[exchange.name]
        same = self._same[_key(exchange.name, exchange.arguments, _line(exchange))]
        if all(recorded is not same for _, recorded in there):
            there.append((exchange, same))

    def find(self, asked: Asked) -> Exchange:
        """
        Take a recorded command of the same name and arguments.

        :raises NotRecorded: there is none.
        """
        try:
            return self._find(asked)
        except RecursionError:
            raise NotRecorded(f"{asked.name} is nested too deeply to be looked for") from None

    def _find(self, asked: Asked) -> Exchange:
        if asked.name in NAMING:
            named = self._find_naming(asked)
            if named is not None:
                return named
        fitted = self.names.recorded(asked.arguments)
        for arguments in (asked.arguments, fitted):
            same = self._same.get(_key(asked.name, arguments, asked.line))
            if same is not None:
                return same.take()
            for recorded, others in self._hidden.get(asked.name, ()):
                if _fits(recorded.arguments, arguments):
                    return others.take()
        if asked.name in self._known and asked.name:
            raise NotRecorded(f"{asked.name} was not recorded with these arguments: {asked}")
        raise NotRecorded(f"{asked} was not recorded", unknown=True)

    def _find_naming(self, asked: Asked) -> Exchange | None:
        """The next command that names a descriptor: first of those with the very name."""
        name, rest = _taken_apart(asked.name, asked.arguments)
        left = self._naming[asked.name]
        alike = [each for each in left if _taken_apart(each.name, each.arguments)[1] == rest]
        for exchange in alike:
            if _taken_apart(exchange.name, exchange.arguments)[0] == name:
                break
        else:
            if not alike:
                return None
            exchange = alike[0]
        left.remove(exchange)
        self.names.learn(name, _taken_apart(exchange.name, exchange.arguments)[0])
        return exchange


def _taken_apart(command: str, arguments: Any) -> tuple[Any, Any]:
    """The name of a descriptor, and the other arguments."""
    if isinstance(arguments, list):
        return (arguments[0] if arguments else None), arguments[1:]
    key = NAMING[command]
    return arguments.get(key), {name: arguments[name] for name in arguments if name != key}


def _line(exchange: Exchange) -> bytes:
    return b"" if exchange.name else (exchange.record.raw or b"").rstrip(b"\r\n")


def _key(name: str, arguments: Any, line: bytes) -> str:
    if not name:
        return line.decode("latin-1")
    if name == "qmp_capabilities":
        arguments = {}
    return json.dumps([name, arguments], sort_keys=True)


def _is_same(expected: Exchange, asked: Asked) -> bool:
    if expected.name != asked.name:
        return False
    if not asked.name:
        return _line(expected) == asked.line
    try:
        return _fits(expected.arguments, asked.arguments)
    except RecursionError:
        return False


def _fits(recorded: Any, asked: Any) -> bool:
    """Whether arguments are those of the record; what the journal hides may be anything."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        return recorded.keys() == asked.keys() and all(
            _fits(value, asked[key]) for key, value in recorded.items()
        )
    if isinstance(recorded, list) and isinstance(asked, list):
        return len(recorded) == len(asked) and all(map(_fits, recorded, asked))
    if isinstance(recorded, str) and HIDDEN in recorded:
        # A value that is hidden whole may have been anything.
        return recorded == HIDDEN or (isinstance(asked, str) and _fits_around(recorded, asked))
    # To Python true is 1, to JSON it is not.
    return bool(recorded == asked) and isinstance(recorded, bool) is isinstance(asked, bool)


def _fits_around(recorded: str, asked: str) -> bool:
    """Whether a text is the recorded one but for what is hidden in that."""
    first, *middle, last = recorded.split(HIDDEN)
    if not asked.startswith(first):
        return False
    place = len(first)
    for part in middle:
        place = asked.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return asked.endswith(last) and len(asked) - len(last) >= place
