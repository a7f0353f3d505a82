from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal.example import json_command, json_reply, record, text_command, text_output
from tests.journal.test_record import records
from txqmp.journal.display import RecordPrinter
from txqmp.journal.reader import Torn
from txqmp.journal.record import Direction, Kind, Record


def shown(shown_record: Record, **options: Any) -> str:
    return RecordPrinter(color=False, **options).line(shown_record)


def content(shown_record: Record) -> str:
    """The line without its time and connection."""
    return shown(shown_record).partition(" ")[2].partition(" ")[2]


def test_a_whole_line() -> None:
    assert shown(text_command("stop")) == "10:00:00.123 vm1#1 → stop"


@pytest.mark.parametrize(
    ("given_record", "line"),
    [
        (
            record(Kind.GREETING, dialect="text", raw=b"+ OK QEMU 0.10.50 QMP 0.1\r\n"),
            "← + OK QEMU 0.10.50 QMP 0.1",
        ),
        (
            record(
                Kind.GREETING, dialect="json", fields={"qemu": "7.2.0", "capabilities": ["oob"]}
            ),
            '← QEMU 7.2.0 ["oob"]',
        ),
        (
            record(Kind.GREETING, fields={"qemu": "0.10.50", "qmp": "0.1"}),
            "← QEMU 0.10.50 QMP 0.1",
        ),
        (text_command("set_link  foo   down"), "→ set_link  foo   down"),
        (json_command("query-status"), "→ query-status"),
        (json_command("eject", {"id": "cd0"}, id=7), '→ eject {"id":"cd0"} (id 7)'),
        (json_command("x", ["a", "b"]), "→ x a b"),
        (text_output("VM status: running"), "← = VM status: running"),
        (record(Kind.OUTPUT, fields={"text": "a"}), "← = a"),
        (json_reply({"running": True}), '← OK query-something {"running":true}  1.2 ms'),
        (
            record(
                Kind.SUCCESS,
                dialect="text",
                fields={"command": "stop", "latency": 2.5},
                raw=b"+ OK stop completed\r\n",
            ),
            "← + OK stop completed  2.50 s",
        ),
        (record(Kind.SUCCESS, fields={"command": "qom-get"}), "← OK qom-get"),
        (record(Kind.SUCCESS, fields={"command": "x", "latency": 0.5}), "← OK x  500.0 ms"),
        (record(Kind.SUCCESS, fields={"command": "x", "latency": 1}), "← OK x  1.00 s"),
        (
            record(
                Kind.FAILURE,
                dialect="json",
                fields={"command": "eject", "class": "GenericError", "reason": "is locked"},
            ),
            "← ERR eject: is locked (GenericError)",
        ),
        (
            record(Kind.REJECTION, dialect="text", fields={}, raw=b"- BAD unknown command\r\n"),
            "← - BAD unknown command",
        ),
        (record(Kind.REJECTION, fields={"reason": "no"}), "← BAD no"),
        (
            record(dialect="json", fields={"event": "SHUTDOWN", "data": {"guest": True}}),
            '← EVENT SHUTDOWN {"guest":true}',
        ),
        (record(dialect="json", fields={"event": "STOP", "data": {}}), "← EVENT STOP"),
        (record(dialect="text", raw=b"* EVENT reboot\r\n"), "← * EVENT reboot"),
        (
            record(
                Kind.UNDECODED, dialect="text", fields={"problem": "not QMP 0.1"}, raw=b"huh?\r\n"
            ),
            "← UNDECODED (not QMP 0.1): huh?",
        ),
        (
            record(Kind.OPENED, fields={"upstream": "unix:/vm1"}, peer={"port": 4444}),
            '· opened to unix:/vm1 by {"port":4444}',
        ),
        (record(Kind.OPENED, fields={"upstream": "unix:/vm1"}), "· opened to unix:/vm1"),
        (
            record(
                Kind.CLOSED,
                fields={
                    "reason": "closed cleanly",
                    "ended_by": "client",
                    "bytes_to_monitor": 6,
                    "bytes_to_client": 48,
                },
            ),
            "· closed by client: closed cleanly (6 bytes to the monitor, 48 to the client)",
        ),
        (
            record(
                Kind.GAP,
                fields={"lost": 3, "problem": "No space left on device", "since": "2026"},
            ),
            "· 3 RECORDS LOST since 2026: No space left on device",
        ),
        (
            record(
                Kind.FAULT,
                direction=Direction.TO_MONITOR,
                fields={"fault": "fail", "hit": "command", "command": "eject", "rule": "fail"},
            ),
            "→ FAULT fail command eject by fail",
        ),
        (
            record(
                Kind.FAULT,
                dialect="text",
                fields={"fault": "drop", "hit": "event", "event": "a", "rule": "drop:nth=1"},
                raw=b"* EVENT a\r\n",
            ),
            "← FAULT drop event a by drop:nth=1",
        ),
        (
            record(
                Kind.VERDICT,
                direction=None,
                fields={"verdict": "deny", "rule": "rule 1", "reason": "no", "command": "stop"},
            ),
            "· VERDICT deny stop by rule 1 (no)",
        ),
        (
            record(Kind.FAULT, fields={"fault": "close", "rule": "close:bytes=9"}),
            "← FAULT close by close:bytes=9",
        ),
        (record(Kind.GAP, fields={"lost": 3, "problem": "full"}), "· 3 RECORDS LOST: full"),
    ],
)
def test_what_a_person_wants_to_see(given_record: Record, line: str) -> None:
    assert content(given_record) == line


