"""Bytes to messages and back; a test named ``rule_NN`` holds that rule of the interpretation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from txqmp.errors import InvalidCommand, ProtocolViolation
from txqmp.text.grammar import (
    MAX_COMMAND_LENGTH,
    Command,
    Completion,
    Event,
    Failure,
    Greeting,
    Output,
    Rejection,
    ServerMessage,
    Success,
    Unknown,
    check_command_line,
    parse_command,
    parse_greeting,
    parse_server_line,
    printable,
    quote,
    split_words,
    write_command,
    write_event,
    write_failure,
    write_greeting,
    write_output,
    write_rejection,
    write_success,
)


def command(line: bytes, strict: bool = False) -> tuple[str, tuple[str, ...]]:
    """The verb and the arguments of a line."""
    parsed = parse_command(line, strict)
    assert parsed is not None
    return parsed.verb, parsed.arguments


def read(line: bytes) -> tuple[type, object]:
    """A message and its kind: named tuples of two kinds can be equal."""
    message = parse_server_line(line)
    return type(message), message


def kind(message: object) -> tuple[type, object]:
    """What :func:`read` gives for a message."""
    return type(message), message


def write(message: ServerMessage | Greeting) -> bytes:
    """Write what a server may say."""
    match message:
        case Greeting(qemu, qmp):
            return write_greeting(qemu, qmp)
        case Success(done):
            return write_success(done)
        case Failure(reason):
            return write_failure(reason)
        case Rejection(reason):
            return write_rejection(reason)
        case Output(text):
            return write_output(text)
        case Event(name, data):
            return write_event(name, data)
    raise AssertionError(message)


# Section 4 of the draft, line by line.


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"+ OK cont completed", Success("cont")),
        (b"= VLAN 0 devices:", Output("VLAN 0 devices:")),
        (b"= user.0:", Output("user.0:")),
        (
            b"= ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56",
            Output("ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56"),
        ),
        (b"+ OK info network completed", Success("info network")),
        (b"* EVENT reboot", Event("reboot")),
        (b"- BAD unknown command", Rejection("unknown command")),
        (
            b"- ERR could not find network device 'foo'",
            Failure("could not find network device 'foo'"),
        ),
    ],
)
def test_what_the_server_says_in_the_draft(line: bytes, message: ServerMessage) -> None:
    assert read(line) == kind(message)
    assert write(message) == line


@pytest.mark.parametrize(
    ("line", "verb", "arguments"),
    [
        (b"cont", "cont", ()),
        (b"info network", "info", ("network",)),
        (b"info balloon", "info", ("balloon",)),
        (b"foo", "foo", ()),
        (b"set_link foo down", "set_link", ("foo", "down")),
    ],
)
def test_what_the_client_says_in_the_draft(
    line: bytes, verb: str, arguments: tuple[str, ...]
) -> None:
    assert parse_command(line) == Command(verb, arguments, line.decode())
    assert write_command(verb, *arguments) == line


# Rule 1: data lines.


def test_rule_01_a_bare_equals_sign_is_an_empty_line() -> None:
    assert read(b"=") == kind(Output(""))
    assert write_output("") == b"="


def test_rule_01_an_equals_sign_and_its_space_are_an_empty_line_too() -> None:
    assert read(b"= ") == kind(Output(""))


def test_rule_01_exactly_one_space_is_taken_off() -> None:
    assert read(b"=   user.0: ") == kind(Output("  user.0: "))
    assert write_output("  user.0: ") == b"=   user.0: "


def test_rule_01_a_missing_space_is_forgiven() -> None:
    assert read(b"=user.0:") == kind(Output("user.0:"))


def test_rule_01_data_that_looks_like_another_message_is_data() -> None:
    assert read(b"= + OK stop completed") == kind(Output("+ OK stop completed"))
    assert read(b"== x") == kind(Output("= x"))


# Rule 2: what is completed.


def test_rule_02_a_success_names_the_sub_command() -> None:
    assert write_success("info network") == b"+ OK info network completed"


@pytest.mark.parametrize(
    ("line", "done"),
    [
        (b"+ OK set_link foo down completed", "set_link foo down"),
        (b"+ OK completed completed", "completed"),
        (b"+ OK completed", ""),
        (b"+ OK  completed", ""),
        (b"+ OK done", "done"),
        (b"+ OK uncompleted", "uncompleted"),
        (b"+ OK completed stop", "completed stop"),
        (b"+ OK stop completed  ", "stop"),
        (b"+ OK ", ""),
        (b"+ OK", ""),
    ],
)
def test_rule_02_any_text_may_follow_ok(line: bytes, done: str) -> None:
    assert read(line) == kind(Success(done))


# Rule 3: the completions.


@pytest.mark.parametrize("line", [b"+ OK stop completed", b"- ERR no", b"- BAD no"])
def test_rule_03_these_lines_complete_a_command(line: bytes) -> None:
    assert isinstance(parse_server_line(line), Completion)


@pytest.mark.parametrize("line", [b"= + OK x completed", b"* EVENT stop", b"* OK x completed"])
def test_rule_03_no_other_line_completes_a_command(line: bytes) -> None:
    assert not isinstance(parse_server_line(line), Completion)


# Rule 6: events.


def test_rule_06_an_event_is_a_line_of_its_own() -> None:
    assert read(b"* EVENT reboot") == kind(Event("reboot", ""))
    assert read(b"= * EVENT reboot") == kind(Output("* EVENT reboot"))


def test_rule_06_data_may_follow_the_name_though_the_draft_has_no_place_for_it() -> None:
    line = b"* EVENT block_io_error device=ide0-hd0 operation=write"
    event = Event("block_io_error", "device=ide0-hd0 operation=write")
    assert read(line) == kind(event)
    assert write(event) == line


def test_rule_06_data_never_becomes_the_name() -> None:
    assert write_event("", "reboot") == b"* EVENT "


def test_rule_06_a_name_that_would_be_read_as_name_and_data_is_escaped() -> None:
    assert write_event("a b\tc", "d e") == rb"* EVENT a\x20b\x09c d e"


# Rule 7: case.


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"+ ok STOP Completed", Success("STOP")),
        (b"- Err No", Failure("No")),
        (b"- bad No", Rejection("No")),
        (b"* event Reboot", Event("Reboot")),
    ],
)
def test_rule_07_key_words_ignore_case_and_all_else_is_verbatim(
    line: bytes, message: ServerMessage
) -> None:
    assert read(line) == kind(message)


def test_rule_07_the_greeting_ignores_case() -> None:
    assert parse_greeting(b"+ ok Qemu 0.10.50-RC1 qmp 0.1") == Greeting("0.10.50-RC1", "0.1")


def test_rule_07_the_verb_ignores_case_and_arguments_do_not() -> None:
    assert command(b"Set_Link Foo DOWN") == ("set_link", ("Foo", "DOWN"))


# Rule 8: separators.


def test_rule_08_more_than_single_spaces_around_key_words_are_forgiven() -> None:
    assert read(b"+  OK stop completed") == kind(Success("stop"))
    assert read(b"-   ERR no") == kind(Failure("no"))
    assert read(b"*  EVENT  reboot") == kind(Event("reboot"))


def test_rule_08_a_client_sends_single_spaces() -> None:
    assert write_command("set_link", "foo", "down") == b"set_link foo down"


@pytest.mark.parametrize(
    "line",
    [
        b"  set_link   foo  down ",
        b"\tset_link\tfoo \t down\t",
        b'set_link  "foo"\tdown ',
        b'set_link\tfoo\t"down"',
    ],
)
def test_rule_08_a_server_collapses_runs_and_trims(line: bytes) -> None:
    assert command(line) == ("set_link", ("foo", "down"))


@pytest.mark.parametrize(
    "line", [b"set_link foo down", b'set_link "foo" down', b'"set_link" foo down']
)
def test_rule_08_a_strict_server_takes_single_spaces(line: bytes) -> None:
    assert command(line, strict=True) == ("set_link", ("foo", "down"))


@pytest.mark.parametrize(
    "line",
    [
        b" set_link foo",
        b"set_link foo ",
        b"set_link  foo",
        b"set_link\tfoo",
        b"   ",
        b' set_link "foo"',
        b'set_link "foo" ',
        b'set_link  "foo"',
        b'set_link "foo"  "bar"',
        b'set_link\t"foo"',
    ],
)
def test_rule_08_a_strict_server_takes_nothing_else(line: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        parse_command(line, strict=True)


def test_rule_08_spaces_in_quotes_are_no_separators() -> None:
    assert command(b'a "  b  "', strict=True) == ("a", ("  b  ",))


def test_rule_08_tabs_in_quotes_are_no_separators() -> None:
    assert command(b'a "\tb"') == ("a", ("\tb",))


# Rule 9: quoting.


@pytest.mark.parametrize(
    ("argument", "written"),
    [
        ("", '""'),
        ("a b", '"a b"'),
        (" ", '" "'),
        ('say "hi"', r'"say \"hi\""'),
        ("C:\\x", r'"C:\\x"'),
        ("it's", "it's"),
        ("/tmp/x", "/tmp/x"),
        ("-f", "-f"),
    ],
)
def test_rule_09_an_argument_is_quoted_only_where_it_must_be(argument: str, written: str) -> None:
    assert quote(argument) == written
    assert split_words(written) == [argument]


def test_rule_09_the_escapes_of_that_year_are_read() -> None:
    assert command(rb'a "\n\r\\\'\""') == ("a", ("\n\r\\'\"",))


def test_rule_09_an_escape_is_read_once() -> None:
    assert command(rb'a "\\n"') == ("a", ("\\n",))


@pytest.mark.parametrize(
    "line",
    [b'a "b', b'a "', b'a "b"c', b'a "b""c"', rb'a "\t"', rb'a "\x41"', rb'a "b\"', b'"'],
)
@pytest.mark.parametrize("strict", [False, True])
def test_rule_09_a_bad_quotation_is_refused(line: bytes, strict: bool) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_command(line, strict)
    assert caught.value.line == line


def test_rule_09_quotes_and_backslashes_inside_a_word_are_its_own() -> None:
    assert command(rb'a b"c d\e') == ("a", ('b"c', r"d\e"))


@pytest.mark.parametrize(
    "hostile", ["\r\nquit", "\n", "\r", "\0", "\t", "\x1b[m", "\x7f", "é", "\udc80"]
)
def test_rule_09_what_cannot_be_sent_is_refused_before_it_is_sent(hostile: str) -> None:
    with pytest.raises(InvalidCommand):
        write_command("change", "vnc", hostile)
    with pytest.raises(InvalidCommand):
        write_command("change" + hostile)
    with pytest.raises(InvalidCommand):
        check_command_line("change vnc " + hostile)


def test_rule_09_the_raw_line_is_kept() -> None:
    line = b'  Change  vnc "a\\nb" '
    assert parse_command(line) == Command("change", ("vnc", "a\nb"), line.decode())


# Rule 10: line ends.


@pytest.mark.parametrize("line", [b"stop\r", b"st\rop", b"\r", b'a "\r"', b"stop\n"])
@pytest.mark.parametrize("strict", [False, True])
def test_rule_10_a_line_end_inside_a_command_is_an_error(line: bytes, strict: bool) -> None:
    with pytest.raises(ProtocolViolation):
        parse_command(line, strict)


@pytest.mark.parametrize(
    "line", [b"= a\rb", b"+ OK a completed\r", b"* EVENT x\r", b"* \r", b"= a\nb", b"- ERR\n"]
)
def test_rule_10_a_line_end_inside_a_server_line_is_an_error(line: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        parse_server_line(line)


def test_rule_10_a_carriage_return_inside_the_greeting_is_an_error() -> None:
    with pytest.raises(ProtocolViolation):
        parse_greeting(b"+ OK QEMU 0.10\r.50 QMP 0.1")


# Rule 11: empty lines.


@pytest.mark.parametrize("line", [b"", b" ", b"   ", b"\t "])
def test_rule_11_an_empty_line_is_no_command(line: bytes) -> None:
    assert parse_command(line) is None


def test_rule_11_an_empty_line_is_no_command_for_a_strict_server_either() -> None:
    assert parse_command(b"", strict=True) is None


def test_rule_11_an_empty_word_in_quotes_is_a_command_and_will_be_answered() -> None:
    assert command(b'""') == ("", ())


@pytest.mark.parametrize("line", ["", " ", "   "])
def test_rule_11_a_client_sends_no_line_that_would_not_be_answered(line: str) -> None:
    with pytest.raises(InvalidCommand):
        check_command_line(line)


# Rule 12: length.


def test_rule_12_a_command_may_have_4095_bytes() -> None:
    assert MAX_COMMAND_LENGTH == 4095
    line = write_command("log", "x" * 4091)
    assert len(line) == 4095
    assert check_command_line(line.decode()) == line


def test_rule_12_one_more_is_refused_before_it_is_sent() -> None:
    with pytest.raises(InvalidCommand):
        write_command("log", "x" * 4092)
    with pytest.raises(InvalidCommand):
        check_command_line("x" * 4096)


def test_rule_12_quotes_count() -> None:
    with pytest.raises(InvalidCommand):
        write_command("log", "x x", limit=8)
    assert write_command("log", "x x", limit=9) == b'log "x x"'


# Rule 13: ASCII.


@pytest.mark.parametrize("line", [b"stop \xff", "savevm é".encode(), b"\x80"])
@pytest.mark.parametrize("strict", [False, True])
def test_rule_13_a_command_that_is_not_ascii_is_refused(line: bytes, strict: bool) -> None:
    with pytest.raises(ProtocolViolation, match="ASCII"):
        parse_command(line, strict)


@pytest.mark.parametrize("line", [b"stop\0", b"st\x1b[mop", b"a \x7f", b'a "\x07"'])
def test_rule_13_control_characters_in_a_command_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        parse_command(line)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("é", rb"\xe9"),
        ("\x80\xff", rb"\x80\xff"),
        ("Ā€", rb"\u0100\u20ac"),
        ("\uffff\U00010000", rb"\uffff\U00010000"),
        ("💾", rb"\U0001f4be"),
        ("\udc80", rb"\udc80"),
        ("a\r\nb", rb"a\x0d\x0ab"),
        ("\0\x1b\x7f", rb"\x00\x1b\x7f"),
        ("\u2028", rb"\u2028"),
        ("a\tb ~", b"a\tb ~"),
        ("C:\\x", rb"C:\x"),
    ],
)
def test_rule_13_output_that_is_not_ascii_is_escaped(text: str, written: bytes) -> None:
    assert printable(text) == written
    assert write_output(text) == b"= " + written


def test_rule_13_what_a_server_sends_beyond_ascii_is_not_lost() -> None:
    text = b"caf\xc3\xa9".decode("ascii", "surrogateescape")
    assert read(b"= caf\xc3\xa9") == kind(Output(text))


# Rule 14: BAD or ERR.


def test_rule_14_bad_and_err_are_told_apart() -> None:
    assert read(b"- BAD no") == kind(Rejection("no"))
    assert read(b"- ERR no") == kind(Failure("no"))
    assert write_rejection("no") == b"- BAD no"
    assert write_failure("no") == b"- ERR no"


@pytest.mark.parametrize("line", [b"- ERR", b"- ERR "])
def test_rule_14_an_error_may_have_no_reason(line: bytes) -> None:
    assert read(line) == kind(Failure(""))


# Rule 17: the greeting.


@pytest.mark.parametrize(
    ("line", "qemu", "qmp"),
    [
        (b"+ OK QEMU 0.10.50 QMP 0.1", "0.10.50", "0.1"),
        (b"+ OK QEMU 7.2.0 (Debian 1:7.2+dfsg-7) QMP 0.1", "7.2.0 (Debian 1:7.2+dfsg-7)", "0.1"),
        (b"+ OK QEMU a QMP 0.9 QMP 0.2", "a QMP 0.9", "0.2"),
        (b"+ OK QEMU 1 QMP 0.99", "1", "0.99"),
    ],
)
def test_rule_17_a_greeting_names_two_versions(line: bytes, qemu: str, qmp: str) -> None:
    assert parse_greeting(line) == Greeting(qemu, qmp)
    assert write_greeting(qemu, qmp) == line


def test_rule_17_more_than_single_spaces_are_forgiven() -> None:
    assert parse_greeting(b"+  OK  QEMU  1.0  QMP  0.1  ") == Greeting("1.0", "0.1")


def test_rule_17_ours_is_of_version_0_1() -> None:
    assert write_greeting("0.10.50") == b"+ OK QEMU 0.10.50 QMP 0.1"


@pytest.mark.parametrize("version", [b"1.0", b"1", b"0", b"00.1", b"10.1", b"x0.1"])
def test_rule_17_another_major_version_is_refused(version: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        parse_greeting(b"+ OK QEMU 0.10.50 QMP " + version)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"+ OK",
        b"+ OK QEMU 0.10.50",
        b"+ OK QEMU QMP 0.1",
        b"+ OK QEMU 0.10.50 QMP ",
        b"+ OK QEMU 0.10.50 QMP 0.1 0.1",
        b"- OK QEMU 0.10.50 QMP 0.1",
        b"- ERR busy",
        b" + OK QEMU 0.10.50 QMP 0.1",
        b"* EVENT reboot",
        b"= x",
        b"QEMU 0.10.50 monitor - type 'help' for more information",
    ],
)
def test_rule_17_anything_else_is_no_greeting(line: bytes) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_greeting(line)
    assert caught.value.line == line


# Rule 19: no prompts.


@pytest.mark.parametrize("line", [b"(qemu) ", b"(qemu) = x", b"Password: ", b"> ", b"x"])
def test_rule_19_a_prompt_is_a_violation(line: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        parse_server_line(line)


# Rule 22: other first bytes.


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"*", ""),
        (b"* ", ""),
        (b"* NOTICE the end is near", "NOTICE the end is near"),
        (b"* EVENT", "EVENT"),
        (b"* EVENT ", "EVENT"),
        (b"*EVENT reboot", "EVENT reboot"),
        (b"* EVENTS reboot", "EVENTS reboot"),
        (b"* EVENT \xff", "EVENT \udcff"),
    ],
)
def test_rule_22_a_star_line_that_is_no_event_is_to_be_ignored(line: bytes, text: str) -> None:
    assert read(line) == kind(Unknown(text))


def test_rule_22_an_event_nobody_knows_is_an_event() -> None:
    assert read(b"* EVENT made_up-in.2031") == kind(Event("made_up-in.2031"))


def test_rule_22_any_other_first_byte_is_a_violation() -> None:
    for first in set(range(256)) - set(b"+-=*"):
        line = bytes([first]) + b" OK stop completed"
        with pytest.raises(ProtocolViolation) as caught:
            parse_server_line(line)
        assert caught.value.line == line


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"+",
        b"-",
        b"+ ",
        b"+ ERR x",
        b"+ BAD x",
        b"- OK x completed",
        b"- x",
        b"+OK x completed",
        b"+ OKx completed",
        b"- ERRx",
        b" + OK x completed",
    ],
)
def test_rule_22_a_half_right_completion_is_a_violation(line: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        parse_server_line(line)


# Rule 23: a success without data.


def test_rule_23_nothing_but_the_completion_is_a_whole_reply() -> None:
    assert read(b"+ OK info name completed") == kind(Success("info name"))


# Rule 24: dialects.


@pytest.mark.parametrize("line", [b'{"QMP": {"version": {}}}', b"{", b"{ + OK QEMU 1 QMP 0.1"])
def test_rule_24_a_brace_is_json(line: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="JSON"):
        parse_greeting(line)


def test_rule_24_a_plus_is_text() -> None:
    assert write_greeting("0.10.50").startswith(b"+")
    with pytest.raises(ProtocolViolation, match="not a QMP"):
        parse_greeting(b"[]")


# Formats.


@pytest.mark.parametrize(
    ("line", "verb", "arguments"),
    [
        (b"x/4i 0", "x", ("/4i", "0")),
        (b"X/4I 0", "x", ("/4I", "0")),
        (b"x /4i 0", "x", ("/4i", "0")),
        (b"p/", "p", ("/",)),
        (b"a/b/c", "a", ("/b/c",)),
        (b"/x y", "/x", ("y",)),
        (b"/", "/", ()),
    ],
)
def test_a_format_is_split_off_its_verb(line: bytes, verb: str, arguments: tuple[str, ...]) -> None:
    assert command(line) == (verb, arguments)


def test_a_verb_may_be_written_with_its_format() -> None:
    assert write_command("x/4i", 4096) == b"x/4i 4096"


@pytest.mark.parametrize("verb", ["", " ", "info network", '"stop"', '"', " stop", "stop "])
def test_a_verb_that_would_be_read_as_another_is_refused(verb: str) -> None:
    with pytest.raises(InvalidCommand):
        write_command(verb)


def test_integers_are_written_in_decimal() -> None:
    assert write_command("balloon", 512, -1) == b"balloon 512 -1"


# Properties. Text is drawn from what means something, and from anything.

MEANINGFUL = st.sampled_from(
    [*" \"\\'/nr=*+-\t\r\n\0é\x7f", "OK", "completed", "QMP", "\u20ac", "\udc80"]
)
ANYTHING = st.lists(MEANINGFUL | st.characters(), max_size=12).map("".join)
PRINTABLE = st.text(st.sampled_from("\t !\"'\\/=*+-azAZ09~"), max_size=12) | st.lists(
    st.sampled_from([" ", "completed", "EVENT", "x"]), max_size=6
).map("".join)
NAMES = st.text(st.sampled_from("!\"'\\=*+-azAZ09~"), min_size=1, max_size=8)
VERSIONS = PRINTABLE.map(lambda t: t.strip(" \t")).filter(bool)
MESSAGES: st.SearchStrategy[Any] = st.one_of(
    st.builds(Success, PRINTABLE),
    st.builds(Failure, PRINTABLE),
    st.builds(Rejection, PRINTABLE),
    st.builds(Output, PRINTABLE),
    st.builds(Event, NAMES, PRINTABLE),
)
WORDS = [b"+", b"-", b"=", b"*", b"OK", b"ERR", b"BAD", b"EVENT", b"QEMU", b"QMP", b"0.1", b"{"]
PIECES = [b" ", b"  ", b"completed", b"x", b"Y", b'"', b"\\", b"n", b"/", b"\t", b"\0", b"\xff"]
TAILS = st.lists(st.sampled_from(PIECES), max_size=10).map(b"".join)
BYTES = st.binary(max_size=30) | st.lists(
    st.sampled_from([*WORDS, *PIECES, b"\r", b"\n"]), max_size=10
).map(b"".join)
OPENINGS = st.sampled_from(
    [b"+ OK", b"-  err ", b"- BAD ", b"=", b"= ", b"* EVENT x", b"*  event "]
)


@settings(deadline=None, max_examples=300)
@given(MESSAGES)
@example(Success("completed"))
@example(Success(""))
@example(Failure(" x"))
@example(Event("a", " b"))
def test_a_message_written_is_read_back_as_itself(message: ServerMessage) -> None:
    assert read(write(message)) == kind(message)


@settings(deadline=None)
@given(VERSIONS, NAMES)
@example("a QMP 0.1", "1")
def test_a_greeting_written_is_read_back_as_itself(qemu: str, minor: str) -> None:
    assert parse_greeting(write_greeting(qemu, "0." + minor)) == Greeting(qemu, "0." + minor)


CANONICAL = st.one_of(
    st.builds(lambda t: f"+ OK {t} completed", PRINTABLE),
    st.builds(lambda t: f"- ERR {t}", PRINTABLE),
    st.builds(lambda t: f"- BAD {t}", PRINTABLE),
    st.builds(lambda t: f"= {t}" if t else "=", PRINTABLE),
    st.builds(lambda n: f"* EVENT {n}", NAMES),
    st.builds(lambda n, t: f"* EVENT {n} {t}", NAMES, PRINTABLE.filter(bool)),
).map(str.encode)


@settings(deadline=None, max_examples=300)
@given(CANONICAL)
def test_a_line_read_is_written_back_as_itself(line: bytes) -> None:
    assert write(parse_server_line(line)) == line


@settings(deadline=None, max_examples=300)
@given(BYTES, st.booleans())
def test_hostile_bytes_raise_nothing_but_violations(line: bytes, strict: bool) -> None:
    readers: list[Callable[[], object]] = [
        lambda: parse_greeting(line),
        lambda: parse_server_line(line),
        lambda: parse_command(line, strict),
        lambda: split_words(line.decode("latin-1"), strict),
    ]
    for reader in readers:
        with suppress(ProtocolViolation):
            reader()


@settings(deadline=None)
@given(OPENINGS, TAILS)
def test_what_was_read_leniently_is_written_canonically_once_and_for_all(
    opening: bytes, tail: bytes
) -> None:
    try:
        message = parse_server_line(opening + tail)
    except ProtocolViolation:
        return
    if not isinstance(message, Unknown):
        written = write(message)
        assert write(parse_server_line(written)) == written


@settings(deadline=None, max_examples=300)
@given(ANYTHING, ANYTHING)
def test_whatever_a_server_says_stays_one_line_of_its_kind(one: str, two: str) -> None:
    for line, expected in (
        (write_success(one), Success),
        (write_failure(one), Failure),
        (write_rejection(one), Rejection),
        (write_output(one), Output),
        (write_event(one, two), Event if one else Unknown),
    ):
        assert not set(line) - set(b"\t") - set(range(0x20, 0x7F))
        assert type(parse_server_line(line)) is expected
    assert not set(write_greeting(one, two)) - set(b"\t") - set(range(0x20, 0x7F))


@settings(deadline=None, max_examples=300)
@given(ANYTHING, st.lists(ANYTHING, max_size=3), st.booleans())
@example('"stop"', [], False)
@example("x/4i", ["0"], True)
@example("stop", [""], True)
@example("a", ["\\", '"', '\\"'], True)
def test_a_command_is_refused_or_read_back_as_itself(
    verb: str, arguments: list[str], strict: bool
) -> None:
    try:
        line = write_command(verb, *arguments)
    except InvalidCommand:
        return
    assert not set(line) - set(range(0x20, 0x7F))
    name, slash, form = verb.partition("/")
    if name and slash:
        verb, arguments = name, ["/" + form, *arguments]
    assert parse_command(line, strict) == Command(verb.lower(), tuple(arguments), line.decode())


@settings(deadline=None)
@given(NAMES.filter(lambda n: '"' not in n), st.lists(PRINTABLE.filter(lambda t: "\t" not in t)))
def test_only_what_must_be_refused_is_refused(verb: str, arguments: list[str]) -> None:
    assert write_command(verb, *arguments).startswith(verb.encode())


WORD = st.text(st.sampled_from("!'/=*+-azAZ09~"), min_size=1, max_size=6)
QUOTED = st.text(st.sampled_from(" a'"), max_size=6).filter(lambda t: not t or " " in t) | st.just(
    r"\\ \""
)


@settings(deadline=None)
@given(
    st.text(st.sampled_from("az_?"), min_size=1, max_size=6),
    st.lists(WORD | QUOTED.map(lambda t: f'"{t}"'), max_size=4),
)
def test_a_canonical_command_read_is_written_back_as_itself(verb: str, words: list[str]) -> None:
    line = " ".join([verb, *words]).encode()
    name, arguments = command(line, strict=True)
    assert write_command(name, *arguments) == line


@settings(deadline=None)
@given(ANYTHING)
def test_a_line_written_by_hand_is_refused_or_sent_as_it_is(line: str) -> None:
    try:
        sent = check_command_line(line)
    except InvalidCommand:
        return
    assert sent.decode("ascii") == line
    assert not set(sent) - set(range(0x20, 0x7F))


@pytest.mark.parametrize(
    "line",
    [
        b"+ OK a" + b" " * 1_000_000 + b"x",
        b"+" + b" " * 1_000_000 + b"x",
        b"- ERR" + b" " * 1_000_000,
        b"* EVENT" + b" " * 1_000_000,
        b"+ OK QEMU a" + b" " * 1_000_000 + b"x",
        b"+ OK QEMU " + b"a QMP " * 160_000 + b"x y",
    ],
)
def test_a_long_line_is_read_in_linear_time(line: bytes) -> None:
    """An expression that tries every split of these would not come back for hours."""
    for reader in (parse_server_line, parse_greeting):
        with suppress(ProtocolViolation):
            reader(line)


@pytest.mark.parametrize("line", [b'a "' + b"\\n" * 2000, b'a "' + b"x" * 4000 + b'"y'])
def test_a_long_quotation_is_refused_in_linear_time(line: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        parse_command(line)
