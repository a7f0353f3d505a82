"""``txqmp journal diff`` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from tests.reports.conversation import Conversation, merged, write
from txqmp.cli.journal.diff import DiffOptions
from txqmp.cli.main import main
from txqmp.journal.record import Kind

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).with_name("golden")


class Done(NamedTuple):
    """How it ended."""

    status: int
    out: str
    err: str


class Diff:
    """Runs the command in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *argv: str) -> Done:
        status: Any = 0
        try:
            main(["journal", "diff", *argv])
        except SystemExit as end:
            status = end.code
        assert isinstance(status, int)
        return Done(status, *self._capsys.readouterr())

    def journals(self, first: Conversation, second: Conversation) -> None:
        """Write ``a.jsonl`` and ``b.jsonl``."""
        write(self.folder / "a.jsonl", first.records)
        write(self.folder / "b.jsonl", second.records)


@pytest.fixture
def diff(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Diff:
    monkeypatch.chdir(tmp_path)
    return Diff(tmp_path, capsys)


def json_sessions() -> tuple[Conversation, Conversation]:
    """Starts of a machine by two versions of a management program, with two versions of QEMU."""
    first, second = Conversation(), Conversation(connection=2)
    first.greeting("7.2.22")
    second.greeting("8.1.0")
    for talk, qemu, drives in ((first, "7.2.22", ["a"]), (second, "8.1.0", ["n", "a"])):
        talk.asked("qmp_capabilities")
        talk.asked("query-version", None, {"qemu": qemu})
        if talk is first:
            talk.asked("query-commands", None, [])
        for path in ("/machine/peripheral", "/machine/unattached"):
            talk.asked("qom-list", {"path": path}, [{"name": drive} for drive in drives])
        for drive in drives:
            node = {"driver": "null-co", "node-name": drive}
            talk.asked("blockdev-add", {**node, **({"size": 5} if talk is second else {})})
        for _ in range(398):
            talk.asked("qom-get", {"path": "/machine"}, "pc-i440fx-" + qemu[:3])
        if talk is first:
            talk.asked("query-tpm", None, [])
            talk.refused("query-sgx", reason="no SGX here\x1b[2J")
        else:
            talk.refused("query-tpm", reason="TPM is not there")
            talk.asked("query-sgx", None, {"sgx": False})
        info = f'bus: main\n  dev: {qemu}\n    id "x"\n{"  y" * (talk is second)}'
        talk.asked("human-monitor-command", {"command-line": "info qtree"}, info)
        number = talk.command("cont", None, id=f"id-{qemu}")
        talk.event("RESUME", timestamp={"seconds": 1, "microseconds": len(qemu)})
        talk.success("cont", number, id=f"id-{qemu}", **{"return": {}})
    second.asked("x-long", {"data": "é" * 300})
    first.event("NIC_RX_FILTER_CHANGED", {"name": "net0"})
    second.event("POWERDOWN")
    second.command("quit")
    return first, second


def text_sessions() -> tuple[Conversation, Conversation]:
    """Two sessions in QMP 0.1."""
    first, second = Conversation("text"), Conversation("text")
    first.line("info status", "VM status: running")
    second.line("info status", "VM status: paused")
    for talk, thread in ((first, 71), (second, 72)):
        talk.line("info cpus", f"* CPU #0: pc=0xfffffff0 thread_id={thread}")
    first.line("info network", "VLAN 0 devices:", "  user.0: ", "  ne2k_pci.0: model=ne2k_pci")
    second.line("info network", "VLAN 0 devices:", "  user.0: ", "  e1000.0: model=e1000", "x")
    first.line("set_link foo down", error="could not find network device 'foo'")
    second.line("set_link foo down")
    first.line("stop")
    first.event("stop")
    second.line("set_link bar up", error="could not find network device 'bar'")
    second.line("eject cd0")
    return first, second


@pytest.mark.parametrize(
    ("sessions", "options", "golden"),
    [
        (json_sessions, [], "diff-json.txt"),
        (json_sessions, ["--json"], "diff-json.json"),
        (text_sessions, [], "diff-text.txt"),
        (text_sessions, ["--json"], "diff-text.json"),
    ],
)
def test_differences_are_shown(diff: Diff, sessions: Any, options: list[str], golden: str) -> None:
    diff.journals(*sessions())
    done = diff(*options, "a.jsonl", "b.jsonl")
    assert done.out == (GOLDEN / golden).read_text()
    assert (done.status, done.err) == (1, "")


@pytest.mark.parametrize("sessions", [json_sessions, text_sessions])
def test_nothing_is_shown_where_nothing_differs(diff: Diff, sessions: Any) -> None:
    first, _ = sessions()
    diff.journals(first, first)
    assert diff("a.jsonl", "b.jsonl") == (0, "", "")
    done = diff("--json", "a.jsonl", "b.jsonl")
    told = json.loads(done.out)
    assert (done.status, told["same"], told["commands"], told["events"]) == (0, True, [], [])


def test_another_order_of_events_is_told_of(diff: Diff) -> None:
    first, second = Conversation(), Conversation()
    for talk, names in ((first, "AB"), (second, "BA")):
        for name in names:
            talk.event(name)
    diff.journals(first, second)
    said = "(the events are the same, but came in another order)\n"
    assert diff("a.jsonl", "b.jsonl") == (0, said, "")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], ["query-cpus-fast", "query-status"]),
        (["--ignore", "query-cpus-fast.return.*.qom-path"], ["query-status"]),
        (["-i", "qom-path", "-i", "*.running"], []),
        (["--ignore=query-*"], []),
        (["--all", "-i", "query-status"], ["query-cpus-fast", "stop"]),
    ],
)
def test_fields_are_ignored(diff: Diff, options: list[str], shown: list[str]) -> None:
    talks = Conversation(), Conversation()
    for rank, talk in enumerate(talks):
        cpu = {"cpu-index": 0, "thread-id": 100 + rank, "qom-path": f"/machine/cpu{rank}"}
        talk.asked("query-cpus-fast", None, [cpu])
        talk.asked("query-status", None, {"running": bool(rank)})
        number = talk.command("stop", id=rank)
        talk.success("stop", number, id=rank, **{"return": {}})
    diff.journals(*talks)
    done = diff("--json", *options, "a.jsonl", "b.jsonl")
    assert [one["command"] for one in json.loads(done.out)["commands"]] == shown
    assert done.status == (1 if shown else 0)


