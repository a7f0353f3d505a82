"""The benchmark works: its arithmetic, and every case of it at a tiny size."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.measure import Figure, Samples, Target, at_least, at_most, pinned, take_turns
from benchmarks.plot import draw, goodness
from tests.integration.programs import Programs


def figure(ours: list[float], theirs: list[float], target: Target | None = None) -> Figure:
    return Figure("speed", "MB/s", ours, theirs, "stock", target)


def test_a_ratio_is_taken_in_every_round_and_its_median_counts() -> None:
    found = figure([2.0, 30.0, 4.0], [1.0, 10.0, 1.0])
    assert found.compared == [2.0, 3.0, 4.0]
    assert found.median == 3.0
    assert found.spread == (2.0, 4.0)


def test_of_an_even_number_of_rounds_the_middle_is_taken() -> None:
    assert figure([1.0, 2.0, 3.0, 4.0], [1.0] * 4).median == 2.5


def test_without_a_peer_the_value_itself_counts() -> None:
    found = Figure("memory", "MB", [0.5, 0.1, 0.2], target=at_most(0.2))
    assert found.compared == [0.5, 0.1, 0.2]
    assert found.median == 0.2
    assert found.reached


@pytest.mark.parametrize(
    ("target", "ours", "reached"),
    [
        (at_most(0.6), 0.6, True),
        (at_most(0.6), 0.61, False),
        (at_least(1.4), 1.4, True),
        (at_least(1.4), 1.39, False),
        (None, 1.0, None),
    ],
)
def test_a_target_is_held_against_the_median(
    target: Target | None, ours: float, reached: bool | None
) -> None:
    assert figure([ours], [1.0], target).reached is reached


def test_a_peer_that_took_no_time_is_no_error() -> None:
    found = figure([1.0], [0.0], at_most(1))
    assert found.reached is False
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["median"] is None


def test_every_round_needs_a_value_of_each() -> None:
    with pytest.raises(ValueError, match="every round"):
        figure([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="every round"):
        figure([], [])


def test_a_target_has_a_direction() -> None:
    with pytest.raises(ValueError, match="is <= or >="):
        Target("==", 1.0)


def test_contestants_take_turns_after_a_warm_up() -> None:
    turns: list[str] = []

    def contestant(name: str) -> dict[str, float]:
        turns.append(name)
        return {"cpu": float(len(turns))}

    both = {name: (lambda n=name: contestant(n)) for name in "ab"}
    samples = take_turns(both, rounds=2)
    assert turns == ["a", "b"] * 3
    assert samples.of("a", "cpu") == [3.0, 5.0]
    assert samples.of("b", "cpu", scale=10.0) == [40.0, 60.0]
    with pytest.raises(ValueError, match="at least one round"):
        take_turns(both, rounds=0)


def test_what_one_adds_to_another_is_taken_in_every_round() -> None:
    samples = Samples({"proxy": [{"wall": 5.0}, {"wall": 7.0}], "direct": [{"wall": 1.0}] * 2})
    assert samples.added("proxy", "direct", "wall", 2.0) == [8.0, 12.0]


def test_a_process_stays_on_one_cpu_for_a_while() -> None:
    before = os.sched_getaffinity(0)
    one = min(before)
    with pinned(one):
        assert os.sched_getaffinity(0) == {one}
    assert os.sched_getaffinity(0) == before


def test_the_tables_show_what_was_found() -> None:
    found = figure([200.0, 400.0], [100.0, 100.0], at_least(4))
    assert report.cells(found) == (
        "speed", "300 MB/s", "100 stock", "3.00", "2.00..4.00", "≥ 4", "NO",
    )  # fmt: skip
    found.note = "something to know"
    assert report.plain([found]).endswith("\n    something to know")
    table = report.rst([found])
    assert "   * - ``speed``\n     - 300 MB/s\n" in table
    assert table.endswith("\n\n* ``speed``: something to know")


@pytest.mark.parametrize(
    ("value", "shown"), [(12345.6, "12,346"), (45.67, "45.7"), (2.0, "2.00"), (0.0123, "0.012")]
)
def test_numbers_are_shown_with_the_digits_that_count(value: float, shown: str) -> None:
    assert report.number(value) == shown


@pytest.mark.peer("qemu-system-x86_64")
@pytest.mark.peer("qemu.qmp")
@pytest.mark.peer("socat")
async def test_every_case_gives_figures_or_says_why_not(short_path: Path) -> None:
    programs = Programs(short_path)
    try:
        listing = programs.python("-m", "benchmarks", "--list")
        assert await listing.ends() == 0, listing.err
        names = [line.split()[0] for line in listing.out.decode().splitlines()]
        assert len(names) > 10
        quick = programs.python("-m", "benchmarks", "--quick", "--json", "found.json")
        for name in names:
            await quick.says(f"\n{name}".encode())
        assert await quick.ends() == 0, quick.out
    finally:
        await programs.stop()
    cases = json.loads((short_path / "found.json").read_text())["cases"]
    assert list(cases) == names
    for name, found in cases.items():
        assert "failed" not in found, name
        assert found.get("figures") or found["skipped"].endswith("not installed"), name


async def test_a_peer_that_is_missing_is_named(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    programs = Programs(short_path)
    try:
        only = programs.python("-m", "benchmarks", "--quick", "--only", "proxy-bulk")
        assert await only.ends() == 0, only.err
    finally:
        await programs.stop()
    assert b"proxy-bulk: skipped: socat is not installed" in only.out


def test_how_a_figure_stands_to_its_target() -> None:
    assert goodness(figure([2.0], [1.0], at_least(4))) == 0.5
    assert goodness(figure([0.2], [1.0], at_most(0.6))) == pytest.approx(3.0)
    assert goodness(figure([-0.1], [1.0], at_most(0.6))) == 100.0


def test_the_picture_has_a_bar_for_each_figure_with_a_target(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    named = [
        Figure(name, "MB/s", [3.0], [1.0], "stock", target)
        for name, target in (("one", at_least(2)), ("two", None), ("three", at_most(2)))
    ]
    draw(named, tmp_path / "p.svg")
    picture = (tmp_path / "p.svg").read_text()
    for text in ("txqmp next to its peers", "one", "three", "times as good as the target"):
        assert f"<!-- {text}" in picture
    assert "<!-- two" not in picture
    assert picture.count("#3b7d4f") == picture.count("#b5562f") == 1
