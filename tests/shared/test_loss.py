"""The monitor is gone, and comes back; what the clients hear of it, in both dialects."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionDone

from tests.shared.stage import GREETING, TEXT_GREETING, Monitor, Stage
from txqmp.journal import Kind
from txqmp.proxy.common import MAX_EARLY


def reasons(messages: list[Any]) -> list[str]:
    return [message["error"]["desc"] for message in messages if "error" in message]


def test_those_who_wait_are_told_what_is_known_and_then_that_it_is_gone() -> None:
    stage = Stage.ready()
    one, other = stage.client(), stage.client()
    one.sends(b'{"execute": "stop", "id": 1}' * 4)
    other.asks({"execute": "cont", "id": 2})
    stage.monitor.is_gone()
    unknown = "monitor is gone: whether it carried stop out is unknown"
    *replies, event = one.heard()
    assert [reply["error"] for reply in replies] == [{"class": "GenericError", "desc": unknown}] * 4
    assert event == "TXQMP_UPSTREAM_LOST"
    # It was not sent.
    assert other.heard() == [
        {"id": 2, "error": {"class": "GenericError", "desc": "monitor is gone"}},
        "TXQMP_UPSTREAM_LOST",
    ]


def test_while_it_is_gone_nothing_can_be_asked() -> None:
    stage = Stage.ready()
    stage.client()
    stage.monitor.is_gone()
    late = stage.client()
    late.asks("stop")
    assert reasons(late.heard()) == ["monitor is gone"]


def test_a_hundred_that_wait_are_all_told() -> None:
    stage = Stage.ready(window=100)
    client = stage.client()
    client.sends(b"".join(b'{"execute": "c%d", "id": %d}' % (n, n) for n in range(100)))
    stage.monitor.is_gone()
    replies = client.heard()
    assert [reply["id"] for reply in replies[:-1]] == list(range(100))
    assert replies[-1] == "TXQMP_UPSTREAM_LOST"


def test_it_comes_back_and_clients_go_on() -> None:
    stage = Stage.ready()
    client, mute = stage.client(), stage.arrives()
    mute.raw()
    stage.monitor.is_gone()
    stage.again(GREETING.replace(b'"minor": 2', b'"minor": 3'))
    assert client.raw().splitlines()[-1] == (
        b'{"timestamp": {"seconds": %d, "microseconds": %d}, "event": "TXQMP_UPSTREAM_BACK", '
        b'"data": {"version": {"qemu": {"micro": 22, "minor": 3, "major": 7}, '
        b'"package": "v7.2.22 \\u00c4"}}}' % divmod(round(stage.clock.seconds() * 1e6), 1_000_000)
    )
    client.asks("cont")
    assert stage.monitor.answers() == ["cont"]
    assert client.heard() == [{"return": {}}]
    # Who has not negotiated hears nothing; who comes now is greeted by the new one.
    assert mute.raw() == b""
    assert b'"minor": 3' in stage.arrives().raw()


def test_clients_are_closed_where_that_was_asked_for() -> None:
    stage = Stage.ready(on_loss="close")
    client, text = stage.client(), stage.text_client()
    client.asks("stop")
    stage.monitor.is_gone()
    assert reasons(client.heard()) == ["monitor is gone: whether it carried stop out is unknown"]
    assert (client.transport.disconnecting, text.transport.disconnecting) == (True, True)


def test_quit_is_answered_whether_the_monitor_does_or_closes() -> None:
    stage = Stage.ready()
    client = stage.client()
    client.asks({"execute": "quit", "id": "q"})
    stage.monitor.heard()
    stage.monitor.is_gone(ConnectionDone())
    assert client.heard() == [{"return": {}, "id": "q"}, "TXQMP_UPSTREAM_LOST"]


def test_one_that_speaks_another_dialect_is_not_taken_for_it() -> None:
    stage = Stage.ready()
    client = stage.client()
    stage.monitor.is_gone()
    client.raw()
    for _ in range(100):
        if stage.attempts:
            break
        stage.clock.advance(0.1)
    factory, attempt = stage.attempts.pop()
    protocol = factory.buildProtocol(None)
    attempt.callback(protocol)
    monitor = Monitor(protocol)
    monitor.says(TEXT_GREETING)
    assert monitor.transport.aborted
    monitor.is_gone()
    assert client.raw() == b""


def test_events_of_text_clients() -> None:
    stage = Stage.ready()
    text = stage.text_client()
    stage.monitor.is_gone()
    stage.again()
    assert text.lines() == ["* EVENT txqmp_upstream_lost", "* EVENT txqmp_upstream_back"]


def test_a_text_monitor_is_gone_and_back() -> None:
    stage = Stage.ready(text=True)
    client = stage.text_client()
    client.sends(b"stop\r\n")
    stage.monitor.is_gone()
    client.sends(b"cont\r\n")
    stage.again()
    client.sends(b"cont\r\n")
    assert stage.monitor.lines() == ["cont"]
    stage.monitor.says(b"+ OK cont completed")
    assert client.lines() == [
        "- ERR monitor is gone: whether it carried stop out is unknown",
        "* EVENT txqmp_upstream_lost",
        "- ERR monitor is gone",
        "* EVENT txqmp_upstream_back",
        "+ OK cont completed",
    ]


@pytest.mark.parametrize("text", [False, True])
def test_links_of_a_new_connection(text: bool) -> None:
    stage = Stage.ready(text=text)
    client = stage.text_client() if text else stage.client()
    stop = b"stop\r\n" if text else b'{"execute": "stop"}'
    client.sends(stop)
    stage.monitor.is_gone()
    stage.again()
    client.sends(stop)
    stage.monitor.says(b"+ OK stop completed" if text else {"return": {}, "id": 1})
    commands = [
        (record.connection, record.fields["link"])
        for record in stage.records(Kind.COMMAND)
        if record.fields["command"] == "stop"
    ]
    theirs = [link for connection, link in commands if connection == 2]
    ours = [link for connection, link in commands if connection != 2]
    assert theirs == ours
    assert len(set(theirs)) == 2


@pytest.mark.parametrize("text", [False, True])
def test_events_that_come_before_it_takes_commands_are_told_when_it_does(text: bool) -> None:
    stage = Stage.ready(text)
    client = stage.text_client() if text else stage.client()
    stage.monitor.is_gone()
    client.raw()
    event = b"* EVENT early" if text else b'{"event": "EARLY", "data": {"x": 1.50}}'
    stage.again((TEXT_GREETING if text else GREETING).rstrip() + b"\r\n" + event)
    heard = client.raw().splitlines()
    assert (b"back" if text else b"BACK") in heard[0]
    assert heard[1:] == [event]


def test_a_monitor_that_says_nothing_else_is_left() -> None:
    stage = Stage.ready()
    stage.client()
    stage.monitor.is_gone()
    stage.again(GREETING.rstrip() + b'\r\n{"event": "E"}' * (MAX_EARLY + 1))
    assert stage.monitor.transport.aborted
    stage.monitor.is_gone()
    closed = [r for r in stage.records(Kind.CLOSED) if r.peer == {"program": "txqmp"}]
    assert closed[-1].fields["reason"] == "too many events before it took commands"
