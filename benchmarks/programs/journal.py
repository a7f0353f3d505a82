"""``journal txqmp|unredacted|stock FILE COUNT BATCH``: records of about 300 bytes into a file."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.programs.meter import Meter, tell
from txqmp.journal import Direction, Journal, Kind, Record


def make(number: int) -> Record:
    """Make the record of a command."""
    argument = f"drive-virtio-disk{number % 10}"
    return Record(
        time=time.time(),
        mono=time.monotonic(),
        monitor="vm1",
        connection=1,
        seq=number,
        peer={"path": "/run/vm1.sock", "uid": 0},
        direction=Direction.TO_MONITOR,
        dialect="text",
        kind=Kind.COMMAND,
        fields={"command": "info", "arguments": ["block", argument]},
        raw=f"info block {argument}\r\n".encode(),
    )


def batches(count: int, size: int) -> list[list[Record]]:
    """Make many records, as they come in reads."""
    return [[make(i + j) for j in range(size)] for i in range(0, count, size)]


def ours(path: str, count: int, size: int, redact: bool) -> dict[str, float]:
    """Write them to a journal, which writes to its file at once."""
    journal = Journal(path, redact=redact, rotate_bytes=0, in_thread=lambda work: work())
    journal.open()
    work = batches(count, size)
    meter = Meter()
    for records in work:
        journal.record(records)
    journal.close()
    used = meter.stop(count)
    return {**used, "lost": journal.lost, "bytes": Path(path).stat().st_size / count}


def plain(path: str, count: int, size: int) -> dict[str, float]:
    """Write the same with ``json.dumps`` and a buffered file."""
    sample = Path(path)
    journal = Journal(path, rotate_bytes=0, in_thread=lambda work: work())
    journal.open()
    for records in batches(count, size):
        journal.record(records)
    journal.close()
    work: list[dict[str, Any]] = [json.loads(line) for line in sample.open()]
    sample.unlink()
    meter = Meter()
    with sample.open("w") as file:
        for line in work:
            file.write(json.dumps(line) + "\n")
    used = meter.stop(count)
    return {**used, "bytes": sample.stat().st_size / count}


def main() -> None:
    """Do what the command line says."""
    _, kind, path, count, size = sys.argv
    Path(path).unlink(missing_ok=True)
    if kind == "stock":
        tell(plain(path, int(count), int(size)))
    else:
        tell(ours(path, int(count), int(size), kind == "txqmp"))


if __name__ == "__main__":
    main()
