"""A replayed monitor that speaks JSON: what is said to it, what it says, and when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from tests.replay.example import JSON, JSON_GREETING, recorded, written
from tests.wires import Wire
from txqmp.errors import JournalError
from txqmp.journal.record import Direction, Record
from txqmp.replay.factory import replay_factory
from txqmp.replay.matching import Mode
from txqmp.replay.recording import Recording


def command(name: str, **more: Any) -> str:
    return json.dumps({"execute": name, **more})


ENABLE = command("qmp_capabilities", arguments={"enable": ["oob"]}, id=1)
STATUS = command("query-status", id=2)
STOP = command("stop", id=3)
STOPPED = '{"timestamp": {"seconds": 5, "microseconds": 6}, "event": "STOP"}'
WOKEN = '{"timestamp": {"seconds": 8, "microseconds": 6}, "event": "WAKEUP"}'
DONE = '{"return": {}, "id": 3}'


def failure(words: str, error_class: str = "GenericError", id: Any = None) -> str:
    error = {"error": {"class": error_class, "desc": words}}
    return json.dumps(error if id is None else {"id": id, **error})


class Replayed:
    """A recording behind a wire, and the time."""

    def __init__(
        self, records: str | list[Record] = JSON, mode: Mode = "strict", speed: float = 1.0
    ) -> None:
        self.clock = Clock()
        if isinstance(records, str):
            records = recorded(records)
        self.factory = replay_factory(Recording(records), self.clock, mode=mode, speed=speed)
        self.replay = self.factory.replay
        self.wire = Wire(self.factory)

    def says(self, *lines: str) -> list[str]:
        """Say something; hear what comes at once."""
        self.wire.says(*lines)
        return self.wire.heard()

    def after(self, seconds: float) -> list[str]:
        """Let time pass; hear what comes."""
        self.clock.advance(seconds)
        return self.wire.heard()


def test_it_says_byte_for_byte_what_the_monitor_said() -> None:
    records = recorded(JSON)
    replayed = Replayed(records, speed=0)
    for record in records:
        if record.direction is Direction.TO_MONITOR:
            assert record.raw is not None
            replayed.wire.sends(record.raw)
    said = b"".join(r.raw or b"" for r in records if r.direction is Direction.TO_CLIENT)
    assert replayed.wire.transport.value() == said
    assert replayed.wire.transport.disconnecting
    assert not replayed.replay.unexpected
    assert list(replayed.replay.unasked()) == []
    replayed.wire.hangs_up()
    assert not replayed.clock.getDelayedCalls()


def test_the_greeting_comes_at_once() -> None:
    assert Replayed().wire.heard() == [JSON_GREETING]


def test_an_answer_has_the_id_of_the_client() -> None:
    replayed = Replayed(mode="loose", speed=0)
    replayed.wire.heard()
    asked = {"id": "nosuch"}
    assert replayed.says(command("query-status", id="x-9"), command("query-status")) == [
        '{"return": {"status": "running"}, "id": "x-9"}',
        '{"return": {"status": "paused"}}',
    ]
    assert replayed.says(command("device_del", arguments=asked, id={"a": 1})) == [
        failure("Device 'nosuch' not found", "DeviceNotFound", {"a": 1})
    ]


@pytest.mark.parametrize(("speed", "takes"), [(1.0, 0.5), (2.0, 0.25), (0.5, 1.0)])
def test_an_answer_takes_as_long_as_it_took(speed: float, takes: float) -> None:
    replayed = Replayed(mode="loose", speed=speed)
    replayed.wire.heard()
    assert replayed.says(STATUS) == []
    assert replayed.after(takes - 0.01) == []
    assert replayed.after(0.02) == ['{"return": {"status": "running"}, "id": 2}']


def test_an_answer_waits_for_a_client_that_does_not_read() -> None:
    replayed = Replayed(mode="loose")
    replayed.wire.heard()
    replayed.says(STATUS)
    replayed.wire.protocol.pauseProducing()
    assert replayed.after(0.6) == []
    replayed.wire.protocol.resumeProducing()
    assert replayed.wire.heard() == ['{"return": {"status": "running"}, "id": 2}']


def test_commands_are_answered_one_after_the_other() -> None:
    replayed = Replayed(mode="loose")
    replayed.wire.heard()
    assert replayed.says(STATUS, STATUS) == []
    assert len(replayed.after(0.6)) == 1
    assert replayed.after(0.4) == []
    assert len(replayed.after(0.2)) == 1


class TestEvents:
    def replayed(self, mode: Mode = "loose", speed: float = 1.0) -> Replayed:
        replayed = Replayed(mode=mode, speed=speed)
        replayed.wire.heard()
        return replayed

    def test_they_come_where_they_came(self) -> None:
        replayed = self.replayed()
        assert replayed.says(STOP) == []
        assert replayed.after(0.21) == [STOPPED]
        assert replayed.after(0.1) == [DONE]
        assert replayed.after(3.69) == []
        assert replayed.after(0.02) == [WOKEN]

    def test_at_twice_the_speed(self) -> None:
        replayed = self.replayed(speed=2)
        replayed.says(STOP)
        assert replayed.after(0.101) == [STOPPED]
        assert replayed.after(0.05) == [DONE]
        assert replayed.after(1.84) == []
        assert replayed.after(0.02) == [WOKEN]

    def test_at_once(self) -> None:
        assert self.replayed(speed=0).says(STOP) == [STOPPED, DONE, WOKEN]

    @pytest.mark.parametrize("mode", ["strict", "loose"])
    def test_what_had_come_before_a_command_comes_before_its_answer(self, mode: Mode) -> None:
        replayed = self.replayed(mode)
        for line, seconds in ((ENABLE, 0.11), (STATUS, 0.51), (STOP, 0.21)):
            replayed.says(line)
            replayed.after(seconds)
        assert replayed.after(0.11) == [DONE]
        # The client was not so fast when it was recorded, and heard of the event first.
        assert replayed.says(STATUS) == [WOKEN]
        assert replayed.after(0.51) == ['{"return": {"status": "paused"}, "id": 2}']
        assert replayed.after(10) == []

    def test_what_was_asked_before_hurries_nothing(self) -> None:
        replayed = self.replayed()
        replayed.says(STOP)
        replayed.after(0.201)
        assert replayed.after(0.1) == [DONE]
        assert replayed.says(STATUS) == []
        assert replayed.after(0.51) == ['{"return": {"status": "running"}, "id": 2}']
        assert replayed.after(3.2) == [WOKEN]

    def test_an_answer_that_is_given_again_has_its_own_events_alone(self) -> None:
        replayed = self.replayed(speed=0)
        assert replayed.says(STOP) == [STOPPED, DONE, WOKEN]
        assert replayed.says(STOP) == [STOPPED, DONE]

    def test_none_comes_to_a_client_that_has_left(self) -> None:
        replayed = self.replayed()
        replayed.says(STOP)
        replayed.after(0.201)
        replayed.after(0.1)
        assert replayed.clock.getDelayedCalls()
        replayed.wire.hangs_up()
        assert not replayed.clock.getDelayedCalls()

    def test_they_wait_for_a_client_that_does_not_read(self) -> None:
        replayed = self.replayed()
        replayed.says(STOP)
        replayed.after(0.201)
        replayed.after(0.1)
        replayed.wire.protocol.pauseProducing()
        assert replayed.after(5) == []
        replayed.wire.protocol.resumeProducing()
        assert replayed.wire.heard() == [WOKEN]


def test_the_monitor_ends_the_connection_where_it_did() -> None:
    replayed = Replayed(mode="loose")
    replayed.says(command("quit", id=6))
    assert replayed.after(0.501) == ['{"return": {}, "id": 6}']
    assert len(replayed.after(0.5)) == 1
    replayed.after(0.9)
    assert not replayed.wire.transport.disconnecting
    replayed.after(0.2)
    assert replayed.wire.transport.disconnecting
    replayed.wire.hangs_up()


def test_the_end_in_the_place_of_an_answer() -> None:
    replayed = Replayed(f"S: {JSON_GREETING}\nC: {command('quit')}\nX: monitor")
    replayed.wire.heard()
    assert replayed.says(command("quit")) == []
    assert replayed.wire.transport.disconnecting
    replayed.wire.hangs_up()


class TestRefusals:
    def test_strict_says_what_was_expected(self) -> None:
        replayed = Replayed(speed=0)
        replayed.wire.heard()
        assert replayed.says(ENABLE, STOP) == [
            '{"return": {}, "id": 1}',
            failure("replay: expected query-status, not stop", id=3),
        ]
        assert replayed.says(STATUS) == ['{"return": {"status": "running"}, "id": 2}']
        assert list(replayed.replay.unexpected) == ["stop"]
        assert list(replayed.replay.unasked()) == [
            "stop", "query-status", 'device_del {"id": "nosuch"}', "quit",
        ]  # fmt: skip

    def test_loose_knows_no_such_command(self) -> None:
        replayed = Replayed(mode="loose", speed=0)
        replayed.wire.heard()
        assert replayed.says(command("query-name", id=1)) == [
            failure("The command query-name has not been found", "CommandNotFound", 1)
        ]
        assert replayed.says(command("device_del", arguments={"id": "x"})) == [
            failure(
                'replay: device_del was not recorded with these arguments: device_del {"id": "x"}'
            )
        ]
        assert list(replayed.replay.unexpected) == ["query-name", 'device_del {"id": "x"}']

    def test_what_was_not_answered_in_the_journal(self) -> None:
        replayed = Replayed(f"S: {JSON_GREETING}\nC: {command('stop')}")
        replayed.wire.heard()
        assert replayed.says(command("stop", id=7)) == [
            failure("replay: it was not answered in the journal", id=7)
        ]
        assert not replayed.replay.unexpected

    def test_what_was_answered_with_a_secret(self) -> None:
        records = recorded(f'S: {JSON_GREETING}\nC: {STATUS}\nS: {{"return": 1, "id": 2}}')
        records[-1].raw = None
        replayed = Replayed(records)
        replayed.wire.heard()
        assert replayed.says(STATUS) == [
            failure("replay: the answer was secret, and is not in the journal", id=2)
        ]

    def test_what_is_no_command_needs_no_record(self) -> None:
        replayed = Replayed(speed=0)
        replayed.wire.heard()
        assert replayed.says(
            "{]", "[1]", '{"execute": 1}', '{"execute": "a", "exec-oob": "b"}'
        ) == [
            failure("JSON parse error, expecting value"),
            failure("QMP input must be a JSON object"),
            failure("QMP input member 'execute' must be a string"),
            failure("QMP input member 'exec-oob' is unexpected"),
        ]
        assert replayed.says(ENABLE) == ['{"return": {}, "id": 1}']


OOB = f"""
    0 S: {JSON_GREETING}
    0 C: {ENABLE}
    S: {{"return": {{}}, "id": 1}}
    1 C: {{"execute": "migrate", "id": 2}}
    2 C: {{"execute": "stop", "id": 3}}
    2 C: {{"exec-oob": "yank", "id": 4}}
    2.5 S: {{"return": {{}}, "id": 4}}
    9 S: {{"return": {{}}, "id": 2}}
    9 S: {{"return": {{}}, "id": 3}}
