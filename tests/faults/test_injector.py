"""What is done to a conversation, and what a journal says of it: JSON QMP, in memory."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.conversation import JSON, TEXT, Conversation, command, done, event
from txqmp.faults import injector
from txqmp.journal.record import Direction, Kind


def kinds(conversation: Conversation) -> list[str]:
    return [str(record.kind) for record in conversation.journal()]


# A command that fails.


def test_the_third_fails_and_does_not_reach_the_monitor() -> None:
    talk = Conversation("fail:command=blockdev-add:nth=3:desc=no such file")
    add = [command("blockdev-add", n) for n in range(1, 5)]
    asked = [add[0], command("query-block", 9), *add[1:]]
    assert talk.asks(*asked) == [b"".join([*asked[:3], asked[4]])]
    assert talk.answers(done(1), done(9), done(2)) == [
        done(1), done(9), done(2),
        b'{"id": 3, "error": {"class": "GenericError", "desc": "no such file"}}',
    ]  # fmt: skip
    assert talk.answers(done(4)) == [done(4)]
    journal = talk.journal()
    failed = [record for record in journal if record.kind is Kind.COMMAND][3]
    assert (failed.fields["id"], failed.raw) == (3, add[2])
    fault = next(r for r in journal if r.kind is Kind.FAULT)
    assert (fault.direction, fault.dialect, fault.raw) == (Direction.TO_MONITOR, "json", None)
    assert fault.fields == {
        "fault": "fail",
        "rule": "fail:command=blockdev-add:nth=3:desc=no such file",
        "hit": "command",
        "command": "blockdev-add",
        "id": 3,
        "reply_to": failed.seq,
    }
    failure = next(r for r in journal if r.kind is Kind.FAILURE)
    assert failure.fields["reply_to"] == failed.seq
    assert failure.fields["reason"] == "no such file"
    replies = [r.fields["reply_to"] for r in journal if r.kind in (Kind.SUCCESS, Kind.FAILURE)]
    assert sorted(replies) == [r.seq for r in journal if r.kind is Kind.COMMAND]


def test_an_error_comes_at_once_where_nothing_waits() -> None:
    talk = Conversation("fail:class=DeviceNotFound")
    assert talk.asks(command("eject")) == []
    assert talk.client.heard() == (
        b'{"error": {"class": "DeviceNotFound", "desc": "injected fault"}}\r\n'
    )


def test_errors_keep_their_place_without_ids() -> None:
    talk = Conversation("fail:command=b")
    talk.asks(b"".join([command("a"), command("b"), command("c"), command("b")]))
    assert talk.client.heard() == b""
    error = b'{"error": {"class": "GenericError", "desc": "injected fault"}}'
    assert talk.answers(event("STOP"), done()) == [event("STOP"), done(), error]
    assert talk.answers(done()) == [done(), error]
    pairs = [
        (r.fields["command"], str(r.kind))
        for r in talk.journal()
        if r.kind in (Kind.SUCCESS, Kind.FAILURE)
    ]
    assert pairs == [("a", "success"), ("b", "failure"), ("c", "success"), ("b", "failure")]


def test_out_of_band_nothing_waits_for_another() -> None:
    talk = Conversation("fail:command=b")
    talk.asks(command("a", 1), command("b", 2, oob=True))
    assert json.loads(talk.client.heard())["id"] == 2
    talk.asks(command("b", 3), command("c", 4, oob=True))
    assert talk.answers(done(4)) == [done(4)]
    replies = talk.answers(done(1))
    assert [json.loads(reply)["id"] for reply in replies] == [1, 3]


def test_what_the_monitor_did_not_understand_is_waited_for() -> None:
    talk = Conversation("fail:command=b")
    talk.asks(b'{"nonsense": 1}', command("b", 1))
    assert talk.client.heard() == b""
    refusal = b'{"error": {"class": "GenericError", "desc": "bad"}}'
    assert len(talk.answers(refusal)) == 2


def test_an_answer_that_is_never_given_does_not_stop_those_behind_it() -> None:
    talk = Conversation("fail:command=b")
    talk.asks(command("guest-shutdown", 1), command("b", 2), command("c", 3))
    assert [json.loads(line)["id"] for line in talk.answers(done(3))] == [3, 2]


def test_an_error_comes_behind_a_reply_that_is_longer_than_can_be_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("txqmp.proxy.decode.MAX_MESSAGE", 64)
    talk = Conversation("fail:command=b", greeting=b"")
    talk.monitor.says(b'{"QMP": 1}\r\n')
    talk.client.heard()
    talk.asks(command("a", 1), command("b", 2))
    long = b'{"return": "' + 60 * b"x"
    talk.monitor.says(long)
    assert talk.client.heard() == long
    talk.monitor.says(b'", "id": 1}\r')
    assert talk.client.heard() == b'", "id": 1}\r'
    talk.monitor.says(b"\n")
    assert talk.client.heard().startswith(b'\n{"id": 2, "error"')


def test_a_message_that_can_be_read_ends_one_that_could_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("txqmp.proxy.decode.MAX_MESSAGE", 64)
    talk = Conversation("fail:command=b", greeting=b"")
    talk.monitor.says(b'{"QMP": 1}\r\n')
    talk.asks(command("a", 1), command("b", 2))
    talk.monitor.says(b'{"return": "' + 60 * b"x")
    talk.client.heard()
    talk.monitor.says(b'"}' + event("A"))
    heard = talk.client.heard()
    assert heard.startswith(b'"}' + event("A") + b'\r\n{"id": 2, "error"')


# A message that does not come, comes late, or comes twice.


def test_the_first_event_is_dropped() -> None:
    talk = Conversation("drop:event=RESET:nth=1")
    assert talk.answers(event("RESET"), event("STOP"), event("RESET")) == [
        event("STOP"), event("RESET"),
    ]  # fmt: skip
    first, *others = talk.journal()
    assert (first.kind, first.raw) == (Kind.FAULT, event("RESET") + b"\r\n")
    assert first.direction is Direction.TO_CLIENT
    assert first.fields == {
        "fault": "drop",
        "rule": "drop:event=RESET:nth=1",
        "hit": "event",
        "event": "RESET",
        "bytes": 0,
    }
    assert [str(r.kind) for r in others] == ["event", "event"]
    closed = talk.ends()
    told = len(JSON) + len(event("STOP") + event("RESET")) + 4
    assert closed.fields["bytes_to_client"] == told


def test_a_reply_is_dropped_and_the_others_stay_with_their_commands() -> None:
    talk = Conversation("drop:command=b")
    talk.asks(command("a"), command("b"), command("c"))
    assert talk.answers(done(), done(None, 1), done(None, 2)) == [done(), done(None, 2)]
    (fault,) = talk.faults()
    journal = talk.journal()
    seqs = {r.fields["command"]: r.seq for r in journal if r.kind is Kind.COMMAND}
    assert fault["reply_to"] == seqs["b"]
    replies = [r.fields for r in journal if r.kind is Kind.SUCCESS]
    assert [(r["command"], r["reply_to"]) for r in replies] == [("a", seqs["a"]), ("c", seqs["c"])]


def test_a_greeting_may_be_dropped_and_the_dialect_is_known() -> None:
    talk = Conversation("drop:nth=1", greeting=b"")
    talk.monitor.says(JSON)
    assert talk.client.heard() == b""
    # It has said something: it is waited for no more.
    talk.clock.advance(31)
    assert not talk.client.closed
    talk.asks(command("a", 1))
    assert talk.answers(done(1)) == [done(1)]
    assert kinds(talk) == ["fault", "command", "success"]


def test_a_late_greeting_holds_up_all_behind_it() -> None:
    talk = Conversation("delay:nth=1:seconds=2", greeting=b"")
    talk.monitor.says(JSON + event("A") + b"\r\n")
    assert talk.client.heard() == b""
    talk.clock.advance(2)
    assert talk.client.heard() == JSON + event("A") + b"\r\n"


def test_an_event_comes_late_and_holds_up_nothing() -> None:
    talk = Conversation("delay:event=STOP:seconds=2")
    talk.asks(command("stop", 1))
    assert talk.answers(event("STOP"), done(1), event("RESUME")) == [done(1), event("RESUME")]
    assert talk.advance(1.9) == []
    assert talk.advance(0.2) == [event("STOP")]
    (fault,) = talk.faults()
    assert fault["seconds"] == 2.0
    assert "reply_to" not in fault
    assert kinds(talk) == ["command", "fault", "success", "event", "event"]


def test_a_late_reply_holds_up_those_behind_it_but_no_event() -> None:
    talk = Conversation("delay:command=a:seconds=2")
    talk.asks(command("a", 1), command("b", 2))
    assert talk.answers(done(1), done(2), event("STOP")) == [event("STOP")]
    assert talk.advance(2) == [done(1), done(2)]


def test_a_late_reply_out_of_band_holds_up_nothing() -> None:
    talk = Conversation("delay:command=a:seconds=2")
    talk.asks(command("a", 1, oob=True), command("b", 2))
    assert talk.answers(done(1), done(2)) == [done(2)]
    assert talk.advance(2) == [done(1)]


def test_an_error_of_ours_waits_for_a_late_reply() -> None:
    talk = Conversation("delay:command=a:seconds=2", "fail:command=b")
    talk.asks(command("a", 1), command("b", 2))
    assert talk.answers(done(1)) == []
    assert [json.loads(line)["id"] for line in talk.advance(2)] == [1, 2]


def test_an_event_comes_twice() -> None:
    talk = Conversation("duplicate:event=SHUTDOWN")
    assert talk.answers(event("SHUTDOWN")) == 2 * [event("SHUTDOWN")]
    assert kinds(talk) == ["event", "fault"]
    assert talk.faults()[0]["bytes"] == len(event("SHUTDOWN")) + 2
    assert talk.ends().fields["bytes_to_client"] == len(JSON) + 2 * len(event("SHUTDOWN")) + 4


def test_a_reply_comes_twice_and_answers_one_command() -> None:
    talk = Conversation("duplicate:command=a")
    talk.asks(command("a"), command("b"))
    assert talk.answers(done(), done(None, 1)) == [done(), done(), done(None, 1)]
    journal = talk.journal()
    assert [str(r.kind) for r in journal[2:]] == ["success", "fault", "success"]
    assert [r.fields["reply_to"] for r in journal[2:]] == [
        journal[0].seq, journal[0].seq, journal[1].seq,
    ]  # fmt: skip


@pytest.mark.parametrize("rule", ["duplicate:event=A", "delay:event=A:seconds=1"])
def test_what_is_inserted_has_a_line_of_its_own(rule: str) -> None:
    talk = Conversation(rule)
    talk.monitor.says(event("A") if rule.startswith("dup") else event("A") + event("B"))
    talk.clock.advance(1)
    talk.monitor.says(b"\r\n" + event("C") + b"\r\n")
    heard = talk.client.heard()
    assert len(heard.splitlines()) == 3
    for line in heard.splitlines():
        json.loads(line)


def test_a_line_end_is_lent_once() -> None:
    talk = Conversation("delay:event=A:seconds=1")
    talk.answers(event("A"))
    talk.monitor.says(event("B"))
    talk.clock.advance(1)
    assert talk.client.heard() == event("B") + b"\r\n" + event("A") + b"\r\n"
    talk.monitor.says(b"\r\n")
    assert talk.client.heard() == b""
    talk.monitor.says(b"\r\n")
    assert talk.client.heard() == b"\r\n"


# Nothing comes.


def test_a_stall_after_ten_messages() -> None:
    talk = Conversation("stall:after=3:seconds=5")
    assert talk.answers(event("A"), event("B"), event("C"), event("D")) == [
        event("A"), event("B"),
    ]  # fmt: skip
    assert talk.asks(command("a", 1)) == [command("a", 1)]
    assert talk.answers(done(1)) == []
    assert talk.advance(5) == [event("C"), event("D"), done(1)]
    assert [f["seconds"] for f in talk.faults()] == [5.0]


def test_a_stall_for_ever_ends_with_the_client() -> None:
    talk = Conversation("stall:event=B")
    assert talk.answers(event("A"), event("B"), event("C")) == [event("A")]
    talk.monitor.says_no_more()
    assert talk.advance(1e6) == []
    assert not talk.client.closed
    talk.client.is_gone()
    talk.monitor.is_gone()
    told = [(f.get("event"), f.get("bytes")) for f in talk.faults()]
    assert told == [("B", None), ("B", 0), ("C", 0)]
    assert talk.records[-1].kind is Kind.CLOSED
    assert talk.records[-1].fields["bytes_to_client"] == len(JSON + event("A")) + 2


def test_what_is_held_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injector, "MAX_MESSAGE", 100)
    talk = Conversation("stall:event=A:seconds=5")
    talk.answers(event("A"))
    assert talk.monitor.line.producerState == "producing"
    while talk.monitor.line.producerState == "producing":
        talk.answers(event("B"))
    assert talk.client.line.producerState == "paused"
    talk.monitor.is_gone()
    talk.advance(4)
    assert talk.client.line.producerState == "paused"
    talk.advance(1)
    assert talk.client.line.producerState == "producing"
    # There is nothing left to be read from.
    assert talk.monitor.line.producerState == "paused"


def test_what_was_held_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injector, "MAX_MESSAGE", 10)
    talk = Conversation("stall:event=A:seconds=5")
    talk.answers(event("A"))
    talk.advance(5)
    assert talk.monitor.line.producerState == talk.client.line.producerState == "producing"


# It breaks off.


def test_a_reply_is_cut_in_mid_value() -> None:
    talk = Conversation("cut:command=query-block:nth=2")
    talk.asks(command("query-block", 1), command("query-block", 2))
    reply = done(2, [{"device": "ide0"}])
    assert talk.answers(done(1)) == [done(1)]
    (heard,) = talk.answers(reply)
    assert reply.startswith(heard)
    assert 0 < len(heard) < len(reply)
    assert talk.client.closed
    assert talk.monitor.closed
    (fault,) = talk.faults()
    assert fault["bytes"] == len(heard)
    record = talk.journal()[-1]
    assert record.raw == reply + b"\r\n"
    closed = talk.ends()
    assert closed.fields["ended_by"] == "proxy"
    assert closed.fields["reason"] == "fault: cut:command=query-block:nth=2"
    assert closed.fields["bytes_to_client"] == len(JSON + done(1) + heard) + 2


def test_the_seed_says_where() -> None:
    def cut_at(seed: int, number: int = 1) -> int:
        talk = Conversation("cut:command=a", seed=seed, number=number)
        talk.asks(command("a", 1))
        (heard,) = talk.answers(done(1, 1000 * "x"))
        return len(heard)

    assert cut_at(1) == cut_at(1)
    assert len({cut_at(seed) for seed in range(8)}) > 4
    assert cut_at(1, 1) != cut_at(1, 2)


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (5, 5), (1000, 13)])
def test_a_byte_is_named(size: int, expected: int) -> None:
    talk = Conversation(f"cut:bytes={size}:event=A")
    assert b"".join(talk.answers(event("A"))) == event("A")[:expected]
    assert talk.client.closed


@pytest.mark.parametrize("beyond", [1, 10, 25, 26, 27, 28, 40])
def test_the_client_gets_so_many_bytes(beyond: int) -> None:
    talk = Conversation(f"close:bytes={len(JSON) + beyond}")
    said = (event("A") + b"\r\n") * 4
    talk.monitor.says(said)
    assert talk.client.heard() == said[:beyond]
    assert talk.client.closed
    (fault,) = talk.faults()
    assert fault["fault"] == "close"
    whole, rest = divmod(beyond, len(event("A")) + 2)
    assert fault.get("bytes") == (rest or None)
    assert kinds(talk).count("event") == whole
    assert talk.ends().fields["bytes_to_client"] == len(JSON) + beyond


def test_nothing_may_come_at_all() -> None:
    talk = Conversation("close:bytes=0", greeting=b"")
    talk.monitor.says(JSON)
    assert talk.client.heard() == b""
    assert talk.client.closed


def test_what_would_come_behind_the_end_is_not_told() -> None:
    talk = Conversation("delay:command=a:seconds=1", "cut:command=b")
    talk.asks(command("a", 1), command("b", 2), command("c", 3))
    assert talk.answers(done(1), done(2), done(3)) == []
    assert talk.advance(1)[0] == done(1)
    assert talk.client.closed
    assert [f["fault"] for f in talk.faults()] == ["delay", "cut"]


def test_a_copy_that_is_too_much() -> None:
    whole = len(event("A")) + 2
    talk = Conversation("duplicate:event=A", f"close:bytes={len(JSON) + whole + 5}")
    talk.monitor.says(event("A") + b"\r\n")
    assert talk.client.heard() == event("A") + b"\r\n" + event("A")[:5]
    assert talk.client.closed
    (fault,) = talk.faults()
    assert (fault["fault"], fault["bytes"]) == ("close", 5)
    assert talk.journal()[-1].raw is None
    assert talk.ends().fields["bytes_to_client"] == len(JSON) + whole + 5


def test_pieces_up_to_the_last_byte() -> None:
    size = len(JSON) + len(event("A")) + 2
    talk = Conversation("split:event=A:seconds=1", f"close:bytes={size}")
    talk.answers(event("A"))
    talk.advance(1)
    assert talk.client.closed
    assert [f["fault"] for f in talk.faults()] == ["split", "close"]


# It comes in pieces.


def pieces(talk: Conversation, seconds: float) -> list[bytes]:
    heard = [talk.client.heard()]
    while talk.clock.getDelayedCalls():
        talk.clock.advance(seconds)
        heard.append(talk.client.heard())
    return [piece for piece in heard if piece]


def test_a_value_is_split_inside_of_a_character() -> None:
    talk = Conversation("split:command=a:seconds=1")
    talk.asks(command("a", 1))
    reply = '{"return": "größer als 日本", "id": 1}\r\n'.encode()
    talk.monitor.says(reply)
    one, other = pieces(talk, 1)
    assert one + other == reply
    with pytest.raises(UnicodeDecodeError):
        one.decode()
    assert [str(r.kind) for r in talk.journal()] == ["command", "success", "fault"]
    assert talk.faults()[0]["pieces"] == 2


def test_pieces_of_one_byte_and_what_comes_behind_them() -> None:
    talk = Conversation("split:event=A:bytes=1:seconds=1")
    talk.monitor.says(event("A") + b"\r\n" + event("B") + b"\r\n")
    heard = pieces(talk, 1)
    assert [len(piece) for piece in heard[:-1]] == [1] * (len(event("A")) + 1)
    assert heard[-1] == b"\n" + event("B") + b"\r\n"


def test_a_client_that_leaves_in_the_middle() -> None:
    talk = Conversation("split:event=A:bytes=5:seconds=1")
    talk.answers(event("A"))
    talk.clock.advance(1)
    closed = talk.ends()
    (fault,) = talk.faults()
    assert fault["bytes"] == 10
    assert closed.fields["bytes_to_client"] == len(JSON) + 10


@given(st.text(min_size=2), st.integers(2, 9), st.integers(0, 99))
def test_pieces_are_the_message(text: str, count: int, seed: int) -> None:
    talk = Conversation(f"split:command=a:pieces={count}:seconds=1", seed=seed)
    talk.asks(command("a", 1))
    reply = json.dumps({"return": text, "id": 1}, ensure_ascii=True).encode() + b"\r\n"
    talk.monitor.says(reply)
    heard = pieces(talk, 1)
    assert b"".join(heard) == reply
    assert len(heard) == count


# The same conversation gets the same faults.


RULES = st.sampled_from(
    [
        "drop:probability=0.3",
        "drop:event=A:every=2",
        "delay:event=B:probability=0.5:seconds=1",
        "delay:command=a:seconds=2",
        "duplicate:probability=0.5",
        "cut:command=b:nth=3",
        "stall:nth=7:seconds=3",
        "split:pieces=3:probability=0.5:seconds=0.1",
        "fail:command=a:probability=0.5",
        "fail:nth=2",
    ]
)
SAID = st.lists(st.sampled_from(["A", "B", "reply", "reply"]), max_size=20)


@settings(max_examples=300)
@given(st.lists(RULES, max_size=4), SAID, st.lists(st.integers(1, 60)), st.integers(0, 9))
def test_however_it_is_cut_into_reads(
    rules: list[str], said: list[str], sizes: list[int], seed: int
) -> None:
    def play(sizes: list[int]) -> tuple[list[bytes], list[dict[str, Any]]]:
        talk = Conversation(*rules, seed=seed, greeting=b"")
        talk.monitor.says(JSON)
        asked = talk.asks(*(command("ab"[n % 2], n) for n in range(said.count("reply"))))
        numbers = re.findall(rb'"id": (\d+)', b"".join(asked))
        left = b""
        for what in said:
            if what != "reply":
                left += event(what) + b"\r\n"
            elif numbers:
                left += done(int(numbers.pop(0))) + b"\r\n"
        heard = talk.client.heard()
        for size in [*sizes, len(left)]:
            if left[:size] and talk.monitor.line.producerState == "producing":
                talk.monitor.says(left[:size])
            left = left[size:]
        heard += talk.client.heard()
        for _ in range(400):
            talk.clock.advance(0.1)
            heard += talk.client.heard()
        talk.ends()
        # To which message a line end is counted is the reads' own.
        faults = [{key: f[key] for key in f if key != "bytes"} for f in talk.faults()]
        return [line for line in heard.splitlines() if line], faults

    assert play(sizes) == play([])


# Where nothing is hit nothing changes, and what ends it.


MESSAGES = st.sampled_from(
    [done(1), done(), event("A"), b'{"x": 1}', b"]", b"\xff", b"1", b'"', b""]
)


@given(st.lists(MESSAGES), st.lists(MESSAGES), st.lists(st.integers(1, 40)), st.booleans())
def test_bytes_that_no_rule_hits_are_as_they_came(
    said: list[bytes], asked: list[bytes], sizes: list[int], text: bool
) -> None:
    talk = Conversation("drop:event=NO", "fail:command=no", greeting=TEXT if text else JSON)
    answer, question = b"\r\n".join(said), b"\n".join(asked)
    heard, taken = b"", b""
    for size in [*sizes, 10_000]:
        if answer[:size]:
            talk.monitor.says(answer[:size])
        if question[:size]:
            talk.client.says(question[:size])
        answer, question = answer[size:], question[size:]
        heard += talk.client.heard()
        taken += talk.monitor.heard()
    talk.client.says_no_more()
    talk.monitor.says_no_more()
    assert heard + talk.client.heard() == b"\r\n".join(said)
    assert taken + talk.monitor.heard() == b"\n".join(asked)
    assert talk.client.closed
    talk.ends()


def test_a_line_end_that_comes_later_is_passed_on_at_once() -> None:
    talk = Conversation("drop:event=NO")
    talk.monitor.says(event("A"))
    assert talk.client.heard() == event("A")
    talk.monitor.says(b"\r\n")
    assert talk.client.heard() == b"\r\n"


@pytest.mark.parametrize(
    ("rule", "heard"),
    [
        ("drop:event=A", b""),
        ("delay:event=A:seconds=1", event("A") + b"\r\n"),
        ("split:event=A:seconds=1", event("A") + b"\r\n"),
        ("duplicate:event=A", event("A") + b"\r\n" + event("A") + b"\r\n"),
    ],
)
def test_a_line_end_that_comes_later_shares_the_fate_of_its_message(
    rule: str, heard: bytes
) -> None:
    talk = Conversation(rule)
    talk.monitor.says(event("A"))
    talk.monitor.says(b"\r\n")
    talk.clock.advance(1)
    assert talk.client.heard() == heard


def test_what_is_late_comes_before_the_monitors_end() -> None:
    talk = Conversation("delay:event=SHUTDOWN:seconds=2")
    talk.answers(event("SHUTDOWN"))
    talk.monitor.says_no_more()
    talk.monitor.is_gone()
    assert not talk.client.closed
    assert talk.advance(2) == [event("SHUTDOWN")]
    assert talk.client.closed
    talk.client.is_gone()
    assert not talk.factory.conversations
    assert talk.records[-1].fields["ended_by"] == "monitor"


@pytest.mark.parametrize("rule", ["delay:command=a:seconds=2", "stall:command=a:seconds=2"])
def test_what_is_held_comes_before_the_monitors_end(rule: str) -> None:
    talk = Conversation(rule)
    talk.asks(command("a", 1))
    talk.answers(done(1))
    talk.monitor.says_no_more()
    assert not talk.client.line.half_closed
    assert talk.advance(2) == [done(1)]
    assert talk.client.line.half_closed


def test_half_a_message_does_not_reach_a_client_that_is_gone() -> None:
    talk = Conversation("drop:event=A")
    talk.monitor.says(b'{"ev')
    talk.client.is_gone()
    talk.monitor.says_no_more()
    talk.monitor.is_gone()
    assert kinds(talk) == ["closed"]


def test_a_client_that_speaks_first_and_no_more_is_heard_when_the_dialect_is_known() -> None:
    talk = Conversation("fail:command=b", greeting=b"")
    talk.asks(command("a", 1), command("b", 2))
    talk.client.says_no_more()
    assert talk.monitor.heard() == b""
    assert not talk.monitor.line.half_closed
    talk.monitor.says(JSON)
    assert talk.monitor.heard() == command("a", 1)
    assert talk.monitor.line.half_closed
    assert len(talk.answers(done(1))) == 3


def test_a_client_that_is_gone_before_the_greeting_is_passed_on_unread() -> None:
    talk = Conversation("fail:command=a", greeting=b"")
    assert talk.asks(command("a", 1)) == []
    talk.client.is_gone()
    assert talk.monitor.heard() == command("a", 1)
    assert talk.monitor.closed
    talk.monitor.is_gone()


def test_what_a_client_said_last_is_passed_on() -> None:
    talk = Conversation("fail:command=b")
    talk.asks(command("a", 1), command("b", 2)[:-1])
    talk.client.is_gone()
    assert talk.monitor.heard() == command("b", 2)[:-1]
    talk.monitor.is_gone()


def test_nothing_is_asked_behind_the_end() -> None:
    talk = Conversation("fail:command=b", f"close:bytes={len(JSON) + 5}")
    assert talk.asks(command("a", 1)) == [command("a", 1)]
    talk.answers(done(1))
    assert talk.client.closed
    assert talk.asks(command("a", 2), command("c")[:-1]) == []
    talk.ends()


def test_where_the_dialect_is_unknown_all_goes_by() -> None:
    talk = Conversation("drop", "fail", greeting=b"")
    talk.monitor.says(b"hello\r\n")
    assert talk.client.heard() == b"hello\r\n"
    assert talk.asks(command("a", 1)) == [command("a", 1)]
    assert talk.faults() == []


def test_a_proxy_that_is_stopped_holds_nothing_back() -> None:
    talk = Conversation("delay:event=A:seconds=9", "delay:command=a:seconds=9")
    talk.asks(command("a", 1), command("b", 2))
    talk.answers(event("A"), done(1), done(2))
    talk.factory.close_all("the proxy is stopped")
    talk.monitor.is_gone()
    assert talk.client.closed
    talk.client.is_gone()
    assert not talk.clock.getDelayedCalls()
    told = [(f["fault"], f.get("event", f.get("command")), f.get("bytes")) for f in talk.faults()]
    assert told == [
        ("delay", "A", None), ("delay", "a", None),
        ("delay", "a", 0), ("delay", "b", 0), ("delay", "A", 0),
    ]  # fmt: skip


def test_other_connections_are_left_alone() -> None:
    talk = Conversation("drop:connection=2", "close:bytes=1:connection=2", number=1)
    assert talk.answers(event("A")) == [event("A")]
    assert talk.faults() == []
