"""The figures, and the tables that are made of them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.reports.glimpses import command, glimpse, reply
from txqmp.errors import JournalError
from txqmp.journal.record import Kind
from txqmp.reports import tally as tally_module
from txqmp.reports.latencies import EXACT
from txqmp.reports.statistics import client, statistics
from txqmp.reports.tables import TABLES, having, head
from txqmp.reports.tally import OTHER, Tally


def test_what_is_beyond_the_bound_stands_in_a_row_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally_module, "MOST_PLACES", 2)
    tally = Tally()
    for n in range(1, 6):
        tally.add(command(1, "a", 3600 * n, connection=n))
    found = statistics(tally)
    *_, others = found["connections"]
    assert (others["monitor"], others["commands"], others["seconds"]) == (OTHER, 3, None)
    assert others["peer"] is None
    assert [row["hour"] for row in found["hours"]] == [
        "2026-11-22T11:00Z",
        "2026-11-22T12:00Z",
        OTHER,
    ]
    assert found["hours"][2]["commands"] == 3


def test_connections_are_in_the_order_of_time() -> None:
    tally = Tally()
    tally.add(command(1, "a", 5, connection=1))
    tally.add(command(1, "a", 3, connection=2))
    assert [row["connection"] for row in statistics(tally)["connections"]] == [2, 1]


def test_a_clock_that_tells_no_time_tells_no_duration() -> None:
    tally = Tally()
    tally.add(command(1))
    tally.add(reply(1, mono=math.inf))
    assert statistics(tally)["connections"][0]["seconds"] is None


@pytest.mark.parametrize(
    ("peer", "shown"),
    [
        ({"address": "::1", "port": 4444}, "::1:4444"),
        ({"path": "q.sock", "uid": 0, "gid": 0, "pid": 7, "program": "virsh"}, "virsh pid 7 uid 0"),
        ({"path": "q.sock"}, "q.sock"),
        ({"uid": 5}, "uid 5"),
        ({}, ""),
    ],
)
def test_a_client_is_told_in_a_few_words(peer: dict[str, Any], shown: str) -> None:
    assert client(peer) == shown


def test_of_one_command_there_is_no_sum() -> None:
    tally = Tally()
    tally.add(command(1, "a"))
    assert TABLES["commands"].total(statistics(tally)) == []
    tally.add(command(2, "b"))
    ((whole),) = TABLES["commands"].total(statistics(tally))
    assert (whole["command"], whole["count"]) == ("(all)", 2)
    assert TABLES["events"].total(statistics(tally)) == []


def test_what_is_not_known_comes_after_nothing() -> None:
    tally = Tally()
    tally.add(command(1, "none"))
    tally.add(reply(2, "some", latency=0.0))
    tally.add(reply(3, "more", latency=1.0))
    found = statistics(tally)
    ((table, column),) = having("min", [TABLES["commands"]])
    table.sort(found, column)
    assert [row["command"] for row in found["commands"]] == ["more", "some", "none"]


def test_only_tables_with_the_column_are_sorted_by_it() -> None:
    found = having("count", list(TABLES.values()))
    assert [table.name for table, _ in found] == [
        "commands",
        "events",
        "errors",
        "faults",
        "verdicts",
    ]
    with pytest.raises(JournalError, match="no column nosuch to sort by: there are hour, records"):
        having("nosuch", [TABLES["hours"]])


def test_the_precision_is_told_where_it_matters() -> None:
    tally = Tally()
    for n in range(EXACT):
        tally.add(reply(n))
    assert "percentiles" not in dict(head(statistics(tally)))
    tally.add(reply(1))
    assert dict(head(statistics(tally)))["percentiles"] == "to 0.1%, by HdrHistogram"


def test_faults_have_a_table() -> None:
    tally = Tally()
    tally.add(glimpse(Kind.EVENT, event="STOP"))
    tally.faults = {"drop": 2, "stall": 5}
    rows = TABLES["faults"].rows(statistics(tally))
    assert rows == [{"fault": "stall", "count": 5}, {"fault": "drop", "count": 2}]
