"""``txqmp journal show``: a journal for people to read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.python.usage import UsageError

from txqmp.cli.command import CommandOptions
from txqmp.errors import JournalError
from txqmp.journal.display import RecordPrinter
from txqmp.journal.reader import Follower, Torn, read
from txqmp.journal.record import Record

_GLANCE = 0.2
"""Seconds between two looks at a journal that is followed."""


class ShowOptions(CommandOptions):
    """The command line of ``txqmp journal show``."""

    synopsis = "txqmp journal show [options] FILE"
    longdesc = "Shows a journal for people to read. FILE may be - for standard input."
    optFlags = [
        ["follow", "f", "go on showing what is added, over rotations too, until interrupted."],
        ["full", None, "do not shorten long messages."],
        ["color", None, "colours even where the output is no terminal."],
        ["no-color", None, "no colours."],
    ]

    def parseArgs(self, file: str = "") -> None:
        """
        Take the file.

        :raises UsageError: there is none.
        """
        if not file:
            raise UsageError("journal show wants a file")
        self["file"] = file

    def postOptions(self) -> None:
        """
        Check the options together.

        :raises UsageError: standard input cannot be followed.
        """
        if self["follow"] and self["file"] == "-":
            raise UsageError("standard input is followed to its end anyway: leave --follow out")

    def run(self) -> None:
        """
        Show the journal.

        :raises JournalError: the file cannot be read.
        """
        terminal = sys.stdout.isatty() and not self["no-color"]
        printer = RecordPrinter(color=bool(terminal or self["color"]), full=bool(self["full"]))
        if self["follow"]:
            if not Path(self["file"]).exists():
                raise JournalError(f"{self['file']}: there is no such file")
            react(_follow, (self["file"], printer))
        for entry in read(sys.stdin.buffer if self["file"] == "-" else self["file"]):
            _show(printer, entry)


def _show(printer: RecordPrinter, entry: Record | Torn) -> None:
    print(printer.torn(entry) if isinstance(entry, Torn) else printer.line(entry))


def _follow(reactor: Any, path: str, printer: RecordPrinter) -> Deferred[None]:
    return Deferred.fromCoroutine(_show_for_ever(reactor, path, printer))


async def _show_for_ever(reactor: Any, path: str, printer: RecordPrinter) -> None:
    follower = Follower(path)
    try:
        while True:
            for entry in follower.poll():
                _show(printer, entry)
            sys.stdout.flush()
            await deferLater(reactor, _GLANCE)
    except BrokenPipeError:
        raise SystemExit(0) from None
    except (JournalError, OSError) as error:
        raise SystemExit(f"txqmp: {error}") from None
    finally:
        follower.close()