def test_all_tells_ids_threads_and_times(diff: Diff) -> None:
    first, second = Conversation(), Conversation()
    for talk, number in ((first, 1), (second, 2)):
        asked = talk.command("add-fd", id=number)
        talk.success("add-fd", asked, id=number, **{"return": {"fd": number}})
        talk.event("STOP", timestamp={"seconds": number})
    diff.journals(first, second)
    assert diff("a.jsonl", "b.jsonl").status == 0
    assert diff("-a", "a.jsonl", "b.jsonl").out.splitlines()[2:] == [
        "~ add-fd (message-id: 1)  [vm1#1:1 → vm1#1:1]",
        "    message-id: 1 → 2",
        "    message-id: 1 → 2",
        "    return.fd: 1 → 2",
        '- event STOP (timestamp: {"seconds":1})  1 → 0',
        '+ event STOP (timestamp: {"seconds":2})  0 → 1',
    ]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["-c", "1"], "- a  "),
        (["--connection=2"], "- b  "),
        (["-c", "1:2"], "- a  + b  "),
        (["--monitor", "vm1"], "- a  "),
        (["--filter", "command:b"], "- b  "),
        (["--monitor", "nosuch"], ""),
    ],
)
def test_connections_monitors_and_commands_are_chosen(
    diff: Diff, options: list[str], shown: str
) -> None:
    def talk(number: int, *commands: str) -> Conversation:
        made = Conversation(connection=number, monitor=f"vm{number}")
        for command in commands:
            made.asked(command)
        return made

    write(diff.folder / "a.jsonl", merged(talk(1, "x", "a"), talk(2, "x", "b")))
    second = merged(talk(1, "x"), talk(2, "x", *(["b"] if "1:2" in options else [])))
    write(diff.folder / "b.jsonl", second)
    done = diff(*options, "a.jsonl", "b.jsonl")
    assert "".join(line.partition("[")[0] for line in done.out.splitlines()[2:]) == shown
    assert done.status == (1 if shown else 0)


