"""``txqmp journal show``: what is seen of a journal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import golden
from tests.cli.journal.sample import Session, machine, old_machine, write
from tests.cli.terminal import ROOT
from txqmp.cli.main import main
from txqmp.journal.record import Direction, decode, encode


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    write(tmp_path / "vm1.jsonl", machine(), torn=b'{"v":1,"time":"2026')
    write(tmp_path / "vm2.jsonl", old_machine())
    return tmp_path


def show(capfd: pytest.CaptureFixture[str], *arguments: str, said: str = "") -> str:
    """What it writes; on standard error it says what is expected."""
    main(["journal", "show", *arguments])
    out, err = capfd.readouterr()
    assert err == said
    return out


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("lines", "vm1.jsonl"),
        ("two", "vm1.jsonl vm2.jsonl"),
        ("pairs", "--pairs vm1.jsonl"),
        ("pairs-two", "-p vm1.jsonl vm2.jsonl"),
        ("pairs-no-fold", "--pairs --no-fold --full vm1.jsonl"),
        ("pairs-slow", "--pairs --filter latency>=1.2ms vm1.jsonl"),
        ("relative", "--relative --filter !kind:opened vm1.jsonl"),
        ("colours", "--color vm1.jsonl"),
        ("colours-pairs", "--color --pairs vm1.jsonl"),
        ("json", "--json vm2.jsonl"),
        ("filter", "--filter kind:event|kind:failure --utc vm1.jsonl"),
    ],
)
def test_it_looks_as_it_should(
    capfd: pytest.CaptureFixture[str], name: str, arguments: str
) -> None:
    golden.same(f"show-{name}.txt", show(capfd, *arguments.split()))


def test_the_time_where_one_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "XYZ-05:30")
    time.tzset()
    try:
        assert show(capfd, "--local", "vm2.jsonl").startswith("15:30:00.124 vm2#1 · opened")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_is_folded_in_the_end_is_shown(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    said = Session()
    for _ in range(398):
        said.answer(said.ask("qom-get"), 1)
    write(folder / "j", said.records)
    (line,) = show(capfd, "-p", "j").splitlines()
    assert line.endswith("→ qom-get ×398  min 1.0 ms, median 1.0 ms, max 1.0 ms")


TORN = 'vm1.jsonl line 26 IS NO RECORD: the last line was not finished: {"v":1,"time":"2026\n'


def test_json_is_what_the_journal_has(capfd: pytest.CaptureFixture[str]) -> None:
    whole = b"".join(map(encode, machine())).decode()
    assert show(capfd, "--json", "vm1.jsonl", said=TORN) == whole


def test_json_of_several_is_merged_and_filtered(capfd: pytest.CaptureFixture[str]) -> None:
    out = show(capfd, "--json", "--filter", "kind:command", "vm2.jsonl", "vm1.jsonl", said=TORN)
    found = [decode(line) for line in out.encode().splitlines()]
    assert [one.time for one in found] == sorted(one.time for one in found)
    assert {one.monitor for one in found} == {"vm1", "vm2"}
    assert {one.kind for one in found} == {"command"}


def test_raw_is_the_stream_of_one_direction(capfd: pytest.CaptureFixture[str]) -> None:
    out = show(capfd, "--raw", "--filter", "direction:to-monitor", "vm1.jsonl", said=TORN)
    sent = [one.raw for one in machine() if one.direction is Direction.TO_MONITOR]
    assert out.encode() == b"".join(raw for raw in sent if raw)


def test_raw_is_every_byte_there_is(
    capfdbinary: pytest.CaptureFixture[bytes], folder: Path
) -> None:
    said = Session("vm3")
    said.event("STOP")
    said.records[0].raw = bytes(range(256))
    write(folder / "vm3.jsonl", said.records)
    main(["journal", "show", "--raw", "vm3.jsonl"])
    assert capfdbinary.readouterr().out == bytes(range(256))


def test_a_journal_can_be_cut_anywhere(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    lines = [encode(one) for one in machine()]
    whole, tail = b"".join(lines[:-3]), b"".join(lines[-3:])
    shown = show(capfd, "vm1.jsonl").splitlines()
    for size in range(len(tail) + 1):
        (folder / "cut.jsonl").write_bytes(whole + tail[:size])
        out = show(capfd, "cut.jsonl").splitlines()
        complete = tail[:size].count(b"\n")
        assert out[: len(lines) - 3 + complete] == shown[: len(lines) - 3 + complete]
        rest = out[len(lines) - 3 + complete :]
        # A line that only lacks its end is a record.
        left = tail[:size].rpartition(b"\n")[2]
        if left + b"\n" in lines:
            assert rest == [shown[len(lines) - 3 + complete]]
        else:
            assert [" IS NO RECORD: " in line for line in rest] == [True] * bool(left)


@pytest.mark.parametrize("mode", ["--pairs", "--json", "--raw", "--relative"])
def test_however_it_is_shown_it_can_be_cut_anywhere(
    capfd: pytest.CaptureFixture[str], folder: Path, mode: str
) -> None:
    lines = [encode(one) for one in machine()]
    whole, tail = b"".join(lines[:-3]), b"".join(lines[-3:])
    for size in range(len(tail) + 1):
        (folder / "cut.jsonl").write_bytes(whole + tail[:size])
        main(["journal", "show", mode, "cut.jsonl"])
        out, err = capfd.readouterr()
        left = tail[:size].rpartition(b"\n")[2]
        torn = bool(left) and left + b"\n" not in lines
        assert (out + err).count(" IS NO RECORD: ") == torn


PLAIN = {"v": 1, "time": "2026-11-22T10:00:00Z", "mono": 1, "run": "", "monitor": "m"}
PLAIN |= {"connection": 1, "seq": 1, "kind": "success"}
DEEP = b'{"data":' + b"[" * 900 + b"]" * 900 + b',"mono":1e999,' + json.dumps(PLAIN).encode()[1:]


@pytest.mark.parametrize(
    "line",
    [
        DEEP,
        json.dumps(PLAIN | {"reply_to": [], "command": {}, "latency": "x", "id": {}}).encode(),
        json.dumps(PLAIN | {"time": "1969-11-22T10:00:00Z", "monitor": "\ud800"}).encode(),
        json.dumps(PLAIN | {"time": "0001-01-01T00:00:00Z", "kind": "closed"}).encode(),
        json.dumps(PLAIN | {"time": "9999-12-31T23:59:59-12:00"}).encode(),
        b'{"v":2}',
        b"[" * 2000,
        b"\xff\x00",
    ],
)
@pytest.mark.parametrize("mode", [[], ["--pairs"], ["--relative"], ["--local"], ["--raw"]])
def test_nothing_in_a_journal_breaks_it(
    capfd: pytest.CaptureFixture[str], folder: Path, line: bytes, mode: list[str]
) -> None:
    (folder / "odd.jsonl").write_bytes(line + b"\n" + encode(machine()[0]))
    main(["journal", "show", *mode, "odd.jsonl"])
    out, _ = capfd.readouterr()
    assert mode == ["--raw"] or "opened to" in out


def test_what_cannot_be_written_again_is_told_of(folder: Path) -> None:
    line = json.loads(encode(machine()[0])) | {"time": "1969-11-22T10:00:00Z"}
    (folder / "odd.jsonl").write_text(json.dumps(line))
    with pytest.raises(SystemExit, match=r"^txqmp: vm1#1, record 1 cannot be written again: "):
        main(["journal", "show", "--json", "odd.jsonl"])


def test_a_rotated_journal_is_shown_whole(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    records = machine()
    write(folder / "r.jsonl.2", records[:5])
    write(folder / "r.jsonl.1", records[5:9])
    write(folder / "r.jsonl", records[9:])
    whole = show(capfd, "vm1.jsonl").splitlines()[:-1]
    assert show(capfd, "r.jsonl", "--rotated").splitlines() == whole
    assert show(capfd, "r.jsonl").splitlines() == whole[9:]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("--raw --json vm1.jsonl", "--raw and --json exclude each other"),
        ("--pairs --json vm1.jsonl", "--pairs and --json exclude each other"),
        ("--utc --relative vm1.jsonl", "--utc and --relative exclude each other"),
        ("--color --no-color vm1.jsonl", "--color and --no-color exclude each other"),
        ("--no-fold vm1.jsonl", "--no-fold says nothing without --pairs"),
        ("-f -", "standard input is followed to its end anyway: leave --follow out"),
        ("", "journal show wants a file"),
        ("- vm1.jsonl", "standard input (-) is read alone, without other files"),
        ("nosuch.jsonl", "nosuch.jsonl: No such file or directory"),
        ("vm1.jsonl nosuch.jsonl", "nosuch.jsonl: No such file or directory"),
        ("-f vm1.jsonl nosuch.jsonl", "nosuch.jsonl: there is no such file"),
        (".", ".: Is a directory"),
        (
            "--filter knd:event vm1.jsonl",
            "--filter: there is no key knd: did you mean kind?\n  knd:event\n  ^",
        ),
    ],
)
def test_what_cannot_be_shown(arguments: str, problem: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["journal", "show", *arguments.split()])
    assert (
        str(caught.value).removesuffix(" (txqmp journal show --help tells more)")
        == f"txqmp: {problem}"
    )


def test_what_the_output_cannot_show_is_escaped(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with os.fdopen(os.dup(1), "w", encoding="ascii") as ascii_only:
        monkeypatch.setattr("sys.stdout", ascii_only)
        assert "vm2#1 \\xb7 opened" in show(capfd, "vm2.jsonl")


def test_whoever_reads_it_may_have_seen_enough(folder: Path) -> None:
    write(folder / "long.jsonl", machine() * 1000)
    with subprocess.Popen(
        [sys.executable, "-m", "txqmp", "journal", "show", "long.jsonl"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"opened to" in process.stdout.readline()
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (0, b"")


def test_there_may_be_no_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(SystemExit, match="there is no standard output to show it on"):
        main(["journal", "show", "vm1.jsonl"])
