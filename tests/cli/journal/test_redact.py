"""``txqmp journal redact`` as a user runs it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.cli.journal.inside import GOLDEN, cuts, run

SECRETS = GOLDEN / "secrets.jsonl"
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("options", "golden"),
    [([], "secrets.redacted.jsonl"), (["--no-peers", "--no-raw"], "secrets.bare.jsonl")],
)
def test_a_journal_made_safe(
    capsys: Capture, tmp_path: Path, options: list[str], golden: str
) -> None:
    out = tmp_path / "shared.jsonl"
    done = run(capsys, "journal", "redact", *options, SECRETS, "-o", out)
    redacted = 28 if options else 4
    assert done == (0, "", f"txqmp: {redacted} of 28 records redacted\n")
    assert out.read_bytes() == (GOLDEN / golden).read_bytes()
    assert b"hunter2" not in out.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert run(capsys, "journal", "check", out).status == 0


def test_what_holds_no_secrets_stays_byte_for_byte(capsys: Capture, tmp_path: Path) -> None:
    text, out = GOLDEN / "text.jsonl", tmp_path / "shared.jsonl"
    done = run(capsys, "journal", "redact", text, "-o", out)
    assert done.err == "txqmp: 0 of 26 records redacted\n"
    assert out.read_bytes() == text.read_bytes()


def test_damaged_lines_are_left_out(capsys: Capture, tmp_path: Path) -> None:
    # And what answers a command that is lost with them is hidden: who knows what it was.
    out = tmp_path / "shared.jsonl"
    done = run(capsys, "journal", "redact", GOLDEN / "broken.jsonl", "-o", out)
    assert done.err == "txqmp: 3 of 21 records redacted, 5 lines that are no records left out\n"
    assert out.read_bytes().count(b"\n") == 21


def test_several_files_become_one(capsys: Capture) -> None:
    done = run(capsys, "journal", "redact", GOLDEN / "text.jsonl", SECRETS, "-o", "-")
    parts = [GOLDEN / "text.jsonl", GOLDEN / "secrets.redacted.jsonl"]
    assert done.out == "".join(part.read_text() for part in parts)


def test_a_file_that_is_there_is_kept(capsys: Capture, tmp_path: Path) -> None:
    out = tmp_path / "mine.jsonl"
    out.write_bytes(SECRETS.read_bytes())
    done = run(capsys, "journal", "redact", out, "-o", out)
    assert done == (1, "", f"txqmp: {out}: it is there already; --force replaces it\n")
    assert run(capsys, "journal", "redact", "--force", out, "-o", out).status == 0
    assert out.read_bytes() == (GOLDEN / "secrets.redacted.jsonl").read_bytes()


def test_it_wants_somewhere_to_write_to(capsys: Capture) -> None:
    done = run(capsys, "journal", "redact", SECRETS)
    assert done.status == 1
    assert done.err.startswith("txqmp: journal redact wants a file to write: -o OUT")


def test_a_journal_that_was_cut_anywhere(capsys: Capture, tmp_path: Path) -> None:
    # Its last three lines hold the secret.
    whole = b"".join(SECRETS.read_bytes().splitlines(keepends=True)[:10])
    safe = (GOLDEN / "secrets.redacted.jsonl").read_bytes().splitlines(keepends=True)
    journal = tmp_path / "j"
    journal.write_bytes(whole)
    for cut in reversed(cuts(whole)):
        os.truncate(journal, len(cut.data))
        done = run(capsys, "journal", "redact", journal, "-o", "-")
        assert done.status == 0
        assert done.out.encode() == b"".join(safe[: cut.records])
        assert done.err.count("1 line that is no record left out") == cut.torn
