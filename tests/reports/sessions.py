"""Sessions for the reports: what was recorded, and what peers might have sent to spoil them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.journal.example import record
from txqmp.journal.reader import Torn, read
from txqmp.journal.record import Direction, Kind, Record

GOLDEN = Path(__file__).parents[1] / "cli" / "journal" / "golden"
HOSTILE = "=1+1\"><script>alert('1')</script>\x00\x1b[2J\u202e\ud800,\r\n"


def session(name: str) -> list[Record]:
    """A journal that was recorded: ``text`` or ``secrets``."""
    entries = list(read(GOLDEN / f"{name}.jsonl"))
    return [entry for entry in entries if not isinstance(entry, Torn)]


def hostile() -> list[Record]:
    """A session in which everything that a peer can choose is chosen badly."""
    raw = HOSTILE.encode("utf-8", "surrogatepass")
    more: dict[str, Any] = {"dialect": "json", "raw": raw, "peer": {"program": HOSTILE}}
    reply = {"command": HOSTILE, "reply_to": 2, "latency": 10**400, "return": {HOSTILE: HOSTILE}}
    failed = {"command": HOSTILE, "reply_to": 9**99, "reason": HOSTILE, "class": [HOSTILE]}
    return [
        record(Kind.OPENED, monitor=HOSTILE, fields={"upstream": HOSTILE}, peer=more["peer"]),
        record(
            Kind.COMMAND,
            monitor=HOSTILE,
            seq=2,
            fields={"command": HOSTILE, "arguments": [HOSTILE], "link": 9**99},
            **more,
        ),
        record(Kind.EVENT, monitor=HOSTILE, seq=3, fields={"event": HOSTILE}, **more),
        record(Kind.SUCCESS, monitor=HOSTILE, seq=4, fields=reply, **more),
        record(Kind.FAILURE, monitor=HOSTILE, seq=9**99, fields=failed, **more),
        record(Kind.EVENT, monitor=HOSTILE, seq=6, fields={"event": {"a": HOSTILE}}, **more),
        record(Kind.COMMAND, time=-1.0, seq=7, fields={"command": None, "arguments": 1}, **more),
        record(Kind.UNDECODED, seq=8, fields={"problem": HOSTILE}, raw=b"x" * 150_000),
        record(Kind.EVENT, seq=9, direction=Direction.TO_CLIENT, dialect="json", raw=None),
    ]
