"""Ways to show what is read of journals."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Protocol, TextIO

from txqmp.errors import JournalError
from txqmp.journal.display import RecordPrinter, duration
from txqmp.journal.reader import Torn
from txqmp.journal.record import Encoder, Kind, Record, say, tell
from txqmp.reports.folds import Fold, Folds
from txqmp.reports.spans import Span, Spans

Chosen = Callable[[Record], bool]


class View(Protocol):
    """Shows what it is given."""

    def take(self, source: str, entry: Record | Torn) -> None:
        """Take the next entry, and where it is from."""
        ...

    def pause(self) -> None:
        """Show what is held back for what may follow: nothing does for now."""
        ...

    def end(self) -> None:
        """Show all that is held back: nothing more comes."""
        ...


class Lines:
    """
    A line for each record.

    :param several: whether to tell where each is from.
    """

    def __init__(
        self, out: TextIO, printer: RecordPrinter, chosen: Chosen | None, several: bool
    ) -> None:
        self._out = out
        self._printer = printer
        self._chosen = chosen
        self._several = several

    def take(self, source: str, entry: Record | Torn) -> None:
        """Show an entry."""
        if isinstance(entry, Torn):
            self._out.write(f"{self._printer.torn(entry)}\n")
        elif self._chosen is None or self._chosen(entry):
            line = self._printer.line(entry, source if self._several else "")
            self._out.write(f"{line}\n")

    def pause(self) -> None:
        """Nothing is held back."""

    def end(self) -> None:
        """Nothing is held back."""


class Pairs:
    """
    Each command with its reply, and what came between them.

    :param chosen: of the records; a pair is shown if one of its own is among them.
    :param several: whether to tell where each is from.
    :param fold: whether to show a command that is repeated in one line.
    """

    def __init__(
        self,
        out: TextIO,
        printer: RecordPrinter,
        chosen: Chosen | None,
        several: bool,
        fold: bool,
    ) -> None:
        self._out = out
        self._printer = printer
        self._chosen = chosen
        self._several = several
        self._spans: defaultdict[str, Spans] = defaultdict(Spans)
        self._folds: Folds[Record | Torn] | None = Folds() if fold else None

    def take(self, source: str, entry: Record | Torn) -> None:
        """Show an entry, or keep it for the pair that it belongs to."""
        if isinstance(entry, Torn):
            self._put(source, entry)
            return
        for item in self._spans[source].feed(entry):
            self._put_chosen(source, item)

    def pause(self) -> None:
        """Show what was folded so far."""
        if self._folds is not None:
            for source, item in self._folds.rest():
                self._show(source, item)

    def end(self) -> None:
        """Show commands that have no reply."""
        for source, spans in self._spans.items():
            for span in spans.end():
                self._put_chosen(source, span)
        self.pause()
        self._spans.clear()

    def _put_chosen(self, source: str, item: Span | Record) -> None:
        if self._chosen is not None:
            records = item.records() if isinstance(item, Span) else [item]
            if not any(map(self._chosen, records)):
                return
        self._put(source, item)

    def _put(self, source: str, item: Span | Record | Torn) -> None:
        if self._folds is None:
            self._show(source, item)
            return
        for place, found in self._folds.feed(item, source):
            self._show(place, found)

    def _show(self, source: str, item: Fold | Span | Record | Torn) -> None:
        name = source if self._several else ""
        match item:
            case Torn():
                self._out.write(f"{self._printer.torn(item)}\n")
            case Record():
                self._out.write(f"{self._printer.line(item, name)}\n")
            case Fold():
                self._out.write(f"{self._folded(item, name)}\n")
            case _:
                self._out.writelines(f"{line}\n" for line in self._laid_out(item, name))

    def _folded(self, fold: Fold, source: str) -> str:
        first = fold.first.first
        text = f"×{fold.count}"
        if fold.latencies is not None:
            least, middle, most = map(duration, fold.latencies)
            text += f"  min {least}, median {middle}, max {most}"
        return f"{self._printer.head(first, source)} {self._printer.summary(first, text)}"

    def _laid_out(self, span: Span, source: str) -> Iterator[str]:
        records = span.records()
        head = self._printer.head(records[0], source)
        yield f"{head} {self._printer.body(records[0])}"
        indent = " " * len(head)
        for record in records[1:]:
            body = self._printer.body(record)
            after = ""
            if record.kind is Kind.EVENT and span.command is not None:
                after = f"  +{duration(max(0.0, record.mono - span.command.mono))}"
            yield f"{indent} {body}{after}"
        if span.reply is None:
            yield f"{indent} {self._printer.remark('no reply')}"


class JSONLines:
    """The records as a journal has them; what is none is told of on standard error."""

    def __init__(self, out: TextIO, printer: RecordPrinter, chosen: Chosen | None) -> None:
        self._out = out
        self._printer = printer
        self._chosen = chosen
        self._encoder = Encoder()

    def take(self, source: str, entry: Record | Torn) -> None:
        """Write an entry."""
        if isinstance(entry, Torn):
            print(self._printer.torn(entry), file=sys.stderr)
        elif self._chosen is None or self._chosen(entry):
            self._out.write(self._line(entry))

    def _line(self, record: Record) -> str:
        try:
            line = self._encoder.line(record, tell(record.fields), say(record.raw))
        except (ValueError, RecursionError) as error:
            # Read by us, and yet not to be written: a year before 1970, a depth at the limit.
            place = f"{record.monitor}#{record.connection}, record {record.seq}"
            raise JournalError(f"{place} cannot be written again: {error}") from error
        return line.decode("ascii")

    def pause(self) -> None:
        """Nothing is held back."""

    def end(self) -> None:
        """Nothing is held back."""


class Raw:
    """The bytes of the messages; what is no record is told of on standard error."""

    def __init__(self, out: TextIO, printer: RecordPrinter, chosen: Chosen | None) -> None:
        self._out = out.buffer
        self._printer = printer
        self._chosen = chosen

    def take(self, source: str, entry: Record | Torn) -> None:
        """Write an entry."""
        if isinstance(entry, Torn):
            print(self._printer.torn(entry), file=sys.stderr)
        elif entry.raw is not None and (self._chosen is None or self._chosen(entry)):
            self._out.write(entry.raw)

    def pause(self) -> None:
        """Nothing is held back."""

    def end(self) -> None:
        """Nothing is held back."""
