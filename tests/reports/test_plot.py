"""Pictures: what is in them, and how much of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.reports.glimpses import command, glimpse, reply
from txqmp.journal.record import Kind
from txqmp.reports.plot import KINDS, MOST_COMMANDS, MOST_EVENTS, draw
from txqmp.reports.series import MOST_MARKS, MOST_SLOW, Series

SVG = "{http://www.w3.org/2000/svg}"


class Picture:
    """A picture that was drawn, as a test looks at it."""

    def __init__(self, svg: bytes) -> None:
        self._root = ET.fromstring(svg)
        self.groups = {
            group.get("id", ""): group for group in self._root.iter(f"{SVG}g") if group.get("id")
        }

    def texts(self, group: str | None = None) -> list[str]:
        found = self._root if group is None else self.groups[group]
        return ["".join(text.itertext()) for text in found.iter(f"{SVG}text")]

    def marks(self, prefix: str) -> dict[str, int]:
        """How many marks each group has whose id begins so."""
        return {
            name: len(list(group.iter(f"{SVG}use")))
            for name, group in self.groups.items()
            if name.startswith(prefix)
        }


def drawn(series: Series, title: str = "session", **options: object) -> Picture:
    return Picture(draw(series, title, **options))  # type: ignore[arg-type]


def session(replies: int, commands: int = 3, events: int = 2) -> Series:
    series = Series()
    for n in range(replies):
        name = f"query-{n % commands}"
        series.add(command(2 * n, name, n / 10))
        kind = Kind.SUCCESS if n % 10 else Kind.FAILURE
        series.add(reply(2 * n, name, n / 10 + 0.01, 0.001 * (1 + n % 50), kind))
    for n in range(events):
        series.add(glimpse(Kind.EVENT, 1, n, event=f"EVENT_{n}"))
    series.end()
    return series


def test_it_has_a_title_axes_and_a_mark_for_each_reply() -> None:
    picture = drawn(session(100), "What libvirt asked")
    assert picture.texts("title") == ["What libvirt asked"]
    assert "latency (s)" in picture.texts("latency")
    assert "per second (1/s)" in picture.texts("rate")
    assert "event" in picture.texts("events")
    assert picture.texts("events").count("time (UTC)") == 1
    assert picture.marks("replies-") == {"replies-1": 34, "replies-2": 33, "replies-3": 33}
    assert "replies: 100" in picture.texts("latency")
    assert picture.marks("events-") == {"events-1": 1, "events-2": 1}
    assert {"rate-commands", "rate-errors"} <= set(picture.groups)


def test_its_legends_name_what_is_drawn() -> None:
    picture = drawn(session(9))
    for name in ("query-0", "query-1", "query-2"):
        assert name in picture.texts("latency")
    assert {"commands", "errors"} <= set(picture.texts("rate"))
    assert {"EVENT_0", "EVENT_1"} <= set(picture.texts("events"))


def test_axes_have_units_that_people_read() -> None:
    assert {"1 ms", "10 ms"} <= set(drawn(session(100)).texts("latency"))
    # Within one decade there are more of them.
    assert {"1 ms", "2 ms", "3 ms"} <= set(drawn(session(4)).texts("latency"))


def test_the_same_journal_gives_the_same_bytes() -> None:
    assert draw(session(30), "x") == draw(session(30), "x")


def test_many_commands_share_a_colour_and_many_events_a_line() -> None:
    picture = drawn(session(60, commands=MOST_COMMANDS + 3, events=MOST_EVENTS + 4))
    assert len(picture.marks("replies-")) == MOST_COMMANDS + 1
    assert sum(picture.marks("replies-").values()) == 60
    assert "other commands" in picture.texts("latency")
    assert picture.marks("events-")[f"events-{MOST_EVENTS + 1}"] == 4
    assert "other events" in picture.texts("events")


def test_of_very_many_replies_some_are_drawn_and_it_says_so() -> None:
    count = MOST_MARKS + 1
    picture = drawn(session(count))
    shown = sum(picture.marks("replies-").values())
    assert count / 2 < shown <= count / 2 + MOST_SLOW + 1
    assert f"replies: {shown} of {count}, every 2th and the slowest" in picture.texts("latency")


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_its_parts_can_be_drawn_alone(kind: str) -> None:
    picture = drawn(session(5), kinds=[kind])
    assert {"latency", "rate", "events"} & set(picture.groups) == {kind}
    assert "time (UTC)" in picture.texts(kind)


def test_a_reply_that_took_no_time_has_a_place() -> None:
    series = Series()
    series.add(reply(1, "a", 1, 0.0))
    series.add(reply(2, "a", 2, 1.0))
    series.end()
    picture = drawn(series)
    assert picture.marks("replies-") == {"replies-1": 2}
    marks = picture.groups["replies-1"].iter(f"{SVG}use")
    assert all(0 < float(mark.get("y", "nan")) < 1000 for mark in marks)


def test_of_nothing_there_is_a_picture_with_nothing() -> None:
    series = Series()
    series.end()
    picture = drawn(series)
    assert picture.marks("replies-") == picture.marks("events-") == {}
    assert {"replies: 0", "latency (s)"} <= set(picture.texts("latency"))


@pytest.mark.parametrize("at", [0.0, -60_000_000_000.0, 250_000_000_000.0])
def test_a_single_moment_of_any_year(at: float) -> None:
    series = Series()
    series.add(reply(1, "a", at))
    series.end()
    assert drawn(series).marks("replies-") == {"replies-1": 1}


def test_all_times_there_are() -> None:
    series = Series()
    for at in (-63_900_000_000, 251_000_000_000):
        series.add(reply(1, "a", at))
    series.end()
    assert drawn(series).marks("replies-") == {"replies-1": 2}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a$b_2$", "a$b_2$"),
        ("_a", " _a"),
        ("<&>", "<&>"),
        ("\x1b[2J\x00", "\\x1b[2J\\x00"),
        ("x" * 100, "x" * 40 + "..."),
        ("\ud800", "\\ud800"),
    ],
)
def test_whatever_a_peer_calls_it(name: str, shown: str) -> None:
    series = Series()
    series.add(reply(1, name))
    series.add(glimpse(Kind.EVENT, event=name))
    series.end()
    picture = drawn(series)
    assert shown in picture.texts("latency")
    assert shown in picture.texts("events")


@pytest.mark.parametrize("title", ["Größe", "漢字", "$x^2$ <&>"])
def test_a_title_in_any_script(title: str) -> None:
    assert drawn(session(1), title).texts("title") == [title]


def test_a_title_with_control_characters() -> None:
    assert drawn(session(1), "a\x1b[2J\n").texts("title") == ["a\\x1b[2J\\n"]


def test_png() -> None:
    assert draw(session(5), "x", form="png").startswith(b"\x89PNG\r\n\x1a\n")
