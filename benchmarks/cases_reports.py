"""Reading journals for what they tell."""

from __future__ import annotations

from benchmarks.bench import Bench, case
from benchmarks.cases_inprocess import MEGA
from benchmarks.measure import Figure, at_least, at_most

KILO = 1000
_RECORDS = 150
"""Thousands a second that stats must count."""
_MEMORY = 300
"""MB that it may take."""


@case(
    "journal-stats", "a journal counted, next to json.loads of its lines", "msgspec", "hdrhistogram"
)
def journal_stats(bench: Bench) -> list[Figure]:
    """All that ``txqmp journal stats`` tells, next to a loop that counts records by kind."""
    count = bench.size(1_000_000, 2000)
    path = bench.folder / "journal.jsonl"
    size = bench.run("stats", "write", path, count)["bytes"]
    samples = bench.compare(
        {
            "txqmp": lambda: bench.run("stats", "txqmp", path),
            "json": lambda: bench.run("stats", "json", path),
        }
    )
    if any(found != count for found in samples.of("txqmp", "records")):
        raise AssertionError("not all records were counted")
    ours, theirs = ([1 / KILO / time for time in samples.of(k, "cpu")] for k in ("txqmp", "json"))
    wall = [1 / KILO / time for time in samples.of("txqmp", "wall")]
    note = f"{count:,} records of {size:.0f} bytes; the peer only counts kinds"
    return [
        Figure("journal-stats", "k/s", ours, theirs, "json.loads", at_least(1), note),
        Figure("journal-stats, wall", "k/s", wall, target=at_least(_RECORDS)),
        Figure(
            "journal-stats, memory",
            "MB",
            samples.of("txqmp", "peak", 1 / MEGA),
            target=at_most(_MEMORY),
            note="the peak of the process",
        ),
    ]
