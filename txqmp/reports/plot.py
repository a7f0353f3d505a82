"""
A journal as a picture, by matplotlib.

In SVG its texts stay texts, each part has an id, and the same journal gives the same bytes: the
groups ``latency``, ``rate`` and ``events`` hold the axes, ``title`` the title, ``replies-1`` and so
on the marks of a command, ``events-1`` and so on those of an event.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC
from io import BytesIO
from typing import Any

import matplotlib as mpl
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from txqmp.journal.printable import legible, printable
from txqmp.reports.series import Mark, Marks, Series

KINDS = ("latency", "rate", "events")
"""What can be shown; each has axes of its own."""

MOST_COMMANDS = 9
"""So many commands have a colour; the others share one."""

MOST_EVENTS = 20
"""So many events have a line; the others share one."""

_SHORTEST = 1e-6
"""Seconds: a latency of nothing has no place on a logarithmic axis."""

_MARGIN = 0.02
_LONGEST_NAME = 40
_HEIGHTS = {"latency": 4.0, "rate": 2.2, "events": 2.6}
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "txqmp",
    "text.parse_math": False,
    "timezone": "UTC",
}


def draw(series: Series, title: str, kinds: Sequence[str] = KINDS, form: str = "svg") -> bytes:
    """
    Draw a picture.

    :param series: what it shows.
    :param title: over it.
    :param kinds: some of :data:`KINDS`, from top to bottom.
    :param form: ``svg`` or ``png``.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        # A title may be in a script that matplotlib's font lacks; a viewer has it.
        warnings.filterwarnings("ignore", message="Glyph ", category=UserWarning)
        # A journal with a wrong date is drawn none the less.
        warnings.filterwarnings("ignore", message="Plotting microsecond", category=UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        heights = [_HEIGHTS[kind] for kind in kinds]
        figure = Figure(figsize=(11, sum(heights) + 0.8), layout="constrained")
        figure.suptitle(legible(title)).set_gid("title")
        rows = figure.subplots(
            len(kinds), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
        )
        begin, end = _span(series)
        for kind, (axes,) in zip(kinds, rows, strict=True):
            axes.set_gid(kind)
            _DRAWN_BY[kind](axes, series)
            axes.set_xlim(begin, end)
            axes.grid(True, alpha=0.3)
        locator = AutoDateLocator(tz=UTC)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
        axes.set_xlabel("time (UTC)")
        picture = BytesIO()
        metadata = {"Date": None, "Creator": "txqmp"} if form == "svg" else {"Software": "txqmp"}
        figure.savefig(picture, format=form, dpi=120, metadata=metadata)
    return picture.getvalue()


def _latency(axes: Any, series: Series) -> None:
    axes.set_yscale("log")
    axes.set_ylabel("latency (s)")
    marks = series.replies.kept()
    axes.set_title(_told(series.replies, len(marks), "replies"), fontsize="medium")
    if not marks:
        axes.set_ylim(1e-4, 1)
    for number, (name, those) in enumerate(_by_name(marks, series.reply_names, MOST_COMMANDS), 1):
        (line,) = axes.plot(
            [_days(mark.micros) for mark in those],
            [max(mark.seconds, _SHORTEST) for mark in those],
            linestyle="none",
            marker=".",
            markersize=4,
            color=f"C{number - 1}" if name is not None else "0.6",
            label=_label(name, "commands"),
        )
        line.set_gid(f"replies-{number}")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_formatter(EngFormatter("s"))
    # Within little more than a decade the decades alone would say little.
    axes.yaxis.set_minor_formatter(EngFormatter("s") if high < 20 * low else NullFormatter())
    _legend(axes)


def _rate(axes: Any, series: Series) -> None:
    axes.set_ylabel("per second (1/s)")
    width = series.commands.width
    axes.set_title(f"commands, in bins of {width / 1e6:g} s", fontsize="medium")
    for name, bins, colour in (
        ("commands", series.commands, "C0"),
        ("errors", series.errors, "C3"),
    ):
        rates = bins.rates()
        if rates:
            edges = [_days(begin) for begin, _ in rates]
            edges.append(_days(rates[-1][0] + width))
            stairs = axes.stairs([rate for _, rate in rates], edges, color=colour, label=name)
            stairs.set_gid(f"rate-{name}")
    axes.set_ylim(bottom=0)
    _legend(axes)


def _events(axes: Any, series: Series) -> None:
    marks = series.events.kept()
    axes.set_title(_told(series.events, len(marks), "events"), fontsize="medium")
    axes.set_ylabel("event")
    found = _by_name(marks, series.event_names, MOST_EVENTS)
    for number, (_, those) in enumerate(found, 1):
        (line,) = axes.plot(
            [_days(mark.micros) for mark in those],
            [number] * len(those),
            linestyle="none",
            marker="|",
            markersize=10,
            color=f"C{number - 1}",
        )
        line.set_gid(f"events-{number}")
    names = [_label(name, "events") for name, _ in found]
    axes.set_yticks(range(1, len(names) + 1), names)
    axes.set_ylim(max(len(names), 1) + 0.5, 0.5)


_DRAWN_BY: dict[str, Callable[[Any, Series], None]] = {
    "latency": _latency,
    "rate": _rate,
    "events": _events,
}
_FIRST, _LAST = -719_000.0, 2_932_000.0
"""Days: the years 1 and 9999, beyond which no axis goes."""


def _days(micros: int) -> float:
    """Days since the epoch, which is how matplotlib counts."""
    return micros / 86_400e6


def _span(series: Series) -> tuple[float, float]:
    """From where to where, in days: all that is drawn, and a little more."""
    times = [mark.micros for marks in (series.replies, series.events) for mark in marks.kept()]
    for bins in (series.commands, series.errors):
        edges = [begin for begin, _ in bins.rates()]
        times += [*edges, *(begin + bins.width for begin in edges[-1:])]
    least, most = min(times, default=0), max(times, default=1_000_000)
    margin = max(round((most - least) * _MARGIN), 1000)
    return max(_days(least - margin), _FIRST), min(_days(most + margin), _LAST)


def _by_name(
    marks: Sequence[Mark], names: Counter[str], most: int
) -> list[tuple[str | None, list[Mark]]]:
    """Sort marks by name, those that there are most of first; None is for all others."""
    top = sorted(names, key=lambda name: (-names[name], name))[:most]
    found: dict[str | None, list[Mark]] = {name: [] for name in [*top, None]}
    for mark in marks:
        found[mark.name if mark.name in found else None].append(mark)
    return [(name, those) for name, those in found.items() if those]


def _told(marks: Marks, kept: int, what: str) -> str:
    if kept == marks.count:
        return f"{what}: {kept}"
    slowest = " and the slowest" if what == "replies" else ""
    return f"{what}: {kept} of {marks.count}, every {marks.stride}th{slowest}"


def _label(name: str | None, what: str) -> str:
    if name is None:
        return f"other {what}"
    text = printable(name)
    if len(text) > _LONGEST_NAME:
        text = f"{text[:_LONGEST_NAME]}..."
    # A legend leaves out what begins with an underscore.
    return f" {text}" if text.startswith("_") else text


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")
