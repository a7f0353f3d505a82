"""Rounds, medians, ratios and targets: the arithmetic, which knows of no case."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Sample = Mapping[str, float]
"""What one run of a contestant gave, by name."""


@dataclass(frozen=True)
class Target:
    """
    What a figure must reach.

    :ivar relation: ``<=`` or ``>=``.
    :ivar value: of the ratio, or of the figure itself where there is no peer.
    """

    relation: str
    value: float

    def __post_init__(self) -> None:
        if self.relation not in ("<=", ">="):
            raise ValueError(f"a target is <= or >=, not {self.relation}")

    def reached(self, value: float) -> bool:
        """Whether a value is as good as it must be."""
        return value <= self.value if self.relation == "<=" else value >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.relation == '<=' else '≥'} {self.value:g}"


def at_most(value: float) -> Target:
    """Less is better."""
    return Target("<=", value)


def at_least(value: float) -> Target:
    """More is better."""
    return Target(">=", value)


@dataclass
class Figure:
    """
    One line of the table: a value of txqmp in every round, and its peer's beside it.

    :ivar name: what was measured.
    :ivar unit: of the values.
    :ivar ours: txqmp's, one a round.
    :ivar theirs: the peer's, in the same rounds; empty where there is none.
    :ivar peer: what the peer is called.
    :ivar target: what the ratio must reach, or the value where there is no peer; None for a
        figure that is shown for information.
    :ivar note: what else a reader must know.
    """

    name: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float] = ()
    peer: str = ""
    target: Target | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if not self.ours or (self.theirs and len(self.theirs) != len(self.ours)):
            raise ValueError(f"{self.name}: every round needs a value of each")

    @property
    def compared(self) -> list[float]:
        """The ratio txqmp/peer of each round, or txqmp's value where there is no peer."""
        if not self.theirs:
            return list(self.ours)
        return [
            one / other if other else float("inf")
            for one, other in zip(self.ours, self.theirs, strict=True)
        ]

    @property
    def median(self) -> float:
        """The median of :attr:`compared`, which the target is held against."""
        return statistics.median(self.compared)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the greatest of :attr:`compared`."""
        return min(self.compared), max(self.compared)

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        return None if self.target is None else self.target.reached(self.median)

    def as_json(self) -> dict[str, Any]:
        """All there is to know of it, as JSON values."""
        low, high = self.spread
        return {
            "name": self.name,
            "unit": self.unit,
            "txqmp": list(self.ours),
            "peer": self.peer,
            "peer_values": list(self.theirs),
            "is_ratio": bool(self.theirs),
            "median": _finite(self.median),
            "min": _finite(low),
            "max": _finite(high),
            "target": None if self.target is None else str(self.target),
            "reached": self.reached,
            "note": self.note,
        }


def _finite(value: float) -> float | None:
    return value if abs(value) != float("inf") else None


@dataclass
class Samples:
    """What all contestants gave, round by round."""

    rounds: dict[str, list[Sample]] = field(default_factory=dict)

    def of(self, contestant: str, key: str, scale: float = 1.0) -> list[float]:
        """One value in every round, times ``scale``."""
        return [sample[key] * scale for sample in self.rounds[contestant]]

    def added(self, contestant: str, to: str, key: str, scale: float = 1.0) -> list[float]:
        """How much more than ``to`` it gave in every round."""
        pairs = zip(self.of(contestant, key), self.of(to, key), strict=True)
        return [(one - other) * scale for one, other in pairs]


def take_turns(
    contestants: Mapping[str, Callable[[], Sample]], rounds: int, warm_up: bool = True
) -> Samples:
    """
    Run all contestants in turn, again and again: A, B, A, B …

    :param warm_up: run a round before, and forget what it gave.
    """
    if rounds < 1:
        raise ValueError("at least one round")
    if warm_up:
        for run in contestants.values():
            run()
    samples = Samples({name: [] for name in contestants})
    for _ in range(rounds):
        for name, run in contestants.items():
            samples.rounds[name].append(run())
    return samples


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Stay on one CPU, with all processes that are started meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
