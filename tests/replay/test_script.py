"""A script: what belongs to which command, and when it was said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.replay.example import JSON, JSON_GREETING, TEXT, TEXT_GREETING, recorded
from txqmp.journal.record import Dialect, Kind
from txqmp.journal.redact import redact
from txqmp.replay.script import Said, Script, read_script


def script(dialogue: str, dialect: Dialect = "json") -> Script:
    return read_script(recorded(dialogue, dialect), dialect)


def told(said: list[Said]) -> list[str]:
    """Each thing in a word or two, with its delay."""
    words = {Kind.EVENT: "event", Kind.OUTPUT: "text"}
    return [
        f"{each.delay:g} {each.fields.get(words.get(each.kind, ''), each.kind)}" for each in said
    ]


def test_a_conversation_in_json() -> None:
    read = script(JSON)
    assert (read.dialect, read.monitor, read.connection) == ("json", "vm1", 1)
    assert read.greeting == JSON_GREETING.encode() + b"\r\n"
    assert read.before == []
    assert [(e.name, e.arguments) for e in read.exchanges] == [
        ("qmp_capabilities", {"enable": ["oob"]}),
        ("query-status", {}),
        ("stop", {}),
        ("query-status", {}),
        ("device_del", {"id": "nosuch"}),
        ("quit", {}),
    ]
    assert [e.place for e in read.exchanges] == [0, 1, 2, 3, 4, 5]
    assert all(e.is_answered for e in read.exchanges)
    assert [e.ends for e in read.exchanges] == [False] * 5 + [True]


def test_what_was_said_has_its_place_and_its_delay() -> None:
    stop, query, _, quit_command = script(JSON).exchanges[2:]
    assert told(stop.answer) == ["0.2 STOP", "0.1 success"]
    assert told(stop.after) == ["3.7 WAKEUP"]
    assert (told(query.answer), query.after) == (["0.5 success"], [])
    assert told(quit_command.after) == ["0.5 SHUTDOWN", "1 closed"]


def test_a_conversation_in_text() -> None:
    read = script(TEXT, "text")
    assert read.greeting == TEXT_GREETING.encode() + b"\r\n"
    assert [(e.name, e.arguments) for e in read.exchanges] == [
        ("info", ["status"]),
        ("stop", []),
        ("info", ["STATUS"]),
        ("set_link", ["foo", "down"]),
        ("foo", []),
    ]
    assert told(read.exchanges[0].answer) == ["0.5 VM status: running", "0 success"]
    assert told(read.exchanges[1].answer) == ["0.1 stop", "0.1 success"]
    assert not any(e.ends for e in read.exchanges)


def test_an_event_before_any_command() -> None:
    read = script(f"0 S: {TEXT_GREETING}\n2 S: * EVENT reboot\n3 C: stop", "text")
    assert told(read.before) == ["2 reboot"]


def test_commands_that_were_sent_ahead_share_no_time() -> None:
    # The second was carried out from 2.0 on, when the first was answered.
    first, second = script(
        f"""
        0 S: {TEXT_GREETING}
        1 C: stop
        C: cont
        1.5 S: * EVENT stop
        2 S: + OK stop completed
        2.25 S: * EVENT cont
        2.5 S: + OK cont completed
        3 S: * EVENT reboot
        """,
        "text",
    ).exchanges
    assert told(first.answer) == ["0.5 stop", "0.5 success"]
    assert first.after == []
    assert told(second.answer) == ["0.25 cont", "0.25 success"]
    assert told(second.after) == ["0.5 reboot"]


def test_an_answer_out_of_band_leaves_the_one_before_waiting() -> None:
    slow, oob = script(
        f"""
        0 S: {JSON_GREETING}
        1 C: {{"execute": "migrate", "id": 1}}
        2 C: {{"exec-oob": "yank", "id": 2}}
        3 S: {{"return": {{}}, "id": 2}}
        4 S: {{"event": "MIGRATION"}}
        5 S: {{"return": {{}}, "id": 1}}
        """
    ).exchanges
    assert told(oob.answer) == ["1 success"]
    assert told(slow.answer) == ["1 MIGRATION", "1 success"]


def test_a_lost_reply_takes_no_later_events() -> None:
    lost, answered = script(
        f"""
        0 S: {JSON_GREETING}
        1 C: {{"execute": "x", "id": 1}}
        2 C: {{"execute": "y", "id": 2}}
        3 S: {{"return": {{}}, "id": 2}}
        4 S: {{"event": "E"}}
        """
    ).exchanges
    assert (lost.is_answered, lost.answer) == (False, [])
    assert told(answered.after) == ["1 E"]


def test_the_end_in_the_place_of_an_answer() -> None:
    (only,) = script(f'S: {JSON_GREETING}\nC: {{"execute": "quit"}}\nX: monitor').exchanges
    assert told(only.answer) == ["0 closed"]
    assert (only.is_answered, only.ends) == (False, True)


@pytest.mark.parametrize("who", ["client", "proxy"])
def test_the_end_that_the_monitor_did_not_make_is_none(who: str) -> None:
    (only,) = script(f'S: {JSON_GREETING}\nC: {{"execute": "x"}}\nX: {who}').exchanges
    assert not only.ends


def test_lines_that_are_no_commands_are_there_if_they_were_answered() -> None:
    read = script(
        f"""
        S: {TEXT_GREETING}
        C: \x01
        S: - BAD control character
        C:
        C: stop
        S: + OK stop completed
        """,
        "text",
    )
    assert [(e.name, e.place) for e in read.exchanges] == [("", 0), ("stop", 1)]
    assert told(read.exchanges[0].answer) == ["0 rejection"]


def test_what_is_no_command_in_json_is_not_in_the_script() -> None:
    read = script(f"S: {JSON_GREETING}\nC: [1]\nS: {{'error': {{'class': 'G', 'desc': 'no'}}}}")
    assert read.exchanges == []


def test_what_the_monitor_said_and_nobody_could_read_comes_again() -> None:
    read = script(f"S: {TEXT_GREETING}\n1 C: stop\n2 S: * NEWS\n3 S: + OK stop completed", "text")
    assert told(read.exchanges[0].answer) == ["1 undecoded", "1 success"]


def test_what_was_hidden_as_a_whole_does_not() -> None:
    records = recorded(f"S: {TEXT_GREETING}\nS: * NEWS password\nC: stop", "text")
    records = [redact(record) for record in records]
    assert read_script(records, "text").before == []


def test_a_secret_answer_is_withheld() -> None:
    records = recorded(TEXT, "text")
    secret = replace(records[3], sensitive=True)
    records[3] = redact(secret)
    read = read_script(records, "text")
    assert [e.is_withheld for e in read.exchanges] == [True, False, False, False, False]


def test_without_a_greeting() -> None:
    assert script('C: {"execute": "x"}').greeting is None
