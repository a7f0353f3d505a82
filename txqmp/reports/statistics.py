"""What a tally found, as JSON values: times in seconds, sizes in bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from txqmp.journal.record import Kind
from txqmp.reports.latencies import EXACT, PRECISION, Latencies
from txqmp.reports.tally import OTHER, OTHERS, Command, Connection, Place, Tally, Traffic

ALL = "(all)"
"""The name of all commands together."""


def statistics(tally: Tally) -> dict[str, Any]:
    """
    Put together what was counted; ``docs/journal-tools/stats.rst`` tells of every key.

    The rows of tables are in order: what there is most of first, connections and hours by time.
    """
    seen = bool(tally.kinds)
    commands = [_command(name, row) for name, row in tally.commands.items()]
    events = [{"event": name, "count": count} for name, count in tally.events.items()]
    errors = [
        {"kind": kind, "class": name, "reason": reason, "count": count}
        for (kind, name, reason), count in tally.errors.items()
    ]
    faults = [{"fault": name, "count": count} for name, count in tally.faults.items()]
    verdicts = [
        {"verdict": name, "rule": rule, "count": count}
        for (name, rule), count in tally.verdicts.items()
    ]
    connections = sorted(tally.connections.items(), key=lambda item: (item[1].since, item[0]))
    hours = sorted(tally.hours.items(), key=lambda item: (item[0] is None, item[0]))
    return {
        "records": tally.kinds.total(),
        "kinds": {kind: tally.kinds[kind] for kind in sorted(tally.kinds)},
        "first": _time(tally.first) if seen else None,
        "last": _time(tally.last) if seen else None,
        "seconds": (tally.last - tally.first).total_seconds() if seen else 0.0,
        "bytes_to_monitor": sum(hour.bytes_to_monitor for hour in tally.hours.values()),
        "bytes_to_client": sum(hour.bytes_to_client for hour in tally.hours.values()),
        "undecoded": tally.kinds[Kind.UNDECODED],
        "gaps": tally.kinds[Kind.GAP],
        "lost": tally.lost,
        "torn": tally.torn_count,
        "torn_lines": [
            {"file": torn.path, "line": torn.line_number, "problem": torn.problem}
            for torn in tally.torn
        ],
        "precision": PRECISION,
        "exact_up_to": EXACT,
        "all": _command(ALL, _together(tally.commands.values())),
        "commands": _most_first(commands),
        "events": _most_first(events),
        "errors": _most_first(errors),
        "faults": _most_first(faults),
        "verdicts": _most_first(verdicts),
        "connections": [_connection(place, row) for place, row in connections],
        "hours": [_hour(hour, row) for hour, row in hours],
    }


def client(peer: dict[str, Any]) -> str:
    """Tell in a few words who a client was; empty if that is not known."""
    if "address" in peer:
        return f"{peer['address']}:{peer.get('port', '')}"
    known = [f"{key} {peer[key]}" for key in ("pid", "uid") if key in peer]
    return " ".join([str(peer.get("program", peer.get("path", ""))), *known]).strip()


def _most_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first column, and what follows it up to the count, decide where counts are the same."""
    return sorted(rows, key=lambda row: (-row["count"], *map(str, row.values())))


def _together(commands: Iterable[Command]) -> Command:
    whole = Command()
    for one in commands:
        for name in ("count", "replies", "errors", "rejections", "unanswered"):
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
        for name in ("latency", "waiting", "executing"):
            getattr(whole, name).merge(getattr(one, name))
    return whole


def _command(name: str, row: Command) -> dict[str, Any]:
    return {
        "command": name,
        "count": row.count,
        "replies": row.replies,
        "errors": row.errors,
        "rejections": row.rejections,
        "unanswered": row.unanswered,
        "latency": _times(row.latency),
        "waiting": _times(row.waiting),
        "executing": _times(row.executing),
    }


def _times(times: Latencies) -> dict[str, float | None]:
    percentiles = {"median": 50, "p90": 90, "p99": 99}
    times.settle()
    if not times.count:
        return dict.fromkeys(("min", *percentiles, "max", "mean", "total"))
    found = {
        "min": times.least,
        **{name: times.percentile(percent) for name, percent in percentiles.items()},
        "max": times.most,
        "mean": times.mean,
        "total": times.total,
    }
    return {name: round(value, 6) for name, value in found.items()}


def _traffic(row: Traffic) -> dict[str, int]:
    return {
        "records": row.records,
        "commands": row.commands,
        "errors": row.errors,
        "events": row.events,
        "bytes_to_monitor": row.bytes_to_monitor,
        "bytes_to_client": row.bytes_to_client,
    }


def _connection(place: Place, row: Connection) -> dict[str, Any]:
    run, monitor, number = place
    others = place == OTHERS
    peer = json.loads(row.peer) if row.peer and not others else None
    seconds = row.last - row.first
    return {
        "run": run,
        "monitor": monitor,
        "connection": number,
        "client": client(peer or {}),
        "peer": peer,
        "first": _time(row.since),
        # Connections of several runs have no clock in common.
        "seconds": None if others or not math.isfinite(seconds) else round(seconds, 6),
        **_traffic(row),
        "unanswered": row.unanswered,
    }


def _hour(hour: datetime | None, row: Traffic) -> dict[str, Any]:
    return {"hour": OTHER if hour is None else f"{hour:%Y-%m-%dT%H:00Z}", **_traffic(row)}


def _time(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
