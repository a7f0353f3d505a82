"""``txqmp journal diff``: what two sessions have not in common."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from twisted.python.usage import UsageError

from txqmp.cli.journal.extras import extra
from txqmp.cli.journal.source import FilterOptions
from txqmp.errors import MonitorError
from txqmp.journal.sources import STANDARD_INPUT

if TYPE_CHECKING:
    from txqmp.reports.session import Session
    from txqmp.reports.volatile import Ignored

DIFFERENT = 1
"""The exit status if there are differences, that of ``diff``."""
TROUBLE = 2
"""The exit status if there is no telling."""

_NUMBERS = re.compile(r"([1-9][0-9]*)(?::([1-9][0-9]*))?", re.ASCII)


class DiffOptions(FilterOptions):
    """The command line of ``txqmp journal diff``."""

    synopsis = "txqmp journal diff [options] FILE FILE"
    longdesc = (
        "Compares two sessions, command by command, without what differs from run to run, such as "
        "ids and times. One FILE may be - for standard input. The exit status is 0 if they are the "
        "same, 1 if they are not, 2 if something is wrong.\n\n"
        "Example: txqmp journal diff session.jsonl other.jsonl"
    )
    optFlags = [
        ["all", "a", "compare everything: ids, times, counters."],
        ["json", None, "the differences as one JSON object."],
        ["full", None, "do not shorten long values."],
    ]
    optParameters = [
        ["connection", "c", None, "only the connection with this number, or N:M in each."],
        ["monitor", "m", None, "only the monitor of this name."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self._patterns: list[str] = []

    def opt_ignore(self, pattern: str) -> None:
        """a field to leave out, as *.thread-id; may be given several times."""
        if not pattern:
            raise UsageError("--ignore wants the name of a field, or a glob")
        self._patterns.append(pattern)

    opt_i = opt_ignore

    def parseOptions(self, options: Any = None) -> None:
        """
        Read the command line.

        :raises SystemExit: it cannot be read.
        """
        with _trouble():
            super().parseOptions(options)

    def parseArgs(self, *paths: str) -> None:
        """
        Take the files.

        :raises UsageError: there are not two.
        """
        if len(paths) != 2:
            raise UsageError("journal diff wants two files")
        if paths == (STANDARD_INPUT, STANDARD_INPUT):
            raise UsageError("standard input (-) can only be one of the files")
        self.paths = list(paths)

    def postOptions(self) -> None:
        """
        Check the options.

        :raises UsageError: one is wrong.
        """
        super().postOptions()
        self._connections: tuple[int | None, int | None] = (None, None)
        if self["connection"] is not None:
            numbers = _NUMBERS.fullmatch(self["connection"])
            if numbers is None:
                raise UsageError(f"--connection {self['connection']}: a number, or two as 1:2")
            self._connections = int(numbers[1]), int(numbers[2] or numbers[1])

    def run(self) -> None:
        """
        Compare, and show what is different.

        :raises SystemExit: there are differences, or a file cannot be read.
        """
        with _trouble():
            with extra("journal diff", "journal"):
                from txqmp.cli.journal.differences import DifferencePrinter, as_json
                from txqmp.reports.diff import compare
            ignored = self._ignored()
            first, second = (
                self._session(path, connection, ignored)
                for path, connection in zip(self.paths, self._connections, strict=True)
            )
            comparison = compare(first, second)
            try:
                if self["json"]:
                    print(json.dumps(as_json(self.paths, [first, second], comparison), indent=2))
                else:
                    printer = DifferencePrinter(full=bool(self["full"]))
                    for line in printer.lines(self.paths, [first, second], comparison):
                        print(line)
                sys.stdout.flush()
            except BrokenPipeError:
                # Whoever read it has seen enough, and wants to know how it ended all the same.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not comparison.same:
            raise SystemExit(DIFFERENT)

    def _ignored(self) -> Ignored:
        from txqmp.reports.volatile import PASSING, VOLATILE, Ignored

        if self["all"]:
            return Ignored(self._patterns)
        return Ignored([*(volatile.pattern for volatile in VOLATILE), *self._patterns], PASSING)

    def _session(self, path: str, connection: int | None, ignored: Ignored) -> Session:
        from txqmp.reports.session import SessionReader

        reader = SessionReader(
            ignored, chosen=self.chosen, monitor=self["monitor"], connection=connection
        )
        with self.sources([path]) as sources:
            session = reader.read(sources.entries())
        for torn in session.torn[:1]:
            rest = f" (and {len(session.torn) - 1} more)" if len(session.torn) > 1 else ""
            _tell(f"{torn.path}: line {torn.line_number} is no record: {torn.problem}{rest}")
        if session.gaps:
            count = f"{session.gaps} gap{'' if session.gaps == 1 else 's'}"
            _tell(f"{path}: records are missing ({count})")
        return session


@contextmanager
def _trouble() -> Iterator[None]:
    """End with the status of ``diff`` where the program would end with 1."""
    try:
        yield
    except UsageError as error:
        _tell(f"{error} (txqmp journal diff --help tells more)")
    except (MonitorError, OSError) as error:
        _tell(str(error))
    except SystemExit as end:
        if not isinstance(end.code, str):
            raise
        print(end.code, file=sys.stderr)
    else:
        return
    raise SystemExit(TROUBLE)


def _tell(text: str) -> None:
    print(f"txqmp: {text}", file=sys.stderr)
