"""``txqmp journal export``: a journal for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from twisted.python.usage import UsageError

from txqmp.cli.journal.output import STANDARD_OUTPUT, plain, written
from txqmp.cli.journal.source import FilterOptions, tell_left_out
from txqmp.journal.reader import Torn
from txqmp.journal.record import Record
from txqmp.journal.sources import Sources
from txqmp.reports.database import write_database
from txqmp.reports.htmlpage import write_page
from txqmp.reports.pcapng import write_capture
from txqmp.reports.table import write_records, write_spans

FORMATS = ("csv", "html", "pcapng", "sqlite")
SUFFIXES = {
    ".csv": "csv",
    ".db": "sqlite",
    ".htm": "html",
    ".html": "html",
    ".pcapng": "pcapng",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
}


class ExportOptions(FilterOptions):
    """The command line of ``txqmp journal export``."""

    synopsis = "txqmp journal export [options] FILE … -o OUT"
    longdesc = (
        "Writes a journal in another format: csv, html (a page of its own), pcapng (for "
        "Wireshark), sqlite. A file that is there already is kept.\n\n"
        "Example: txqmp journal export session.jsonl -o session.html"
    )
    optParameters = [
        ["output", "o", None, "the file to write; - is standard output, not for sqlite."],
        ["format", None, None, f"{', '.join(FORMATS)}, where the file's name does not tell."],
    ]
    optFlags = [
        ["records", None, "csv: a row for each record, rather than for each command."],
        ["force", None, "replace a file that is there already."],
    ]

    def postOptions(self) -> None:
        """
        Find out the format.

        :raises UsageError: it is not known, or does not go with the other options.
        """
        super().postOptions()
        out = self["output"]
        if not out:
            raise UsageError("journal export wants a file to write: -o OUT")
        named = SUFFIXES.get(Path(out).suffix.lower())
        if self["format"] is None and named is None:
            raise UsageError(f"{out} tells no format: --format {'|'.join(FORMATS)}")
        self.format = named if self["format"] is None else self["format"]
        if self.format not in FORMATS:
            raise UsageError(f"{self.format} is no format: {', '.join(FORMATS)}")
        if self["records"] and self.format != "csv":
            raise UsageError("--records is for csv")
        if out == STANDARD_OUTPUT and self.format == "sqlite":
            raise UsageError("a database cannot be written to standard output: -o FILE")

    def run(self) -> None:
        """
        Write it.

        :raises JournalError: a file cannot be read or written.
        """
        self._torn = 0
        with self.sources() as sources, written(self["output"], bool(self["force"])) as out:
            self._write(self._records(sources), out)
        if self._torn:
            tell_left_out(self._torn)

    def _write(self, records: Iterator[Record], out: BinaryIO) -> None:
        match self.format:
            case "csv":
                (write_records if self["records"] else write_spans)(records, self.chosen, out)
            case "html":
                title = ", ".join(plain(Path(path).name) for path in self.paths)
                write_page(records, self.chosen, out, title)
            case "pcapng":
                write_capture(records, self.chosen, out)
            case _:
                write_database(records, self.chosen, out.name)

    def _records(self, sources: Sources) -> Iterator[Record]:
        for entry in sources.entries():
            if isinstance(entry, Torn):
                self._torn += 1
            else:
                yield entry
