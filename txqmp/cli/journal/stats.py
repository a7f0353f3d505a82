"""``txqmp journal stats``: what there is in a journal, in figures."""

from __future__ import annotations

import csv
import json
import sys
from typing import Any

from twisted.python.usage import UsageError

from txqmp.cli.journal.extras import extra
from txqmp.cli.journal.source import FilterOptions

_TABLES = ("commands", "events", "errors", "faults", "verdicts", "connections", "hours")


class StatsOptions(FilterOptions):
    """The command line of ``txqmp journal stats``."""

    synopsis = "txqmp journal stats [options] FILE …"
    longdesc = (
        "Counts what journals hold: commands with their latencies, events, errors, connections, "
        "hours. FILE may be - for standard input.\n\n"
        "Example: txqmp journal stats --sort p99 session.jsonl"
    )
    optFlags = [
        ["json", None, "everything as one JSON object."],
        ["csv", None, "one table as CSV, that of the commands unless --table says otherwise."],
    ]
    optParameters = [
        ["table", None, None, f"only this table: {', '.join(_TABLES)}."],
        ["sort", None, None, "sort by this column of a table, as count or p99."],
    ]

    def postOptions(self) -> None:
        """
        Check the options together.

        :raises UsageError: they do not go together, or there is no such table.
        """
        super().postOptions()
        if self["json"] and self["csv"]:
            raise UsageError("--json and --csv do not go together")
        if self["json"] and self["table"]:
            raise UsageError("--json has all tables: leave --table out")
        if self["table"] is not None and self["table"] not in _TABLES:
            raise UsageError(f"there is no table {self['table']}: there are {', '.join(_TABLES)}")

    def run(self) -> None:
        """
        Count, and show it.

        :raises JournalError: a file cannot be read, or there is no such column.
        """
        with extra("journal stats", "journal"):
            from txqmp.cli.journal.counting import count
            from txqmp.cli.journal.layout import lay_out
            from txqmp.reports.statistics import statistics
            from txqmp.reports.tables import TABLES, having
            from txqmp.reports.tally import Tally
        tables = [TABLES[name] for name in self._wanted()]
        sorts = [] if self["sort"] is None else having(self["sort"], tables)
        tally = Tally()
        count(self, tally)
        found = statistics(tally)
        for table, column in sorts:
            table.sort(found, column)
        if self["json"]:
            print(json.dumps(found, indent=2))
        elif self["csv"]:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow([column.name for column in tables[0].columns])
            for row in tables[0].rows(found):
                writer.writerow([_cell(value) for value in row.values()])
        else:
            lay_out(found, tables, whole=self["table"] is None)

    def _wanted(self) -> tuple[str, ...]:
        if self["table"] is not None:
            return (self["table"],)
        return ("commands",) if self["csv"] else _TABLES


def _cell(value: Any) -> Any:
    return f"{value:.6f}" if isinstance(value, float) else value
