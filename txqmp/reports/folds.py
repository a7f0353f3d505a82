"""The same command again and again, told in one line."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from statistics import median
from typing import Generic, TypeVar

from txqmp.journal.record import Kind
from txqmp.reports.spans import Place, Span, place

Other = TypeVar("Other")


class Fold:
    """
    Spans of the same command that follow each other, each of which succeeded.

    :ivar first: the first of them.
    :ivar count: how many there are; two at least, when it is given.
    :ivar source: where they are from.
    """

    def __init__(self, first: Span, source: str) -> None:
        self.first = first
        self.source = source
        self.count = 0
        self._latencies = array("d")
        self._add(first)

    def take(self, span: Span, source: str) -> bool:
        """Take one more; False if it is of another sort."""
        if source != self.source or _sort(span) != _sort(self.first):
            return False
        self._add(span)
        return True

    def _add(self, span: Span) -> None:
        self.count += 1
        if span.latency is not None:
            self._latencies.append(span.latency)

    @property
    def latencies(self) -> tuple[float, float, float] | None:
        """The least, the median and the greatest latency, in seconds; None if none is known."""
        found = self._latencies
        return (min(found), median(found), max(found)) if found else None


class Folds(Generic[Other]):
    """
    Folds spans as they come; whatever else comes, comes in its place.

    Of a fold only the first span is kept, and a number for each.
    """

    def __init__(self) -> None:
        self._fold: Fold | None = None

    def feed(self, item: Span | Other, source: str) -> Iterator[tuple[str, Fold | Span | Other]]:
        """
        Take the next one.

        :param source: where it is from.
        :returns: what is known to be complete, with where it is from.
        """
        if isinstance(item, Span) and _is_plain(item):
            if self._fold is None or not self._fold.take(item, source):
                yield from self.rest()
                self._fold = Fold(item, source)
            return
        yield from self.rest()
        yield source, item

    def rest(self) -> Iterator[tuple[str, Fold | Span | Other]]:
        """Give what waits for another one like it."""
        fold, self._fold = self._fold, None
        if fold is not None:
            yield fold.source, fold if fold.count > 1 else fold.first


def _is_plain(span: Span) -> bool:
    succeeded = span.reply is not None and span.reply.kind is Kind.SUCCESS
    return span.command is not None and succeeded and not (span.events or span.verdicts)


def _sort(span: Span) -> tuple[str, Place]:
    return span.name, place(span.first)
