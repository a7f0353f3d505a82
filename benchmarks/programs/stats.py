"""``stats write|txqmp|json FILE [COUNT]``: a journal is written, or counted in one of two ways."""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from pathlib import Path

from benchmarks.programs.meter import Meter, tell
from txqmp.journal import Direction, Kind, Record, encode


def write(path: str, count: int) -> dict[str, float]:
    """Write commands with their replies, as a JSON monitor has them."""
    with Path(path).open("wb") as file:
        for number in range(1, count, 2):
            file.write(encode(_record(number, Kind.COMMAND)))
            file.write(encode(_record(number + 1, Kind.SUCCESS)))
    return {"bytes": Path(path).stat().st_size / count}


def _record(seq: int, kind: Kind) -> Record:
    name = f"query-{seq // 2 % 7}"
    fields = {"command": name, "arguments": {"path": f"/machine/device[{seq % 100}]"}, "id": seq}
    raw = json.dumps({"execute": name, "arguments": fields["arguments"], "id": seq})
    if kind is Kind.SUCCESS:
        value = {"status": "running", "singlestep": False, "running": True}
        latency = 0.0002 + seq * 7919 % 5000 / 1e6
        fields = {"return": value, "command": name, "reply_to": seq - 1, "latency": latency}
        raw = json.dumps({"return": value, "id": seq - 1})
    return Record(
        time=1795341600 + seq / 1000,
        mono=10 + seq / 1000,
        monitor="vm1",
        connection=1,
        seq=seq,
        peer={"path": "/run/vm1.sock", "uid": 0, "gid": 0, "pid": 1234, "program": "libvirtd"},
        direction=Direction.TO_MONITOR if kind is Kind.COMMAND else Direction.TO_CLIENT,
        dialect="json",
        kind=kind,
        fields=fields,
        raw=raw.encode() + b"\r\n",
        run="0a1b2c3d",
    )


def ours(path: str) -> int:
    """Count all that ``txqmp journal stats`` tells."""
    from txqmp.journal.glance import Glance, glances
    from txqmp.journal.sources import Sources
    from txqmp.reports.statistics import statistics
    from txqmp.reports.tally import Tally

    tally = Tally()
    for block in Sources([path]).blocks():
        for one in glances(block):
            if isinstance(one, Glance):
                tally.add(one)
    tally.end()
    found: int = statistics(tally)["records"]
    return found


def plain(path: str) -> int:
    """Read the lines with ``json.loads``, and count records by kind: the least one could do."""
    kinds: Counter[str] = Counter()
    with Path(path).open("rb") as file:
        for line in file:
            kinds[json.loads(line)["kind"]] += 1
    return kinds.total()


def main(kind: str, path: str, count: str = "0") -> None:
    """Do it, and tell seconds for each record, and the peak of memory in bytes."""
    if kind == "write":
        tell(write(path, int(count)))
        return
    meter = Meter()
    found = ours(path) if kind == "txqmp" else plain(path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    tell({**meter.stop(found), "records": found, "peak": peak})


if __name__ == "__main__":
    main(*sys.argv[1:])