def test_a_rotated_journal_is_read_whole(diff: Diff) -> None:
    whole, _ = json_sessions()
    write(diff.folder / "a.jsonl", whole.records)
    write(diff.folder / "b.jsonl.1", whole.records[:10])
    write(diff.folder / "b.jsonl", whole.records[10:])
    assert diff("a.jsonl", "b.jsonl").status == 1
    assert diff("--rotated", "a.jsonl", "b.jsonl") == (0, "", "")


def test_standard_input_is_one_of_them(diff: Diff, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = json_sessions()
    diff.journals(first, second)
    shown = diff("a.jsonl", "b.jsonl").out
    with (diff.folder / "a.jsonl").open("rb") as file:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))
        done = diff("-", "b.jsonl")
    assert done == (1, shown.replace("--- a.jsonl", "--- -"), "")


def test_long_values_are_shortened(diff: Diff) -> None:
    first, second = Conversation(), Conversation()
    for talk, value in ((first, "a"), (second, "b")):
        talk.asked("query", None, value * 300)
    diff.journals(first, second)
    half = '"' + "a" * 199 + "… (302 bytes)"
    short = f"    return: {half} → {half.replace('a', 'b', 199)}"
    assert diff("a.jsonl", "b.jsonl").out.splitlines()[3] == short
    full = f'    return: "{"a" * 300}" → "{"b" * 300}"'
    assert diff("--full", "a.jsonl", "b.jsonl").out.splitlines()[3] == full


def json_session() -> Conversation:
    talk = Conversation()
    talk.greeting("7.2.22")
    talk.asked("query-status", None, {"status": "running"})
    talk.event("STOP")
    talk.refused("device_del", {"id": "x"})
    return talk


def text_session() -> Conversation:
    talk = Conversation("text")
    talk.line("info network", "VLAN 0 devices:", "  user.0: ")
    talk.line("stop")
    talk.event("stop")
    return talk


def test_many_changes_are_shortened(diff: Diff) -> None:
    first, second = Conversation(), Conversation()
    for talk, value in ((first, 1), (second, 2)):
        talk.asked("query", None, {f"x{rank}": value for rank in range(41)})
        talk.asked("other", None, {f"x{rank}": value for rank in range(40)})
    diff.journals(first, second)
    lines = diff("a.jsonl", "b.jsonl").out.splitlines()
    assert lines[42:45] == [
        "    return.x39: 1 → 2",
        "    … and 1 more (--full shows them)",
        "~ other  [vm1#1:3 → vm1#1:3]",
    ]
    assert len(lines) == 2 + 1 + 41 + 1 + 40
    assert "… and" not in diff("--full", "a.jsonl", "b.jsonl").out


