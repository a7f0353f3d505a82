"""A journal on a terminal: a pager, colours, and no bytes that a peer sent."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.cli.journal.sample import machine, write
from tests.cli.terminal import terminal
from txqmp.cli.journal import pager as module
from txqmp.cli.journal.pager import paged

SHOW = ("journal", "show", "j")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("LESS", raising=False)
    write(tmp_path / "j", machine())
    return tmp_path


def python(code: str) -> str:
    """A pager that does this."""
    return shlex.join([sys.executable, "-c", code])


ECHO = python("import os, sys; print('PAGED', os.environ['LESS']); print(sys.stdin.read())")


def test_a_terminal_has_a_pager(folder: Path) -> None:
    with terminal(folder, *SHOW, PAGER=ECHO) as screen:
        screen.says(b"PAGED FRX")
        screen.says(b"opened to")
        screen.says(b"closed by")
        assert screen.ends() == 0
    assert b"\x1b[31mERR" in screen.raw


def test_what_a_user_wants_of_less_stays(folder: Path) -> None:
    with terminal(folder, *SHOW, PAGER=ECHO, LESS="S") as screen:
        screen.says(b"PAGED S")
        assert screen.ends() == 0


@pytest.mark.parametrize(
    ("arguments", "pager"),
    [
        (["--no-pager"], ECHO),
        ([], ""),
        ([], "cat"),
        ([], "nosuch-pager -x"),
        ([], "'"),
    ],
)
def test_there_may_be_none(folder: Path, arguments: list[str], pager: str) -> None:
    with terminal(folder, *SHOW, *arguments, PAGER=pager) as screen:
        screen.says(b"closed by")
        assert screen.ends() == 0
    assert b"PAGED" not in screen.raw
    assert b"\x1b[31mERR" in screen.raw


def test_a_pager_may_be_left_before_the_end(folder: Path) -> None:
    write(folder / "j", machine() * 500)
    with terminal(folder, *SHOW, PAGER=python("print(input())")) as screen:
        screen.says(b"opened to")
        assert screen.ends() == 0
    assert b"Traceback" not in screen.raw


@pytest.mark.parametrize("problem", [BrokenPipeError, KeyboardInterrupt])
def test_both_end_the_writing_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    problem: type[BaseException],
) -> None:
    monkeypatch.setenv("PAGER", ECHO)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with paged(wanted=True) as out:
        out.write("x\n")
        raise problem
    assert capfd.readouterr().out == "PAGED FRX\nx\n\n"


def test_an_interrupt_stops_the_reading_and_not_the_pager(folder: Path) -> None:
    os.mkfifo(folder / "go")
    write(folder / "j", machine() * 2000)
    pager = python(
        "import sys; sys.stdin.readline(); print('READY', flush=True); open('go').read(); "
        "print('GOT', 1 < len(sys.stdin.readlines()) < 40000)"
    )
    with terminal(folder, *SHOW, PAGER=pager) as screen:
        screen.says(b"READY")
        screen.interrupt()
        (folder / "go").write_bytes(b"")
        screen.says(b"GOT True")
        assert screen.ends() == 0


def test_what_goes_wrong_is_told_after_the_pager(folder: Path) -> None:
    with terminal(folder, "journal", "show", "nosuch", PAGER=ECHO) as screen:
        screen.says(b"PAGED")
        screen.says(b"txqmp: nosuch: No such file or directory")
        assert screen.ends() == 1


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_there_may_be_no_colours(folder: Path, environment: dict[str, str]) -> None:
    with terminal(folder, *SHOW, "--no-pager", **environment) as screen:
        screen.says(b"closed by")
        assert screen.ends() == 0
    assert b"\x1b" not in screen.raw


def test_colours_can_be_had_all_the_same(folder: Path) -> None:
    with terminal(folder, *SHOW, "--no-pager", "--color", NO_COLOR="1") as screen:
        screen.says(b"closed by")
        assert screen.ends() == 0
    assert b"\x1b[31mERR" in screen.raw


def test_raw_bytes_are_not_for_a_terminal(folder: Path) -> None:
    with terminal(folder, *SHOW, "--raw") as screen:
        screen.says(b"--raw is what the peers sent, which a terminal might obey")
        assert screen.ends() == 1


def test_elsewhere_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", ECHO)
    with paged(wanted=True) as out:
        assert out is sys.stdout


def test_less_is_what_there_is_without_a_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGER", raising=False)
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert module._pager() == ["less"]
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert module._pager() == []