@pytest.mark.parametrize(
    ("time", "clock"),
    [
        (0.0, "00:00:00.000"),
        (86399.9999, "23:59:59.999"),
        (1795341600.001, "10:00:00.001"),
    ],
)
def test_the_time_of_day(time: float, clock: str) -> None:
    assert shown(record(time=time)).startswith(f"{clock} ")


NASTY = "\x1b[2J\x1b]0;x\x07\r\n\x00\x7f\x9b1m\u202e\u2028\ud800é"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("dialect", ["text", "json", None])
def test_nothing_a_peer_sent_reaches_the_terminal(kind: Kind, dialect: str | None) -> None:
    names = [
        *("command", "text", "reason", "class", "event", "problem", "upstream", "ended_by"),
        *("qemu", "qmp", "lost", "since", "latency", "bytes_to_monitor", "bytes_to_client"),
    ]
    fields: dict[str, Any] = dict.fromkeys(names, NASTY)
    fields |= {"arguments": [NASTY], "data": {NASTY: NASTY}, "return": NASTY, "id": NASTY}
    for raw in (None, NASTY.encode("utf-8", "surrogatepass")):
        nasty = record(
            kind, dialect=dialect, fields=fields, raw=raw, monitor=NASTY, peer={NASTY: NASTY}
        )
        line = shown(nasty, full=True)
        assert re.fullmatch("[ -~→←·]+", line)
        assert "x1b" in line or "u001b" in line


@settings(deadline=None)
@given(records, st.booleans())
def test_every_record_can_be_shown_safely(any_record: Record, full: bool) -> None:
    assert re.fullmatch("[ -~→←·…]+", shown(any_record, full=full))


def test_a_torn_line() -> None:
    printer = RecordPrinter(color=False)
    assert printer.torn(Torn(7, b"\x1b[0m{", "not JSON\x1b")) == (
        "line 7 IS NO RECORD: not JSON\\x1b: \\x1b[0m{"
    )


def test_a_torn_line_of_a_file_that_is_known() -> None:
    printer = RecordPrinter(color=False)
    assert printer.torn(Torn(7, b"{", "not JSON", "a\nb")).startswith("a\\nb line 7 IS NO RECORD")
    assert printer.torn(Torn(7, b"{", "p", "-")).startswith("standard input line 7 IS NO RECORD")


