"""``txqmp journal plot``: a picture of what is in a journal."""

from __future__ import annotations

from pathlib import Path

from twisted.python.usage import UsageError

from txqmp.cli.journal.extras import extra
from txqmp.cli.journal.source import FilterOptions
from txqmp.journal.sources import STANDARD_INPUT

_KINDS = ("latency", "rate", "events")
_FORMS = {".svg": "svg", ".png": "png", ".html": "html", ".htm": "html"}


class PlotOptions(FilterOptions):
    """The command line of ``txqmp journal plot``."""

    synopsis = "txqmp journal plot [options] FILE … -o PICTURE"
    longdesc = (
        "Draws the latency of each reply, commands per second, and events, over time. "
        "FILE may be - for standard input.\n\n"
        "Example: txqmp journal plot session.jsonl -o session.svg"
    )
    optParameters = [
        ["output", "o", None, "the picture to write: its suffix, .svg, .png or .html, tells how."],
        ["kind", None, "all", f"what to show: {', '.join(_KINDS)} or all."],
        ["title", None, None, "over the picture; the names of the files unless given."],
    ]

    def postOptions(self) -> None:
        """
        Check the options.

        :raises UsageError: there is no output, or one of an unknown kind.
        """
        super().postOptions()
        if not self["output"]:
            raise UsageError("journal plot wants -o and a name that ends in .svg, .png or .html")
        if Path(self["output"]).suffix.lower() not in _FORMS:
            raise UsageError(f"{self['output']}: its name must end in .svg, .png or .html")
        if self["kind"] not in (*_KINDS, "all"):
            raise UsageError(f"--kind {self['kind']}: there are {', '.join(_KINDS)} and all")

    def run(self) -> None:
        """
        Read, draw, and write the picture.

        :raises JournalError: a file cannot be read.
        :raises OSError: the picture cannot be written.
        """
        with extra("journal plot", "plot"):
            from txqmp.cli.journal.counting import Counter, count
            from txqmp.reports.page import page
            from txqmp.reports.plot import draw
            from txqmp.reports.series import Series
            from txqmp.reports.statistics import statistics
            from txqmp.reports.tally import Tally
        path = Path(self["output"])
        form = _FORMS[path.suffix.lower()]
        kinds = _KINDS if self["kind"] == "all" else (self["kind"],)
        title = self["title"] or ", ".join(map(_name, self.paths))
        series, tally = Series(), Tally()
        counters: list[Counter] = [series, tally] if form == "html" else [series]
        count(self, *counters)
        picture = draw(series, title, kinds, "png" if form == "png" else "svg")
        path.write_bytes(page(title, picture, statistics(tally)) if form == "html" else picture)
        replies = _counted(series.replies.count, "reply", "replies")
        print(f"{path}: {replies}, {_counted(series.events.count, 'event', 'events')}")


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _name(path: str) -> str:
    return "standard input" if path == STANDARD_INPUT else Path(path).name
