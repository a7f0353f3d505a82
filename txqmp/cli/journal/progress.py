"""A bar for what takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

_PATIENCE = 1.0
"""Seconds after which somebody would like to know how long it takes."""
_OFTEN = 0.1
"""Seconds between two drawings."""


@contextmanager
def watched(size: int | None, *, hidden: bool = False) -> Iterator[Callable[[int], None] | None]:
    """
    Show how far the reading of something is, if it takes more than a second.

    :param size: bytes in all; None if that is not known.
    :param hidden: show nothing.
    :returns: is to be told how many bytes were read; None where nobody looks, or rich, which
        draws the bar, is not installed.
    """
    if hidden or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    bar = _Bar(size)
    try:
        yield bar.advance
    finally:
        bar.stop()


class _Bar:
    def __init__(self, size: int | None) -> None:
        self._size = size
        self._drawn = monotonic()
        self._done = 0
        self._progress: Any = None
        self._missing = False

    def advance(self, count: int) -> None:
        """Count what was read."""
        self._done += count
        now = monotonic()
        if self._missing or now - self._drawn < (_PATIENCE if self._progress is None else _OFTEN):
            return
        self._drawn = now
        if self._progress is None:
            self._show()
        else:
            self._progress.update(self._task, completed=self._done, refresh=True)

    def _show(self) -> None:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn
        except ImportError:
            self._missing = True
            return
        # It goes when it is done: what is shown is the report. It is drawn from here, and no
        # thread does it meanwhile.
        self._progress = Progress(
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
        )
        self._task = self._progress.add_task("", total=self._size, completed=self._done)
        self._progress.start()

    def stop(self) -> None:
        """Take it away."""
        if self._progress is not None:
            self._progress.stop()
