"""What the figures look like: a plain table, or one in reStructuredText."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.measure import Figure

HEADINGS = ("figure", "txqmp", "peer", "ratio", "spread", "target", "reached")
_WIDTHS = (38, 16, 28, 8, 16, 8, 7)


def number(value: float) -> str:
    """Write a number with three digits that count, and no exponent."""
    if abs(value) == float("inf"):
        return "∞"
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.095 or not size else 3
    return f"{value:,.{places}f}"


def cells(figure: Figure) -> tuple[str, ...]:
    """One line of the table."""
    ours = f"{number(statistics.median(figure.ours))} {figure.unit}".rstrip()
    theirs = ""
    if figure.theirs:
        theirs = f"{number(statistics.median(figure.theirs))} {figure.peer}"
    low, high = figure.spread
    return (
        figure.name,
        ours,
        theirs,
        number(figure.median) if figure.theirs else "",
        f"{number(low)}..{number(high)}",
        str(figure.target) if figure.target is not None else "",
        {True: "yes", False: "NO", None: ""}[figure.reached],
    )


def line(columns: Sequence[str]) -> str:
    """Lay out one line of the plain table."""
    return "  ".join(c.ljust(w) for c, w in zip(columns, _WIDTHS, strict=True)).rstrip()


def heading() -> str:
    """Lay out the head of the plain table."""
    return f"{line(HEADINGS)}\n{line(['-' * width for width in _WIDTHS])}"


def plain(figures: Sequence[Figure]) -> str:
    """Lay out some lines of the plain table, with their notes."""
    lines = []
    for figure in figures:
        lines.append(line(cells(figure)))
        if figure.note:
            lines.append(f"    {figure.note}")
    return "\n".join(lines)


def rst(figures: Sequence[Figure]) -> str:
    """Lay out a table in reStructuredText, with the notes below it."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for columns in [HEADINGS, *map(cells, figures)]:
        for index, cell in enumerate(columns):
            text = f"``{cell}``" if not index and columns is not HEADINGS else cell
            lines.append(f"   {'*' if not index else ' '} - {text}".rstrip())
    notes = [f"* ``{figure.name}``: {figure.note}" for figure in figures if figure.note]
    return "\n".join([*lines, *([""] if notes else []), *notes])
