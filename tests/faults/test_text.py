"""The same in the text dialect, where answers are known by their order alone."""

from __future__ import annotations

import pytest

from tests.faults.conversation import TEXT, Conversation
from txqmp.faults import injector
from txqmp.journal.record import Kind


def talk(*rules: str) -> Conversation:
    return Conversation(*rules, greeting=TEXT)


STATUS = (b"= VM status: running", b"+ OK info status completed")


def test_a_command_fails_in_its_turn() -> None:
    conversation = talk("fail:command=stop:desc=it is träge")
    asked = conversation.asks(b"info status\r\nstop\r\ninfo status\r\n")
    assert asked == [b"info status", b"info status"]
    assert conversation.answers(STATUS[0]) == [STATUS[0]]
    error = rb"- ERR it is tr\xe4ge"
    assert conversation.answers(STATUS[1]) == [STATUS[1], error]
    assert conversation.answers(*STATUS) == list(STATUS)
    journal = conversation.journal()
    commands = [r.seq for r in journal if r.kind is Kind.COMMAND]
    replies = [(str(r.kind), r.fields["reply_to"]) for r in journal if "latency" in r.fields]
    assert replies == [
        ("success", commands[0]), ("failure", commands[1]), ("success", commands[2]),
    ]  # fmt: skip
    (fault,) = conversation.faults()
    assert (fault["command"], fault["reply_to"]) == ("stop", commands[1])


def test_a_command_is_known_by_its_line_too() -> None:
    conversation = talk("fail:command=info block*", "drop:command=info status")
    asked = conversation.asks(b"info status\r\ninfo  blockstats\r\nINFO version\r\n")
    assert asked == [b"info status", b"INFO version"]
    assert conversation.answers(*STATUS) == [b"- ERR injected fault"]
    assert conversation.answers(b"+ OK info version completed") == [b"+ OK info version completed"]


def test_an_empty_line_and_a_bad_one_have_their_places() -> None:
    conversation = talk("fail:command=stop")
    assert conversation.asks(b"\r\n\x01\r\nstop\r\n") == [b"", b"\x01"]
    assert conversation.answers(b"- BAD unreadable") == [
        b"- BAD unreadable", b"- ERR injected fault",
    ]  # fmt: skip


def test_a_reply_is_dropped_with_all_its_lines() -> None:
    conversation = talk("drop:command=info:nth=1")
    conversation.asks(b"info status\r\nstop\r\n")
    assert conversation.answers(STATUS[0], b"* EVENT stop", STATUS[1]) == [b"* EVENT stop"]
    assert conversation.answers(b"+ OK stop completed") == [b"+ OK stop completed"]
    (fault,) = conversation.faults()
    record = next(r for r in conversation.journal() if r.kind is Kind.FAULT)
    assert record.raw == b"\r\n".join([*STATUS, b""])
    commands = [r.seq for r in conversation.journal() if r.kind is Kind.COMMAND]
    assert fault["reply_to"] == commands[0]
    (success,) = [r for r in conversation.journal() if r.kind is Kind.SUCCESS]
    assert success.fields["reply_to"] == commands[1]


def test_a_reply_is_late_with_all_its_lines() -> None:
    conversation = talk("delay:command=info:seconds=1", "fail:command=stop")
    conversation.asks(b"info status\r\nstop\r\n")
    assert conversation.answers(*STATUS, b"* EVENT reboot") == [b"* EVENT reboot"]
    assert conversation.advance(1) == [*STATUS, b"- ERR injected fault"]


def test_a_reply_is_cut() -> None:
    conversation = talk("cut:command=info:bytes=5")
    conversation.asks(b"info status\r\n")
    assert conversation.answers(*STATUS) == [b"= VM "]
    assert conversation.client.closed


def test_lines_are_held_for_a_rule_about_replies_alone() -> None:
    assert talk("drop:event=A").answers(STATUS[0]) == [STATUS[0]]
    held = talk("drop:command=a")
    assert held.answers(STATUS[0]) == []
    assert held.answers(STATUS[1]) == list(STATUS)


def test_more_lines_than_can_be_held_go_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injector, "MAX_MESSAGE", 40)
    conversation = talk("drop:command=info")
    conversation.asks(b"info status\r\ninfo status\r\n")
    assert conversation.answers(STATUS[0]) == []
    assert conversation.answers(STATUS[0]) == [STATUS[0], STATUS[0]]
    assert conversation.answers(*STATUS) == list(STATUS)
    assert conversation.faults() == []
    # The next reply is like any other.
    assert conversation.answers(*STATUS) == []


def test_an_unended_reply_comes_before_the_monitors_end() -> None:
    conversation = talk("drop:command=a")
    conversation.answers(STATUS[0])
    conversation.monitor.says(b"+ OK inf")
    conversation.monitor.says_no_more()
    assert conversation.client.heard() == STATUS[0] + b"\r\n+ OK inf"
    assert conversation.client.line.half_closed
    conversation.ends()


def test_an_event_comes_twice_between_lines() -> None:
    conversation = talk("duplicate:event=stop")
    conversation.asks(b"info status\r\n")
    event = b"* EVENT stop"
    assert conversation.answers(STATUS[0], event, STATUS[1]) == [
        STATUS[0], event, event, STATUS[1],
    ]  # fmt: skip


def test_what_cannot_be_read_keeps_its_place_among_lines() -> None:
    conversation = talk("drop:command=a")
    conversation.asks(b"info status\r\n")
    assert conversation.answers(STATUS[0], b"?", STATUS[1]) == [STATUS[0], b"?", STATUS[1]]


def test_the_rest_of_a_long_line_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("txqmp.proxy.decode.MAX_MESSAGE", 64)
    conversation = talk("fail:command=stop")
    conversation.asks(b"info status\r\ninfo status\r\nstop\r\n")
    conversation.monitor.says(b"- ERR " + 60 * b"x")
    conversation.monitor.says(b"+++")
    assert conversation.answers(b"+++") == [b"- ERR " + 60 * b"x" + 6 * b"+"]
    assert conversation.answers(*STATUS) == [*STATUS, b"- ERR injected fault"]
