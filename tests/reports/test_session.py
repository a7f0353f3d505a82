"""What is compared of a journal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tests.reports.conversation import Conversation, merged
from txqmp.journal.reader import Torn
from txqmp.journal.record import Kind, Record
from txqmp.reports.session import Exchange, Outcome, Session, SessionReader
from txqmp.reports.volatile import Ignored


def read(
    entries: Iterable[Record | Torn], ignore: Sequence[str] = ("message-id",), **options: Any
) -> Session:
    return SessionReader(Ignored(ignore), **options).read(entries)


def said(session: Session) -> list[tuple[str, Any, str, Any]]:
    return [
        (one.command, json.loads(one.asked), str(one.outcome), json.loads(one.answer))
        for one in session.exchanges
    ]


def names(session: Session) -> list[str]:
    return [one.command for one in session.exchanges]


def test_a_session_of_json() -> None:
    talk = Conversation()
    talk.greeting("7.2.22")
    talk.asked("query-name", {}, {"name": "a"})
    talk.refused("device_del", {"id": "x"}, "no such device")
    number = talk.command("stop", oob=True, descriptors=1)
    talk.event("STOP", timestamp={"seconds": 1})
    talk.success("stop", number, **{"return": {}})
    session = read(talk.records, ["timestamp"])
    assert said(session) == [
        ("query-name", {}, "success", {"return": {"name": "a"}}),
        (
            "device_del",
            {"arguments": {"id": "x"}},
            "failure",
            {"class": "GenericError", "reason": "no such device"},
        ),
        ("stop", {"oob": True, "descriptors": 1}, "success", {"return": {}}),
    ]
    assert session.events == [("STOP", "{}")]
    assert session.greetings == ['{"capabilities":[],"qemu":"7.2.22"}']
    assert session.connections == 1


def test_a_session_of_text() -> None:
    talk = Conversation("text")
    talk.line("info status", "VM status: running", "", error=None)
    talk.line("set_link foo down", error="no such link")
    number = talk.command("nosuch", [])
    talk.record(Kind.REJECTION, command="nosuch", reply_to=number, reason="unknown command")
    assert said(read(talk.records)) == [
        (
            "info",
            {"arguments": ["status"]},
            "success",
            {"completed": "info status", "output": "VM status: running\n\n"},
        ),
        ("set_link", {"arguments": ["foo", "down"]}, "failure", {"reason": "no such link"}),
        ("nosuch", {}, "rejection", {"reason": "unknown command"}),
    ]


def test_places_are_those_of_the_commands() -> None:
    talk = Conversation(connection=3, monitor="vm2")
    talk.greeting("7.2.22")
    talk.asked("stop")
    (stop,) = read(talk.records).exchanges
    assert stop == Exchange("vm2", 3, 2, "stop", "{}", Outcome.SUCCESS, '{"return":{}}')


def test_ids_of_messages_count_if_nothing_is_ignored() -> None:
    talk = Conversation()
    number = talk.command("stop", id="libvirt-1")
    talk.success("stop", number, id="libvirt-1", **{"return": {}})
    ids = {"message-id": "libvirt-1"}
    assert said(read(talk.records, [])) == [("stop", ids, "success", {"return": {}, **ids})]
    assert said(read(talk.records)) == [("stop", {}, "success", {"return": {}})]


def test_commands_without_answers_and_answers_without_commands() -> None:
    talk = Conversation()
    talk.success("query-name", 0, **{"return": {}})
    talk.command("stop")
    assert said(read(talk.records)) == [
        ("query-name", {}, "success", {"return": {}}),
        ("stop", {}, "unanswered", {}),
    ]


def test_commands_are_in_their_order_whatever_that_of_the_answers() -> None:
    talk = Conversation()
    slow = talk.command("slow")
    quick = talk.command("quick", oob=True)
    talk.success("quick", quick, **{"return": {}})
    talk.success("slow", slow, **{"return": {}})
    talk.command("never")
    assert names(read(talk.records)) == ["slow", "quick", "never"]


def test_one_connection_comes_after_the_other() -> None:
    first, second = Conversation(connection=1), Conversation(connection=2, start=1.05)
    for name in "abc":
        first.asked(name)
        second.asked(name.upper())
    session = read(merged(first, second))
    assert names(session) == ["a", "b", "c", "A", "B", "C"]
    assert session.connections == 2


def test_a_connection_or_a_monitor_is_chosen() -> None:
    first, second = Conversation(connection=1), Conversation(connection=2, monitor="vm2")
    for talk in (first, second):
        talk.greeting(str(talk.records))
        talk.asked("stop")
        talk.event("STOP")
    records = merged(first, second)
    for options in ({"connection": 2}, {"monitor": "vm2"}):
        session = read(records, **options)
        assert [one.monitor for one in session.exchanges] == ["vm2"]
        assert (len(session.events), len(session.greetings)) == (1, 1)
    assert names(read(records, connection=2, monitor="vm1")) == []


def test_a_command_is_chosen_by_any_of_its_records() -> None:
    talk = Conversation()
    talk.greeting("7.2.22")
    talk.refused("stop")
    talk.refused("cont")
    talk.event("STOP", {"why": 1})
    talk.event("RESUME")

    def chosen(record: Record) -> bool:
        return record.seq in (3, 7)

    session = read(talk.records, chosen=chosen)
    assert names(session) == ["stop"]
    assert session.events == [("RESUME", "{}")]
    assert session.greetings == []


def test_whole_commands_events_and_greetings_are_ignored() -> None:
    talk = Conversation()
    talk.greeting("7.2.22")
    talk.asked("query-name")
    talk.asked("stop")
    talk.event("STOP")
    session = read(talk.records, ["query-*", "STOP", "greeting"])
    assert (names(session), session.events, session.greetings) == (["stop"], [], [])


def test_a_greeting_that_is_said_again_counts_once() -> None:
    first, second = Conversation(connection=1), Conversation(connection=2, start=9)
    first.greeting("7.2.22")
    second.greeting("7.2.22")
    assert len(read(merged(first, second)).greetings) == 1


def test_what_is_no_record_is_told_of() -> None:
    talk = Conversation()
    torn = Torn(2, b"{", "the last line was not finished", "a.jsonl")
    talk.asked("stop")
    talk.record(Kind.GAP, problem="the disk is full", lost=3)
    session = read([*talk.records, torn])
    assert (session.torn, session.gaps, names(session)) == ([torn], 1, ["stop"])


def test_what_is_nested_too_deeply_is_compared_as_it_came() -> None:
    value: Any = 1
    for _ in range(2000):
        value = {"a": value}
    talk = Conversation()
    talk.asked("query", None, value)
    talk.records[1].raw = b'{"return": ...}\r\n'
    ((*_, answer),) = said(read(talk.records))
    assert answer == {"message": '{"return": ...}\r\n'}
