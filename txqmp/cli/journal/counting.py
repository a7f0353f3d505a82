"""What commands have in common that count records: all, or those that a filter chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Protocol

from txqmp.cli.journal.source import FilterOptions
from txqmp.journal.glance import Glance, glances
from txqmp.journal.reader import Torn
from txqmp.journal.record import Record
from txqmp.journal.sources import Block


class Counter(Protocol):
    """Counts records."""

    def add(self, one: Glance, chosen: bool = True) -> None:
        """Take a record; one that is not chosen is only to be known of."""

    def tear(self, torn: Torn) -> None:
        """Take a line that is no record."""

    def end(self) -> None:
        """There is no more."""


def count(options: FilterOptions, *counters: Counter) -> None:
    """
    Read the journals of a command line, and have their records counted.

    :raises JournalError: a file cannot be read.
    """
    with options.sources() as sources:
        for block in sources.blocks():
            seen = list(glances(block))
            chosen = repeat(True) if options.chosen is None else _choose(block, options.chosen)
            for counter in counters:
                _feed(counter, seen, chosen)
    for counter in counters:
        counter.end()


def _choose(block: Block, chosen: Callable[[Record], bool]) -> Iterable[bool]:
    """Read the records in full: a filter may ask for anything in them."""
    return [not isinstance(entry, Torn) and chosen(entry) for entry in block.entries()]


def _feed(counter: Counter, seen: Sequence[Glance | Torn], chosen: Iterable[bool]) -> None:
    add = counter.add
    for one, is_chosen in zip(seen, chosen, strict=False):
        if isinstance(one, Torn):
            counter.tear(one)
        else:
            add(one, is_chosen)
