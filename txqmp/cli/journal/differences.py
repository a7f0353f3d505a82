"""Differences between two sessions, for a person and for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from txqmp.errors import escaped
from txqmp.reports.changes import Change, How
from txqmp.reports.diff import Comparison, Difference, Recurrence, Sort
from txqmp.reports.session import Exchange, Outcome, Session

_LIMIT = 200
"""Characters of a value."""
_MOST = 40
"""Lines for a command."""
_MARKS = {Sort.LESS: "-", Sort.MORE: "+", Sort.FAILS: "!", Sort.SUCCEEDS: "!"}
_ORDER = "the events are the same, but came in another order"


class DifferencePrinter:
    """
    Shows differences, a few lines each, in printable ASCII but for arrows and the like.

    :param full: do not cut what is long, or many.
    """

    def __init__(self, full: bool = False) -> None:
        self._limit, self._most = (sys.maxsize, sys.maxsize) if full else (_LIMIT, _MOST)

    def lines(
        self, paths: Sequence[str], sessions: Sequence[Session], comparison: Comparison
    ) -> Iterator[str]:
        """Show all of them; nothing if there are none."""
        if not comparison.same:
            for mark, path, session in zip(("---", "+++"), paths, sessions, strict=True):
                yield f"{mark} {self._shown(path)}: {_size(session)}"
        for greeting in comparison.greetings:
            yield f"{'-' if greeting.before else '+'} greeting {self._shown(greeting.told)}"
        for difference in comparison.commands:
            yield from self._command(difference)
        for event in comparison.events:
            yield self._event(event)
        if comparison.reordered:
            yield f"({_ORDER})"

    def _command(self, difference: Difference) -> Iterator[str]:
        before, after = difference.before, difference.after
        count = f"  ×{difference.count}" if difference.count > 1 else ""
        ends = [one for one in (before, after) if one is not None]
        places = " → ".join(self._shown(_place(one)) for one in ends)
        mark = _MARKS.get(difference.sort, "~")
        yield f"{mark} {self._asked(difference.one)}{count}  [{places}]"
        told = list(self._told(difference))
        yield from told[: self._most]
        if len(told) > self._most:
            yield f"    … and {len(told) - self._most} more (--full shows them)"

    def _told(self, difference: Difference) -> Iterator[str]:
        before, after = difference.before, difference.after
        for change in difference.asked:
            yield from self._change(change)
        if before is None or after is None:
            yield from self._failure(difference.one)
        elif before.outcome != after.outcome:
            yield f"    {before.outcome} → {after.outcome}"
        for change in difference.answered:
            yield from self._change(change)

    def _asked(self, exchange: Exchange) -> str:
        asked = json.loads(exchange.asked)
        arguments = asked.pop("arguments", None)
        words = [exchange.command or "(a command that is not in the journal)"]
        if isinstance(arguments, list):
            words += [str(word) for word in arguments]
        elif arguments is not None:
            words.append(_json(arguments))
        words += [f"({name}: {_json(value)})" for name, value in asked.items()]
        return self._shown(" ".join(words))

    def _failure(self, exchange: Exchange) -> Iterator[str]:
        if exchange.outcome is not Outcome.SUCCESS:
            reason = json.loads(exchange.answer).get("reason")
            told = "" if reason is None else f": {self._shown(_json(reason))}"
            yield f"    {exchange.outcome}{told}"

    def _change(self, change: Change) -> Iterator[str]:
        path = self._shown(change.path) or "all"
        if change.lines:
            yield f"    {path}:"
            yield from (f"      {self._shown(line)}" for line in change.lines)
            return
        before, after = (text and self._shown(text) for text in (change.before, change.after))
        match change.how:
            case How.ADDED:
                yield f"    + {path}: {after}"
            case How.REMOVED:
                yield f"    - {path}: {before}"
            case How.CHANGED:
                yield f"    {path}: {before} → {after}"

    def _event(self, event: Recurrence) -> str:
        data = json.loads(event.told)
        told = _json(data.pop("data")) if "data" in data else ""
        words = [event.name, told, *(f"({name}: {_json(value)})" for name, value in data.items())]
        shown = self._shown(" ".join(word for word in words if word))
        mark = "-" if event.before > event.after else "+"
        return f"{mark} event {shown}  {event.before} → {event.after}"

    def _shown(self, text: str) -> str:
        return escaped(text.encode("utf-8", "surrogatepass"), self._limit)


def as_json(
    paths: Sequence[str], sessions: Sequence[Session], comparison: Comparison
) -> dict[str, Any]:
    """Tell a program all of them (``docs/journal-tools/diff.rst`` has the format)."""
    return {
        "same": comparison.same,
        "sessions": [
            {
                "file": path,
                "connections": session.connections,
                "commands": len(session.exchanges),
                "events": len(session.events),
                "torn": len(session.torn),
                "gaps": session.gaps,
            }
            for path, session in zip(paths, sessions, strict=True)
        ],
        "greetings": [_recurrence(greeting) for greeting in comparison.greetings],
        "commands": [_difference(difference) for difference in comparison.commands],
        "events": [{"event": event.name, **_recurrence(event)} for event in comparison.events],
        "events_reordered": comparison.reordered,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    ends = {"before": difference.before, "after": difference.after}
    return {
        "difference": str(difference.sort),
        "command": difference.one.command,
        "count": difference.count,
        **{end: None if one is None else _exchange(one) for end, one in ends.items()},
        "changes": [_changed(change) for change in (*difference.asked, *difference.answered)],
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    return {
        "monitor": exchange.monitor,
        "connection": exchange.connection,
        "seq": exchange.seq,
        **json.loads(exchange.asked),
        "outcome": str(exchange.outcome),
    }


def _changed(change: Change) -> dict[str, Any]:
    told: dict[str, Any] = {"path": change.path, "change": str(change.how)}
    if change.before is not None:
        told["before"] = json.loads(change.before)
    if change.after is not None:
        told["after"] = json.loads(change.after)
    if change.lines:
        told["lines"] = list(change.lines)
    return told


def _recurrence(recurrence: Recurrence) -> dict[str, Any]:
    told = json.loads(recurrence.told)
    return {**told, "before": recurrence.before, "after": recurrence.after}


def _size(session: Session) -> str:
    counts = (
        (len(session.exchanges), "command"),
        (len(session.events), "event"),
        (session.connections, "connection"),
    )
    return ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts)


def _place(exchange: Exchange) -> str:
    return f"{exchange.monitor}#{exchange.connection}:{exchange.seq}"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
