"""
Words to commands of JSON QMP, by the rules of QEMU's ``qmp-shell``. Pure functions, no I/O.

``key=value`` is one argument. The value is JSON where it can be read as JSON ('single quotes'
too), and else a string: ``"7"`` is a string where ``7`` is a number. A key with dots makes
objects: ``server.port=7`` is ``{"server": {"port": 7}}``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from txqmp.errors import InvalidCommand, ProtocolViolation
from txqmp.jsonqmp.grammar import Command, JSONObject, JSONValue, parse_command
from txqmp.jsonqmp.values import Value, ValueSplitter

_WORD = re.compile(r"""(?:[^\s"']|"(?:\\.|[^"\\])*+"|'(?:\\.|[^'\\])*+')++""")
_SPACE = re.compile(r"\s*+")


def parse_line(line: str) -> Command:
    """
    Read a command that was typed: words, with spaces inside of quotation marks only, or one
    JSON object, the whole command.

    :raises InvalidCommand: it is neither.
    """
    if line.lstrip().startswith("{"):
        return _whole(line)
    words = []
    position = _SPACE.match(line).end()  # type: ignore[union-attr]  # matches nothing, too
    while position < len(line):
        word = _WORD.match(line, position)
        if word is None or not (word.end() == len(line) or line[word.end()].isspace()):
            raise InvalidCommand("a quotation does not end")
        words.append(word[0])
        position = _SPACE.match(line, word.end()).end()  # type: ignore[union-attr]
    return parse_words(words)


def parse_words(words: Sequence[str]) -> Command:
    """
    Read a command that a shell has taken apart: its name, and ``key=value`` for each argument.

    :raises InvalidCommand: an argument is none, or contradicts another; or there is no name.
    """
    if not words or not words[0] or "=" in words[0]:
        raise InvalidCommand("a command begins with its name")
    arguments: JSONObject = {}
    for word in words:
        _check_text(word)
    for word in words[1:]:
        key, equals, text = word.partition("=")
        if not equals:
            raise InvalidCommand(f"{word!r} is no argument: write key=value")
        _set(arguments, key, parse_value(text))
    return Command(words[0], arguments)


def parse_value(text: str) -> JSONValue:
    """Read JSON, single quotes and all; what is not JSON is a string as it stands."""
    raw = text.encode("utf-8")
    splitter = ValueSplitter()
    pieces = [*splitter.feed(raw), *splitter.finish()]
    # One value, and nothing beside it: only then is it safe to put it into a message.
    if len(pieces) == 1 and isinstance(pieces[0], Value):
        try:
            message = parse_command(b'{"execute":"","arguments":{"value":%b}}' % raw)
        except ProtocolViolation:
            return text
        return message.arguments["value"]
    return text


def _whole(text: str) -> Command:
    _check_text(text)
    try:
        return parse_command(text.encode("utf-8"))
    except ProtocolViolation as violation:
        raise InvalidCommand(f"not a command of JSON QMP: {violation.problem}") from None


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidCommand(f"{text!r} is not Unicode text") from None


def _set(arguments: JSONObject, key: str, value: JSONValue) -> None:
    *path, last = key.split(".")
    if not all((*path, last)):
        raise InvalidCommand(f"{key!r} is no name of an argument")
    holder = arguments
    for name in path:
        inner = holder.setdefault(name, {})
        if not isinstance(inner, dict):
            raise InvalidCommand(f"{name!r} in {key!r} has a value already: it is no object")
        holder = inner
    if last in holder:
        raise InvalidCommand(f"{key!r} is there twice")
    holder[last] = value
