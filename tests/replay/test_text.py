"""A replayed monitor that speaks QMP 0.1."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from tests.replay.example import TEXT, TEXT_GREETING, recorded
from tests.wires import Wire
from txqmp.journal.record import Direction
from txqmp.replay.factory import replay_factory
from txqmp.replay.matching import Mode
from txqmp.replay.recording import Recording


class Replayed:
    """A recording behind a wire, and the time."""

    def __init__(self, dialogue: str = TEXT, mode: Mode = "strict", speed: float = 0.0) -> None:
        self.clock = Clock()
        recording = Recording(recorded(dialogue, "text"))
        self.factory = replay_factory(recording, self.clock, mode=mode, speed=speed)
        self.replay = self.factory.replay
        self.wire = Wire(self.factory)
        self.greeting = self.wire.heard()

    def says(self, *lines: str) -> list[str]:
        """Say something; hear what comes at once."""
        self.wire.says(*lines)
        return self.wire.heard()

    def after(self, seconds: float) -> list[str]:
        """Let time pass; hear what comes."""
        self.clock.advance(seconds)
        return self.wire.heard()


@pytest.mark.parametrize("mode", ["strict", "loose"])
def test_it_says_byte_for_byte_what_the_monitor_said(mode: Mode) -> None:
    records = recorded(TEXT, "text")
    replayed = Replayed(mode=mode)
    heard = [f"{line}\r\n".encode() for line in replayed.greeting]
    for record in records:
        if record.direction is Direction.TO_MONITOR:
            assert record.raw is not None
            replayed.wire.sends(record.raw)
    heard.append(replayed.wire.transport.value())
    said = b"".join(r.raw or b"" for r in records if r.direction is Direction.TO_CLIENT)
    assert b"".join(heard) == said
    assert not replayed.wire.transport.disconnecting
    assert not replayed.replay.unexpected
    assert list(replayed.replay.unasked()) == []


def test_each_thing_at_its_time() -> None:
    replayed = Replayed(mode="loose", speed=1)
    assert replayed.says("stop") == []
    assert replayed.after(0.11) == ["* EVENT stop"]
    assert replayed.after(0.11) == ["+ OK stop completed"]
    assert replayed.says("info status") == []
    assert replayed.after(0.51) == ["= VM status: running", "+ OK info status completed"]


def test_events_without_a_command_come_after_the_greeting() -> None:
    dialogue = f"0 S: {TEXT_GREETING}\n2 S: * EVENT reboot\n3 C: stop\nS: + OK stop completed"
    replayed = Replayed(dialogue, speed=1)
    assert replayed.after(1.9) == []
    assert replayed.after(0.2) == ["* EVENT reboot"]
    early = Replayed(dialogue, speed=1)
    assert early.says("stop") == ["* EVENT reboot", "+ OK stop completed"]


def test_strict_says_what_was_expected() -> None:
    replayed = Replayed()
    assert replayed.says("stop", "INFO  status") == [
        "- ERR replay: expected info status, not stop",
        "= VM status: running",
        "+ OK info status completed",
    ]
    assert list(replayed.replay.unexpected) == ["stop"]


def test_loose_knows_no_such_command() -> None:
    replayed = Replayed(mode="loose")
    assert replayed.says("bar", "set_link bar down", 'x "') == [
        "- BAD unknown command",
        "- ERR replay: set_link was not recorded with these arguments: set_link bar down",
        "- BAD unterminated string or unsupported escape code",
    ]
    assert list(replayed.replay.unexpected) == ["bar", "set_link bar down", "the line 'x \"'"]


@pytest.mark.parametrize("mode", ["strict", "loose"])
def test_what_is_no_command_was_answered_in_the_monitor_s_words(mode: Mode) -> None:
    replayed = Replayed(f'S: {TEXT_GREETING}\nC: x "\nS: - BAD what?\nC: stop\nS: + OK stop', mode)
    assert replayed.says("", 'x "', "stop") == ["- BAD what?", "+ OK stop"]


def test_a_line_that_is_too_long_and_one_without_an_end_are_answered_as_any_server_does() -> None:
    replayed = Replayed()
    replayed.wire.sends(b"x" * (4 << 20) + b"xxx\r\n", b"stop")
    replayed.wire.protocol.readConnectionLost()
    assert replayed.wire.heard() == ["- BAD line too long", "- BAD the last line has no end"]
    assert replayed.wire.transport.disconnecting
    replayed.wire.hangs_up()


def test_data_that_came_before_the_journal_ends_comes_before_the_error() -> None:
    replayed = Replayed(f"S: {TEXT_GREETING}\nC: info name\nS: = vm1")
    assert replayed.says("info name") == [
        "= vm1",
        "- ERR replay: it was not answered in the journal",
    ]


def test_without_a_greeting_it_greets_as_qemu_did() -> None:
    records = recorded(TEXT, "text")
    del records[1]
    factory = replay_factory(Recording(records), Clock())
    assert Wire(factory).heard() == [TEXT_GREETING]
