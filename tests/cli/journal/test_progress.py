"""A bar, where somebody looks and it takes long."""

from __future__ import annotations

import builtins
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from txqmp.cli.journal import progress
from txqmp.cli.journal.progress import watched

MB = 1000 * 1000


class Screen(io.StringIO):
    """Standard error, on a terminal."""

    def isatty(self) -> bool:
        return True

    @contextmanager
    def up(self) -> Iterator[None]:
        """It is what standard error leads to."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stderr", self)
            yield


class Time:
    """The seconds of a clock."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return Screen()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(progress, "monotonic", made)
    return made


def test_for_a_second_there_is_none(screen: Screen, time: Time) -> None:
    with screen.up(), watched(100 * MB) as passed:
        assert passed is not None
        for _ in range(9):
            time.now += 0.1
            passed(10 * MB)
    assert screen.getvalue() == ""


def test_then_there_is_one_that_goes_in_the_end(screen: Screen, time: Time) -> None:
    with screen.up(), watched(100 * MB) as passed:
        assert passed is not None
        time.now += 1.0
        passed(50 * MB)
        assert "50.0/100.0 MB" in screen.getvalue()
        time.now += 0.125
        passed(25 * MB)
        assert "75.0/100.0 MB" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")


def test_it_is_drawn_some_times_a_second(screen: Screen, time: Time) -> None:
    with screen.up(), watched(100 * MB) as passed:
        assert passed is not None
        time.now += 1.0
        passed(1)
        drawn = screen.getvalue()
        for _ in range(9):
            time.now += 0.01
            passed(1)
        assert screen.getvalue() == drawn


def test_the_size_may_be_unknown(screen: Screen, time: Time) -> None:
    with screen.up(), watched(None) as passed:
        assert passed is not None
        time.now += 2.0
        passed(3 * MB)
        assert "3.0/? MB" in screen.getvalue()


def test_it_goes_when_something_goes_wrong(screen: Screen, time: Time) -> None:
    with pytest.raises(OSError, match="no"), screen.up(), watched(MB) as passed:  # noqa: PT012
        assert passed is not None
        time.now += 1.0
        passed(1)
        raise OSError("no")
    assert screen.getvalue().endswith("\x1b[2K")


def test_nobody_looks(screen: Screen, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    with screen.up(), watched(MB, hidden=True) as passed:
        assert passed is None
    for stderr in (io.StringIO(), None):
        monkeypatch.setattr("sys.stderr", stderr)
        with watched(MB) as passed:
            assert passed is None


def test_without_rich_there_is_none(
    screen: Screen, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    plain = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("rich"):
            tried.append(name)
            raise ModuleNotFoundError(name=name)
        return plain(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with screen.up(), watched(MB) as passed:
        assert passed is not None
        for _ in range(3):
            time.now += 2.0
            passed(1)
    assert tried == ["rich.console"]
    assert screen.getvalue() == ""
