"""
Where the statements of a TOML file are, for error messages.

The file has been read by ``tomllib`` before: only what is TOML gets here. So it is enough to
tell where a statement begins, and ``tomllib`` itself says which keys that names.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

Key = tuple[str | int, ...]
"""The way to a value; a number is the place in an array of tables, from 0."""

# What may hold a line end or a bracket that means nothing: strings, the longest kind first.
_SKIPPED = re.compile(
    r"""
    \"\"\" (?:[^"\\] | \\. | "(?!""))*+ \"{3,5}
  | \'\'\' .*? \'{3,5}
  | " (?:[^"\\] | \\.)*+ "
  | ' [^']*+ '
  | \# [^\n]*+
    """,
    re.DOTALL | re.VERBOSE,
)
_PLAIN = re.compile(r"""[^"'\#\[\]{}\n=]+""")


class Positions:
    """
    The lines of a file's statements.

    :param text: TOML that can be read, as ``tomllib`` takes it.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[Key, int] = {}
        self._header: Key = ()
        self._counts: dict[Key, int] = {}
        for line, statement, equals in _statements(text.replace("\r\n", "\n")):
            if equals is None:
                self._enter(statement, line)
            else:
                self._note((*self._header, *_names(f"{statement[:equals]} = 0")), line)

    def line(self, key: Key) -> int:
        """Tell the line of a value, or of the nearest thing that it is part of; 1, of nothing."""
        while key and key not in self._lines:
            key = key[:-1]
        return self._lines.get(key, 1)

    def _note(self, key: Key, line: int) -> None:
        for length in range(1, len(key) + 1):
            self._lines.setdefault(key[:length], line)

    def _enter(self, statement: str, line: int) -> None:
        """A header: what follows is in the table that it names."""
        array = statement.startswith("[[")
        names = _names(statement)
        key: Key = ()
        for place, name in enumerate(names, 1):
            key = (*key, name)
            if array and place == len(names):
                self._counts[key] = self._counts.get(key, -1) + 1
            if key in self._counts:
                key = (*key, self._counts[key])
        self._header = key
        self._note(key, line)


def _statements(text: str) -> list[tuple[int, str, int | None]]:
    """Find each statement: its line, itself, and where its ``=`` is; headers have none."""
    found: list[tuple[int, str, int | None]] = []
    line, begin, begun_on, equals, depth, position = 1, 0, 1, None, 0, 0
    while position <= len(text):
        char = text[position : position + 1]
        if char in ("\n", "") and not depth:
            statement = text[begin:position].lstrip()
            if statement and not statement.startswith("#"):
                offset = position - len(statement)
                found.append((begun_on, statement, None if equals is None else equals - offset))
            begin, begun_on, equals = position + 1, line + 1, None
        match = _SKIPPED.match(text, position) or _PLAIN.match(text, position)
        if match is None:
            depth += (char in "[{") - (char in "]}") if char else 0
            if char == "=" and equals is None:
                equals = position
        end = match.end() if match is not None else position + 1
        line += text.count("\n", position, end)
        position = end
    return found


def _names(statement: str) -> tuple[str, ...]:
    """Read the keys of a statement; what it gives them does not matter."""
    value: Any = tomllib.loads(statement)
    names = []
    while isinstance(value, dict) and value:
        ((name, value),) = value.items()
        names.append(name)
        if isinstance(value, list):
            (value,) = value
    return tuple(names)
