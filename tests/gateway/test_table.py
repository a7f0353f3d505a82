"""The gateway's table: what is passed on, what is unknown, what is gone, and help."""

from __future__ import annotations

import pytest

from tests.gateway.fake import Gateway, dialogue, human
from txqmp.gateway.catalogue import COMMANDS_OF_2009, Row, Way, rows
from txqmp.text.vocabulary import VOCABULARY

FALLBACK = [row.known.name for row in rows() if row.way is Way.FALLBACK]
GONE = [row for row in rows() if row.way is Way.GONE]


def test_every_command_of_2009_has_a_row() -> None:
    assert set(COMMANDS_OF_2009) == set(VOCABULARY)


def test_a_row_has_a_handler_unless_its_line_is_passed_on() -> None:
    passed_on = (Way.FALLBACK, Way.GONE)
    assert all((row.handler is None) == (row.way in passed_on) for row in rows())


# Lines that are passed on as they are.


@pytest.mark.parametrize(
    ("line", "passed", "name"),
    [
        ("x/4i 0xfff0", "x/4i 0xfff0", "x"),
        ("XP/2wx 0", "xp/2wx 0", "xp"),
        ("p $eax", "p $eax", "print"),
        ("print/x  1+1", "print/x  1+1", "print"),
        ("i/b 0x60", "i/b 0x60", "i"),
        ('commit "my disk"', 'commit "my disk"', "commit"),
        ("boot_set  CDA", "boot_set  CDA", "boot_set"),
        ("INFO Registers -A", "info registers -A", "info registers"),
        ("info qtree", "info qtree", "info qtree"),
        ("object_add RNG-Random,id=r", "object_add RNG-Random,id=r", "object_add"),
        ("Info IOTHREADS", "info iothreads", "info iothreads"),
    ],
)
def test_a_line_is_passed_on(line: str, passed: str, name: str) -> None:
    assert dialogue(line, human(passed, "a\r\n  B: \r\n")) == [
        "= a",
        "=   B: ",
        f"+ OK {name} completed",
    ]


@pytest.mark.parametrize("name", FALLBACK)
def test_each_fallback_goes_to_the_human_monitor_under_its_name(name: str) -> None:
    assert dialogue(name, human(name)) == [f"+ OK {name} completed"]


@pytest.mark.parametrize("name", FALLBACK)
def test_none_does_where_that_is_not_used(name: str) -> None:
    assert dialogue(name, human=False) == ["- BAD unknown command"]


def test_arguments_of_what_is_passed_on_are_the_monitor_s_business() -> None:
    printed = 'mouse_set: integer expected\r\nTry "help mouse_set" for more information\r\n'
    assert dialogue("mouse_set foo bar", human("mouse_set foo bar", printed)) == [
        "- ERR mouse_set: integer expected"
    ]


def test_data_come_before_an_error() -> None:
    assert dialogue("info qtree", human("info qtree", "bus: a\r\nError: lost\r\n")) == [
        "= bus: a",
        "- ERR lost",
    ]


def test_what_is_not_ascii_is_escaped() -> None:
    assert dialogue("info qtree", human("info qtree", "ü\ry\r\n")) == [
        r"= \xfc\x0dy",
        "+ OK info qtree completed",
    ]


# What nobody knows.


@pytest.mark.parametrize("line", ["foo", "foo bar", "info foo", "INFO foo bar", '"foo" bar'])
def test_an_unknown_command(line: str) -> None:
    passed = line.replace("INFO", "info")
    asked = human(passed, "unknown command: 'foo'\r\n")
    assert dialogue(line, asked) == ["- BAD unknown command"]


@pytest.mark.parametrize("line", ["foo", "foo bar", "info foo", "object_add x"])
def test_an_unknown_command_without_the_human_monitor(line: str) -> None:
    assert dialogue(line, human=False) == ["- BAD unknown command"]


@pytest.mark.parametrize("line", ["/x", "/", "info/x", "/x 1 2"])
def test_odd_slashes_are_no_command(line: str) -> None:
    # Whether the monitor is asked is left open.
    gateway = Gateway(human(line, f"unknown command: '{line}'\r\n"))
    assert gateway.asks(line) == ["- BAD unknown command"]


# What is gone.


@pytest.mark.parametrize("row", GONE, ids=lambda row: row.known.name)
def test_what_qemu_has_given_up(row: Row) -> None:
    name, becomes = row.known.name, row.becomes
    successor = f" ({becomes})" if becomes else ""
    asked = human(name, f"unknown command: '{name.split()[-1]}'\r\n")
    assert dialogue(name, asked) == [f"- ERR {name}: this QEMU has no such command{successor}"]


@pytest.mark.parametrize("row", GONE, ids=lambda row: row.known.name)
def test_without_the_human_monitor_it_is_gone_all_the_same(row: Row) -> None:
    name = row.known.name
    (said,) = dialogue(name, human=False)
    assert said.startswith(f"- ERR {name}: this QEMU has no such command")


def test_an_older_qemu_may_have_it() -> None:
    asked = human("acl_show vnc.x509dname", "policy: deny\r\n")
    assert dialogue("acl_show vnc.x509dname", asked) == [
        "= policy: deny",
        "+ OK acl_show completed",
    ]


def test_a_fallback_that_a_newer_qemu_has_given_up() -> None:
    asked = human("singlestep on", "unknown command: 'singlestep'\r\n")
    assert dialogue("singlestep on", asked) == ["- ERR singlestep: this QEMU has no such command"]


# Help.


def test_help_of_a_command() -> None:
    assert dialogue("help set_link") == [
        "= set_link name up|down -- set NIC link up/down",
        "+ OK help completed",
    ]


def test_help_ignores_case() -> None:
    assert dialogue("HELP Set_Link")[1] == "+ OK help completed"


def test_help_of_a_sub_command() -> None:
    assert dialogue("? info block") == [
        "= info block -- block devices",
        "+ OK help completed",
    ]


def test_help_lists_all_but_the_sub_commands() -> None:
    *lines, end = dialogue("help")
    verbs = {line.removeprefix("= ").split()[0].split("|")[-1] for line in lines}
    assert {name for name in VOCABULARY if not name.startswith("info ")} - verbs == set()
    assert end == "+ OK help completed"


@pytest.mark.parametrize("line", ["info", "help info"])
def test_info_alone_lists_the_sub_commands(line: str) -> None:
    *lines, _ = dialogue(line)
    named = {" ".join(text.split()[1:3]) for text in lines}
    assert named == {name for name in VOCABULARY if name.startswith("info ")}


def test_without_the_human_monitor_help_shows_what_is_left() -> None:
    *lines, _ = dialogue("help", human=False)
    assert "= commit device|all -- write snapshot/overlay data back to base image(s)" not in lines
    assert any(line.startswith("= set_link ") for line in lines)


def test_help_of_what_the_human_monitor_alone_knows() -> None:
    shown = "object_add [qom-type=]type -- create QOM object"
    assert dialogue("help object_add", human("help object_add", shown)) == [
        f"= {shown}",
        "+ OK help completed",
    ]


@pytest.mark.parametrize("line", ["help foo", "? foo"])
def test_help_of_what_nobody_knows(line: str) -> None:
    asked = human(line, "unknown command: 'foo'\r\n")
    assert dialogue(line, asked) == ["- ERR help: no command 'foo'"]


def test_help_of_what_is_unknown_without_the_human_monitor() -> None:
    assert dialogue("help foo", human=False) == ["- ERR help: no command 'foo'"]
