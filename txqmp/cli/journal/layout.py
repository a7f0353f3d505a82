"""
Statistics for people to read: the same layout on a terminal and elsewhere.

rich lays the tables out and knows the terminal's width and colours.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from txqmp.journal.printable import printable
from txqmp.reports.tables import Table, head

_WIDE = 10_000
"""Columns of what is no terminal: nothing is cut there."""

_READABLE = 20
"""Columns that a word has at least, if it is so long."""


def lay_out(statistics: Mapping[str, Any], tables: Sequence[Table], *, whole: bool) -> None:
    """
    Print the statistics.

    :param tables: to be shown.
    :param whole: what is told over the tables as well, and no table that is empty.
    """
    parts = [_head(statistics)] if whole else []
    parts += [_grid(table, statistics) for table in tables if statistics[table.name] or not whole]
    print("\n\n".join(map(_drawn, parts)))


def _drawn(part: Grid) -> str:
    """Draw on paper first: a line ends where its text does, and not at the edge of the terminal."""
    terminal = sys.stdout.isatty()
    paper = Console(file=StringIO(), force_terminal=terminal, width=_WIDE)
    if terminal:
        # What does not fit at all is broken by the terminal: that is better than to leave it out.
        least = Measurement.get(paper, paper.options, part).minimum
        paper.width = max(Console().width, least)
    with paper.capture() as drawn:
        paper.print(part)
    return "\n".join(line.rstrip() for line in drawn.get().splitlines()).strip("\n")


def _head(statistics: Mapping[str, Any]) -> Grid:
    grid = Grid.grid(padding=(0, 2))
    for name, value in head(statistics):
        grid.add_row(Text(name, style="bold"), Text(printable(value)))
    return grid


def _grid(table: Table, statistics: Mapping[str, Any]) -> Grid:
    grid = Grid(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    rows = [_texts(cells) for cells in table.shown(table.rows(statistics))]
    totals = [_texts(cells) for cells in table.shown(table.total(statistics))]
    for number, column in enumerate(table.headed()):
        longest = max((len(cells[number]) for cells in rows), default=0)
        # Numbers stay whole on a narrow terminal; long words go on in the next line.
        grid.add_column(
            column.heading,
            justify="left" if column.is_text else "right",
            no_wrap=not column.is_text,
            min_width=min(longest, _READABLE),
            overflow="fold",
        )
    for cells in rows:
        grid.add_row(*cells)
    for cells in totals:
        grid.add_section()
        grid.add_row(*cells)
    return grid


def _texts(cells: Sequence[str]) -> list[Text]:
    """No markup: it is what peers said."""
    return [Text(printable(cell)) for cell in cells]
