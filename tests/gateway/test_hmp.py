"""The human monitor: how a line is written for it, and what became of a command it carried out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from txqmp.errors import CommandFailed, CommandRejected
from txqmp.gateway.hmp import command_line, outcome


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("  Stop  ", "stop"),
        ("LOG None", "log None"),
        ("X/4i 0xFFFF", "x/4i 0xFFFF"),
        ("P/X $EAX", "p/X $EAX"),
        ("INFO Block -v", "info block -v"),
        ("Info QTree", "info qtree"),
        ("info", "info"),
        ("INFO   Block   IDE0", "info   block   IDE0"),
        ("INFO/X Y", "info/X Y"),
        ("INFORM Me", "inform Me"),
        ("/X", "/X"),
        ("info\tBlock IDE0", "info\tblock IDE0"),
        ('Commit "My Disk"', 'commit "My Disk"'),
        ("Logfile\t/tmp/A", "logfile\t/tmp/A"),
    ],
)
def test_verbs_are_lowered_and_the_rest_is_left(line: str, written: str) -> None:
    assert command_line(line) == written


def test_an_argument_behind_a_tab_is_left() -> None:
    assert command_line("info Block\tIDE0") == "info block\tIDE0"


# What became of it, by the six rules.


def refused(verb: str, printed: str) -> str:
    with pytest.raises(CommandFailed) as caught:
        list(outcome(verb, printed))
    return caught.value.reason


def test_rule_1_unknown_command() -> None:
    with pytest.raises(CommandRejected, match=r"\Aunknown command\Z"):
        outcome("foo", "unknown command: 'foo'\n")


def test_rule_1_holds_for_those_that_print_anything() -> None:
    with pytest.raises(CommandRejected):
        outcome("help", "unknown command: 'foo'\n")


@pytest.mark.parametrize("printed", ["an unknown command: 'foo'\n", "unknown command\n"])
def test_not_rule_1(printed: str) -> None:
    assert list(outcome("foo", printed)) == [printed.rstrip("\n")]


def test_rule_2_the_arguments_are_wrong() -> None:
    printed = 'stop: extraneous characters\nTry "help stop" for more information\n'
    assert refused("stop", printed) == "stop: extraneous characters"


@pytest.mark.parametrize(
    "printed",
    [
        'Try "help x" for more information\nand this\n',
        'see: Try "help x" for more information\n',
        'Try "help x" for more\n',
    ],
)
def test_not_rule_2(printed: str) -> None:
    assert list(outcome("log", printed)) == printed.splitlines()


def test_rule_3_an_error() -> None:
    assert refused("eject", "Error: Device 'x' not found\n") == "Device 'x' not found"


def test_rule_3_an_error_after_data() -> None:
    lines: Iterator[str] = iter(outcome("dump", "one\ntwo\nError: no space\nthree\n"))
    assert [next(lines), next(lines)] == ["one", "two"]
    with pytest.raises(CommandFailed) as caught:
        next(lines)
    assert caught.value.reason == "no space"


@pytest.mark.parametrize("printed", ["An Error: x\n", "Error x\n", "error: x\n", "\tError: x\n"])
def test_not_rule_3(printed: str) -> None:
    assert list(outcome("info", printed)) == [printed.rstrip("\n")]


@pytest.mark.parametrize("verb", ["x", "xp", "help", "?"])
def test_rule_3_is_not_for_those_that_print_anything(verb: str) -> None:
    printed = "one\nError: it is data\n"
    assert list(outcome(verb, printed)) == ["one", "Error: it is data"]


@pytest.mark.parametrize(
    "printed",
    [
        "Command 'migrate' not available with -preconfig until machine initialization\n",
        'Command "stop" is not available\n',
    ],
)
def test_rule_4_it_is_not_available(printed: str) -> None:
    assert refused("migrate", printed) == printed.rstrip("\n")


@pytest.mark.parametrize(
    "printed", ["The Command 'a' not available\n", "Command not available\n", "Command 'a' is\n"]
)
def test_not_rule_4(printed: str) -> None:
    assert list(outcome("migrate", printed)) == [printed.rstrip("\n")]


FAILURES = [
    ("commit", "Device 'x' not found"),
    ("commit", "'commit' error for 'x': No medium found"),
    ("commit", "Device 'x' is in use"),
    ("cpu", "invalid CPU index"),
    ("sendkey", "invalid parameter: foo"),
    ("boot_set", "Invalid boot device 'x'"),
    ("mouse_set", "Mouse at index '9' not found"),
    ("logfile", "Error opening logfile /x: Permission denied"),
    ("log", "Error opening logfile /x: Permission denied"),
    ("drive_add", "Can't hot-add drive to type 3"),
    ("hostfwd_add", "unrecognized netdev id 'x'"),
    ("hostfwd_add", "invalid host forwarding rule 'x' (Bad protocol name)"),
    ("hostfwd_remove", "invalid format"),
    ("hostfwd_remove", "host forwarding rule for tcp::1 not found"),
    ("mce", "Invalid bank number"),
    ("mce", "MCE injection not allowed"),
    ("mce", "CPU 0: Uncorrected error reporting disabled"),
    ("gdbserver", "Could not open gdbserver on device 'x'"),
    ("i", "invalid size 3"),
    ("o", "invalid size 3"),
]


@pytest.mark.parametrize(("verb", "said"), FAILURES)
def test_rule_5_known_words_of_a_command(verb: str, said: str) -> None:
    assert refused(verb, f"{said}\n") == said


def test_rule_5_tells_the_first_line() -> None:
    assert refused("boot_set", "Invalid boot device 'x'\nmore\n") == "Invalid boot device 'x'"


@pytest.mark.parametrize(("verb", "said"), FAILURES)
def test_not_rule_5_another_command(verb: str, said: str) -> None:
    assert list(outcome("info", f"{said}\n")) == [said]


@pytest.mark.parametrize(
    ("verb", "said"), [f for f in FAILURES if f[0] not in ("drive_add", "mce")]
)
def test_not_rule_5_not_at_the_start(verb: str, said: str) -> None:
    assert list(outcome(verb, f"- {said}\n")) == [f"- {said}"]


def test_not_rule_5_mce() -> None:
    assert list(outcome("mce", "it was injected\n")) == ["it was injected"]


def test_not_rule_5_drive_add_says_ok() -> None:
    assert list(outcome("drive_add", "OK\n")) == ["OK"]


@pytest.mark.parametrize("verb", ["change", "cont", "set_password"])
def test_rule_5_a_prompt(verb: str) -> None:
    printed = "terminal does not support password prompting\n"
    assert refused(verb, printed) == "terminal does not support password prompting"


def test_rule_6_nothing_is_success() -> None:
    assert list(outcome("log", "")) == []


def test_rule_6_its_lines() -> None:
    assert list(outcome("info", "a\n\n  b: \nc\n")) == ["a", "", "  b: ", "c"]


def test_rule_6_a_last_line_may_have_no_end() -> None:
    assert list(outcome("print", "0x10")) == ["0x10"]


def test_rule_6_detached_migration_is_a_start() -> None:
    printed = "terminal does not allow synchronous migration, continuing detached\n"
    assert list(outcome("migrate", printed)) == [printed.rstrip("\n")]


@pytest.mark.parametrize("verb", ["delvm", "info", "stopcapture"])
def test_what_fails_silently_is_success(verb: str) -> None:
    assert list(outcome(verb, "\n")) == []


def test_long_output_is_not_split_beforehand() -> None:
    lines = outcome("info", "dev\n" * 200_000)
    assert iter(lines) is lines
    assert sum(1 for _ in lines) == 200_000


@pytest.mark.parametrize(
    ("verb", "printed"),
    [
        ("hostfwd_add", "Invalid host forwarding rule 'tcp:1:2' (Bad guest port)"),
        ("hostfwd_add", "Could not set up host forwarding rule 'tcp::1-:2'"),
        ("hostfwd_remove", "user mode network stack not in use"),
        ("drive_del", "Device 'nosuch' not found"),
        ("info", "No CPU available"),
        ("x", "Can not dump without CPU"),
    ],
)
def test_rule_5_more_failures_without_a_mark(verb: str, printed: str) -> None:
    with pytest.raises(CommandFailed) as failed:
        outcome(verb, printed + "\n")
    assert failed.value.reason == printed
