"""``txqmp journal show``: a journal for people to read, or a part of it for programs."""

from __future__ import annotations

import io
import os
import stat
import sys
from typing import TextIO

from twisted.python.usage import UsageError

from txqmp.cli.journal.following import follow
from txqmp.cli.journal.pager import paged
from txqmp.cli.journal.source import FilterOptions
from txqmp.cli.journal.views import JSONLines, Lines, Pairs, Raw, View
from txqmp.journal.clocks import Clock, Relative, local, utc
from txqmp.journal.display import RecordPrinter
from txqmp.journal.sources import STANDARD_INPUT

_CLOCKS = ("utc", "local", "relative")
_VIEWS = ("pairs", "raw", "json")


class ShowOptions(FilterOptions):
    """The command line of ``txqmp journal show``."""

    synopsis = "txqmp journal show [options] FILE …"
    longdesc = (
        "Shows journals for people to read, several of them merged by time. "
        "FILE may be - for standard input.\n\n"
        "Example: txqmp journal show --pairs session.jsonl"
    )
    optFlags = [
        ["pairs", "p", "commands with their replies, and what came between."],
        ["no-fold", None, "with --pairs, a repeated command each time, and not in one line."],
        ["follow", "f", "go on showing what is added, over rotations too, until interrupted."],
        ["raw", None, "the exact bytes of the messages, and nothing else."],
        ["json", None, "the records as they are in a journal."],
        ["full", None, "do not shorten long messages."],
        ["utc", None, "times of day in UTC, as without it."],
        ["local", None, "times of day where you are."],
        ["relative", None, "seconds since the first record that is shown."],
        ["color", None, "colours even where the output is no terminal."],
        ["no-color", None, "no colours."],
        ["no-pager", None, "no pager, on a terminal."],
    ]

    def postOptions(self) -> None:
        """
        Check the options together.

        :raises UsageError: they contradict each other, or standard input cannot be followed.
        """
        super().postOptions()
        if sys.stdout is None:
            raise UsageError("there is no standard output to show it on")
        for group in (_CLOCKS, _VIEWS, ("color", "no-color")):
            given = [f"--{name}" for name in group if self[name]]
            if len(given) > 1:
                raise UsageError(f"{given[0]} and {given[1]} exclude each other")
        if self["no-fold"] and not self["pairs"]:
            raise UsageError("--no-fold says nothing without --pairs")
        if self["follow"] and STANDARD_INPUT in self.paths:
            raise UsageError("standard input is followed to its end anyway: leave --follow out")
        if self["raw"] and sys.stdout.isatty():
            raise UsageError(
                "--raw is what the peers sent, which a terminal might obey: "
                "send it to a file or a program"
            )

    def run(self) -> None:
        """
        Show the journals.

        :raises JournalError: a file cannot be read.
        """
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        if self["follow"]:
            follow(self.paths, self._view(sys.stdout), rotated=bool(self["rotated"]))
            return
        with (
            self.sources(hidden=not _is_file(sys.stdout)) as sources,
            paged(not self["no-pager"]) as out,
        ):
            view = self._view(out)
            for source, entry in sources.told():
                view.take(source, entry)
            view.end()

    def _view(self, out: TextIO) -> View:
        printer = RecordPrinter(self._is_coloured(), bool(self["full"]), self._clock())
        if self["json"]:
            return JSONLines(out, printer, self.chosen)
        if self["raw"]:
            return Raw(out, printer, self.chosen)
        several = len(self.paths) > 1
        if self["pairs"]:
            return Pairs(out, printer, self.chosen, several, fold=not self["no-fold"])
        return Lines(out, printer, self.chosen, several)

    def _is_coloured(self) -> bool:
        if self["no-color"]:
            return False
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return bool(self["color"] or (sys.stdout.isatty() and not plain))

    def _clock(self) -> Clock:
        if self["relative"]:
            return Relative()
        return local if self["local"] else utc


def _is_file(stream: TextIO) -> bool:
    """Whether it is no terminal, nor leads to one, on which lines would run into a bar."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:  # it has no descriptor
        return False
