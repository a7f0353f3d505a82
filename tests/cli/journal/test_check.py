"""``txqmp journal check`` as a user runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.journal.inside import GOLDEN, cuts, run
from txqmp.reports.schema import schema_text


@pytest.fixture(autouse=True)
def beside_the_journals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)


@pytest.mark.parametrize(("name", "status"), [("text", 0), ("secrets", 0), ("broken", 1)])
def test_what_it_says(capsys: pytest.CaptureFixture[str], name: str, status: int) -> None:
    done = run(capsys, "journal", "check", f"{name}.jsonl")
    assert done == (status, (GOLDEN / f"{name}.check.txt").read_text(), "")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "journal", "check", "--json", "broken.jsonl")
    *findings, summary = map(json.loads, done.out.splitlines())
    assert findings[0] == {
        "path": "broken.jsonl",
        "line": 3,
        "what": "schema",
        "text": "seq must be integer",
        "note": False,
    }
    assert (summary["records"], summary["connections"]) == (21, 2)
    assert sum(summary["problems"].values()) == sum(not finding["note"] for finding in findings)
    assert sum(summary["notes"].values()) == sum(finding["note"] for finding in findings)
    assert done.status == 1


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "journal", "check", "-q", "broken.jsonl")
    (line,) = done.out.splitlines()
    assert line == (GOLDEN / "broken.check.txt").read_text().splitlines()[-1]


def test_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "journal", "check", "--schema")
    assert done == (0, schema_text(), "")


def test_a_rotated_journal_is_whole(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = (GOLDEN / "secrets.jsonl").read_bytes().splitlines(keepends=True)
    journal = tmp_path / "j"
    journal.write_bytes(b"".join(lines[9:]))
    (tmp_path / "j.1").write_bytes(b"".join(lines[4:9]))
    (tmp_path / "j.2").write_bytes(b"".join(lines[:4]))
    done = run(capsys, "journal", "check", "--rotated", journal)
    assert done.status == 0
    assert done.out.splitlines()[-1].startswith("28 records in 1 connection: no problems")
    alone = run(capsys, "journal", "check", journal)
    assert "note: missing: vm1#1 begins with seq 10" in alone.out


def test_what_peers_chose_is_shown_safely(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    journal = tmp_path / "j"
    text = (GOLDEN / "text.jsonl").read_bytes()
    named = text.replace(b'"demo"', b'"\\u001b[2J\\u202e\\ud800"')
    journal.write_bytes(b"".join(named.splitlines(keepends=True)[4:]))
    done = run(capsys, "journal", "check", journal)
    assert done.out.isascii()
    assert done.out.isprintable() is False  # for its line ends
    assert "\x1b" not in done.out
    assert r"\x1b[2J" in done.out


def test_a_journal_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "journal", "check", "nosuch.jsonl")
    assert done == (1, "", "txqmp: nosuch.jsonl: No such file or directory\n")


@pytest.mark.parametrize("name", ["text", "secrets"])
def test_a_journal_that_was_cut_anywhere(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    whole = (GOLDEN / f"{name}.jsonl").read_bytes()
    journal = tmp_path / "j"
    journal.write_bytes(whole)
    for cut in reversed(cuts(whole)):
        os.truncate(journal, len(cut.data))
        done = run(capsys, "journal", "check", "--json", journal)
        *findings, summary = map(json.loads, done.out.splitlines())
        assert done.status == cut.torn
        assert summary["problems"] == ({"torn": 1} if cut.torn else {})
        told = [one["line"] for one in findings if not one["note"]]
        assert told == ([cut.records + 1] if cut.torn else [])
        assert summary["records"] == cut.records
