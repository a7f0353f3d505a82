"""``txqmp policy test``: what a policy makes of what was recorded."""

from __future__ import annotations

import json
from typing import Any

from twisted.python.usage import UsageError

from txqmp.cli.journal.source import ReadOptions
from txqmp.cli.policy.heard import Heard, heard
from txqmp.errors import escaped
from txqmp.journal.record import iso_time
from txqmp.policy import Action, Client, Policy, Verdict


class TestOptions(ReadOptions):
    """The command line of ``txqmp policy test``."""

    __test__ = False  # no test of pytest's

    synopsis = "txqmp policy test [options] FILE JOURNAL …"
    longdesc = (
        "Judges every command of the journals by the policy in FILE, and shows those that it "
        "would have denied, delayed or logged, with the rule, and how often each rule was met. "
        "Nothing is sent anywhere. What a journal does not know of a client (its executable) "
        "may be anything.\n\n"
        "Example: txqmp policy test policy.toml qmp-proxy.jsonl"
    )
    optFlags = [["json", None, "write one JSON object."]]

    def parseArgs(self, *paths: str) -> None:
        """
        Take the policy and the journals.

        :raises UsageError: one of them is not there.
        """
        if len(paths) < 2:
            raise UsageError("policy test wants a policy and a journal")
        self["file"] = paths[0]
        super().parseArgs(*paths[1:])

    def run(self) -> None:
        """
        Judge, and show.

        :raises PolicyError: the policy cannot be read.
        :raises JournalError: a journal cannot be read.
        """
        policy = Policy.load(self["file"])
        counts = dict.fromkeys(Action, 0)
        told: list[dict[str, Any]] = []
        with self.sources() as sources:
            for each in heard(self.records(sources)):
                client = Client.from_peer(each.record.peer)
                verdict = policy.judge(client, each.dialect, each.message)
                counts[verdict.action] += 1
                if verdict.action is Action.ALLOW:
                    continue
                if self["json"]:
                    told.append(_told(each, verdict))
                else:
                    print(_line(each, verdict))
        if self["json"]:
            summary = {"counts": counts, "rules": policy.hits(), "commands": told}
            print(json.dumps(summary))
        else:
            _show(counts, policy.hits())


def _command(each: Heard) -> str:
    return str(each.record.fields.get("command", ""))


def _told(each: Heard, verdict: Verdict) -> dict[str, Any]:
    record = each.record
    return {
        "time": iso_time(record.time),
        "run": record.run,
        "monitor": record.monitor,
        "connection": record.connection,
        "seq": record.seq,
        "command": _command(each),
        "action": verdict.action,
        "rule": verdict.rule,
        "reason": verdict.reason,
    }


def _line(each: Heard, verdict: Verdict) -> str:
    record = each.record
    said = escaped(each.message.strip(), 100)
    why = f": {verdict.reason}" if verdict.reason else ""
    return (
        f"{iso_time(record.time)[11:23]} {record.monitor}#{record.connection} "
        f"{verdict.action} {said} (rule {verdict.rule}{why})"
    )


def _show(counts: dict[Action, int], hits: dict[str, int]) -> None:
    verbs = {"denied": Action.DENY, "delayed": Action.DELAY, "logged": Action.LOG}
    parts = ", ".join(f"{counts[action]} {verb}" for verb, action in verbs.items())
    print(f"{sum(counts.values())} commands: {parts}")
    width = max(map(len, hits))
    for label, count in hits.items():
        print(f"  {label:{width}}  {count or 'never'}")
