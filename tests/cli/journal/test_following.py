"""``txqmp journal show --follow``: journals as they grow."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.cli.journal.sample import Session
from tests.cli.terminal import ROOT
from txqmp.cli.journal import following
from txqmp.cli.journal.following import Watcher
from txqmp.cli.journal.views import JSONLines, Lines, Pairs, View
from txqmp.journal.display import RecordPrinter
from txqmp.journal.file import JournalFile
from txqmp.journal.reader import Follower
from txqmp.journal.record import Record, encode
from txqmp.reports.filter import parse

PRINTER = RecordPrinter(color=False)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Screen:
    """Follows journals, and shows what is new."""

    def __init__(
        self, make: Callable[[io.StringIO], View], *paths: str, rotated: bool = False
    ) -> None:
        self._out = io.StringIO()
        followers = {path: Follower(path, rotated=rotated) for path in paths}
        self.watcher = Watcher(followers, make(self._out))

    def new(self) -> list[str]:
        """What one look shows, without the times of day."""
        for _ in self.watcher.look():
            pass
        text = self._out.getvalue()
        self._out.seek(0)
        self._out.truncate()
        return [re.sub(r"^10:00:\d\d\.\d\d\d ", "", line) for line in text.splitlines()]


@pytest.fixture
def screen() -> Iterator[Callable[..., Screen]]:
    made: list[Screen] = []

    def make(*arguments: object, **options: bool) -> Screen:
        made.append(Screen(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.watcher.close()


def lines(out: io.StringIO) -> View:
    return Lines(out, PRINTER, None, several=False)


def labelled(out: io.StringIO) -> View:
    return Lines(out, PRINTER, None, several=True)


def pairs(out: io.StringIO) -> View:
    return Pairs(out, PRINTER, None, several=False, fold=True)


def add(path: str, *records: Record) -> None:
    with Path(path).open("ab") as file:
        file.writelines(map(encode, records))


def events(*names: str, start: float = 0.0) -> list[Record]:
    said = Session(start=start)
    for name in names:
        said.event(name)
    return said.records


def test_what_is_added_is_shown(screen: Callable[..., Screen]) -> None:
    add("j", *events("A"))
    show = screen(lines, "j")
    assert show.new() == ["vm1#1 ← EVENT A"]
    assert show.new() == []
    add("j", *events("B", "C"))
    assert show.new() == ["vm1#1 ← EVENT B", "vm1#1 ← EVENT C"]


def test_rotation_loses_and_repeats_nothing(screen: Callable[..., Screen]) -> None:
    file = JournalFile("j", rotate_bytes=600, keep=10)
    file.open()
    show = screen(lines, "j")
    names = [f"E{number}" for number in range(12)]
    shown = show.new()
    for number, record in enumerate(events(*names)):
        file.write(encode(record))
        if number % 5 == 4:
            shown += show.new()
    file.close()
    assert Path("j.2").exists()
    assert shown + show.new() == [f"vm1#1 ← EVENT {name}" for name in names]


def test_it_can_begin_with_what_rotation_left(screen: Callable[..., Screen]) -> None:
    for name, event in (("j.2", "A"), ("j.1", "B"), ("j", "C")):
        add(name, *events(event))
    show = screen(lines, "j", rotated=True)
    assert show.new() == ["vm1#1 ← EVENT A", "vm1#1 ← EVENT B", "vm1#1 ← EVENT C"]
    Path("j").rename("j.1")
    add("j", *events("D"))
    assert show.new() == ["vm1#1 ← EVENT D"]
    assert screen(lines, "j").new() == ["vm1#1 ← EVENT D"]


def test_an_emptied_file_is_begun_again(screen: Callable[..., Screen]) -> None:
    add("j", *events("A", "B"))
    show = screen(lines, "j")
    assert len(show.new()) == 2
    Path("j").write_bytes(b"")
    show.new()
    add("j", *events("C"))
    assert show.new() == ["vm1#1 ← EVENT C"]


def test_several_are_merged_and_told_apart(screen: Callable[..., Screen]) -> None:
    add("a", *events("A1", "A3", start=0.0))
    add("b", *events("B2", start=0.0005))
    show = screen(labelled, "a", "b")
    assert show.new() == ["a: vm1#1 ← EVENT A1", "b: vm1#1 ← EVENT B2", "a: vm1#1 ← EVENT A3"]
    with Path("b").open("ab") as file:
        file.write(b"x\n")
    assert show.new() == ["b line 2 IS NO RECORD: not a line of JSON: Expecting value: x"]


def test_a_line_waits_until_it_is_whole(screen: Callable[..., Screen]) -> None:
    line = encode(*events("A"))
    show = screen(lines, "j")
    for byte in line[:-1]:
        with Path("j").open("ab") as file:
            file.write(bytes([byte]))
        assert show.new() == []
    with Path("j").open("ab") as file:
        file.write(line[-1:])
    assert show.new() == ["vm1#1 ← EVENT A"]


def test_a_pair_appears_when_it_is_whole(screen: Callable[..., Screen]) -> None:
    said = Session()
    asked = said.ask("stop")
    said.event("STOP")
    said.answer(asked, {})
    show = screen(pairs, "j")
    for record in said.records[:2]:
        add("j", record)
        assert show.new() == []
    add("j", said.records[2])
    assert [line.lstrip() for line in show.new()] == [
        "vm1#1 → stop (id 1)",
        "← EVENT STOP  +1.0 ms",
        "← OK stop {}  1.0 ms",
    ]


def test_what_is_folded_does_not_wait_for_more(screen: Callable[..., Screen]) -> None:
    said = Session()
    for _ in range(4):
        said.answer(said.ask("qom-get"), 1)
    show = screen(pairs, "j")
    add("j", *said.records[:6])
    assert show.new() == ["vm1#1 → qom-get ×3  min 1.0 ms, median 1.0 ms, max 1.0 ms"]
    add("j", *said.records[6:])
    assert len(show.new()) == 2


def test_a_filter_goes_for_what_is_added_too(screen: Callable[..., Screen]) -> None:
    chosen = parse("event:B")
    show = screen(lambda out: Pairs(out, PRINTER, chosen, several=False, fold=True), "j")
    add("j", *events("A", "B"))
    assert show.new() == ["vm1#1 ← EVENT B"]
    show = screen(lambda out: JSONLines(out, PRINTER, chosen), "j")
    (line,) = show.new()
    assert line.encode() + b"\n" == encode(events("A", "B")[1])


def test_a_signal_is_heard_between_some_and_more(
    screen: Callable[..., Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_SOME", 2)
    add("j", *events("A", "B", "C", "D", "E"))
    assert len(list(screen(lines, "j").watcher.look())) == 3


def test_it_looks_again_until_nobody_reads(
    screen: Callable[..., Screen], capsys: pytest.CaptureFixture[str]
) -> None:
    add("j", *events("A"))
    show = screen(lambda out: Lines(sys.stdout, PRINTER, None, several=False), "j")
    clock, reading = Clock(), [True]
    done = Deferred.fromCoroutine(following._watch(clock, show.watcher, lambda: reading[0]))
    clock.advance(0)
    assert capsys.readouterr().out.endswith("EVENT A\n")
    add("j", *events("B"))
    clock.pump([0.1, 0])
    assert capsys.readouterr().out == ""
    clock.pump([0.1, 0])
    assert capsys.readouterr().out.endswith("EVENT B\n")
    reading[0] = False
    clock.pump([0.2, 0])
    assert done.called
    assert clock.getDelayedCalls() == []


def test_a_journal_that_cannot_be_read_any_more_ends_it(screen: Callable[..., Screen]) -> None:
    show = screen(lines, "j/k")
    Path("j").write_bytes(b"")
    done = Deferred.fromCoroutine(following._watch(Clock(), show.watcher, lambda: True))
    ended: list[str] = []
    done.addErrback(lambda failure: ended.append(str(failure.trap(SystemExit) and failure.value)))
    (said,) = ended
    assert re.fullmatch(r"txqmp: .*/j/k: Not a directory", said)


def test_a_whole_run(folder: Path) -> None:
    add("j", *events("A"))
    with subprocess.Popen(
        [sys.executable, "-m", "txqmp", "journal", "show", "-f", "j"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert process.stdout.readline().endswith(b"EVENT A\n")
            Path("j").rename("j.1")
            add("j", *events("B"))
            assert process.stdout.readline().endswith(b"EVENT B\n")
            # Nothing more is added: it sees all the same that nobody reads.
            process.stdout.close()
            assert process.wait(60) == 0
            assert process.stderr.read() == b""
        finally:
            process.kill()


def test_whoever_reads_it_may_have_seen_enough(folder: Path) -> None:
    add("j", *events(*("A" * 5000)))
    with subprocess.Popen(
        [sys.executable, "-m", "txqmp", "journal", "show", "-f", "j"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert process.stdout.readline().endswith(b"EVENT A\n")
            process.stdout.close()
            assert (process.wait(60), process.stderr.read()) == (0, b"")
        finally:
            process.kill()
