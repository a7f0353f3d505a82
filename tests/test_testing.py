"""The doubles that are shipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError  # noqa: A004
from twisted.internet.task import Clock

from tests.replay.example import JSON, TEXT, recorded, written
from tests.wires import interrupted, pending, result
from txqmp.errors import CommandFailed, CommandTimeout, JournalError
from txqmp.jsonqmp.client import JSONClientFactory
from txqmp.testing import Pair, ReplayedMonitor, ScriptedMonitor, connect
from txqmp.text.client import State, TextClientFactory
from txqmp.text.grammar import Event
from txqmp.text.server import TextServerFactory
from txqmp.text.table import CommandTable

NAME = """
    S: + OK QEMU 0.10.50 QMP 0.1
    C: info name
    S: = build-7
    S: + OK info name completed
"""


def talk_to(monitor: ScriptedMonitor, **settings: float) -> Pair:
    clock = Clock()
    return connect(TextClientFactory(clock, **settings), monitor, clock)


class TestConnect:
    def pair(self) -> Pair:
        clock = Clock()
        table = CommandTable()
        table.command("info name")(lambda _: "build-7")
        return connect(TextClientFactory(clock), TextServerFactory(table, clock), clock)

    def test_the_greeting_has_come(self) -> None:
        assert self.pair().client.greeting.qemu == "0.10.50"

    def test_what_is_said_is_delivered_by_flush(self) -> None:
        pair = self.pair()
        name = pair.client.execute("info", "name")
        assert pending(name)
        pair.flush()
        assert result(name).text == "build-7"

    def test_time_passes_for_both(self) -> None:
        pair = talk_to(ScriptedMonitor("S: + OK QEMU 0.10.50 QMP 0.1\nC: stop"))
        reply = pair.client.execute("stop", timeout=5.0)
        pair.advance(5)
        assert isinstance(result(reply), CommandTimeout)
        assert pair.clock.seconds() == 5

    def test_the_server_is_there_as_well(self) -> None:
        pair = self.pair()
        event = pair.client.wait_for_event("reboot")
        pair.server.factory.broadcast("reboot")
        pair.flush()
        assert result(event) == Event("reboot")

    def test_closing_ends_both(self) -> None:
        pair = self.pair()
        closed = pair.client.close()
        pair.flush()
        assert isinstance(result(closed), ConnectionDone)
        assert pair.server.factory.connections == set()
        assert not pair.clock.getDelayedCalls()

    def test_cutting_loses_what_is_on_its_way(self) -> None:
        pair = self.pair()
        name = pair.client.execute("info", "name")
        ended = pair.client.when_disconnected()
        pair.cut()
        assert interrupted([result(name)]) == ["info name"]
        assert isinstance(result(ended), ConnectionLost)
        assert pair.server.factory.connections == set()

    def test_a_server_that_refuses_is_no_connection(self) -> None:
        clock = Clock()
        server = TextServerFactory(CommandTable(), clock, max_connections=0)
        with pytest.raises(ConnectionRefusedError):
            connect(TextClientFactory(clock), server, clock)


class TestScriptedMonitor:
    def test_it_plays_a_dialogue(self) -> None:
        monitor = ScriptedMonitor(NAME)
        pair = talk_to(monitor)
        name = pair.client.execute("info", "name")
        pair.flush()
        assert result(name).text == "build-7"
        monitor.check()
        result(monitor.when_finished())

    def test_one_space_is_left_out_and_the_rest_is_kept(self) -> None:
        monitor = ScriptedMonitor(
            "S: + OK QEMU 1 QMP 0.1\n\n  C: info network\n  S: =   user.0: \nS: + OK"
        )
        pair = talk_to(monitor)
        reply = pair.client.execute("info", "network")
        pair.flush()
        assert result(reply).lines == ("  user.0: ",)

    def test_an_empty_line_is_said(self) -> None:
        pair = talk_to(ScriptedMonitor("S: + OK QEMU 1 QMP 0.1\nC: stop\nS:\n"))
        reply = pair.client.execute("stop")
        pair.flush()
        assert "not a line of QMP 0.1" in str(result(reply))

    @pytest.mark.parametrize("line", ["s: hello", "hello", "S:hello", "X: hello"])
    def test_a_line_of_nobody_s_is_refused(self, line: str) -> None:
        with pytest.raises(ValueError, match="begins with"):
            ScriptedMonitor(NAME + line)

    def test_what_it_did_not_expect_ends_the_connection_and_is_shown(self) -> None:
        monitor = ScriptedMonitor(NAME)
        pair = talk_to(monitor)
        finished = monitor.when_finished()
        status = pair.client.execute("info", "status")
        pair.flush()
        assert interrupted([result(status)]) == ["info status"]
        with pytest.raises(AssertionError) as caught:
            monitor.check()
        assert str(caught.value).splitlines() == [
            "dialogue 1: the client said 'info status'",
            "  S: + OK QEMU 0.10.50 QMP 0.1",
            "> C: info name",
            "  S: = build-7",
            "  S: + OK info name completed",
            "  -: (end)",
        ]
        assert str(result(finished)) == str(caught.value)

    def test_what_comes_after_the_end_is_shown(self) -> None:
        monitor = ScriptedMonitor("S: + OK QEMU 0.10.50 QMP 0.1")
        pair = talk_to(monitor)
        monitor.check()
        pair.client.execute("stop").addErrback(lambda _: None)
        pair.flush()
        assert pair.client.state is State.OVER
        with pytest.raises(AssertionError, match="dialogue was over, but the client said 'stop'"):
            monitor.check()

    def test_bytes_are_compared_not_meanings(self) -> None:
        monitor = ScriptedMonitor("S: + OK QEMU 1 QMP 0.1\nC: STOP")
        pair = talk_to(monitor)
        pair.client.execute("stop").addErrback(lambda _: None)
        pair.flush()
        with pytest.raises(AssertionError, match="'stop'"):
            monitor.check()

    def test_what_was_never_said_is_shown(self) -> None:
        monitor = ScriptedMonitor(NAME)
        pair = talk_to(monitor)
        finished = monitor.when_finished()
        pair.flush()
        with pytest.raises(AssertionError, match=r"(?s)the client did not say.*> C: info name"):
            monitor.check()
        assert pending(finished)

    def test_a_client_that_never_came_is_missed(self) -> None:
        monitor = ScriptedMonitor("S: + OK QEMU 1 QMP 0.1", NAME)
        with pytest.raises(AssertionError, match="dialogue 1: the client did not connect"):
            monitor.check()
        talk_to(monitor)
        with pytest.raises(AssertionError, match="dialogue 2: the client did not connect"):
            monitor.check()

    def test_each_connection_has_its_dialogue(self) -> None:
        monitor = ScriptedMonitor("S: + OK QEMU 1 QMP 0.1", NAME)
        first = talk_to(monitor)
        finished = monitor.when_finished()
        assert first.client.greeting.qemu == "1"
        assert pending(finished)
        second = talk_to(monitor)
        second.client.execute("info", "name")
        second.flush()
        assert finished.called
        monitor.check()

    def test_one_connection_too_many_is_refused_and_shown(self) -> None:
        monitor = ScriptedMonitor("S: + OK QEMU 1 QMP 0.1")
        talk_to(monitor)
        with pytest.raises(ConnectionRefusedError):
            talk_to(monitor)
        with pytest.raises(AssertionError, match="connection 2 was made"):
            monitor.check()

    def test_it_says_what_is_in_no_dialogue(self) -> None:
        monitor = ScriptedMonitor("S: + OK QEMU 1 QMP 0.1")
        pair = talk_to(monitor)
        event = pair.client.wait_for_event("reboot")
        monitor.say("* EVENT reboot")
        pair.flush()
        assert result(event) == Event("reboot")

    def test_it_hangs_up(self) -> None:
        monitor = ScriptedMonitor("S: + OK QEMU 1 QMP 0.1")
        pair = talk_to(monitor)
        monitor.disconnect()
        pair.flush()
        assert isinstance(result(pair.client.when_disconnected()), ConnectionDone)


class TestReplayedMonitor:
    def test_it_answers_as_the_recorded_one(self) -> None:
        clock = Clock()
        monitor = ReplayedMonitor(recorded(TEXT, "text"), clock)
        client = connect(TextClientFactory(clock), monitor, clock)
        status = client.client.execute("info", "status")
        client.flush()
        client.advance(0.4)
        assert pending(status)
        client.advance(0.2)
        assert result(status).text == "VM status: running"

    def test_of_a_file_in_json(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.jsonl"
        path.write_bytes(written(recorded(JSON)))
        clock = Clock()
        monitor = ReplayedMonitor(path, clock, mode="loose", speed=0)
        pair = monitor.connect(JSONClientFactory(clock))
        stopped = pair.client.wait_for_event("STOP")
        replies = [pair.client.execute(name) for name in ("stop", "query-status", "query-status")]
        pair.flush()
        assert result(stopped).timestamp == 5.000006
        assert [result(reply) for reply in replies] == [
            {}, {"status": "running"}, {"status": "paused"},
        ]  # fmt: skip
        assert monitor.unexpected == []
        assert monitor.unasked == ['device_del {"id": "nosuch"}', "quit"]
        pair.cut()
        assert not clock.getDelayedCalls()

    def test_all_was_asked_and_nothing_else(self) -> None:
        clock = Clock()
        monitor = ReplayedMonitor(recorded(TEXT, "text"), clock, speed=0)
        pair = monitor.connect(TextClientFactory(clock))
        for line in ("info status", "stop", "info STATUS", "set_link foo down", "foo"):
            pair.client.execute_line(line).addErrback(lambda _: None)
        pair.flush()
        monitor.check()

    def test_what_was_not_is_shown(self) -> None:
        clock = Clock()
        monitor = ReplayedMonitor(recorded(TEXT, "text"), clock, speed=0)
        pair = monitor.connect(TextClientFactory(clock))
        replies = [pair.client.execute(word) for word in ("cont", "info")]
        pair.flush()
        reasons = [reply.reason for reply in map(result, replies) if type(reply) is CommandFailed]
        assert reasons == [
            "replay: expected info status, not cont",
            "replay: expected info status, not info",
        ]
        with pytest.raises(AssertionError) as caught:
            monitor.check()
        assert str(caught.value).splitlines() == [
            "asked, but not in the record: cont",
            "asked, but not in the record: info",
            "in the record, but not asked: info status",
            "in the record, but not asked: stop",
            "in the record, but not asked: info STATUS",
            "in the record, but not asked: set_link foo down",
            "in the record, but not asked: foo",
        ]

    def test_one_monitor_or_connection_of_many(self) -> None:
        records = [*recorded(JSON), *recorded(TEXT, "text", monitor="vm2", connection=2)]
        assert len(ReplayedMonitor(records, Clock(), monitor="vm2").unasked) == 5
        assert len(ReplayedMonitor(records, Clock(), connection=1).unasked) == 6
        with pytest.raises(JournalError, match="no monitor vm3"):
            ReplayedMonitor(records, Clock(), monitor="vm3")
