"""Making an allow-list of what was said."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable

from txqmp.policy.hmptable import PARAMETERS
from txqmp.policy.leaves import Leaf, Path, readings
from txqmp.policy.request import Ask, Voice
from txqmp.policy.unfold import unfold_json, unfold_text

_SPECIAL = re.compile(r"[*?[]")
_MANY = 8
"""Values of one argument; where there are more, any will do."""

_Case = tuple[str, Voice, tuple[Path, ...]]


class Lesson:
    """
    What was heard, and the policy that allows just that.

    :param arguments: allow a command with the arguments only that it was heard with: the names
        that it had, with the values that they had, any file in the folders that were named, and
        anything where there were more than eight values.
    """

    def __init__(self, *, arguments: bool = False) -> None:
        self._with_arguments = arguments
        self._commands: dict[str, None] = {}
        self._cases: dict[_Case, dict[Path, dict[str, None]]] = {}

    def hear(self, dialect: str, message: bytes) -> None:
        """
        Learn from a message.

        :raises ProtocolViolation: it cannot be read: a policy would deny it, whatever its rules.
        """
        for ask in unfold_text(message) if dialect == "text" else unfold_json(message):
            if ask.names[0] == "qmp-capabilities":
                continue
            self._commands[ask.names[0]] = None
            if self._with_arguments:
                self._learn(ask)

    def _learn(self, ask: Ask) -> None:
        # A name that is empty has no place in a dotted path.
        leaves = [leaf for leaf in _telling(ask) if "" not in leaf.path]
        paths = tuple(sorted({leaf.path for leaf in leaves}))
        case = self._cases.setdefault((ask.names[0], ask.voice, paths), {})
        for leaf in leaves:
            values = case.setdefault(leaf.path, {})
            if len(values) <= _MANY:
                values |= dict.fromkeys(_globs(leaf.value))

    def policy(self) -> str:
        """Write the policy, in TOML."""
        text = 'default = "deny"\n'
        if not self._with_arguments:
            if self._commands:
                text += _table("heard", sorted(self._commands), None, {})
            return text
        for number, (case, values) in enumerate(sorted(self._cases.items(), key=_order), 1):
            name, voice, _ = case
            globs = {
                path: ["*"] if len(known) > _MANY else sorted(known)
                for path, known in values.items()
            }
            text += _table(f"{name} ({number})", [name], voice, globs)
        return text


def _order(item: tuple[_Case, object]) -> _Case:
    return item[0]


def _telling(ask: Ask) -> list[Leaf]:
    """Leave out what only says in other words what others say, or what is judged by itself."""
    if ask.names[0] in ("human-monitor-command", "transaction"):
        return []
    if ask.voice == "json":
        return list(ask.leaves.items)
    if ask.names[0] in PARAMETERS:
        return [leaf for leaf in ask.leaves.items if not _is_place(leaf.path)]
    return [leaf for leaf in ask.leaves.items if leaf.path != ("line",)]


def _is_place(path: Path) -> bool:
    return path == ("line",) or path[0].isdigit()


def _globs(value: str) -> list[str]:
    """Write what allows a value: the folder that it is in, or itself with all that it may mean."""
    folder, slash, name = value.rpartition("/")
    if value.startswith("/") and name and posixpath.normpath(value) == value:
        return [f"{_exactly(folder)}{slash}*"]
    return [_exactly(reading) for reading in readings(value) or (value,)]


def _exactly(value: str) -> str:
    return _SPECIAL.sub(r"[\g<0>]", value)


def _table(
    name: str, commands: list[str], voice: Voice | None, globs: dict[Path, list[str]]
) -> str:
    lines = ["", "[[rule]]", f"name = {_quoted(name)}", 'action = "allow"']
    lines += ["command = [", *(f"    {_quoted(command)}," for command in commands), "]"]
    if voice is not None:
        lines.append(f"dialect = {_quoted(voice)}")
    if globs:
        lines.append("[rule.arguments]")
        for path, values in sorted(globs.items()):
            lines.append(f"{_quoted('.'.join(map(_exactly, path)))} = {_list(values)}")
    return "\n".join(lines) + "\n"


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, values))}]"


def _quoted(text: str) -> str:
    """Write a string of TOML: as JSON has it, but for one character that TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
