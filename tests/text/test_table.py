"""The commands of a text server: names, argument types, help."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txqmp.errors import CommandFailed, CommandRejected
from txqmp.text.grammar import parse_command
from txqmp.text.table import CommandTable, Entry

# The monitor of QEMU 0.11.0-rc0: its commands, and the types of their arguments.
MONITOR_OF_2009 = [
    ("help|?", "s?"),
    ("commit", "s"),
    ("info", "s?"),
    ("q|quit", ""),
    ("eject", "-fB"),
    ("change", "BFs?"),
    ("screendump", "F"),
    ("logfile", "F"),
    ("log", "s"),
    ("savevm", "s?"),
    ("loadvm", "s"),
    ("delvm", "s"),
    ("singlestep", "s?"),
    ("stop", ""),
    ("c|cont", ""),
    ("gdbserver", "s?"),
    ("x", "/l"),
    ("xp", "/l"),
    ("p|print", "/l"),
    ("i", "/ii."),
    ("o", "/ii"),
    ("sendkey", "si?"),
    ("system_reset", ""),
    ("system_powerdown", ""),
    ("sum", "ii"),
    ("usb_add", "s"),
    ("usb_del", "s"),
    ("cpu", "i"),
    ("mouse_move", "sss?"),
    ("mouse_button", "i"),
    ("mouse_set", "i"),
    ("wavcapture", "si?i?i?"),
    ("stopcapture", "i"),
    ("memsave", "lis"),
    ("pmemsave", "lis"),
    ("boot_set", "s"),
    ("nmi", "i"),
    ("migrate", "-ds"),
    ("migrate_cancel", ""),
    ("migrate_set_speed", "s"),
    ("migrate_set_downtime", "s"),
    ("drive_add", "ss"),
    ("pci_add", "sss?"),
    ("pci_del", "s"),
    ("host_net_add", "ss?"),
    ("host_net_remove", "is"),
    ("hostfwd_add", "ss?s?"),
    ("hostfwd_remove", "ss?s?"),
    ("balloon", "i"),
    ("set_link", "ss"),
    ("watchdog_action", "s"),
    ("acl_show", "s"),
    ("acl_policy", "ss"),
    ("acl_add", "sssi?"),
    ("acl_remove", "ss"),
    ("acl_reset", "s"),
    ("mce", "iillll"),
    *[
        (f"info {name}", "")
        for name in (
            "migrate balloon version network chardev block blockstats registers cpus history irq "
            "pic pci tlb mem hpet jit kqemu kvm numa usb usbhost profile capture snapshots status "
            "pcmcia mice vnc name uuid cpustats usernet qtree"
        ).split()
    ],
]


def entry(args: str, names: str = "cmd") -> Entry:
    return Entry(names, args, "", "", lambda request: None)


def bind(args: str, line: str = "") -> list[object]:
    """What a handler with arguments of these types is given for a line of them."""
    command = parse_command(b"cmd" + (b"" if line.startswith("/") else b" ") + line.encode())
    assert command is not None
    return list(entry(args).bind(command.arguments))


def refused(args: str, line: str = "") -> str:
    """Why a handler with arguments of these types is not called."""
    with pytest.raises(CommandFailed) as caught:
        bind(args, line)
    return caught.value.reason


class Request:
    """A command on its way to its handler."""

    def __init__(self, line: str) -> None:
        command = parse_command(line.encode())
        assert command is not None
        self.command = command
        self.name = command.verb


def call(table: CommandTable, line: str) -> Any:
    request: Any = Request(line)
    return table.call(request)


@pytest.fixture
def table() -> CommandTable:
    table = CommandTable()

    @table.command("set_link", args="ss", params="name up|down", help="change the link status")
    def set_link(request: Request, name: str, state: str) -> str:
        return f"{request.name}: {name} is {state}"

    @table.command("q|quit", help="quit the emulator")
    def quit_(request: Request) -> str:
        return request.name

    @table.command("info network", help="show the network state")
    def info_network(request: Request) -> str:
        return request.name

    @table.command("info name|n")
    def info_name(request: Request) -> str:
        return request.name

    return table


# Strings.


@pytest.mark.parametrize("letter", "sFB")
def test_a_string_is_taken_as_it_is(letter: str) -> None:
    assert bind(letter, "Up") == ["Up"]
    assert bind(letter, '"/tmp/a b"') == ["/tmp/a b"]
    assert bind(letter, "-1") == ["-1"]


@pytest.mark.parametrize("letter", "sFB")
def test_an_empty_string_in_quotes_is_a_string(letter: str) -> None:
    assert bind(letter, '""') == [""]


@pytest.mark.parametrize(
    ("letter", "reason"),
    [
        ("s", "cmd: string expected"),
        ("F", "cmd: filename expected"),
        ("B", "cmd: block device name expected"),
        ("i", "cmd: integer expected"),
        ("l", "cmd: integer expected"),
    ],
)
def test_rule_14_what_is_missing_is_said(letter: str, reason: str) -> None:
    assert refused(letter) == reason


# Integers.


@pytest.mark.parametrize("letter", "il")
@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("0", 0),
        ("7", 7),
        ("+7", 7),
        ("-7", -7),
        ("0x1F", 31),
        ("0X1f", 31),
        ("-0x10", -16),
        ("017", 15),
        ("-017", -15),
        ("00", 0),
        ("1234567890", 1234567890),
    ],
)
def test_an_integer_is_read_as_c_would(letter: str, word: str, value: int) -> None:
    assert bind(letter, word) == [value]


@pytest.mark.parametrize("letter", "il")
@pytest.mark.parametrize(
    "word",
    [
        "",
        "x",
        "1x",
        "08",
        "0x",
        "0xg",
        "x10",
        "--1",
        "+",
        "1.5",
        "1e3",
        "1_000",
        "0b1",
        "0o17",
        "1+1",
    ],
)
def test_what_is_no_integer_is_refused(letter: str, word: str) -> None:
    assert refused(letter, f'"{word}"') == f"cmd: integer expected, not '{word}'"


@pytest.mark.parametrize(
    ("letter", "word", "value"),
    [
        ("i", "0xffffffff", 2**32 - 1),
        ("i", "4294967295", 2**32 - 1),
        ("i", "037777777777", 2**32 - 1),
        ("i", "-2147483648", -(2**31)),
        ("l", "0xffffffffffffffff", 2**64 - 1),
        ("l", "18446744073709551615", 2**64 - 1),
        ("l", "-0x8000000000000000", -(2**63)),
    ],
)
def test_the_largest_and_the_smallest_integers(letter: str, word: str, value: int) -> None:
    assert bind(letter, word) == [value]


@pytest.mark.parametrize(
    ("letter", "word", "bits"),
    [
        ("i", "0x100000000", 32),
        ("i", "4294967296", 32),
        ("i", "-2147483649", 32),
        ("i?", "0x100000000", 32),
        ("l", "0x10000000000000000", 64),
        ("l", "18446744073709551616", 64),
        ("l", "-9223372036854775809", 64),
    ],
)
def test_an_integer_beyond_them_is_refused(letter: str, word: str, bits: int) -> None:
    assert refused(letter, word) == f"cmd: integer is for {bits}-bit values"


def test_an_integer_of_more_than_32_characters_is_not_even_converted() -> None:
    assert bind("l", "0" * 31 + "7") == [7]
    assert refused("l", "0" * 32 + "7").startswith("cmd: integer expected, not '0")


# Optional arguments.


@pytest.mark.parametrize("letter", "sFBil")
def test_an_optional_argument_may_be_missing(letter: str) -> None:
    assert bind(letter + "?") == [None]


@pytest.mark.parametrize("letter", "sFBil")
def test_an_optional_argument_that_is_there_is_taken(letter: str) -> None:
    assert bind(letter + "?", "7") == [7 if letter in "il" else "7"]


def test_an_optional_argument_that_is_there_must_be_of_its_type() -> None:
    assert refused("i?", "x") == "cmd: integer expected, not 'x'"


def test_optional_arguments_are_taken_in_their_order() -> None:
    assert bind("si?i?i?", "a.wav 44100 16") == ["a.wav", 44100, 16, None]


# Flags.


def test_a_flag_is_true_where_it_is_given() -> None:
    assert bind("-fB", "-f ide1-cd0") == [True, "ide1-cd0"]
    assert bind("-fB", "ide1-cd0") == [False, "ide1-cd0"]
    assert bind("-F", "-F") == [True]
    assert bind("-F") == [False]


def test_a_flag_is_known_only_in_its_place() -> None:
    assert refused("-fB", "ide1-cd0 -f") == "cmd: extraneous characters at the end of line"


@pytest.mark.parametrize("flag", ["-d", "-F"])
def test_another_flag_is_refused(flag: str) -> None:
    assert refused("-fB", f"{flag} ide1-cd0") == f"cmd: unsupported option {flag}"


@pytest.mark.parametrize("word", ["-", "-1", "-ff", "--f", "f"])
def test_what_is_no_flag_is_the_next_argument(word: str) -> None:
    assert bind("-fs", word) == [False, word]


def test_a_flag_does_not_stand_for_what_must_follow_it() -> None:
    assert refused("-fB", "-f") == "cmd: block device name expected"


# Formats.


def test_a_format_comes_without_its_slash() -> None:
    assert bind("/l", "/4i 0x10") == ["4i", 16]
    assert bind("/l", "/ 0x10") == ["", 16]


def test_a_format_may_be_missing() -> None:
    assert bind("/l", "0x10") == [None, 16]


def test_a_format_may_stand_alone_after_the_verb() -> None:
    assert entry("/l").bind(("/4i", "0x10")) == ["4i", 16]


def test_a_format_where_none_is_known_is_refused() -> None:
    assert refused("l", "/4i 0x10") == "cmd: integer expected, not '/4i'"


# Joined integers.


def test_an_integer_may_be_joined_to_the_one_before_it() -> None:
    assert bind("/ii.", "/2x 0x3c0.2") == ["2x", 0x3C0, 2]
    assert bind("/ii.", "0x3c0") == [None, 0x3C0, None]
    assert bind("li.", "0x100000000.0xffffffff") == [2**32, 2**32 - 1]
    assert bind("ii.ss", "1.2 .3 .4") == [1, 2, ".3", ".4"]
    assert bind("ii.ss", "1 a .4") == [1, None, "a", ".4"]


def test_it_may_stand_apart_with_its_dot_as_in_that_year() -> None:
    assert bind("ii.", "0x3c0 .2") == [0x3C0, 2]


@pytest.mark.parametrize("line", ["1.", "1.x", "1.2.3", ".2", "1.0x100000000"])
def test_a_bad_join_is_refused(line: str) -> None:
    assert refused("ii.", line).startswith("cmd: integer")


def test_an_integer_that_has_none_joined_takes_no_dot() -> None:
    assert refused("ii", "1.2 3") == "cmd: integer expected, not '1.2'"


# Too much.


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ("", "x"),
        ("s", "a b"),
        ("i?", "1 2"),
        ("/l", "/x 1 2"),
        ("ii.", "1.2 .3"),
        ("ii.", "1 2"),
        ("", '""'),
    ],
)
def test_extraneous_words_are_refused(args: str, line: str) -> None:
    assert refused(args, line) == "cmd: extraneous characters at the end of line"


@settings(deadline=None)
@given(
    st.sampled_from([args for _, args in MONITOR_OF_2009]),
    st.lists(st.text(st.sampled_from('-./x0f1 \\"\n'), max_size=5) | st.text(), max_size=6),
)
def test_whatever_the_words_they_are_bound_or_refused(args: str, words: list[str]) -> None:
    try:
        values = entry(args).bind(tuple(words))
    except CommandFailed as error:
        reason = error.reason
        assert reason.startswith("cmd: ")
    else:
        assert len(values) == len(entry(args).types)


# Registration.


def test_every_command_of_2009_has_types_that_are_understood() -> None:
    for names, args in MONITOR_OF_2009:
        assert (names, "".join(entry(args, names).types)) == (names, args)


SAMPLES: dict[str, tuple[str, object]] = {
    "s": (" on", "on"),
    "F": (" /tmp/x", "/tmp/x"),
    "B": (" ide0-hd0", "ide0-hd0"),
    "i": (" 0x10", 16),
    "l": (" 0x100000000", 2**32),
    "/": ("/2x", "2x"),
    "-f": (" -f", True),
    "-d": (" -d", True),
    "i.": (".2", 2),
}


def test_every_command_of_2009_can_be_given_all_its_arguments() -> None:
    for names, args in MONITOR_OF_2009:
        given = [SAMPLES[kind.rstrip("?")] for kind in entry(args).types]
        line = "".join(word for word, _ in given)
        assert (names, bind(args, line)) == (names, [value for _, value in given])


def test_every_command_of_2009_can_be_given_only_what_it_needs() -> None:
    for names, args in MONITOR_OF_2009:
        types = entry(args).types
        needed = ["1" for kind in types if kind in "sFBil"]
        assert (names, len(bind(args, " ".join(needed)))) == (names, len(types))
        if needed:
            assert (names, refused(args, " ".join(needed[1:]))[-8:]) == (names, "expected")


def test_the_whole_monitor_of_2009_fits_in_one_table() -> None:
    table = CommandTable()
    for names, args in MONITOR_OF_2009:
        if names not in ("help|?", "info"):
            table.command(names, args)(lambda request, *values: None)
    assert len(list(table)) == len(MONITOR_OF_2009)


@pytest.mark.parametrize(
    "args",
    [*"z S I s! s?? ? - -1 --f f- -f? i.. s. F. . i. si. i?i. /? s/ //".split(), " s", "s s"],
)
def test_types_that_mean_nothing_are_refused_at_once(args: str) -> None:
    with pytest.raises(ValueError, match="argument types"):
        CommandTable().command("cmd", args)(lambda request: None)


@pytest.mark.parametrize(
    "names",
    ["", "|", "a|", "|a", "foo bar", "infos x", "x/i", '"a"', "a\tb", "a\n", "é", "a b|c"],
)
@pytest.mark.parametrize("info", ["", "info "])
def test_a_name_that_no_client_can_send_is_refused_at_once(info: str, names: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        CommandTable().command(info + names)(lambda request: None)


@pytest.mark.parametrize(
    "names", ["set_link", "SET_LINK", "q", "x|quit", "help", "?", "info", "info network", "INFO n"]
)
def test_a_name_that_is_taken_is_refused_at_once(table: CommandTable, names: str) -> None:
    before = list(table)
    with pytest.raises(ValueError, match="there already"):
        table.command(names)(lambda request: None)
    assert list(table) == before


def test_a_refused_registration_leaves_no_alias_behind(table: CommandTable) -> None:
    with pytest.raises(ValueError, match="there already"):
        table.command("x|quit")(lambda request: None)
    with pytest.raises(CommandRejected):
        table.lookup("x", ())


def test_a_command_and_a_sub_command_may_have_one_name(table: CommandTable) -> None:
    table.command("network")(lambda request: "the command")
    assert call(table, "network") == "the command"
    assert call(table, "info network") == "info network"


def test_the_decorator_gives_the_handler_back() -> None:
    def handler(request: Request) -> None: ...

    assert CommandTable().command("cmd")(handler) is handler


# Calling.


def test_a_handler_gets_the_request_and_its_arguments(table: CommandTable) -> None:
    assert call(table, "set_link e1000.0 down") == "set_link: e1000.0 is down"


def test_rule_07_the_verb_and_the_sub_command_ignore_case(table: CommandTable) -> None:
    assert call(table, "Set_Link E1000.0 DOWN") == "set_link: E1000.0 is DOWN"
    assert call(table, "INFO Network") == "info network"


@pytest.mark.parametrize("line", ["q", "Q", "quit"])
def test_rule_02_an_alias_goes_by_the_canonical_name(table: CommandTable, line: str) -> None:
    assert call(table, line) == "quit"


@pytest.mark.parametrize("line", ["info name", "info n", "info N"])
def test_rule_02_so_does_the_alias_of_a_sub_command(table: CommandTable, line: str) -> None:
    assert call(table, line) == "info name"


def test_rule_02_the_name_is_known_when_the_arguments_are_wrong(table: CommandTable) -> None:
    request: Any = Request("q now")
    with pytest.raises(CommandFailed, match="quit: extraneous"):
        table.call(request)
    assert request.name == "quit"


@pytest.mark.parametrize("line", ["foo", "set_linkx", '""', "network", '"info network"', "qu"])
def test_rule_14_an_unknown_command_is_bad(table: CommandTable, line: str) -> None:
    with pytest.raises(CommandRejected) as caught:
        call(table, line)
    assert caught.value.reason == "unknown command"


@pytest.mark.parametrize("line", ["set_link", "set_link a", "set_link a b c", "info network x"])
def test_rule_14_wrong_arguments_of_a_known_command_are_an_error(
    table: CommandTable, line: str
) -> None:
    with pytest.raises(CommandFailed):
        call(table, line)


@pytest.mark.parametrize("line", ["info foo", "info quit", 'info ""', "info/x", "info network/x"])
def test_rule_15_an_unknown_sub_command_is_bad(table: CommandTable, line: str) -> None:
    with pytest.raises(CommandRejected) as caught:
        call(table, line)
    assert caught.value.reason == "unknown command"


def test_an_error_of_a_handler_is_let_through(table: CommandTable) -> None:
    @table.command("fail")
    def fail(request: Request) -> None:
        raise CommandFailed("device is locked")

    with pytest.raises(CommandFailed, match="device is locked"):
        call(table, "fail")


# Help.


def test_help_lists_the_commands_without_the_sub_commands(table: CommandTable) -> None:
    assert call(table, "help") == [
        "help|? [cmd] -- show the help",
        "info [subcommand] -- show various information",
        "q|quit -- quit the emulator",
        "set_link name up|down -- change the link status",
    ]


def test_info_lists_the_sub_commands(table: CommandTable) -> None:
    listed = ["info name|info n", "info network -- show the network state"]
    assert call(table, "info") == listed
    assert call(table, "help info") == listed
    assert call(table, "HELP INFO") == listed


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("help quit", "q|quit -- quit the emulator"),
        ("? Q", "q|quit -- quit the emulator"),
        ("help set_link", "set_link name up|down -- change the link status"),
        ("help info network", "info network -- show the network state"),
        ("help INFO Network", "info network -- show the network state"),
        ("help ?", "help|? [cmd] -- show the help"),
    ],
)
def test_help_shows_one_command(table: CommandTable, line: str, shown: str) -> None:
    assert call(table, line) == [shown]


@pytest.mark.parametrize("asked", ["foo", "info foo", "network", "quit now"])
def test_help_names_the_command_that_it_does_not_know(table: CommandTable, asked: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        call(table, f"help {asked}")
    assert caught.value.reason == f"help: no command '{asked}'"


def test_help_takes_no_more_than_a_command(table: CommandTable) -> None:
    with pytest.raises(CommandFailed, match="help: extraneous"):
        call(table, "help info network x")


def test_entries_come_once_each_by_name(table: CommandTable) -> None:
    assert [e.name for e in table] == [
        "help",
        "info",
        "info name",
        "info network",
        "quit",
        "set_link",
    ]


def test_an_entry_says_what_it_is(table: CommandTable) -> None:
    found, words = table.lookup("set_link", ("a", "b"))
    assert words == ("a", "b")
    assert found.aliases == ("set_link",)
    assert found.parameters == "name up|down"
    assert found.summary == "change the link status"
    assert found.types == ["s", "s"]
