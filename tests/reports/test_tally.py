"""Records counted, in memory that has a bound."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec
import pytest

from tests.reports.glimpses import START, command, glimpse, reply
from txqmp.journal.glance import Glance
from txqmp.journal.reader import Torn
from txqmp.journal.record import Kind
from txqmp.reports import tally as module
from txqmp.reports.queue import MOST_WAITING
from txqmp.reports.tally import MOST_NAMES, MOST_TORN, OTHER, OTHERS, UNKNOWN, Tally

PLACE = ("0a1b2c3d", "vm1", 1)


def counted(*ones: Glance) -> Tally:
    tally = Tally()
    for one in ones:
        tally.add(one)
    tally.end()
    return tally


def test_commands_and_what_became_of_them() -> None:
    tally = counted(
        command(1, "stop"),
        reply(1, "stop", 0.5),
        command(3, "stop", 1),
        reply(3, "stop", 2, 1.0, Kind.FAILURE, reason="no", reason_class="GenericError"),
        command(5, "foo", 3),
        reply(5, "foo", 4, 1.0, Kind.REJECTION, reason="unknown command"),
        command(7, "cont", 5),
    )
    stop, foo, cont = (tally.commands[name] for name in ("stop", "foo", "cont"))
    assert (stop.count, stop.replies, stop.errors, stop.rejections) == (2, 2, 1, 0)
    assert (foo.count, foo.replies, foo.errors, foo.rejections) == (1, 1, 0, 1)
    assert (cont.count, cont.replies, cont.unanswered) == (1, 0, 1)
    assert stop.latency.percentile(100) == 1.0
    assert tally.errors == {
        ("failure", "GenericError", "no"): 1,
        ("rejection", "", "unknown command"): 1,
    }
    row = tally.connections[PLACE]
    assert (row.records, row.commands, row.errors, row.unanswered) == (7, 4, 2, 1)
    assert (row.bytes_to_monitor, row.bytes_to_client) == (20, 9)
    assert (row.since, row.first, row.last) == (START, 100.0, 105.0)


def test_waiting_and_executing_share_the_latency() -> None:
    tally = counted(
        command(1, "a", 0),
        command(2, "b", 0),
        reply(1, "a", 1, 1.0),
        reply(2, "b", 4, 4.0),
        reply(8, "b", 9, None),
    )
    b = tally.commands["b"]
    assert [t.percentile(50) for t in (b.latency, b.waiting, b.executing)] == [4.0, 1.0, 3.0]
    assert (b.replies, b.latency.count) == (2, 1)


def test_each_connection_has_a_queue_of_its_own() -> None:
    tally = counted(
        command(1, "a", 0),
        command(1, "b", 0, connection=2),
        command(1, "c", 0, monitor="vm2"),
        command(1, "d", 0, run="ffffffff"),
        reply(1, "a", 1, 1.0),
        reply(1, "b", 2, 2.0, connection=2),
        reply(1, "c", 3, 3.0, monitor="vm2"),
        reply(1, "d", 4, 4.0, run="ffffffff"),
    )
    assert [row.waiting.percentile(100) for row in tally.commands.values()] == [0.0] * 4
    assert len(tally.connections) == 4


def test_a_command_out_of_band_does_not_queue() -> None:
    tally = counted(
        command(1, "a", 0),
        command(2, "b", 0, oob=True),
        reply(1, "a", 1, 1.0),
        reply(2, "b", 2, 2.0),
    )
    assert tally.commands["b"].waiting.percentile(100) == 0.0


def test_who_closes_leaves_without_a_reply() -> None:
    tally = Tally()
    for one in (command(1), glimpse(Kind.CLOSED, 2), glimpse(Kind.OPENED, 1, connection=2)):
        tally.add(one)
    assert tally.commands["stop"].unanswered == 1
    tally.add(reply(1))  # too late
    tally.end()
    assert tally.commands["stop"].unanswered == 1
    assert tally.connections[PLACE].records == 3


def test_events_gaps_faults_and_torn_lines() -> None:
    tally = counted(
        glimpse(Kind.EVENT, event="STOP"),
        glimpse(Kind.EVENT, event="STOP"),
        glimpse(Kind.EVENT, event=None),
        glimpse(Kind.GAP, lost=3, connection=0, monitor="", seq=0),
        glimpse(Kind.GAP),
        glimpse(Kind.FAULT, fault="drop"),
        glimpse(Kind.FAULT),
        glimpse(Kind.UNDECODED),
    )
    assert tally.events == {"STOP": 2, UNKNOWN: 1}
    assert tally.lost == 3
    assert tally.kinds[Kind.GAP] == 2
    assert tally.faults == {"drop": 1, UNKNOWN: 1}
    assert tally.kinds[Kind.UNDECODED] == 1
    assert set(tally.connections) == {PLACE}  # a gap of the journal itself is of none
    assert tally.connections[PLACE].events == 3
    for number in range(MOST_TORN + 2):
        tally.tear(Torn(number, b"x", "torn"))
    assert (len(tally.torn), tally.torn_count) == (MOST_TORN, MOST_TORN + 2)


def test_hours_begin_when_they_do() -> None:
    tally = counted(
        command(1, at=3599.999999),
        command(2, at=3600),
        glimpse(Kind.EVENT, 3, 7200, event="STOP"),
        command(4, at=3700),  # late, from another connection
    )
    found = {f"{hour:%H:%M}": row for hour, row in tally.hours.items() if hour}
    assert {hour: row.commands for hour, row in found.items()} == {
        "10:00": 1,
        "11:00": 2,
        "12:00": 0,
    }
    assert found["12:00"].events == 1
    assert found["11:00"].bytes_to_monitor == 10
    assert (tally.last - tally.first).total_seconds() == pytest.approx(3600.000001)


def test_a_reply_without_a_name_is_one_of_nobody() -> None:
    assert set(counted(reply(1, ""), reply(2, cast(Any, None))).commands) == {UNKNOWN}


def test_the_client_is_told_by_the_first_record() -> None:
    peer = msgspec.Raw(b'{"pid":7}')
    tally = counted(glimpse(Kind.OPENED, peer=peer), command(2))
    assert tally.connections[PLACE].peer == b'{"pid":7}'


def test_what_is_not_chosen_counts_for_waiting_only() -> None:
    tally = Tally()
    tally.add(command(1, "a"), chosen=False)
    tally.add(command(2, "b"))
    tally.add(reply(1, "a", 1, 1.0), chosen=False)
    tally.add(reply(2, "b", 4, 4.0))
    tally.add(command(5, "a", 5), chosen=False)
    tally.add(glimpse(Kind.EVENT, 6, event="STOP"), chosen=False)
    tally.end()
    assert set(tally.commands) == {"b"}
    assert tally.commands["b"].waiting.percentile(50) == 1.0
    assert tally.events == {}
    row = tally.connections[PLACE]
    assert (row.records, row.commands, row.unanswered, row.last) == (2, 1, 0, 104.0)
    assert sum(tally.kinds.values()) == 2


def test_of_what_is_not_chosen_there_is_no_row() -> None:
    tally = Tally()
    tally.add(command(1, "a"), chosen=False)
    tally.end()
    assert not tally.connections
    assert not tally.hours


def test_names_that_peers_choose_have_a_bound() -> None:
    many = MOST_NAMES + 20
    tally = Tally()
    for n in range(many):
        tally.add(command(n, f"c{n}"))
        tally.add(reply(n, f"c{n}", kind=Kind.FAILURE, reason=f"no {n}"))
        tally.add(glimpse(Kind.EVENT, event=f"E{n}"))
    tally.add(command(1, "c1"))
    tally.end()
    assert len(tally.commands) == MOST_NAMES + 1
    assert tally.commands[OTHER].count == 20
    assert tally.commands["c1"].count == 2
    assert sum(row.count for row in tally.commands.values()) == many + 1
    assert (len(tally.events), tally.events[OTHER]) == (MOST_NAMES + 1, 20)
    assert (len(tally.errors), tally.errors[OTHER, "", ""]) == (MOST_NAMES + 1, 20)


def test_connections_and_hours_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PLACES", 3)
    tally = Tally()
    for n in range(1, 8):
        tally.add(command(1, "a", 3600 * n, connection=n))
    assert tally.commands["a"].unanswered == 4  # those of connections that are given up
    tally.end()
    assert list(tally.connections)[3:] == [OTHERS]
    assert tally.connections[OTHERS].commands == 4
    assert list(tally.hours)[3:] == [None]
    assert tally.hours[None].commands == 4
    assert tally.commands["a"].unanswered == 7


def test_commands_without_a_reply_have_a_bound() -> None:
    tally = Tally()
    for n in range(MOST_WAITING + 5):
        tally.add(command(n))
    assert tally.commands["stop"].unanswered == 5
    tally.end()
    assert tally.commands["stop"].unanswered == MOST_WAITING + 5


def session(count: int) -> Iterator[Glance]:
    """Replies that come, and replies that do not, in more and more connections."""
    for n in range(count):
        connection = 1 + n // 500
        yield command(2 * n, f"c{n % 7}", n / 1000, connection=connection)
        if n % 50:
            yield reply(2 * n, f"c{n % 7}", n / 1000, n % 997 / 1e4, connection=connection)
        if n % 500 == 499:
            yield glimpse(Kind.CLOSED, connection=connection)


def peak(ones: Iterable[Glance]) -> int:
    """Bytes that counting took at most."""
    tally = Tally()
    tracemalloc.start()
    try:
        for one in ones:
            tally.add(one)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_ten_times_as_many_records_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("txqmp.reports.latencies.EXACT", 100)
    monkeypatch.setattr(module, "MOST_PLACES", 10)
    short, long = peak(session(5000)), peak(session(50_000))
    assert long < 1.1 * short
