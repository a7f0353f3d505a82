"""A journal as a page of HTML."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.test_record import records
from tests.reports.sessions import GOLDEN, HOSTILE, hostile, session
from txqmp.journal.record import Record
from txqmp.reports.htmlpage import write_page


def page(said: list[Record], **settings: str) -> str:
    out = io.BytesIO()
    write_page(said, None, out, **settings)
    return out.getvalue().decode("utf-8")


class Reader(HTMLParser):
    """The rows of a page: their attributes and texts; and every tag there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attributes}
        if tag == "tr":
            self.rows.append(dict(attributes))
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


def test_the_rows() -> None:
    text = page(session("text"))
    rows = text[text.index("<tbody>") : text.index("</tbody>")]
    assert rows == (GOLDEN / "text.rows.html").read_text("utf-8")


def test_what_the_rows_are() -> None:
    read = Reader(page(session("secrets")))
    kinds = [row["data-kind"] for row in read.rows]
    assert kinds.count("command") == 12
    assert kinds.count("event") == 2
    assert [row["class"] for row in read.rows if "data-failed" in row] == [
        *("failure", "undecoded"),
        *["failure"] * 3,
    ]


def test_it_wants_nothing_from_elsewhere() -> None:
    read = Reader(page(session("secrets")))
    assert not {"link", "img", "iframe", "object", "base"} & set(read.tags)
    assert not {"src", "href", "action", "onclick", "style"} & read.attributes


def test_the_browser_runs_what_is_ours_and_nothing_else() -> None:
    text = page(session("text"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    for tag in ("style", "script"):
        body = text[text.index(f"<{tag}>") + len(tag) + 2 : text.index(f"</{tag}>")]
        digest = b64encode(sha256(body.encode()).digest()).decode()
        assert f"{tag}-src &#x27;sha256-{digest}&#x27;" in policy[1]
    assert "default-src &#x27;none&#x27;" in policy[1]


def test_what_peers_sent_is_text() -> None:
    plain, read = Reader(page(session("text"))), Reader(page(hostile(), title=HOSTILE))
    assert read.tags.count("script") == 1
    assert set(read.tags) == set(plain.tags)
    assert read.attributes <= plain.attributes
    (line, *_) = [text for text in read.texts if "alert" in text]
    assert "<script>alert('1')</script>" in line


def test_nothing_that_peers_sent_reorders_or_hides_what_is_seen() -> None:
    rows = page(hostile())
    rows = rows[rows.index("<tbody>") :]
    strange = {c for c in rows if not (" " <= c <= "~" or c == "\n")}
    assert strange <= set("→←·…")


def test_what_is_long_is_cut_where_it_is_short_and_whole_below() -> None:
    (one,) = [record for record in session("secrets") if record.seq == 2]
    one.fields["qemu"] = "7" * 1000
    one.raw = b"8" * 1000
    text = page([one])
    assert "7" * 100 in text
    assert "7" * 200 not in text
    assert "8" * 1000 in text


@given(said=st.lists(records, max_size=4))
def test_whatever_was_recorded_can_be_written(said: list[Record]) -> None:
    read = Reader(page(said))
    assert read.tags.count("script") == 1
    assert len(read.rows) == read.tags.count("details")


@pytest.mark.parametrize("count", [0, 10_000])
def test_any_number_of_records(count: int) -> None:
    said = session("text")[7:10] * (count // 3)
    assert len(Reader(page(said)).rows) == 2 * (count // 3)
