"""The example in the help of each command that reads journals does what it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import ROOT
from txqmp.cli.journal import JournalCommandOptions

COMMANDS = [command[0] for command in JournalCommandOptions.subCommands]
DIFFERENT = {"diff"}
"""These end with status 1 where journals differ."""


def run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "txqmp", *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("recorded")
    for name in ("session.jsonl", "other.jsonl"):
        assert run(folder, "demo", "--journal", name).returncode == 0
    return folder


def example(argv: list[str]) -> list[str]:
    """The example at the end of a help, without the name of the program."""
    done = run(ROOT, *argv, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    found = re.findall(r"^Example: (.+(?:\n.+)*)", done.stdout, re.MULTILINE)
    assert len(found) == 1
    assert done.stdout.rstrip().endswith(found[0])
    program, *arguments = shlex.split(found[0].replace("\n", " "))
    assert program == "txqmp"
    return arguments


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_example_does_what_it_says(recorded: Path, command: str) -> None:
    arguments = example(["journal", *filter(None, [command])])
    assert arguments[0] == "journal"
    if command:
        assert arguments[1] == command
    done = run(recorded, *arguments)
    told = "txqmp: 0 of 26 records redacted\n" if arguments[1] == "redact" else ""
    assert done.stderr == told
    assert done.returncode in ((0, 1) if arguments[1] in DIFFERENT else (0,))


def test_the_commands_are_sorted() -> None:
    assert sorted(COMMANDS) == COMMANDS
