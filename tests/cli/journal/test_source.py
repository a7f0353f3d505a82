"""What all that read journals have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from tests.cli.journal.sample import machine, write
from txqmp.cli.journal import source
from txqmp.cli.journal.source import FilterOptions, ReadOptions
from txqmp.journal.reader import Torn
from txqmp.journal.record import Kind


class Asking(FilterOptions):
    """A command line with all sorts of options."""

    synopsis = "txqmp journal ask [options] FILE …"
    longdesc = "Asks."
    optFlags = [["deep", "d", "a flag."]]
    optParameters = [["name", "n", None, "a parameter."], ["size", None, 7, "a number.", int]]


def parsed(*argv: str) -> Asking:
    options = Asking()
    options.parseOptions(list(argv))
    return options


@pytest.mark.parametrize(
    "argv",
    [
        ["-d", "-n", "x", "--size=3", "a", "b"],
        ["a", "b", "-d", "-n", "x", "--size", "3"],
        ["a", "-dnx", "b", "--size=3"],
        ["--deep", "a", "--name=x", "--siz", "3", "b"],
    ],
)
def test_options_stand_where_they_like(argv: list[str]) -> None:
    options = parsed(*argv)
    assert (options["deep"], options["name"], options["size"]) == (1, "x", 3)
    assert options.paths == ["a", "b"]


def test_an_option_may_have_an_empty_value() -> None:
    for argv in (["a", "-n", ""], ["a", "--name="], ["--name", "", "a"]):
        options = parsed(*argv)
        assert (options["name"], options.paths) == ("", ["a"])


def test_what_looks_like_an_option_may_be_a_file() -> None:
    assert parsed("-d", "--", "-x", "--name").paths == ["-x", "--name"]
    assert parsed("-").paths == ["-"]


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ([], "journal ask wants a file"),
        (["--nosuch", "a"], "option --nosuch not recognized"),
        (["a", "-n"], "option -n requires argument"),
        (["a", "--deep=1"], "option --deep must not have an argument"),
    ],
)
def test_what_is_no_command_line(argv: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=f"^{problem}$"):
        parsed(*argv)


def test_records_are_chosen_and_torn_lines_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "j", machine(), torn=b"x\n")
    options = parsed(path, "--filter", "kind:gap")
    with options.sources() as sources:
        chosen = list(options.entries(sources))
        (block,) = sources.blocks()
        assert list(options.block_entries(block)) == chosen
    gap, torn = chosen
    assert not isinstance(gap, Torn)
    assert gap.kind is Kind.GAP
    assert isinstance(torn, Torn)


def test_without_a_filter_everything_is_chosen(tmp_path: Path) -> None:
    options = parsed(write(tmp_path / "j", machine()))
    with options.sources() as sources:
        assert list(options.entries(sources)) == machine()


def test_a_filter_that_is_none_ends_with_a_caret() -> None:
    with pytest.raises(SystemExit) as caught:
        parsed("a", "--filter", "kind:x")
    assert str(caught.value) == (
        "txqmp: --filter: kind: there is no x: there are greeting, command, output, success, "
        "failure, rejection, event, undecoded, opened, closed, gap, resync, fault, verdict\n"
        "  kind:x\n"
        "       ^"
    )


def test_other_files_can_be_opened_than_those_of_the_command_line(tmp_path: Path) -> None:
    write(tmp_path / "j.1", machine()[:1])
    write(tmp_path / "j", machine()[1:2])
    options = ReadOptions()
    options.synopsis = "txqmp journal ask [options] FILE …"
    options.parseOptions(["--rotated", "other"])
    with options.sources([str(tmp_path / "j")]) as sources:
        assert list(sources.entries()) == machine()[:2]


def test_without_lark_there_are_no_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "txqmp.reports.filter", raising=False)
    monkeypatch.setitem(sys.modules, "lark", None)
    said = r"^txqmp: --filter needs lark: pip install 'txqmp\[journal\]'$"
    with pytest.raises(SystemExit, match=said):
        parsed("a", "--filter", "kind:event")


def test_the_bar_can_be_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def watching(size: int | None, *, hidden: bool) -> Iterator[None]:
        assert size == 0
        shown.append(not hidden)
        yield

    shown: list[bool] = []
    monkeypatch.setattr(source, "watched", watching)
    (tmp_path / "j").touch()
    for argv, more in (([], {}), (["--no-progress"], {}), ([], {"hidden": True})):
        with parsed(str(tmp_path / "j"), *argv).sources(**more):
            pass
    assert shown == [True, False, False]
