"""``txqmp journal export`` as a user runs it."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.journal.inside import GOLDEN, cuts, run

TEXT = GOLDEN / "text.jsonl"
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("x.csv", b"time,run,"),
        ("x.html", b"<!DOCTYPE html>"),
        ("x.HTM", b"<!DOCTYPE html>"),
        ("x.pcapng", b"\x0a\x0d\x0d\x0a"),
        ("x.sqlite", b"SQLite format 3\0"),
        ("x.sqlite3", b"SQLite format 3\0"),
        ("x.db", b"SQLite format 3\0"),
    ],
)
def test_the_name_tells_the_format(
    capsys: Capture, tmp_path: Path, name: str, begins: bytes
) -> None:
    assert run(capsys, "journal", "export", TEXT, "-o", tmp_path / name) == (0, "", "")
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_whatever_the_umask(capsys: Capture, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run(capsys, "journal", "export", TEXT, "-o", tmp_path / "x.csv")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.csv").stat().st_mode) == 0o600


def test_the_format_can_be_given(capsys: Capture, tmp_path: Path) -> None:
    run(capsys, "journal", "export", TEXT, "--format", "html", "-o", tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_bytes().startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("options", "golden"), [([], "text.spans.csv"), (["--records"], "text.records.csv")]
)
def test_standard_output(capsys: Capture, options: list[str], golden: str) -> None:
    done = run(capsys, "journal", "export", TEXT, "--format=csv", "-o", "-", *options)
    with (GOLDEN / golden).open(newline="") as file:
        assert done == (0, file.read(), "")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["x.jsonl"], "journal export wants a file to write: -o OUT"),
        (["-o", "x.csv"], "journal export wants a file"),
        (["x.jsonl", "-o", "x.txt"], "x.txt tells no format: --format csv|html|pcapng|sqlite"),
        (["x.jsonl", "-o", "-"], "- tells no format"),
        (["x.jsonl", "-o", "x.csv", "--format=xml"], "xml is no format: csv, html, pcapng, sqlite"),
        (["x.jsonl", "-o", "x.html", "--records"], "--records is for csv"),
        (["x.jsonl", "-o", "-", "--format=sqlite"], "cannot be written to standard output"),
        (["nosuch.jsonl", "-o", "x.csv"], "nosuch.jsonl: No such file or directory"),
    ],
)
def test_errors_are_one_line_and_write_nothing(
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(capsys, "journal", "export", *argv)
    assert done.status == 1
    assert says in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_kept(capsys: Capture, tmp_path: Path) -> None:
    out = tmp_path / "x.csv"
    out.write_text("mine")
    done = run(capsys, "journal", "export", TEXT, "-o", out)
    assert done == (1, "", f"txqmp: {out}: it is there already; --force replaces it\n")
    assert out.read_text() == "mine"
    assert run(capsys, "journal", "export", TEXT, "--force", "-o", out).status == 0
    assert out.read_bytes() == (GOLDEN / "text.spans.csv").read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_a_folder_or_a_device_is_no_file_to_replace(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "x.csv").mkdir()
    for out in (tmp_path / "x.csv", Path("/dev/null")):
        done = run(capsys, "journal", "export", TEXT, "--force", "--format=csv", "-o", out)
        assert done.status == 1
        assert done.err == f"txqmp: {out}: it is there already, and is no file to replace\n"


def test_a_file_that_came_meanwhile_is_kept(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.csv"
    link = os.link

    def late(source: str, target: Path) -> None:
        out.write_text("theirs")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert run(capsys, "journal", "export", TEXT, "-o", out).status == 1
    assert out.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [out]


def test_where_there_are_no_links(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    assert run(capsys, "journal", "export", TEXT, "-o", tmp_path / "x.csv").status == 0
    assert (tmp_path / "x.csv").read_bytes() == (GOLDEN / "text.spans.csv").read_bytes()


def test_a_folder_that_is_not_there(capsys: Capture, tmp_path: Path) -> None:
    out = tmp_path / "nosuch" / "x.csv"
    done = run(capsys, "journal", "export", TEXT, "-o", out)
    assert done == (1, "", f"txqmp: {out}: No such file or directory\n")


def test_lines_that_are_no_records_are_told_of(capsys: Capture, tmp_path: Path) -> None:
    out = tmp_path / "x.db"
    done = run(capsys, "journal", "export", GOLDEN / "broken.jsonl", "-o", out)
    said = "txqmp: left out: 5 lines that are no records (txqmp journal check tells more)\n"
    assert done == (0, "", said)
    with closing(sqlite3.connect(out)) as database:
        assert database.execute("SELECT count(*) FROM records").fetchone() == (21,)


def test_several_journals_are_one_by_time(capsys: Capture) -> None:
    secrets = GOLDEN / "secrets.jsonl"
    done = run(capsys, "journal", "export", TEXT, secrets, "--format=csv", "--records", "-o", "-")
    times = [line.split(",")[0] for line in done.out.splitlines()[1:]]
    assert len(times) == 54
    assert times == sorted(times)


def test_the_page_bears_the_names_of_the_journals(capsys: Capture, tmp_path: Path) -> None:
    journal = tmp_path / "<b>\x1b.jsonl"
    journal.write_bytes(TEXT.read_bytes())
    done = run(capsys, "journal", "export", journal, "--format=html", "-o", "-")
    assert r"<title>&lt;b&gt;\x1b.jsonl</title>" in done.out


@pytest.mark.parametrize("format", ["csv", "html", "pcapng", "sqlite"])
def test_a_journal_that_was_cut_anywhere(capsys: Capture, tmp_path: Path, format: str) -> None:
    journal = tmp_path / "j"
    journal.write_bytes(TEXT.read_bytes())
    is_text = format in ("csv", "html")
    for cut in list(reversed(cuts(TEXT.read_bytes())))[:: 1 if is_text else 11]:
        os.truncate(journal, len(cut.data))
        out = "-" if is_text else str(tmp_path / f"{len(cut.data)}.x")
        done = run(capsys, "journal", "export", journal, "--format", format, "-o", out)
        assert done.status == 0
        assert done.err.count("left out: 1 line that is no record") == cut.torn
        assert len(done.out) > 1000 if is_text else Path(out).stat().st_size > 1000


def test_standard_input(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    with TEXT.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        done = run(capsys, "journal", "export", "-", "--format=csv", "-o", "-")
    assert done.out.splitlines() == (GOLDEN / "text.spans.csv").read_text().splitlines()


def test_a_filter(capsys: Capture) -> None:
    pytest.importorskip("txqmp.reports.filter")
    wanted = ["--filter", "command:stop", "--format=csv", "-o", "-"]
    done = run(capsys, "journal", "export", TEXT, *wanted)
    (row,) = done.out.splitlines()[1:]
    assert ",stop,[],success," in row


@pytest.mark.parametrize("name", ["check", "export", "redact"])
def test_help_begins_with_the_usage(capsys: Capture, name: str) -> None:
    said = run(capsys, "journal", name, "--help").out
    assert said.startswith(f"Usage: txqmp journal {name} [options] FILE …")
    assert f"Example: txqmp journal {name} session.jsonl" in " ".join(said.split())


@pytest.mark.parametrize("name", ["x.html", "x.sqlite"])
def test_a_file_that_cannot_be_written_whole_is_not_there(
    capsys: Capture, tmp_path: Path, name: str
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        done = run(capsys, "journal", "export", TEXT, "-o", tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.status == 1
    assert done.err.startswith("txqmp: ")
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
