"""What a policy does to the conversations of a relay."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.conftest import LoggedFailures
from tests.policy.test_rules import policy, rule
from tests.proxy.conversation import JSON, TEXT, Conversation, command, done, event
from txqmp.journal.record import Direction, Kind
from txqmp.jsonqmp.values import ValueSplitter
from txqmp.policy import Policy, Verdict
from txqmp.policy.guard import MAX_HELD, MAX_REPLY, Guard
from txqmp.policy.guarding import Guarding
from txqmp.policy.interface import IJudge
from txqmp.proxy.decode import MAX_MESSAGE
from txqmp.proxy.descriptors import MAX_WAITING
from txqmp.proxy.interposed import IInterposer

NO_STOP = Policy.of(deny=["stop"])
SLOWLY = rule("delay", 'command = "stop"\nseconds = 5')
DESC = "denied by policy: stop is not allowed (rule --deny stop)"
DENIED = b'{"error": {"class": "GenericError", "desc": "%s"}}' % DESC.encode()


def talk(judge: Policy = NO_STOP, greeting: bytes = JSON) -> Conversation:
    return Conversation(Guarding(judge).make_side, greeting=greeting)


def denied(id: object) -> bytes:
    error = {"class": "GenericError", "desc": DESC}
    return json.dumps({"id": id, "error": error}).encode()


def guard(conversation: Conversation) -> Guard:
    (one,) = conversation.factory.conversations
    between: Guard = one.first.between  # type: ignore[attr-defined]
    return between


def verdicts(conversation: Conversation) -> list[dict[str, Any]]:
    return [r.fields for r in conversation.journal() if r.kind is Kind.VERDICT]


def test_the_interfaces() -> None:
    conversation = talk()
    verifyObject(IInterposer, guard(conversation))
    verifyObject(IJudge, NO_STOP)
    conversation.ends()


# What reaches the monitor.


def test_what_is_allowed_passes_as_it_came() -> None:
    conversation = talk()
    said = b' {"execute":\t"cont" , "id":[1 , 2]}\r\n\r\n{\'execute\':"a"}{"execute":"b"}\n \n'
    for place in range(len(said)):
        conversation.client.says(said[place : place + 1])
    assert conversation.monitor.heard() == said
    conversation.ends()


def test_what_is_denied_does_not_reach_it() -> None:
    conversation = talk()
    conversation.client.says(command("a", 1) + command("stop", 2) + command("b", 3) + b"\r\n")
    assert conversation.monitor.heard() == command("a", 1) + command("b", 3) + b"\r\n"
    conversation.ends()


@pytest.mark.parametrize("place", range(len(command("stop"))))
def test_nothing_of_it_does_wherever_it_is_split(place: int) -> None:
    conversation = talk()
    stop = command("stop")
    conversation.client.says(stop[:place])
    conversation.client.says(stop[place:])
    assert conversation.monitor.heard() == b""
    assert conversation.client.heard() == DENIED + b"\r\n"
    conversation.ends()


@pytest.mark.parametrize(
    "junk",
    [
        b"stop\n",
        b"]",
        b'{"execute":"a"]',
        b'{"execute":"a","execute":"b"}',
        b'{"event":1}',
        b"\xff",
    ],
)
def test_what_cannot_be_read_is_denied(junk: bytes) -> None:
    conversation = talk()
    conversation.client.says(junk + b"\n" + command("a"))
    assert conversation.monitor.heard().strip() == command("a")
    answers = [json.loads(line) for line in conversation.client.heard().splitlines()]
    assert all("rule unreadable" in answer["error"]["desc"] for answer in answers)
    assert answers
    assert {fields["rule"] for fields in verdicts(conversation)} == {"unreadable"}
    conversation.ends()


def test_what_is_too_long_is_denied() -> None:
    conversation = talk()
    long = b'{"execute":"a","arguments":{"x":"' + b"x" * (9 << 20) + b'"}}'
    for place in range(0, len(long), 1 << 16):
        conversation.client.says(long[place : place + (1 << 16)])
    conversation.client.says(command("a"))
    assert conversation.monitor.heard() == command("a")
    assert b"value too long (rule unreadable)" in conversation.client.heard()
    conversation.ends()


def test_a_line_is_no_longer_than_a_command_may_be() -> None:
    conversation = talk(greeting=TEXT)
    fits, line = b"x" * 4095, b"x" * 4096
    conversation.client.says(line + b"\n")
    assert conversation.monitor.heard() == b""
    conversation.client.says(fits + b"\r\n" + line + b"\r\n" + line + b" stop\n")
    assert conversation.monitor.heard() == fits + b"\r\n"
    conversation.ends()


def test_lines_that_are_too_long_are_denied_once() -> None:
    conversation = talk(greeting=TEXT)
    for _ in range(9):
        conversation.client.says(b"x" * (1 << 20))
    conversation.client.says(b" stop\r\ncont\r\n")
    assert conversation.monitor.heard() == b"cont\r\n"
    assert conversation.client.heard() == (
        b"- ERR denied by policy: it cannot be read: line too long (rule unreadable)\r\n"
    )
    conversation.ends()


def test_the_half_of_a_command_is_not_sent_but_journalled() -> None:
    conversation = talk()
    conversation.client.says(b'{"execute":"cont"')
    conversation.client.says_no_more()
    assert conversation.monitor.heard() == b""
    assert conversation.monitor.line.half_closed  # type: ignore[attr-defined]
    last = conversation.ends()
    verdict, undecoded = conversation.journal()[:2]
    assert (undecoded.kind, undecoded.raw) == (Kind.UNDECODED, b'{"execute":"cont"')
    assert (verdict.fields["verdict"], verdict.fields["rule"]) == ("deny", "unreadable")
    assert last.fields["bytes_to_monitor"] == 0


def test_nothing_is_sent_before_the_monitor_greets() -> None:
    conversation = talk(greeting=b"")
    conversation.client.says(command("stop", 1) + command("cont", 2))
    assert conversation.monitor.heard() == b""
    conversation.monitor.says(b"\r\n")
    assert conversation.monitor.heard() == b""
    conversation.monitor.says(JSON)
    assert conversation.monitor.heard() == command("cont", 2)
    assert conversation.client.heard() == b"\r\n" + JSON + denied(1) + b"\r\n"
    conversation.ends()


def test_a_client_that_waits_for_no_greeting_is_not_read_for_ever() -> None:
    conversation = talk(greeting=b"")
    conversation.client.says(b" " * MAX_HELD)
    assert conversation.client.line.producerState == "producing"
    conversation.client.says(b" ")
    assert conversation.client.line.producerState == "paused"
    conversation.monitor.says(JSON)
    assert conversation.client.line.producerState == "producing"
    conversation.ends()


def test_what_speaks_neither_dialect_is_left() -> None:
    conversation = talk(greeting=b"")
    conversation.client.says(command("cont"))
    conversation.monitor.says(b"QEMU 7.2.0 monitor\r\n(qemu) ")
    assert conversation.monitor.heard() == b""
    assert conversation.client.closed
    assert conversation.monitor.closed
    last = conversation.ends()
    assert last.fields["reason"] == "the monitor speaks neither dialect: nothing can be judged"


def test_an_empty_line_passes() -> None:
    conversation = talk(greeting=TEXT)
    conversation.client.says(b"\r\n \t\r\n")
    assert conversation.monitor.heard() == b"\r\n \t\r\n"
    conversation.ends()


def test_a_guest_agent_greets_nobody() -> None:
    make_side = Guarding(NO_STOP, agent=True).make_side
    conversation = Conversation(make_side, greeting=b"", agent=True)
    conversation.client.says(command("stop", 1) + command("guest-ping", 2))
    assert conversation.monitor.heard() == command("guest-ping", 2)
    assert conversation.client.heard() == denied(1) + b"\r\n"
    assert conversation.answers(done(2)) == [done(2)]
    kinds = [str(record.kind) for record in conversation.journal()]
    assert kinds == ["command", "verdict", "failure", "command", "success"]
    conversation.ends()


# What is answered.


def test_a_denial_has_its_place_in_the_order() -> None:
    conversation = talk()
    conversation.asks(command("a", 1), command("stop", 2), command("b", 3), command("stop", 4))
    assert conversation.answers(event("E"), done(1)) == [event("E"), done(1), denied(2)]
    assert conversation.answers(done(3)) == [done(3), denied(4)]
    assert conversation.asks(command("stop", 5)) == []
    assert conversation.client.heard() == denied(5) + b"\r\n"
    replies = [r.fields["reply_to"] for r in conversation.journal() if "latency" in r.fields]
    asked = [r.seq for r in conversation.journal() if r.kind is Kind.COMMAND]
    assert replies == asked
    conversation.ends()


def test_in_text_as_well() -> None:
    conversation = talk(greeting=TEXT)
    conversation.client.says(b"info name\r\nstop\nSTOP now\r\ncont\r\n")
    assert conversation.monitor.heard() == b"info name\r\ncont\r\n"
    answer = b"- ERR " + DESC.encode()
    assert conversation.answers(b"= vm", b"+ OK info name completed") == [
        b"= vm", b"+ OK info name completed", answer, answer,
    ]  # fmt: skip
    assert conversation.answers(b"+ OK cont completed") == [b"+ OK cont completed"]
    conversation.ends()


@pytest.mark.parametrize("id", [0, 1.5, "x", "", None, True, [1, {"a": None}], {"execute": "a"}])
def test_a_denial_bears_the_id(id: object) -> None:
    conversation = talk()
    conversation.client.says(json.dumps({"execute": "stop", "id": id}).encode())
    assert json.loads(conversation.client.heard())["id"] == id
    conversation.ends()


def test_out_of_band_it_overtakes() -> None:
    conversation = talk()
    conversation.asks(command("a", 1), command("stop", 2, oob=True))
    assert conversation.client.heard() == denied(2) + b"\r\n"
    conversation.ends()


def test_a_denial_waits_for_the_end_of_what_the_monitor_says() -> None:
    conversation = talk()
    whole = event("E") + b"\r\n"
    for place in range(1, len(whole) - 2):
        conversation.monitor.says(whole[:place])
        conversation.client.says(command("stop"))
        assert conversation.client.heard() == whole[:place]
        conversation.monitor.says(whole[place:])
        assert conversation.client.heard() == whole[place:] + DENIED + b"\r\n"
    conversation.ends()


def test_a_line_whose_end_has_not_come_lends_its_place() -> None:
    conversation = talk()
    conversation.monitor.says(event("E"))
    conversation.client.says(command("stop") * 2)
    conversation.monitor.says(b"\r\n" + event("F") + b"\r\n")
    heard = conversation.client.heard()
    assert heard.splitlines() == [event("E"), DENIED, DENIED, event("F")]
    conversation.client.says(command("stop"))
    assert conversation.client.heard() == DENIED + b"\r\n"
    conversation.ends()


def test_in_the_middle_of_what_comes_at_once() -> None:
    conversation = talk()
    conversation.asks(command("a", 1), command("stop", 2), command("b", 3))
    lines = [event("E"), done(1), event("F"), done(3), event("G")]
    said = b"".join(line + b"\r\n" for line in lines)
    conversation.monitor.says(said[:-5])
    conversation.monitor.says(said[-5:])
    assert conversation.client.heard().splitlines() == [*lines[:2], denied(2), *lines[2:]]
    conversation.ends()


def test_a_line_of_events_in_text_is_not_cut() -> None:
    conversation = talk(greeting=TEXT)
    conversation.monitor.says(b"* EV")
    conversation.client.says(b"stop\n")
    conversation.monitor.says(b"ENT RESET\r")
    assert conversation.client.heard() == b"* EVENT RESET\r"
    conversation.monitor.says(b"\n= x")
    assert conversation.client.heard() == b"\n- ERR " + DESC.encode() + b"\r\n= x"
    conversation.ends()


def test_a_reply_that_cannot_be_read_is_one() -> None:
    conversation = talk(greeting=TEXT)
    conversation.client.says(b"a\nstop\n")
    assert conversation.answers(b"+ OK \xff") == [b"+ OK \xff", b"- ERR " + DESC.encode()]
    conversation.ends()


def test_a_client_that_does_not_read_is_not_read() -> None:
    conversation = talk()
    conversation.client.line.producer.pauseProducing()  # type: ignore[union-attr]
    assert conversation.client.line.producerState == "paused"
    assert conversation.monitor.line.producerState == "paused"
    conversation.client.line.producer.resumeProducing()  # type: ignore[union-attr]
    assert conversation.client.line.producerState == "producing"
    assert conversation.monitor.line.producerState == "producing"
    conversation.ends()


def test_answers_that_wait_are_not_without_bound() -> None:
    conversation = talk()
    conversation.client.says(command("a", 0))
    long = json.dumps({"execute": "stop", "id": "x" * MAX_HELD}).encode()
    conversation.client.says(long)
    assert conversation.client.line.producerState == "paused"
    assert conversation.answers(done(0)) == [done(0), denied("x" * MAX_HELD)]
    assert conversation.client.line.producerState == "producing"
    conversation.ends()


def test_behind_a_long_message_a_denial_finds_its_place() -> None:
    conversation = talk()
    conversation.asks(command("a", 1), command("stop", 2))
    reply = done(1, "x" * (MAX_MESSAGE + 100))
    for place in range(0, len(reply), 1 << 20):
        conversation.monitor.says(reply[place : place + (1 << 20)])
    assert conversation.answers(b"") == [reply, denied(2)]
    conversation.ends()


def test_behind_one_whose_end_nobody_knows_there_is_no_place() -> None:
    conversation = talk()
    conversation.asks(command("a", 1), command("stop", 2))
    conversation.monitor.says(b'{"return": "' + b"x" * (MAX_REPLY + 100))
    assert b"denied" not in conversation.client.heard()
    assert conversation.client.closed
    last = conversation.ends()
    assert last.fields["reason"].startswith("nobody knows where a message of the monitor")


@implementer(IJudge)
class Broken:
    """A judge that cannot."""

    def judge(self, *anything: Any) -> Verdict:
        raise ZeroDivisionError

    def unreadable(self, problem: str) -> Verdict:
        raise ZeroDivisionError


def test_what_cannot_be_judged_is_denied(logged_failures: LoggedFailures) -> None:
    conversation = Conversation(Guarding(Broken()).make_side)
    conversation.client.says(command("a", 1) + command("b", 2))
    assert conversation.monitor.heard() == b""
    answers = [json.loads(line) for line in conversation.client.heard().splitlines()]
    assert [answer["id"] for answer in answers] == [1, 2]
    assert all("internal error" in answer["error"]["desc"] for answer in answers)
    assert len(logged_failures.take(ZeroDivisionError)) == 2
    conversation.ends()


# What is delayed.


def test_what_is_delayed_and_what_is_behind_it_come_later() -> None:
    conversation = talk(policy(SLOWLY + rule("deny", 'command = "x"')))
    conversation.client.says(command("a", 1) + command("stop", 2) + command("b", 3))
    conversation.client.says(command("x", 4) + command("c", 5) + command("stop", 6))
    assert conversation.monitor.heard() == command("a", 1)
    conversation.clock.advance(4.9)
    assert conversation.monitor.heard() == b""
    conversation.clock.advance(0.1)
    assert conversation.monitor.heard() == b"".join(
        [command("stop", 2), command("b", 3), command("c", 5)]
    )
    conversation.clock.advance(5)
    assert conversation.monitor.heard() == command("stop", 6)
    assert [(v["verdict"], v["command"], v["id"]) for v in verdicts(conversation)] == [
        ("delay", "stop", 2), ("deny", "x", 4), ("delay", "stop", 6),
    ]  # fmt: skip
    conversation.ends()


def test_too_much_behind_it_is_not_read() -> None:
    conversation = talk(policy(SLOWLY))
    conversation.client.says(command("stop"))
    long = json.dumps({"execute": "a", "arguments": {"x": "x" * MAX_HELD}}).encode()
    conversation.client.says(long)
    assert conversation.client.line.producerState == "paused"
    conversation.clock.advance(5)
    assert conversation.client.line.producerState == "producing"
    assert conversation.monitor.heard() == command("stop") + long
    conversation.ends()


def test_it_comes_after_the_client_has_said_that_it_says_no_more() -> None:
    conversation = talk(policy(SLOWLY))
    conversation.client.says(command("stop") + command("a") + b'{"exec')
    conversation.client.says_no_more()
    line: Any = conversation.monitor.line
    assert not line.half_closed
    conversation.clock.advance(5)
    assert conversation.monitor.heard() == command("stop") + command("a")
    assert line.half_closed
    conversation.ends()


def test_it_does_not_come_after_the_client_has_left() -> None:
    conversation = talk(policy(SLOWLY))
    conversation.client.says(command("b") + command("stop") + command("a"))
    conversation.client.is_gone()
    assert conversation.monitor.heard() == command("b")
    assert conversation.monitor.closed
    conversation.monitor.is_gone()
    assert not conversation.factory.conversations
    assert not conversation.clock.getDelayedCalls()


def test_white_space_does_not_overtake_it() -> None:
    conversation = talk(policy(SLOWLY))
    conversation.client.says(command("stop"))
    conversation.client.says(b"\n")
    assert conversation.monitor.heard() == b""
    conversation.client.says_no_more()
    conversation.clock.advance(5)
    assert conversation.monitor.heard() == command("stop") + b"\n"
    assert [v["verdict"] for v in verdicts(conversation)] == ["delay"]
    conversation.ends()


def test_it_does_not_come_after_the_end() -> None:
    conversation = talk(policy(SLOWLY))
    conversation.client.says(command("stop"))
    (one,) = conversation.factory.conversations
    one.close("enough")
    conversation.clock.advance(5)
    assert conversation.monitor.heard() == b""
    conversation.ends()


def test_it_does_not_come_to_a_monitor_that_is_gone() -> None:
    conversation = talk(policy(SLOWLY))
    conversation.client.says(command("stop"))
    conversation.monitor.is_gone()
    assert conversation.client.closed
    conversation.clock.advance(5)
    conversation.client.is_gone()
    assert not conversation.factory.conversations


# Only looking.


def test_a_dry_run_lets_everything_by_and_says_what_it_would_have_done() -> None:
    rules = SLOWLY + rule("deny", 'command = "x"\nreason = "no"')
    conversation = talk(policy(rules, dry_run=True))
    said = command("x", 1) + b"]\n" + command("stop", 2) + command("a")
    conversation.client.says(said)
    assert conversation.monitor.heard() == said
    assert conversation.client.heard() == b""
    first, junk, third = verdicts(conversation)
    records = {r.seq: r for r in conversation.journal()}
    assert records[first.pop("reply_to")].fields["command"] == "x"
    assert first == {
        "verdict": "would-deny", "rule": "rule 2", "reason": "no", "command": "x", "id": 1,
    }  # fmt: skip
    assert (junk["verdict"], junk["rule"]) == ("would-deny", "unreadable")
    assert (third["verdict"], third["seconds"]) == ("would-delay", 5.0)
    conversation.ends()


def test_a_rule_may_only_log() -> None:
    conversation = talk(policy(rule("log", 'command = "stop"')))
    conversation.client.says(command("stop"))
    assert conversation.monitor.heard() == command("stop")
    asked, verdict = conversation.journal()
    assert verdict.fields == {
        "verdict": "log", "rule": "rule 1", "command": "stop", "reply_to": asked.seq,
    }  # fmt: skip
    conversation.ends()


# The journal.


def test_only_what_was_sent_is_counted_as_sent() -> None:
    conversation = talk()
    conversation.client.says(command("stop") + command("a") + b"\n]\n")
    sent = conversation.monitor.heard()
    conversation.client.heard()
    last = conversation.ends()
    assert last.fields["bytes_to_monitor"] == len(sent)


def test_a_denial_is_told_with_its_command() -> None:
    conversation = talk()
    conversation.client.says(command("stop", 7))
    asked, verdict, failure = conversation.journal()
    assert (asked.kind, asked.raw) == (Kind.COMMAND, command("stop", 7))
    assert (verdict.kind, verdict.direction, verdict.fields) == (
        Kind.VERDICT,
        None,
        {
            "verdict": "deny",
            "rule": "--deny stop",
            "reason": "stop is not allowed",
            "command": "stop",
            "id": 7,
            "reply_to": asked.seq,
        },
    )
    assert (failure.kind, failure.fields["reply_to"]) == (Kind.FAILURE, asked.seq)
    conversation.ends()


# A monitor that does not greet.


def test_a_monitor_that_says_only_white_space_is_left_after_its_client() -> None:
    """Nothing can be judged yet, and what waits to be would wait for ever."""
    conversation = talk(greeting=b"")
    conversation.monitor.says(b"\r\n")
    conversation.client.says(command("a"))
    conversation.client.is_gone()
    assert not conversation.monitor.closed
    conversation.clock.advance(30)
    assert conversation.monitor.closed
    assert conversation.monitor.heard() == b""
    conversation.monitor.is_gone()
    assert not conversation.factory.conversations


# Descriptors.


def test_descriptors_of_what_is_denied_are_closed() -> None:
    conversation = talk()
    files = [os.memfd_create("passed") for _ in range(4)]
    between, way = guard(conversation), Direction.TO_MONITOR
    between.hear(way, command("stop"), files[:1])
    between.hear(way, b"{", files[1:2])
    between.hear(way, b"]", [])
    between.hear(way, b"{", files[2:3])
    between.stop()
    between.hear(way, b"x", files[3:])
    for file in files:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(file)
    conversation.ends()


def test_descriptors_without_end_are_the_end() -> None:
    conversation = talk()
    between, way = guard(conversation), Direction.TO_MONITOR
    files = [os.memfd_create("passed") for _ in range(MAX_WAITING + 1)]
    between.hear(way, b'{"', [])
    for file in files:
        between.hear(way, b"x", [file])
    assert conversation.client.closed
    for file in files:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(file)
    last = conversation.ends()
    assert last.fields["reason"] == "more than 253 file descriptors of the client wait"


# Anything at all.


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(["a", "stop", "b", "junk"]), max_size=12), st.data())
def test_each_answer_comes_in_order_however_it_is_cut(
    names: list[str], data: st.DataObject
) -> None:
    conversation = talk()
    said = [b"]" if name == "junk" else command(name, n) for n, name in enumerate(names)]
    asked, answers, heard = b"\n".join(said) + b"\n", b"", b""
    monitor = ValueSplitter()
    while asked or answers:
        if asked and (not answers or data.draw(st.booleans())):
            size = data.draw(st.integers(1, len(asked)))
            conversation.client.says(asked[:size])
            asked = asked[size:]
        else:
            size = data.draw(st.integers(1, len(answers)))
            conversation.monitor.says(answers[:size])
            answers = answers[size:]
        heard += conversation.client.heard()
        for piece in monitor.feed(conversation.monitor.heard()):
            if piece.raw.strip():
                answers += done(json.loads(piece.raw)["id"]) + b"\r\n"
    got = [json.loads(line) for line in heard.splitlines() if line]
    assert [("error" in message, message.get("id")) for message in got] == [
        (name in ("stop", "junk"), None if name == "junk" else n) for n, name in enumerate(names)
    ]
    conversation.ends()
