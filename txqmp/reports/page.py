"""A page of its own: a picture of a journal, and its statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from txqmp.journal.printable import legible, printable
from txqmp.reports.tables import TABLES, Table, head

_STYLE = """\
body { font-family: sans-serif; margin: 2em; color: #222; }
svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: 0 0 2em; }
th, td { padding: 0.2em 0.8em; border-bottom: 1px solid #ddd; text-align: right; }
.text { text-align: left; }
tfoot td { border-top: 2px solid #888; }"""
_HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<h1>{title}</h1>"""


def page(title: str, svg: bytes, statistics: Mapping[str, Any]) -> bytes:
    """
    Put a page together; it needs nothing from anywhere, and runs nothing.

    :param svg: the picture.
    """
    parts = [
        _HEAD.format(title=escape(legible(title)), style=_STYLE),
        svg[svg.index(b"<svg") :].decode("utf-8"),
        "<table>",
        *(
            f"<tr><th class=text>{_text(name)}</th><td class=text>{_text(value)}</td></tr>"
            for name, value in head(statistics)
        ),
        "</table>",
    ]
    for table in TABLES.values():
        if statistics[table.name]:
            parts += _table(table, statistics)
    return "\n".join([*parts, "</body>\n</html>\n"]).encode("utf-8")


def _table(table: Table, statistics: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2>{_text(table.title)}</h2>\n<table>\n<thead>"
    yield _row(table, "th", [column.heading for column in table.headed()])
    yield "</thead>\n<tbody>"
    for cells in table.shown(table.rows(statistics)):
        yield _row(table, "td", cells)
    yield "</tbody>\n<tfoot>"
    for cells in table.shown(table.total(statistics)):
        yield _row(table, "td", cells)
    yield "</tfoot>\n</table>"


def _row(table: Table, tag: str, cells: Sequence[str]) -> str:
    written = [
        f"<{tag}{' class=text' if column.is_text else ''}>{_text(cell)}</{tag}>"
        for column, cell in zip(table.headed(), cells, strict=True)
    ]
    return f"<tr>{''.join(written)}</tr>"


def _text(text: str) -> str:
    return escape(printable(text))
