"""``txqmp journal stats``: a session in figures, as text, JSON and CSV."""

from __future__ import annotations

import csv
import json
import os
import sys
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from tests.cli.journal import counted
from tests.cli.journal.absent import without
from tests.cli.terminal import terminal
from txqmp.cli.main import main

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The session, as ``session.jsonl`` in the current folder."""
    monkeypatch.chdir(tmp_path)
    return counted.write(Path("session.jsonl"))


def stats(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    main(["journal", "stats", *argv])
    out, err = capsys.readouterr()
    assert err == ""
    return out


def found(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(stats(capsys, "--json", *argv))
    return made


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["journal", "stats", *argv])
    assert capsys.readouterr().out == ""
    return str(ended.value)


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("stats.txt", []),
        ("stats.json", ["--json"]),
        ("stats-commands.csv", ["--csv"]),
        ("stats-events.csv", ["--csv", "--table=events"]),
        ("stats-errors.csv", ["--csv", "--table=errors"]),
        ("stats-connections.csv", ["--csv", "--table=connections"]),
        ("stats-hours.csv", ["--csv", "--table=hours"]),
    ],
)
@pytest.mark.usefixtures("journal")
def test_it_looks_as_it_should(
    capsys: pytest.CaptureFixture[str], name: str, argv: list[str]
) -> None:
    said = stats(capsys, *argv, "session.jsonl")
    golden = GOLDEN / name
    if "TXQMP_WRITE_GOLDEN" in os.environ:
        golden.write_text(said)
    assert said == golden.read_text()


@pytest.mark.usefixtures("journal")
def test_the_figures_are_those_of_the_session(capsys: pytest.CaptureFixture[str]) -> None:
    said = found(capsys, "session.jsonl")
    commands = {row["command"]: row for row in said["commands"]}
    assert next(iter(commands)) == "qom-get"
    assert commands["qom-get"]["latency"] == {
        "min": 0.02,
        "median": 0.02,
        "p90": 0.04,
        "p99": 0.04,
        "max": 0.04,
        "mean": 0.03,
        "total": 0.06,
    }
    # It was sent together with the first, and answered 20 ms after it.
    assert commands["query-block"]["waiting"]["max"] == 0.04
    assert commands["query-block"]["executing"]["max"] == 0.02
    assert commands["exec-oob-one"]["waiting"]["max"] == 0.0
    assert commands["migrate"]["unanswered"] == commands["info"]["unanswered"] == 1
    assert commands["migrate"]["latency"]["median"] is None
    assert said["all"]["count"] == 8
    assert (said["gaps"], said["lost"], said["undecoded"], said["torn"]) == (1, 7, 1, 0)
    assert [row["client"] for row in said["connections"]] == [
        "libvirtd pid 1234 uid 107",
        "127.0.0.1:4444",
    ]
    assert [row["seconds"] for row in said["connections"]] == [1.5, 3.0]
    assert [row["hour"] for row in said["hours"]] == ["2026-11-22T10:00Z", "2026-11-22T11:00Z"]


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("count", "qom-get"),
        ("p99", "[bold]x[/bold]"),
        ("latency_p99", "[bold]x[/bold]"),
        ("waiting_max", "query-block"),
        ("errors", "device_del"),
        ("unanswered", "info"),
        ("command", "[bold]x[/bold]"),
    ],
)
def test_tables_are_sorted_by_any_column(
    capsys: pytest.CaptureFixture[str], sort: str, first: str
) -> None:
    assert found(capsys, "--sort", sort, "session.jsonl")["commands"][0]["command"] == first
    rows = csv.DictReader(StringIO(stats(capsys, "--csv", "--sort", sort, "session.jsonl")))
    assert next(iter(rows))["command"] == first
    lines = stats(capsys, "--table=commands", "--sort", sort, "session.jsonl").splitlines()
    assert lines[4].startswith(first)


@pytest.mark.usefixtures("journal")
def test_what_is_not_known_comes_last(capsys: pytest.CaptureFixture[str]) -> None:
    rows = found(capsys, "--sort=min", "session.jsonl")["commands"]
    assert [row["command"] for row in rows[-3:]] == ["device_del", "info", "migrate"]


@pytest.mark.usefixtures("journal")
def test_a_column_of_another_table_sorts_that_one(capsys: pytest.CaptureFixture[str]) -> None:
    rows = found(capsys, "--sort=bytes_to_client", "session.jsonl")["connections"]
    assert [row["bytes_to_client"] for row in rows] == [114, 29]
    assert refused(capsys, "--csv", "--sort=bytes_to_client", "session.jsonl").startswith(
        "txqmp: there is no column bytes_to_client to sort by: there are command, count, "
    )


@pytest.mark.usefixtures("journal")
def test_a_filter_chooses_what_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    said = found(capsys, "--filter", "command:query-block", "session.jsonl")
    (row,) = said["commands"]
    assert (row["command"], row["count"], row["replies"]) == ("query-block", 1, 1)
    # What it waited for is not chosen, and known of all the same.
    assert row["waiting"]["max"] == 0.04
    assert said["records"] == 2
    assert len(said["connections"]) == 1


@pytest.mark.usefixtures("journal")
def test_a_bad_filter_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "--filter", "command:(", "session.jsonl").startswith("txqmp: --filter:")


def test_standard_input_is_read_as_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, journal: bytes
) -> None:
    whole = stats(capsys, "session.jsonl")
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(journal)))
    assert stats(capsys, "-") == whole


def test_a_rotated_journal_is_one(capsys: pytest.CaptureFixture[str], journal: bytes) -> None:
    whole = stats(capsys, "session.jsonl")
    lines = journal.splitlines(keepends=True)
    Path("session.jsonl.2").write_bytes(b"".join(lines[:7]))
    Path("session.jsonl.1").write_bytes(b"".join(lines[7:8]))
    Path("session.jsonl").write_bytes(b"".join(lines[8:]))
    assert stats(capsys, "--rotated", "session.jsonl") == whole
    names = ("session.jsonl.2", "session.jsonl.1", "session.jsonl")
    assert stats(capsys, *names) == whole
    assert found(capsys, "session.jsonl")["records"] == len(lines) - 8


def test_a_journal_that_breaks_off_is_counted_up_to_there(
    capsys: pytest.CaptureFixture[str], journal: bytes
) -> None:
    lines = journal.splitlines(keepends=True)
    for cut in range(len(b"".join(lines[:-3])), len(journal)):
        Path("session.jsonl").write_bytes(journal[:cut])
        rest = journal[:cut].rpartition(b"\n")[2]
        # A record that lacks nothing but the end of its line is whole.
        whole = journal[:cut].count(b"\n") + rest.endswith(b"}") * (journal[cut:][:1] == b"\n")
        torn = int(bool(rest)) if whole == journal[:cut].count(b"\n") else 0
        said = found(capsys, "session.jsonl")
        assert (said["records"], said["torn"]) == (whole, torn), cut
        if torn:
            assert said["torn_lines"] == [
                {
                    "file": "session.jsonl",
                    "line": whole + 1,
                    "problem": "the last line was not finished",
                }
            ]


def test_a_torn_line_is_told_of(capsys: pytest.CaptureFixture[str], journal: bytes) -> None:
    Path("session.jsonl").write_bytes(journal[:-5])
    assert "torn lines  1 (session.jsonl line 22: the last line was not finished)\n" in stats(
        capsys, "session.jsonl"
    )


def test_many_torn_lines_are_not_all_told_of(
    capsys: pytest.CaptureFixture[str], journal: bytes
) -> None:
    Path("session.jsonl").write_bytes(b"torn\n" * 30 + journal)
    assert found(capsys, "session.jsonl")["torn"] == 30
    said = stats(capsys, "session.jsonl")
    assert "torn lines  30 (session.jsonl line 1: not a line of JSON: " in said
    assert "session.jsonl line 10: " in said
    assert "session.jsonl line 11: " not in said
    assert "; ...)\n" in said


@pytest.mark.usefixtures("journal")
def test_what_peers_said_does_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    said = stats(capsys, "session.jsonl")
    assert "\\x1b[2J unknown" in said
    assert "[bold]x[/bold]" in said
    assert "\x1b" not in said


@pytest.mark.usefixtures("journal")
def test_nothing_is_cut_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    session = counted.Session("vm1", 1, None)
    counted.write(
        Path("long.jsonl"), [session.command("x", 0), session.reply(1, "x", 1, 1.0, "no " * 300)]
    )
    said = stats(capsys, "long.jsonl")
    assert "no " * 299 + "no" in said
    assert all(line == line.rstrip() for line in said.splitlines())


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("columns", ["200", "40"])
def test_a_terminal_has_colours_and_however_narrow_it_is_whole_numbers(columns: str) -> None:
    with terminal(Path.cwd(), "journal", "stats", "session.jsonl", COLUMNS=columns) as screen:
        assert screen.ends() == 0
    assert b"\x1b[1m" in screen.raw
    shown = screen.screen.decode()
    for whole in ("[bold]x[/bold]", " 500.000 ", " 97.167", "2026-11-22T10:00:00Z", "\\x1b[2J"):
        assert whole in shown


def test_of_nothing_there_are_no_tables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.jsonl").touch()
    assert stats(capsys, "empty.jsonl") == (
        "records  0\nbytes    0 to the monitor, 0 to the client\n"
    )
    said = found(capsys, "empty.jsonl")
    assert (said["first"], said["seconds"], said["commands"]) == (None, 0.0, [])
    assert said["all"]["latency"]["p99"] is None
    assert stats(capsys, "--table=events", "empty.jsonl").splitlines()[1] == "event  count"
    assert stats(capsys, "--csv", "--table=events", "empty.jsonl") == "event,count\n"


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "journal stats wants a file"),
        (["--json", "--csv", "session.jsonl"], "--json and --csv do not go together"),
        (["--json", "--table=hours", "session.jsonl"], "leave --table out"),
        (["--table=x", "session.jsonl"], "there is no table x: there are commands, events, "),
        (["--sort=x", "session.jsonl"], "there is no column x to sort by"),
        (["nosuch.jsonl"], "nosuch.jsonl: No such file or directory"),
        (["-", "session.jsonl"], "standard input (-) is read alone"),
    ],
)
def test_a_mistake_is_one_line(
    capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    (line,) = refused(capsys, *argv).splitlines()
    assert line.startswith("txqmp: ")
    assert says in line


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("missing", ["msgspec", "hdrh", "rich"])
def test_without_its_libraries_it_says_what_to_install(missing: str) -> None:
    assert without(missing, "journal", "stats", "session.jsonl") == (
        f"txqmp: journal stats needs {missing}: pip install 'txqmp[journal]'\n"
    )
