"""What was answered differently the second time."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from txqmp.replay.matching import HIDDEN

IGNORED = (
    "timestamp",
    "thread-id",
    "thread_id",
    "*-ns",
    "*_ns",
    "*-sec",
    "*-nsec",
    "*-time",
    "downtime",
    "*-downtime",
    "icount",
)
"""The members of answers, and the keys in lines, that are of the moment: they may differ."""

_PARTS = 10
"""Parts of an answer that are shown of those that differ."""
_LENGTH = 300
"""Characters that are shown of a part."""
_SETTING = re.compile(r"([\w.-]+)=([^\s,]+)")
NOTHING = object()
"""What is there where nothing is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """
    Something that was not as it was recorded.

    :ivar what: the command, or what else it was.
    :ivar parts: where in the answer, what was there in the record, and what now.
    """

    what: str
    parts: Sequence[tuple[str, Any, Any]]

    def lines(self) -> list[str]:
        """Show it: what it was, what was recorded, what is so now."""
        lines = [self.what]
        for where, recorded, now in self.parts[:_PARTS]:
            at = f"{where}: " if where else ""
            lines.append(f"  recorded  {at}{_shown(recorded)}")
            lines.append(f"  now       {at}{_shown(now)}")
        if len(self.parts) > _PARTS:
            lines.append(f"  … and {len(self.parts) - _PARTS} more")
        return lines


class Comparison:
    """
    Compares answers, and counts.

    :ivar sent: commands that were sent.
    :ivar count: differences that were found.
    :ivar unsent: commands that were not sent.
    :param ignored: names of members that may differ, with ``*`` and ``?`` for any letters.
    """

    def __init__(self, ignored: Sequence[str] = IGNORED) -> None:
        self._ignored = re.compile("|".join(map(fnmatch.translate, ignored)) or "(?!)")
        self.sent = 0
        self.count = 0
        self.unsent = 0

    def compare(self, what: str, recorded: Any, now: Any) -> Difference | None:
        """
        Compare two JSON values.

        :param what: says what they are.
        """
        try:
            parts = list(_differences("", self._plain(recorded), self._plain(now)))
        except RecursionError:
            parts = [("", "an answer", "nested too deeply to be compared")]
        return self.differs(what, parts) if parts else None

    def differs(self, what: str, parts: Sequence[tuple[str, Any, Any]]) -> Difference:
        """Count a difference."""
        self.count += 1
        return Difference(what, parts)

    def summary(self) -> str:
        """Say in a line how it was."""
        found = f"{self.count or 'no'} difference{'s' * (self.count != 1)}"
        parts = [f"{self.sent} command{'s' * (self.sent != 1)} sent", found]
        if self.unsent:
            parts.append(f"{self.unsent} not sent")
        return ", ".join(parts)

    def _plain(self, value: Any) -> Any:
        """Leave out of a value what is of the moment."""
        if isinstance(value, dict):
            return {
                key: "…" if self._ignored.match(key) else self._plain(member)
                for key, member in value.items()
            }
        if isinstance(value, list):
            return [self._plain(item) for item in value]
        if isinstance(value, str) and "=" in value:
            return _SETTING.sub(self._setting, value)
        return value

    def _setting(self, match: re.Match[str]) -> str:
        return f"{match[1]}=…" if self._ignored.match(match[1]) else match[0]


def _differences(where: str, recorded: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key in {**recorded, **now}:
            inner = f"{where}.{key}" if where else key
            yield from _differences(inner, recorded.get(key, NOTHING), now.get(key, NOTHING))
    elif isinstance(recorded, list) and isinstance(now, list):
        for index in range(max(len(recorded), len(now))):
            one = recorded[index] if index < len(recorded) else NOTHING
            other = now[index] if index < len(now) else NOTHING
            yield from _differences(f"{where}[{index}]", one, other)
    elif isinstance(recorded, str) and HIDDEN in recorded:
        return  # nobody knows what it was
    elif recorded != now or isinstance(recorded, bool) is not isinstance(now, bool):
        yield where, recorded, now


def _shown(value: Any) -> str:
    if value is NOTHING:
        return "(nothing)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}… ({len(text)} characters)"
