"""Ways to show when something was."""

from __future__ import annotations

import pytest

from txqmp.journal.clocks import Relative, utc


@pytest.mark.parametrize(
    ("time", "clock"),
    [
        (0.0, "00:00:00.000"),
        (86399.9999, "23:59:59.999"),
        (1795341600.001, "10:00:00.001"),
        (-1.0, "23:59:59.000"),
    ],
)
def test_the_time_of_day(time: float, clock: str) -> None:
    assert utc(time) == clock


def test_the_first_time_is_where_it_starts() -> None:
    clock = Relative()
    shown = [clock(time) for time in (1795341600.5, 1795341600.501842, 1795341600.25, 1795345200.5)]
    assert shown == ["   +0.000000", "   +0.001842", "   -0.250000", "+3600.000000"]
