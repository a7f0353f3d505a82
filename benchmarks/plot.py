"""The figures as a picture, by matplotlib, which has drawn plots for Python since 2003."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Figure

MOST = 100.0
"""No bar is longer: what costs nothing would have no end."""


def goodness(figure: Figure) -> float:
    """How a figure stands to its target: 1 reaches it, 2 is twice as good."""
    assert figure.target is not None
    value, wanted = figure.median, figure.target.value
    if figure.target.relation == ">=":
        return value / wanted
    return min(MOST, wanted / value) if value > 0 else MOST


def draw(figures: Sequence[Figure], path: Path) -> None:
    """
    Draw a bar for each figure that has a target.

    :param path: of the picture; its suffix tells the format.
    :raises ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    shown = [figure for figure in reversed(figures) if figure.target is not None]
    mpl.rcParams["svg.hashsalt"] = "txqmp"
    picture, axes = pyplot.subplots(figsize=(8, 0.32 * len(shown) + 1))
    colours = ["#3b7d4f" if figure.reached else "#b5562f" for figure in shown]
    axes.barh([figure.name for figure in shown], list(map(goodness, shown)), color=colours)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("times as good as the target (right of the line: reached)")
    axes.set_title("txqmp next to its peers")
    picture.tight_layout()
    picture.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(picture)