@pytest.mark.parametrize("session", [json_session, text_session])
def test_a_cut_journal_is_compared_up_to_there(
    diff: Diff, session: Callable[[], Conversation]
) -> None:
    first = session()
    diff.journals(first, first)
    whole = (diff.folder / "a.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    start = len(whole) - sum(map(len, lines[-3:]))
    for end in range(start, len(whole)):
        (diff.folder / "b.jsonl").write_bytes(whole[:end])
        count = whole.count(b"\n", 0, end)
        write(diff.folder / "c.jsonl", first.records[: count + (whole[end : end + 1] == b"\n")])
        cut, clean = diff("--json", "a.jsonl", "b.jsonl"), diff("--json", "a.jsonl", "c.jsonl")
        assert (cut.status, clean.err) == (clean.status, "")
        for part in ("commands", "events", "greetings"):
            assert json.loads(cut.out)[part] == json.loads(clean.out)[part]
        # A line that lacks its end alone is a record all the same.
        torn = whole[end - 1 : end] != b"\n" and whole[end : end + 1] != b"\n"
        said = f"txqmp: b.jsonl: line {count + 1} is no record: the last line was not finished\n"
        assert cut.err == (said if torn else "")


def test_lines_that_are_no_records_and_gaps_are_told_of(diff: Diff) -> None:
    talk = Conversation()
    talk.asked("stop")
    talk.record(Kind.GAP, problem="the disk is full", lost=3)
    diff.journals(talk, talk)
    with (diff.folder / "b.jsonl").open("ab") as file:
        file.write(b"{\n{}\n[\n")
    assert diff("a.jsonl", "b.jsonl") == (
        0,
        "",
        (
            "txqmp: a.jsonl: records are missing (1 gap)\n"
            "txqmp: b.jsonl: line 4 is no record: not a line of JSON: Expecting property name "
            "enclosed in double quotes (and 2 more)\n"
            "txqmp: b.jsonl: records are missing (1 gap)\n"
        ),
    )


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "journal diff wants two files"),
        (["a.jsonl"], "journal diff wants two files"),
        (["a.jsonl", "a.jsonl", "a.jsonl"], "journal diff wants two files"),
        (["-", "-"], "standard input (-) can only be one of the files"),
        (["a.jsonl", "nosuch.jsonl"], "nosuch.jsonl: No such file or directory"),
        (["a.jsonl", "."], ".: Is a directory"),
        (["--nosuch", "a.jsonl", "a.jsonl"], "option --nosuch not recognized"),
        (["--connection=0", "a.jsonl", "a.jsonl"], "--connection 0: a number, or two as 1:2"),
        (["--connection=1:", "a.jsonl", "a.jsonl"], "--connection 1:: a number, or two as 1:2"),
        (["--ignore=", "a.jsonl", "a.jsonl"], "--ignore wants the name of a field, or a glob"),
    ],
)
def test_trouble_is_one_line_and_status_2(diff: Diff, argv: list[str], says: str) -> None:
    write(diff.folder / "a.jsonl", [])
    done = diff(*argv)
    assert (done.status, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"txqmp: {says}")


def test_a_filter_that_is_none_is_trouble(diff: Diff) -> None:
    write(diff.folder / "a.jsonl", [])
    done = diff("--filter", "command:", "a.jsonl", "a.jsonl")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("txqmp: --filter: ")


def test_help_is_no_trouble(diff: Diff) -> None:
    done = diff("--help")
    assert done.status == 0
    assert done.out.startswith("Usage: txqmp journal diff [options] FILE FILE\n")


def test_options_may_come_last() -> None:
    options = DiffOptions()
    options.parseOptions(["a.jsonl", "--json", "b.jsonl", "-i", "x"])
    assert (options.paths, options["json"]) == (["a.jsonl", "b.jsonl"], 1)


def test_a_reader_that_has_seen_enough_is_no_trouble(diff: Diff) -> None:
    first, second = Conversation(), Conversation()
    for rank in range(3000):  # more than a pipe holds
        first.asked("query", {"x": rank})
    diff.journals(first, second)
    with subprocess.Popen(
        [sys.executable, "-m", "txqmp", "journal", "diff", "a.jsonl", "b.jsonl"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline().startswith(b"--- a.jsonl")
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 1


def test_a_missing_library_is_trouble(diff: Diff, monkeypatch: pytest.MonkeyPatch) -> None:
    write(diff.folder / "a.jsonl", [])
    for name in [name for name in sys.modules if name.startswith("txqmp.reports.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "txqmp.cli.journal.differences", raising=False)
    monkeypatch.setitem(sys.modules, "deepdiff", None)
    assert diff("a.jsonl", "a.jsonl") == (
        2,
        "",
        "txqmp: journal diff needs deepdiff: pip install 'txqmp[journal]'\n",
    )
