"""Clients that do not read, or do not stop: the others go on, and memory has a bound."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import capturedLogs

from tests.shared.stage import Client, Stage
from txqmp.journal import Kind

EVENT = {"event": "E", "timestamp": {"seconds": 1, "microseconds": 2}}


def happens(stage: Stage, times: int) -> None:
    for _ in range(times):
        stage.monitor.says(EVENT)


@pytest.fixture(params=["p.sock", "t.sock"])
def path(request: Any) -> str:
    return str(request.param)


def comes(stage: Stage, path: str) -> Client:
    return stage.client() if path == "p.sock" else stage.text_client()


def test_what_a_client_does_not_read_waits_for_it_alone(path: str) -> None:
    stage = Stage.ready()
    slow, quick = comes(stage, path), stage.client()
    slow.does_not_read()
    happens(stage, 10)
    assert quick.heard() == ["E"] * 10
    assert slow.raw() == b""
    slow.reads()
    assert slow.raw().lower().count(b"event") == 10
    assert stage.records(Kind.GAP) == []


def test_a_run_that_is_dropped_is_journalled_once_the_client_reads(path: str) -> None:
    stage = Stage.ready(client_queue=200)
    slow, quick = comes(stage, path), stage.client()
    slow.does_not_read()
    happens(stage, 30)
    assert stage.records(Kind.GAP) == []
    with capturedLogs() as logs:
        slow.reads()
    told = slow.raw().lower().count(b"event")
    assert 0 < told < 30
    (gap,) = stage.records(Kind.GAP)
    assert (gap.connection, gap.fields["lost"]) == (2, 30 - told)
    assert gap.fields["problem"] == "the client did not read: events were dropped"
    assert [event["dropped"] for event in logs] == [30 - told]
    assert len(quick.heard()) == 30
    happens(stage, 1)
    assert slow.raw().lower().count(b"event") == 1


def test_it_is_journalled_though_the_client_never_reads() -> None:
    stage = Stage.ready(client_queue=1)
    slow = stage.client()
    slow.does_not_read()
    happens(stage, 3)
    slow.leaves()
    kinds = [r.kind for r in stage.records(lambda r: r.connection == 2)]
    assert kinds[-2:] == [Kind.GAP, Kind.CLOSED]


def test_or_it_is_disconnected(path: str) -> None:
    stage = Stage.ready(client_queue=200, slow_client="disconnect")
    slow, quick = comes(stage, path), stage.client()
    slow.does_not_read()
    happens(stage, 30)
    assert slow.transport.aborted
    assert len(quick.heard()) == 30


def test_an_answer_keeps_its_place_among_the_events_that_wait() -> None:
    stage = Stage.ready()
    client = stage.client()
    client.asks({"execute": "stop", "id": 1})
    client.does_not_read()
    happens(stage, 1)
    stage.monitor.answers()
    happens(stage, 1)
    client.reads()
    assert client.heard() == ["E", {"return": {}, "id": 1}, "E"]


def test_one_who_asks_without_end_is_not_read_on() -> None:
    stage = Stage.ready()
    flood, other = stage.client(), stage.client()
    for number in range(1000):
        if flood.transport.producerState == "paused":
            break
        flood.asks({"execute": "x", "id": number})
    assert number < 100
    other.asks({"execute": "y", "id": 0})
    sent: list[str] = []
    while commands := stage.monitor.answers():
        sent += commands
    assert sent.index("y") <= 4 + 1
    assert flood.transport.producerState == "producing"
    assert [reply["id"] for reply in flood.heard()] == list(range(number))
    assert other.heard() == [{"return": {}, "id": 0}]


def test_one_who_does_not_read_is_not_read() -> None:
    stage = Stage.ready()
    client = stage.client()
    client.does_not_read()
    assert client.transport.producerState == "paused"
    client.asks("stop")
    assert stage.monitor.answers() == []
    client.reads()
    assert stage.monitor.answers() == ["stop"]
