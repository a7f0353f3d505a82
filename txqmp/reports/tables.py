"""The statistics as tables: which columns, in which order, and how a value is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from txqmp.errors import JournalError

Row = Mapping[str, Any]
Show = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column of a table.

    :ivar name: in CSV, and to sort by.
    :ivar heading: over it where people read, in one line or two; empty if they are spared it.
    :ivar show: writes a value for people.
    :ivar is_text: it is a word, and no number.
    """

    name: str
    heading: str
    show: Show = str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table of the statistics.

    :ivar name: the key of its rows there.
    :ivar title: over it where people read.
    """

    name: str
    title: str
    columns: tuple[Column, ...]

    def rows(self, statistics: Row) -> list[dict[str, Any]]:
        """Give the rows, each with a value for every column."""
        return [self._flat(row) for row in statistics[self.name]]

    def total(self, statistics: Row) -> list[dict[str, Any]]:
        """Give the row for all others together; none where they are less than two."""
        several = self.name == "commands" and len(statistics["commands"]) > 1
        return [self._flat(statistics["all"])] if several else []

    def sort(self, statistics: dict[str, Any], column: Column) -> None:
        """Sort the rows where they are: numbers from the greatest down, words from A to Z."""

        def key(row: Row) -> tuple[bool, Any]:
            value = self._flat(row)[column.name]
            if column.is_text:
                return False, value
            return value is None, -(value or 0)

        statistics[self.name].sort(key=key)

    def column(self, name: str) -> Column | None:
        """Find a column; ``p99`` is short for ``latency_p99``."""
        for column in self.columns:
            if column.name in (name, f"latency_{name}"):
                return column
        return None

    def shown(self, rows: Sequence[Row]) -> Iterator[list[str]]:
        """Write rows for people: the columns that have a heading."""
        for row in rows:
            yield [
                "" if row[column.name] is None else column.show(row[column.name])
                for column in self.headed()
            ]

    def headed(self) -> list[Column]:
        """The columns that people read."""
        return [column for column in self.columns if column.heading]

    def _flat(self, row: Row) -> dict[str, Any]:
        flat = {}
        for key, value in row.items():
            if isinstance(value, dict):
                flat.update({f"{key}_{name}": part for name, part in value.items()})
            else:
                flat[key] = value
        return {column.name: flat[column.name] for column in self.columns}


def having(column: str, tables: Sequence[Table]) -> list[tuple[Table, Column]]:
    """
    Find the tables that have a column.

    :raises JournalError: none has: which there are.
    """
    found = [(table, one) for table in tables if (one := table.column(column)) is not None]
    if not found:
        names = dict.fromkeys(one.name for table in tables for one in table.columns)
        raise JournalError(f"there is no column {column} to sort by: there are {', '.join(names)}")
    return found


def milliseconds(seconds: float) -> str:
    """Write seconds as milliseconds, to the microsecond."""
    return f"{seconds * 1000:.3f}"


def _to_the_second(time: str) -> str:
    return f"{time[:19]}Z"


def _text(name: str, heading: str) -> Column:
    return Column(name, heading, is_text=True)


def _times(name: str, **headings: str) -> tuple[Column, ...]:
    parts = ("min", "median", "p90", "p99", "max", "mean", "total")
    return tuple(Column(f"{name}_{part}", headings.get(part, ""), milliseconds) for part in parts)


_TRAFFIC = (
    Column("records", "records"),
    Column("commands", "commands"),
    Column("errors", "errors"),
    Column("events", "events"),
    Column("bytes_to_monitor", "bytes to\nmonitor"),
    Column("bytes_to_client", "bytes to\nclient"),
)

TABLES = {
    table.name: table
    for table in (
        Table(
            "commands",
            "Commands (times in milliseconds)",
            (
                _text("command", "command"),
                Column("count", "count"),
                Column("replies", ""),
                Column("errors", "errors"),
                Column("rejections", "rejected"),
                Column("unanswered", "no\nreply"),
                *_times("latency", min="min", median="median", p90="p90", p99="p99", max="max"),
                *_times("waiting", mean="waiting\n(mean)"),
                *_times("executing", mean="executing\n(mean)"),
            ),
        ),
        Table("events", "Events", (_text("event", "event"), Column("count", "count"))),
        Table(
            "errors",
            "Errors",
            (
                _text("kind", "kind"),
                _text("class", "class"),
                _text("reason", "reason"),
                Column("count", "count"),
            ),
        ),
        Table("faults", "Faults", (_text("fault", "fault"), Column("count", "count"))),
        Table(
            "verdicts",
            "Verdicts",
            (_text("verdict", "verdict"), _text("rule", "rule"), Column("count", "count")),
        ),
        Table(
            "connections",
            "Connections",
            (
                _text("run", ""),
                _text("monitor", "monitor"),
                Column("connection", "number"),
                _text("client", "client"),
                Column("first", "first record", _to_the_second, is_text=True),
                Column("seconds", "seconds", "{:.3f}".format),
                *_TRAFFIC,
                Column("unanswered", "no\nreply"),
            ),
        ),
        Table("hours", "Hours (UTC)", (_text("hour", "hour"), *_TRAFFIC)),
    )
}


def head(statistics: Row) -> list[tuple[str, str]]:
    """What stands over the tables: names and values."""
    found = [("records", _records(statistics))]
    if statistics["records"]:
        span = f"{statistics['first']} to {statistics['last']} ({statistics['seconds']:.3f} s)"
        found.append(("time", span))
    up, down = statistics["bytes_to_monitor"], statistics["bytes_to_client"]
    found.append(("bytes", f"{up} to the monitor, {down} to the client"))
    if statistics["undecoded"]:
        found.append(("undecoded", str(statistics["undecoded"])))
    if statistics["gaps"]:
        found.append(("gaps", f"{statistics['gaps']}, {statistics['lost']} records lost"))
    if statistics["torn"]:
        found.append(("torn lines", _torn(statistics)))
    if statistics["all"]["replies"] > statistics["exact_up_to"]:
        found.append(("percentiles", f"to {statistics['precision']:.1%}, by HdrHistogram"))
    return found


def _records(statistics: Row) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in statistics["kinds"].items())
    return f"{statistics['records']} ({kinds})" if kinds else "0"


def _torn(statistics: Row) -> str:
    lines = statistics["torn_lines"]
    told = "; ".join(f"{line['file']} line {line['line']}: {line['problem']}" for line in lines)
    more = "; ..." if statistics["torn"] > len(lines) else ""
    return f"{statistics['torn']} ({told}{more})"
