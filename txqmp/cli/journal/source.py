"""What all that read journals have in common: which files, which records, a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from twisted.python.usage import UsageError

from txqmp.cli.command import MixedOptions
from txqmp.cli.journal.extras import extra
from txqmp.cli.journal.progress import watched
from txqmp.errors import FilterError
from txqmp.journal.reader import Torn
from txqmp.journal.record import Record
from txqmp.journal.sources import Block, Sources


def no_records(count: int) -> str:
    """Count lines that are no records, in words."""
    return "1 line that is no record" if count == 1 else f"{count} lines that are no records"


def tell_left_out(count: int) -> None:
    """Tell on standard error how many lines are no records."""
    sys.stderr.write(f"txqmp: left out: {no_records(count)} (txqmp journal check tells more)\n")


class ReadOptions(MixedOptions):
    """
    A command line that ends in the names of journals.

    Its ``paths`` are those names.
    """

    optFlags = [
        ["rotated", "r", "read the older files of a rotation too, FILE.1 and so on."],
        ["no-progress", None, "no progress bar, on a terminal."],
    ]

    def parseArgs(self, *paths: str) -> None:
        """
        Take the files.

        :raises UsageError: there is none.
        """
        if not paths:
            raise UsageError(f"{self.synopsis.split('[')[0].removeprefix('txqmp ')}wants a file")
        self.paths = list(paths)

    @contextmanager
    def sources(
        self, paths: Sequence[str] | None = None, *, hidden: bool = False
    ) -> Iterator[Sources]:
        """
        Open what is to be read, with a progress bar where that takes long and somebody looks.

        :param paths: those of the command line unless given.
        :param hidden: show no bar.
        """
        chosen = self.paths if paths is None else paths
        rotated = bool(self["rotated"])
        size = Sources(chosen, rotated=rotated).size()
        with watched(size, hidden=hidden or bool(self["no-progress"])) as passed:
            stdin = None if sys.stdin is None else sys.stdin.buffer
            yield Sources(chosen, rotated=rotated, standard_input=stdin, passed=passed)

    def records(self, sources: Sources) -> Iterator[Record]:
        """Read every record, and tell in the end how many lines were none."""
        torn = 0
        for entry in sources.entries():
            if isinstance(entry, Torn):
                torn += 1
            else:
                yield entry
        if torn:
            tell_left_out(torn)


class FilterOptions(ReadOptions):
    """A command line that chooses records."""

    optParameters = [
        ["filter", None, None, "only what this says, as command:qom-get or latency>0.1."],
    ]

    def postOptions(self) -> None:
        """
        Read the filter.

        :raises SystemExit: it is none: where, and why.
        """
        self.chosen: Callable[[Record], bool] | None = None
        if self["filter"] is not None:
            self.chosen = _filter(self["filter"])

    def entries(self, sources: Sources) -> Iterator[Record | Torn]:
        """Read the records that the filter lets through, and every torn line."""
        for entry in sources.entries():
            if isinstance(entry, Torn) or self.chosen is None or self.chosen(entry):
                yield entry

    def block_entries(self, block: Block) -> Iterator[Record | Torn]:
        """Read of a block what the filter lets through, and every torn line."""
        for entry in block.entries():
            if isinstance(entry, Torn) or self.chosen is None or self.chosen(entry):
                yield entry


def _filter(text: str) -> Callable[[Record], bool]:
    with extra("--filter", "journal"):
        from txqmp.reports.filter import parse
    try:
        return parse(text)
    except FilterError as error:
        # Its last line is a caret, after which there is no place for where to read more.
        raise SystemExit(f"txqmp: --filter: {error}") from None
