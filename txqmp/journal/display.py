"""Records for a person at a terminal: a line each, and nothing a peer sent raw."""

from __future__ import annotations

import json
from typing import Any

from txqmp.journal.clocks import Clock, utc
from txqmp.journal.printable import printable
from txqmp.journal.reader import Torn
from txqmp.journal.record import Direction, Kind, Record

_LIMIT = 200
_ARROWS = {Direction.TO_MONITOR: "→", Direction.TO_CLIENT: "←", None: "·"}
_RESET = "\x1b[0m"
_COLOURS = {
    Kind.GREETING: "\x1b[2m",
    Kind.COMMAND: "\x1b[1m",
    Kind.SUCCESS: "\x1b[32m",
    Kind.FAILURE: "\x1b[31m",
    Kind.REJECTION: "\x1b[31m",
    Kind.EVENT: "\x1b[36m",
    Kind.UNDECODED: "\x1b[35m",
    Kind.OPENED: "\x1b[2m",
    Kind.CLOSED: "\x1b[2m",
    Kind.RESYNC: "\x1b[2m",
    Kind.GAP: "\x1b[1;41m",
    Kind.FAULT: "\x1b[33m",
    Kind.VERDICT: "\x1b[33m",
}
_encoder = json.JSONEncoder(separators=(",", ":"), default=str)


class RecordPrinter:
    """
    Shows records, one line each.

    :param color: with ANSI colours.
    :param full: do not cut what is long.
    :param clock: shows their times.
    """

    def __init__(self, color: bool, full: bool = False, clock: Clock = utc) -> None:
        self._color = color
        self._full = full
        self._clock = clock

    def line(self, record: Record, source: str = "") -> str:
        """
        Show a record: time, monitor and connection, direction, content.

        :param source: the journal that it is from, where there are several.
        """
        return f"{self.head(record, source)} {self.body(record)}"

    def head(self, record: Record, source: str = "") -> str:
        """Show when and where it was."""
        where = f"{source}: {record.monitor}" if source else record.monitor
        return f"{self._clock(record.time)} {printable(where)}#{record.connection}"

    def body(self, record: Record) -> str:
        """Show which way it went, and what it says."""
        content, note = _content(record)
        said = self._painted(self._cut(content) + printable(note), _COLOURS.get(record.kind))
        return f"{_ARROWS[record.direction]} {said}"

    def summary(self, command: Record, text: str) -> str:
        """Show which way a command went, and in place of its arguments what there is to say."""
        name = printable(str(command.fields.get("command", "")))
        said = self._painted(f"{name} {text}", _COLOURS[Kind.COMMAND])
        return f"{_ARROWS[command.direction]} {said}"

    def remark(self, text: str) -> str:
        """Show something that is in no record."""
        return f"{_ARROWS[None]} {self._painted(text, _COLOURS[Kind.UNDECODED])}"

    def torn(self, torn: Torn) -> str:
        """Show a line that is no record."""
        content = self._cut(torn.raw.decode("latin-1"))
        place = "standard input" if torn.path == "-" else torn.path
        where = printable(f"{place} line {torn.line_number}".lstrip())
        text = f"{where} IS NO RECORD: {printable(torn.problem)}: {content}"
        return self._painted(text, _COLOURS[Kind.GAP])

    def _cut(self, content: str) -> str:
        if self._full or len(content) <= _LIMIT:
            return printable(content)
        size = len(content.encode("utf-8", "surrogatepass"))
        return f"{printable(content[:_LIMIT])}… ({size} bytes)"

    def _painted(self, text: str, colour: str | None) -> str:
        return f"{colour}{text}{_RESET}" if self._color and colour else text


def _content(record: Record) -> tuple[str, str]:
    """What was said, which may be long, and a note on it, which is not."""
    note = ""
    if record.kind in (Kind.SUCCESS, Kind.FAILURE, Kind.REJECTION):
        note = _latency(record.fields.get("latency"))
    if record.kind is Kind.UNDECODED:
        raw = (record.raw or b"").decode("latin-1").rstrip("\r\n")
        return f"UNDECODED ({record.fields.get('problem')}): {raw}", note
    if record.dialect == "text" and record.raw is not None and record.kind is not Kind.FAULT:
        return record.raw.decode("latin-1").rstrip("\r\n"), note
    return _described(record.kind, record.fields, record.peer), note


def _described(kind: Kind, fields: dict[str, Any], peer: dict[str, Any] | None) -> str:
    get = fields.get
    match kind:
        case Kind.GREETING:
            version = f"QMP {get('qmp')}" if "qmp" in fields else _json(get("capabilities"))
            return f"QEMU {get('qemu')} {version}"
        case Kind.COMMAND:
            return _joined(get("command"), _arguments(get("arguments")), _id(fields))
        case Kind.OUTPUT:
            return f"= {get('text', '')}"
        case Kind.SUCCESS:
            value = _json(fields["return"]) if "return" in fields else ""
            return _joined("OK", get("command"), value)
        case Kind.FAILURE | Kind.REJECTION:
            label = "ERR" if kind is Kind.FAILURE else "BAD"
            reason = f"{get('reason')} ({get('class')})" if "class" in fields else get("reason")
            return _joined(label, f"{get('command')}:" if get("command") else "", reason)
        case Kind.EVENT:
            return _joined("EVENT", get("event"), _arguments(get("data")))
        case Kind.OPENED:
            return _joined("opened to", get("upstream"), f"by {_json(peer)}" if peer else "")
        case Kind.CLOSED:
            sent = f"{get('bytes_to_monitor')} bytes to the monitor"
            back = f"{get('bytes_to_client')} to the client"
            ending = f" [{get('ending')}]" if get("ending") else ""
            return f"closed by {get('ended_by')}{ending}: {get('reason')} ({sent}, {back})"
        case Kind.FAULT:
            name = get("command") or get("event")
            return _joined("FAULT", get("fault"), get("hit"), name, f"by {get('rule')}")
        case Kind.VERDICT:
            why = f"({get('reason')})" if get("reason") else ""
            return _joined("VERDICT", get("verdict"), get("command"), f"by {get('rule')}", why)
        case Kind.RESYNC:
            return f"IS {_json(fields)}"
        case Kind.GAP:
            since = f" since {get('since')}" if get("since") else ""
            lost = f"{get('lost')} RECORDS LOST" if "lost" in fields else "NOTHING HEARD"
            return f"{lost}{since}: {get('problem')}"
        case _:
            return _json(fields)


def _joined(*parts: object) -> str:
    return " ".join(str(part) for part in parts if part not in ("", None))


def _arguments(arguments: Any) -> str:
    if isinstance(arguments, list):
        return " ".join(str(argument) for argument in arguments)
    return _json(arguments) if arguments else ""


def _id(fields: dict[str, Any]) -> str:
    return f"(id {_json(fields['id'])})" if "id" in fields else ""


def _json(value: Any) -> str:
    try:
        return _encoder.encode(value)
    except RecursionError:
        return "(nested too deeply to be shown)"


def _latency(seconds: object) -> str:
    return f"  {duration(seconds)}" if isinstance(seconds, (int, float)) else ""


def duration(seconds: float) -> str:
    """Show how long something took."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
