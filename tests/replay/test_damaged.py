"""Journals in which somebody wrote: whatever they say, nothing breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from tests.replay.example import JSON, TEXT, recorded
from tests.wires import Wire
from txqmp.errors import MonitorError
from txqmp.journal.record import Direction, Record, decode, encode
from txqmp.replay.compare import Comparison
from txqmp.replay.recording import Recording
from txqmp.replay.resend import resend
from txqmp.testing import Pair, ReplayedMonitor

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 30) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
keys = st.sampled_from(
    ["command", "arguments", "id", "reply_to", "event", "data", "text", "reason", "class",
     "return", "completed", "redacted", "latency", "oob", "ended_by"]
)  # fmt: skip
damage = st.lists(st.tuples(st.integers(0, 20), keys, values | st.none()), max_size=8)
raws = st.lists(st.tuples(st.integers(0, 20), st.binary(max_size=6) | st.none()), max_size=2)


def damaged(records: list[Record], fields: list[Any], raw: list[Any]) -> list[Record]:
    """Some other values in some of the records, as they come out of a file."""
    for index, key, value in fields:
        record = records[index % len(records)]
        records[index % len(records)] = replace(record, fields={**record.fields, key: value})
    for index, data in raw:
        records[index % len(records)] = replace(records[index % len(records)], raw=data)
    return [decode(encode(record)) for record in records]


quietly = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quietly
@given(st.sampled_from(["json", "text"]), st.sampled_from(["strict", "loose"]), damage, raws)
def test_a_damaged_journal_is_replayed(
    logged_failures: Any, dialect: Any, mode: Any, fields: Any, raw: Any
) -> None:
    records = recorded(JSON if dialect == "json" else TEXT, dialect)
    clock = Clock()
    monitor = ReplayedMonitor(damaged(records, fields, raw), clock, mode=mode, speed=0)
    wire = Wire(monitor)
    for record in records:
        if record.direction is Direction.TO_MONITOR:
            wire.sends(record.raw or b"")
    assert monitor.unasked is not None
    wire.hangs_up()
    assert not clock.getDelayedCalls()
    assert logged_failures.take() == []


@quietly
@given(st.sampled_from(["json", "text"]), damage, raws)
def test_a_damaged_journal_is_asked_again(
    logged_failures: Any, dialect: Any, fields: Any, raw: Any
) -> None:
    records = recorded(JSON if dialect == "json" else TEXT, dialect)
    clock = Clock()
    monitor = ReplayedMonitor(records, clock, mode="loose", speed=0)
    recording = Recording(damaged(records, fields, raw))

    class Replayed:
        def connect(self, factory: Any) -> Any:
            self.pair = Pair(factory.buildProtocol(None), monitor.buildProtocol(None), clock)
            return succeed(self.pair.client)

    replayed, comparison, shown = Replayed(), Comparison(), []
    script = recording.script(recording.conversations[0])
    done = Deferred.fromCoroutine(
        resend(script, replayed, clock, comparison, lambda d: shown.extend(d.lines()))  # type: ignore[arg-type]
    )
    outcome: list[Any] = []
    done.addBoth(outcome.append)
    for _ in range(60):
        if outcome:
            break
        replayed.pair.advance(31)
    assert outcome, "it never ends"
    assert outcome[0] is None or isinstance(outcome[0].value, MonitorError)
    replayed.pair.cut()
    assert not clock.getDelayedCalls()
    assert logged_failures.take() == []