def test_where_it_is_from_is_in_the_head() -> None:
    printer = RecordPrinter(color=False)
    assert printer.head(record(), "a.jsonl") == "10:00:00.123 a.jsonl: vm1#1"
    assert printer.head(record(), "\x1b").isprintable()
    assert printer.line(record(), "a") == f"{printer.head(record(), 'a')} {printer.body(record())}"


def test_the_time_is_shown_by_a_clock() -> None:
    printer = RecordPrinter(color=False, clock=lambda time: f"<{time:.0f}>")
    assert printer.head(record(time=7.0)) == "<7> vm1#1"


def test_a_summary_and_a_remark_are_as_safe_as_a_record() -> None:
    printer = RecordPrinter(color=False)
    command = record(Kind.COMMAND, fields={"command": NASTY})
    assert re.fullmatch("[ -~→×]+", printer.summary(command, "×3"))
    assert printer.remark("no reply") == "· no reply"
    assert RecordPrinter(color=True).remark("no reply") == "· \x1b[35mno reply\x1b[0m"


def test_what_is_too_deep_to_be_shown_is_told_of() -> None:
    value: list[Any] = []
    for _ in range(2000):
        value = [value]
    assert content(json_reply(1, "x")) == "← OK x 1  1.2 ms"
    deep = record(Kind.SUCCESS, dialect="json", fields={"command": "x", "return": value})
    assert content(deep) == "← OK x (nested too deeply to be shown)"


LONG = "x" * 300


@pytest.mark.parametrize(
    ("given_record", "note"),
    [
        (text_command(LONG), "… (300 bytes)"),
        (json_reply(LONG), "… (321 bytes)  1.2 ms"),
        (record(Kind.UNDECODED, fields={"problem": "p"}, raw=LONG.encode()), "… (315 bytes)"),
    ],
)
def test_what_is_long_is_cut(given_record: Record, note: str) -> None:
    line = content(given_record)
    assert line.endswith(note)
    assert len(line) == 2 + 200 + len(note)


def test_what_just_fits_is_whole() -> None:
    assert content(text_command("x" * 200)) == "→ " + "x" * 200


def test_what_is_long_can_be_seen_whole() -> None:
    assert shown(text_command(LONG), full=True).endswith(LONG)
    torn = RecordPrinter(color=False, full=True).torn(Torn(1, LONG.encode(), "p"))
    assert torn.endswith(LONG)


def test_a_long_torn_line_is_cut() -> None:
    torn = RecordPrinter(color=False).torn(Torn(1, LONG.encode(), "p"))
    assert torn.endswith("x… (300 bytes)")


@pytest.mark.parametrize("kind", set(Kind) - {Kind.OUTPUT})
def test_colours_are_closed_again(kind: Kind) -> None:
    line = RecordPrinter(color=True).line(record(kind))
    assert line.endswith("\x1b[0m")
    assert line.count("\x1b") == 2


@pytest.mark.parametrize("kind", Kind)
def test_colours_change_no_word(kind: Kind) -> None:
    line = RecordPrinter(color=True).line(record(kind))
    assert re.sub(r"\x1b\[[0-9;]*m", "", line) == shown(record(kind))


def test_losses_are_loud() -> None:
    printer = RecordPrinter(color=True)
    assert "\x1b[1;41m" in printer.line(record(Kind.GAP))
    assert "\x1b[1;41m" in printer.torn(Torn(1, b"", "p"))


def test_output_is_plain() -> None:
    assert "\x1b" not in RecordPrinter(color=True).line(text_output("x"))


def test_the_arrows_tell_the_direction() -> None:
    assert " → " in shown(record(direction=Direction.TO_MONITOR))
    assert " ← " in shown(record(direction=Direction.TO_CLIENT))
    assert " · " in shown(record(direction=None))
