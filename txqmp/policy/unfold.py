"""
What a message really asks for: the command itself, and the commands inside of it.

A line in ``human-monitor-command`` and an action of a ``transaction`` are commands of their own.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator

from txqmp.errors import ProtocolViolation
from txqmp.jsonqmp import grammar as json_grammar
from txqmp.jsonqmp.grammar import JSONObject, JSONValue
from txqmp.policy.hmp import read_line
from txqmp.policy.leaves import Leaf, Leaves, leaves_of, leaves_of_line
from txqmp.policy.names import done_by, known_as, plain
from txqmp.policy.request import Ask, Voice
from txqmp.text import grammar as text_grammar

_DEEPEST = 8
"""Commands in commands; QEMU has none in a line or an action, so there is no honest use of it."""

_MOST = 1000
"""Actions in a transaction."""

_MOST_NAMES = 50_000
"""Names in the paths of all arguments of a message: others wait while they are looked at."""

# What an expression may go on with; a flag and a number are what they are.
_GOES_ON = re.compile(r"(?!-[A-Za-z]$|[-+](?:0[xX][0-9a-fA-F]+|[0-9]+)$)[-+*/%&|^)]")


def unfold_json(message: bytes | json_grammar.Command) -> list[Ask]:
    """
    Tell all that a JSON command asks for.

    :param message: its bytes, without which a member that was there twice is not seen.
    :raises ProtocolViolation: it is no command, or QEMU might read it otherwise.
    """
    if isinstance(message, bytes):
        message = json_grammar.parse_unambiguous_command(message)
    return _bounded(_command(message.name, message.arguments, 0))


def unfold_text(message: bytes | text_grammar.Command) -> list[Ask]:
    """
    Tell all that a line of QMP 0.1 asks for; nothing where it is empty.

    Its words are read by the rules of QMP 0.1 and by those of the human monitor, which differ
    in what a quotation is: a gateway may use either.

    :param message: its bytes, with or without the line end.
    :raises ProtocolViolation: it is no command.
    """
    if isinstance(message, bytes):
        parsed = text_grammar.parse_command(message.removesuffix(b"\n").removesuffix(b"\r"))
        if parsed is None:
            return []
        message = parsed
    first, rest = message.arguments[:1], message.arguments[1:]
    words = (message.verb, *map(text_grammar.quote, first), *map(_apart, rest))
    lines = (" ".join(words), message.line)
    asks = _bounded(ask for line in lines for ask in _line(line, "text", 0))
    return list(dict.fromkeys(asks))


def _bounded(asks: Iterator[Ask]) -> list[Ask]:
    found = []
    names = 0
    for ask in asks:
        found.append(ask)
        names += sum(len(leaf.path) + 1 for leaf in ask.leaves.items)
        if names > _MOST_NAMES:
            raise ProtocolViolation("more arguments than can be looked at")
    return found


def _apart(word: str) -> str:
    """Write a word so that it is not read as the rest of a number before it (``16 /1x``)."""
    quoted = text_grammar.quote(word)
    return f'"{word}"' if quoted == word and _GOES_ON.match(word) else quoted


def _command(name: str, arguments: JSONValue, depth: int) -> Iterator[Ask]:
    if depth > _DEEPEST:
        raise ProtocolViolation("commands inside each other too deeply")
    known = known_as(name)
    leaves = leaves_of(arguments)
    if "guest-exec" in known and isinstance(arguments, dict):
        leaves = _with_program(leaves, arguments)
    yield Ask(known, "json", leaves)
    if not isinstance(arguments, dict):
        return
    match plain(name):
        case "human-monitor-command":
            line = _member(arguments, "command-line")
            if isinstance(line, str):
                yield from _line(line, "hmp", depth + 1)
        case "transaction":
            actions = _member(arguments, "actions")
            if isinstance(actions, list) and len(actions) > _MOST:
                raise ProtocolViolation(f"more than {_MOST} actions in a transaction")
            for action in actions if isinstance(actions, list) else [actions]:
                yield from _action(action, depth + 1)


def _with_program(leaves: Leaves, arguments: JSONObject) -> Leaves:
    """Add what a guest agent is to run, in one line, and what that is to read, decoded."""
    words = _member(arguments, "arg")
    parts = [_member(arguments, "path"), *(words if isinstance(words, list) else [])]
    line = " ".join(part for part in parts if isinstance(part, str))
    items, readable = [*leaves.items, Leaf(("line",), line)], leaves.readable
    encoded = _member(arguments, "input-data")
    if isinstance(encoded, str):
        try:
            data = b64decode(encoded.replace("\n", ""), validate=True)
        except ValueError:
            readable = False
        else:
            items.append(Leaf(("input",), data.decode("utf-8", "backslashreplace")))
    return Leaves(tuple(items), readable)


def _action(action: JSONValue, depth: int) -> Iterator[Ask]:
    if isinstance(action, dict):
        kind = _member(action, "type")
        if isinstance(kind, str):
            yield from _command(kind, _member(action, "data"), depth)


def _member(holder: JSONObject, name: str) -> JSONValue:
    """Look a member up, however its name is spelt."""
    found = [value for key, value in holder.items() if plain(key) == name]
    if len(found) > 1:
        raise ProtocolViolation(f"{name!r} is there more than once")
    return found[0] if found else None


def _line(text: str, voice: Voice, depth: int) -> Iterator[Ask]:
    if depth > _DEEPEST:
        raise ProtocolViolation("commands inside each other too deeply")
    line = read_line(text)
    if line is None:
        return
    others = done_by(line.name, line.words)
    yield Ask(known_as(line.name, line.sub), voice, leaves_of_line(line), others)
    if line.name == "human-monitor-command":
        yield from _line(" ".join(line.words), voice, depth + 1)
