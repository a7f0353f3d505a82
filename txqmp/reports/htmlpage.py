"""A journal as one page of HTML, to be searched: a row for each command, nothing from elsewhere."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, BinaryIO

from txqmp.journal.record import Direction, Kind, Record
from txqmp.reports.rows import UNANSWERED, Chosen, as_json, chosen_spans, stamp
from txqmp.reports.spans import Span

_SHORT = 160
"""Characters of a message that are seen before a row is opened."""

# Were a peer's text to get out of its place in spite of all, the browser would not run it.
_POLICY = "default-src 'none'; style-src '{style}'; script-src '{script}'; form-action 'none'"

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<form>
<input type="search" name="words" placeholder="words, -without" aria-label="words">
<label>show <select name="kind">
<option value="">everything</option>
<option value="command">commands</option>
<option value="event">events</option>
<option value="other">the rest</option>
</select></label>
<label><input type="checkbox" name="failed"> failed</label>
<label>at least <input type="number" name="least" min="0" step="any"> ms</label>
<output></output>
</form>
<table>
<tbody>
"""
_FOOT = """</tbody>
</table>
<script>{script}</script>
</body>
</html>
"""
_UNSEEN = re.compile(r"[^ -~]")
_ARROWS = {Direction.TO_MONITOR: "→", Direction.TO_CLIENT: "←", None: "·"}


def write_page(
    records: Iterable[Record], chosen: Chosen | None, out: BinaryIO, title: str = "txqmp journal"
) -> None:
    """
    Write the page.

    :param title: whose journal it is.
    """
    style, script = _part("htmlpage.css"), _part("htmlpage.js")
    policy = _POLICY.format(style=_hash(style), script=_hash(script))
    head = _HEAD.format(policy=escape(policy), title=_safe(title), style=style)
    out.write(head.encode("utf-8"))
    for part in chosen_spans(records, chosen):
        for row in _rows(part):
            out.write(row.encode("utf-8"))
    out.write(_FOOT.format(script=script).encode("utf-8"))


def _rows(part: Span | Record) -> Iterator[str]:
    yield _row(part)
    if isinstance(part, Span):
        yield from map(_row, part.events)


def _row(part: Span | Record) -> str:
    if isinstance(part, Span):
        outcome = UNANSWERED if part.reply is None else part.reply.kind.value
        failed, ms = outcome != Kind.SUCCESS, _milliseconds(part.latency)
        kind, label = "command", _asked(part)
        records = [record for record in part.records() if record.kind is not Kind.EVENT]
    else:
        outcome, failed, ms = part.kind.value, part.kind in (Kind.UNDECODED, Kind.GAP), ""
        kind = "event" if part.kind is Kind.EVENT else "other"
        label, records = _told(part), [part]
    first = records[0]
    data = f' data-kind="{kind}"' + (" data-failed" if failed else "")
    data += f' data-ms="{ms}"' if ms else ""
    said = "".join(f"<pre>{_ARROWS[one.direction]} {_safe(_bytes(one))}</pre>" for one in records)
    return (
        f'<tr class="{outcome}"{data}><td>{stamp(first.time).replace("T", " ")}</td>'
        f"<td>{_safe(first.monitor)}#{first.connection}</td>"
        f"<td><details><summary>{label}</summary>{said}</details></td>"
        f"<td>{f'{ms} ms' if ms else ''}</td></tr>\n"
    )


def _asked(span: Span) -> str:
    arguments = span.command.fields.get("arguments") if span.command is not None else None
    text = f"<b>{_safe(span.name or '?')}</b>"
    if arguments:
        text += f" {_cut(as_json(arguments))}"
    if span.reply is None:
        return f"{text} ({UNANSWERED})"
    reason = span.reply.fields.get("reason")
    return text if reason is None else f"{text}: {_cut(str(reason))}"


def _told(record: Record) -> str:
    fields = {key: value for key, value in record.fields.items() if key != "event"}
    name = record.fields.get("event") if record.kind is Kind.EVENT else None
    about = f" {_cut(as_json(fields))}" if fields else ""
    return f"<b>{_safe(record.kind.value if name is None else str(name))}</b>{about}"


def _bytes(record: Record) -> str:
    if record.raw is None:
        return as_json(record.fields)
    return record.raw.rstrip(b"\r\n").decode("ascii", "backslashreplace")


def _milliseconds(seconds: Any) -> str:
    return "" if seconds is None else f"{seconds * 1000:.3f}"


def _cut(text: str) -> str:
    return _safe(text) if len(text) <= _SHORT else f"{_safe(text[:_SHORT])}…"


def _safe(text: str) -> str:
    """Nothing a peer sent is markup, and none of it reorders or hides what is seen."""
    return _UNSEEN.sub(lambda m: m[0].encode("unicode_escape").decode("ascii"), escape(text))


def _part(name: str) -> str:
    return files("txqmp.reports").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}"
