"""``txqmp journal redact``: an old journal, made safe to share."""

from __future__ import annotations

import sys

from twisted.python.usage import UsageError

from txqmp.cli.journal.output import written
from txqmp.cli.journal.source import ReadOptions, no_records
from txqmp.reports.hiding import Hider


class RedactOptions(ReadOptions):
    """The command line of ``txqmp journal redact``."""

    synopsis = "txqmp journal redact [options] FILE … -o OUT"
    longdesc = (
        "Writes a journal again without the secrets in it, for one that was written with "
        "--no-redact or by an older version. Records without secrets stay as they are, byte for "
        "byte; lines that are no records are left out. Several files become one.\n\n"
        "Example: txqmp journal redact session.jsonl -o shared.jsonl"
    )
    optParameters = [
        ["output", "o", None, "the file to write; - is standard output."],
    ]
    optFlags = [
        ["no-peers", None, "hide who the clients were, and where the monitors are, too."],
        ["no-raw", None, "leave the exact bytes out too, and so all that was not decoded."],
        ["force", None, "replace a file that is there already."],
    ]

    def postOptions(self) -> None:
        """
        See that there is somewhere to write to.

        :raises UsageError: there is not.
        """
        if not self["output"]:
            raise UsageError("journal redact wants a file to write: -o OUT")

    def run(self) -> None:
        """
        Write it.

        :raises JournalError: a file cannot be read or written.
        """
        hider = Hider(peers=not self["no-peers"], raw=not self["no-raw"])
        with self.sources() as sources, written(self["output"], bool(self["force"])) as out:
            for block in sources.blocks():
                out.write(b"".join(map(hider.line, block.lines())))
        dropped = f", {no_records(hider.dropped)} left out" if hider.dropped else ""
        told = f"{hider.changed} of {hider.records} records redacted{dropped}"
        sys.stderr.write(f"txqmp: {told}\n")
