"""``txqmp journal plot``: a session as a picture."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from tests.cli.journal import counted
from tests.cli.journal.absent import without
from txqmp.cli.main import main

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The session, as ``session.jsonl`` in the current folder."""
    monkeypatch.chdir(tmp_path)
    return counted.write(Path("session.jsonl"))


def plot(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    main(["journal", "plot", *argv])
    out, err = capsys.readouterr()
    assert err == ""
    return out


def texts(path: str = "out.svg") -> list[str]:
    root = ET.fromstring(Path(path).read_bytes())
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def marks(path: str = "out.svg") -> int:
    root = ET.fromstring(Path(path).read_bytes())
    groups = [g for g in root.iter(f"{SVG}g") if g.get("id", "").startswith("replies-")]
    return sum(len(list(group.iter(f"{SVG}use"))) for group in groups)


@pytest.mark.usefixtures("journal")
def test_a_picture_has_a_mark_for_each_reply(capsys: pytest.CaptureFixture[str]) -> None:
    assert plot(capsys, "session.jsonl", "-o", "out.svg") == "out.svg: 6 replies, 2 events\n"
    assert marks() == 6
    shown = texts()
    for text in ("session.jsonl", "latency (s)", "per second (1/s)", "time (UTC)", "qom-get"):
        assert text in shown
    assert "[bold]x[/bold]" in shown


@pytest.mark.usefixtures("journal")
def test_its_title_parts_and_records_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ("--title", "Why?", "--kind=latency", "--filter", "command:qom-get")
    assert plot(capsys, *chosen, "-o", "out.svg", "session.jsonl") == (
        "out.svg: 2 replies, 0 events\n"
    )
    assert marks() == 2
    assert "Why?" in texts()
    assert "per second (1/s)" not in texts()


def test_several_files_and_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, journal: bytes
) -> None:
    lines = journal.splitlines(keepends=True)
    Path("a.jsonl").write_bytes(b"".join(lines[:8]))
    Path("b.jsonl").write_bytes(b"".join(lines[8:]))
    assert plot(capsys, "a.jsonl", "b.jsonl", "--output=out.svg").endswith("6 replies, 2 events\n")
    assert "a.jsonl, b.jsonl" in texts()
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(journal)))
    assert plot(capsys, "-", "-o", "out.svg").endswith("6 replies, 2 events\n")
    assert "standard input" in texts()


@pytest.mark.usefixtures("journal")
def test_png(capsys: pytest.CaptureFixture[str]) -> None:
    plot(capsys, "session.jsonl", "-o", "out.PNG")
    assert Path("out.PNG").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


class Page(HTMLParser):
    """A page, as far as a test looks at it; it fails where tags do not match."""

    VOID = ("meta",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for key, value in attrs if key in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@pytest.mark.usefixtures("journal")
def test_a_page_has_the_picture_and_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    plot(capsys, "session.jsonl", "-o", "out.html", "--title", "<b>Größe</b>")
    text = Path("out.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.tags.count("svg") == 1
    assert page.tags.count("table") == 6  # the head, and all but that of faults
    assert page.texts.count("<b>Größe</b>") == 3  # title, heading and picture
    for said in ("qom-get", "500.000", "(all)", "\\x1b[2J unknown", "libvirtd pid 1234 uid 107"):
        assert said in page.texts
    # It is whole by itself, and runs nothing.
    assert not [link for link in page.links if link.startswith(("http:", "https:", "//"))]
    assert "script" not in page.tags
    assert text.count("<!DOCTYPE") == 1
    assert "<?xml" not in text


@pytest.mark.usefixtures("journal")
def test_what_peers_said_is_no_part_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    session = counted.Session("vm1", 1, None)
    name = "<script>alert(1)</script>"
    counted.write(Path("x.jsonl"), [session.command(name, 0), session.reply(1, name, 1, 1.0, name)])
    plot(capsys, "x.jsonl", "-o", "out.html")
    page = Page(Path("out.html").read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert page.texts.count(name) == 3  # a command, an error, and in the legend


def test_a_journal_that_breaks_off_is_drawn_up_to_there(
    capsys: pytest.CaptureFixture[str], journal: bytes
) -> None:
    Path("session.jsonl").write_bytes(journal[:-5])
    assert plot(capsys, "session.jsonl", "-o", "out.svg") == "out.svg: 6 replies, 2 events\n"
    Path("session.jsonl").write_bytes(journal[: journal.index(b'"latency":0.5') + 3])
    assert plot(capsys, "session.jsonl", "-o", "out.svg") == "out.svg: 5 replies, 1 event\n"


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["-o", "out.svg"], "journal plot wants a file"),
        (["session.jsonl"], "journal plot wants -o and a name that ends in .svg, .png or .html"),
        (["session.jsonl", "-o", "out.gif"], "out.gif: its name must end in .svg, .png or .html"),
        (["session.jsonl", "-o", "out.svg", "--kind=x"], "--kind x: there are latency, rate, "),
        (["session.jsonl", "-o", "nosuch/out.svg"], ": nosuch/out.svg: No such file"),
        (["nosuch.jsonl", "-o", "out.svg"], "nosuch.jsonl: No such file or directory"),
    ],
)
def test_a_mistake_is_one_line(
    capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["journal", "plot", *argv])
    (line,) = str(ended.value).splitlines()
    assert line.startswith("txqmp: ")
    assert says in line
    assert capsys.readouterr().out == ""
    assert not Path("out.svg").exists()


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("missing", ["matplotlib", "msgspec"])
def test_without_its_libraries_it_says_what_to_install(missing: str) -> None:
    assert without(missing, "journal", "plot", "session.jsonl", "-o", "out.svg") == (
        f"txqmp: journal plot needs {missing}: pip install 'txqmp[plot]'\n"
    )