"""


@pytest.mark.parametrize("mode", ["strict", "loose"])
def test_a_command_out_of_band_overtakes_those_before(mode: Mode) -> None:
    replayed = Replayed(OOB, mode)
    replayed.wire.heard()
    assert replayed.says(ENABLE) == ['{"return": {}, "id": 1}']
    yank = json.dumps({"exec-oob": "yank", "id": 4})
    assert replayed.says(command("migrate", id=2), command("stop", id=3), yank) == []
    assert replayed.after(0.51) == ['{"return": {}, "id": 4}']
    assert replayed.after(8) == ['{"return": {}, "id": 2}', '{"return": {}, "id": 3}']
    assert not replayed.replay.unexpected


def test_without_a_greeting_it_greets_as_qemu_does() -> None:
    replayed = Replayed(f'C: {STATUS}\nS: {{"return": {{}}, "id": 2}}')
    (greeting,) = replayed.wire.heard()
    assert json.loads(greeting)["QMP"]["version"]["qemu"]["major"] == 7


class TestConversations:
    def one(self, name: str, number: int) -> list[Record]:
        dialogue = f'S: {JSON_GREETING}\nC: {command(name)}\nS: {{"return": "{name}"}}'
        return recorded(dialogue, connection=number)

    def test_each_client_gets_the_next_and_then_the_first_again(self) -> None:
        replayed = Replayed([*self.one("a", 1), *self.one("b", 2)])
        wires = [replayed.wire, Wire(replayed.factory), Wire(replayed.factory)]
        for wire, name in zip(wires, "aba", strict=True):
            wire.heard()
            wire.says(command(name))
            assert wire.heard() == [f'{{"return": "{name}"}}']

    def test_what_nobody_asked_is_known_over_all_of_them(self) -> None:
        replayed = Replayed([*self.one("a", 1), *self.one("b", 2)])
        assert list(replayed.replay.unasked()) == ["a", "b"]
        replayed.says(command("a"))
        assert list(replayed.replay.unasked()) == ["b"]

    def test_when_the_journal_is_gone_a_client_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        path.write_bytes(written(self.one("a", 1)))
        factory = replay_factory(Recording(path), Clock())
        path.unlink()
        assert factory.buildProtocol(None) is None
        with pytest.raises(JournalError):
            factory.replay.begin()


async def test_close_all_ends_every_connection() -> None:
    replayed = Replayed()
    closed = replayed.factory.close_all()
    assert replayed.wire.transport.disconnecting
    assert not closed.called
    replayed.wire.hangs_up()
    await closed
    await replayed.factory.close_all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "lax"}, "mode is strict or loose, not 'lax'"),
        ({"speed": -1.0}, "speed is 0 or more, not -1"),
        ({"speed": float("nan")}, "speed is 0 or more, not nan"),
        ({"elsewhere": object()}, "a strict replay asks no other monitor"),
    ],
)
def test_settings_that_will_not_do(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replay_factory(Recording(recorded(JSON)), Clock(), **settings)
