"""Which messages a rule chooses: it counts them, and the rest is the seed's."""

from __future__ import annotations

import pytest

from txqmp.faults.choice import Choosers
from txqmp.faults.rules import parse_rule


def choosers(*rules: str, seed: int = 0, connection: int = 1) -> Choosers:
    return Choosers([parse_rule(rule) for rule in rules], seed, connection)


def chosen(these: Choosers, hit: str, *names: str, of: int = 8) -> list[int]:
    """Of so many alike messages, those that are struck, from 1 on."""
    return [n for n in range(1, of + 1) if these.choose(hit, names) is not None]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", [1, 2, 3, 4, 5, 6, 7, 8]),
        (":nth=3", [3]),
        (":every=3", [3, 6]),
        (":connection=1:nth=2", [2]),
        (":connection=2", []),
    ],
)
def test_counting(keys: str, expected: list[int]) -> None:
    assert chosen(choosers(f"drop{keys}"), "event", "STOP") == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", [1]),
        (":after=3", [4]),
        (":after=3:every=2", [5, 7]),
        (":every=4", [4, 8]),
        (":nth=2", [2]),
    ],
)
def test_a_stall_comes_once_unless_told_otherwise(keys: str, expected: list[int]) -> None:
    assert chosen(choosers(f"stall{keys}"), "event", "STOP") == expected


@pytest.mark.parametrize(
    ("rule", "hits"),
    [
        ("drop", ["greeting", "event A", "event B", "reply a", "reply b"]),
        ("drop:event=*", ["event A", "event B"]),
        ("drop:event=A", ["event A"]),
        ("drop:event=[!A]", ["event B"]),
        ("drop:command=a", ["reply a"]),
        ("drop:command=?", ["reply a", "reply b"]),
        ("fail", ["command a", "command b"]),
        ("fail:command=b", ["command b"]),
        ("close:bytes=1", []),
    ],
)
def test_what_a_rule_is_about(rule: str, hits: list[str]) -> None:
    every = [
        "greeting", "event A", "event B", "command a", "command b", "reply a", "reply b",
    ]  # fmt: skip
    found = [each for each in every if choosers(rule).choose(*_taken_apart(each)) is not None]
    assert found == hits


def _taken_apart(message: str) -> tuple[str, list[str]]:
    hit, *names = message.split()
    return hit, names


def test_a_reply_of_which_nothing_is_known_has_no_name() -> None:
    assert chosen(choosers("drop:command=*"), "reply") == []
    assert chosen(choosers("drop"), "reply", of=2) == [1, 2]


def test_a_command_goes_by_several_names_and_counts_once() -> None:
    assert chosen(choosers("fail:command=info*:nth=2"), "command", "info", "info status") == [2]
    assert chosen(choosers("fail:command=info status"), "command", "info", "info block") == []


def test_the_first_rule_strikes_and_the_others_count() -> None:
    these = choosers("drop:nth=2", "delay:nth=3:seconds=1", "duplicate:event=A:nth=2")
    struck = [these.choose("event", ["A"]) for _ in range(4)]
    assert [None if s is None else s.rule.fault for s in struck] == [None, "drop", "delay", None]


def test_chance_is_the_seeds_and_the_connections() -> None:
    rule = "drop:probability=0.5"
    one = chosen(choosers(rule, seed=7), "event", "A", of=64)
    assert one == chosen(choosers(rule, seed=7), "event", "A", of=64)
    assert one != chosen(choosers(rule, seed=8), "event", "A", of=64)
    assert one != chosen(choosers(rule, seed=7, connection=2), "event", "A", of=64)
    assert 16 < len(one) < 48


def test_one_rules_chance_does_not_depend_on_another() -> None:
    alone = choosers("drop:event=A:probability=0.5")
    with_another = choosers("drop:event=A:probability=0.5", "drop:event=B:probability=0.5")
    both = []
    for _ in range(32):
        with_another.choose("event", ["B"])
        both.append(with_another.choose("event", ["A"]) is not None)
    assert [n for n, hit in enumerate(both, 1) if hit] == chosen(alone, "event", "A", of=32)


def test_the_smallest_limit_counts() -> None:
    limit = choosers("close:bytes=9", "close:bytes=5", "close:bytes=1:connection=2").limit()
    assert limit is not None
    assert (limit[0], limit[1].text) == (5, "close:bytes=5")
    assert choosers("drop").limit() is None


def test_whether_replies_have_to_be_whole() -> None:
    assert choosers("close:bytes=1", "fail", "drop:event=A").are_about_replies is False
    assert choosers("drop").are_about_replies is True
    assert choosers("fail", "cut:command=a").are_about_replies is True
