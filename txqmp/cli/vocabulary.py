"""The words a monitor knows, for completion. What monitors say of themselves may be anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_NAME = re.compile(r"[\w.+?-]{1,100}", re.ASCII)


class Vocabulary:
    """Of a monitor that has said nothing: no words."""

    def complete(self, line: str) -> list[str]:
        """
        Complete the last word of a line.

        :param line: up to the cursor.
        :returns: what the word may become, in order.
        """
        return []


class TextVocabulary(Vocabulary):
    """
    Of QMP 0.1: commands, and what ``info`` takes.

    :param commands: the answer to ``help``: lines such as ``c|cont -- resume VM``.
    :param topics: the answer to ``help info``: lines such as ``info block -- block devices``.
    """

    def __init__(self, commands: Iterable[str], topics: Iterable[str]) -> None:
        first = [line.split(None, 1)[0] for line in commands if line.strip()]
        self._commands = _names(name for names in first for name in names.split("|"))
        split = [line.split() for line in topics]
        self._topics = _names(
            words[1] for words in split if len(words) > 1 and words[0].lower() == "info"
        )

    def complete(self, line: str) -> list[str]:
        """Complete a command, or what follows ``info``; case does not matter (rule 7)."""
        *before, word = _words(line.lower())
        if before and before != ["info"]:
            return []
        names = self._topics if before else self._commands
        return [f"{name} " for name in names if name.startswith(word)]


class JSONVocabulary(Vocabulary):
    """
    Of JSON QMP: commands, and the names of their arguments.

    :param schema: the answer to ``query-qmp-schema``, or to ``query-commands``, where there
        are no arguments to be had.
    """

    def __init__(self, schema: Any) -> None:
        self._commands: dict[str, Any] = {}
        self._types: dict[str, Mapping[str, Any]] = {}
        for entity in _objects(schema):
            name = entity.get("name")
            if not isinstance(name, str):
                continue
            if entity.get("meta-type", "command") == "command":
                self._commands[name] = entity.get("arg-type")
            else:
                self._types[name] = entity
        self._names = _names(self._commands)

    def complete(self, line: str) -> list[str]:
        """Complete a command, or the name of an argument that is not there yet."""
        *before, word = _words(line)
        if not before:
            return [f"{name} " for name in self._names if name.startswith(word)]
        if "=" in word:
            return []
        given = dict(argument.partition("=")[::2] for argument in before[1:])
        *path, _ = word.split(".")
        kind, prefix = self._commands.get(before[0]), ""
        for name in path:
            kind = self._members(kind, prefix, given).get(name)
            prefix += f"{name}."
        members = self._members(kind, prefix, given)
        words = [
            f"{prefix}{name}{'.' if self._members(members[name], '', {}) else '='}"
            for name in _names(members)
        ]
        return [new for new in words if new.startswith(word) and new[:-1] not in given]

    def _members(self, kind: Any, prefix: str, given: Mapping[str, str]) -> dict[str, Any]:
        """Say of what types the members of an object are, given what is there already."""
        entity = self._types.get(kind, {}) if isinstance(kind, str) else {}
        members = {
            member["name"]: member.get("type")
            for member in _objects(entity.get("members"))
            if isinstance(member.get("name"), str)
        }
        chosen = given.get(f"{prefix}{entity.get('tag')}")
        for variant in _objects(entity.get("variants")):
            if chosen is not None and variant.get("case") == chosen:
                members.update(self._members(variant.get("type"), prefix, {}))
        return members


def _words(line: str) -> list[str]:
    return re.split(r"\s+", line.lstrip())


def _names(names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if _NAME.fullmatch(name)})


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
