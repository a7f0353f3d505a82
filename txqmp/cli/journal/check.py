"""``txqmp journal check``: whether a journal is whole, and as the format has it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict

from txqmp.cli.journal.extras import extra
from txqmp.cli.journal.output import plain
from txqmp.cli.journal.source import ReadOptions
from txqmp.proxy.reread import disagreement
from txqmp.reports.check import Checker, Finding


class CheckOptions(ReadOptions):
    """The command line of ``txqmp journal check``."""

    synopsis = "txqmp journal check [options] FILE …"
    longdesc = (
        "Tells what is wrong with a journal: damaged lines, lost records, replies and commands "
        "without their other half. Ends with status 1 if there are problems; notes are none.\n\n"
        "Example: txqmp journal check session.jsonl"
    )
    optFlags = [
        ["json", None, "JSON: a line for each finding, and one for the summary."],
        ["quiet", "q", "only the summary."],
        ["schema", None, "show the JSON Schema of a record, and read no journal."],
    ]

    def parseArgs(self, *paths: str) -> None:
        """
        Take the files.

        :raises UsageError: there is none.
        """
        if not self["schema"]:
            super().parseArgs(*paths)

    def run(self) -> None:
        """
        Check the journals.

        :raises JournalError: one cannot be read.
        :raises SystemExit: there are problems.
        """
        with extra("journal check", "journal"):
            from txqmp.reports.schema import Validator, schema_text
        if self["schema"]:
            print(schema_text(), end="")
            return
        checker = Checker(Validator().problem, disagreement)
        with self.sources() as sources:
            for block in sources.blocks():
                for finding in checker.check(block):
                    self._show(finding)
        for finding in checker.end():
            self._show(finding)
        print(_summary_json(checker) if self["json"] else _summary(checker))
        if checker.problems:
            raise SystemExit(1)

    def _show(self, finding: Finding) -> None:
        if self["quiet"]:
            return
        if self["json"]:
            print(json.dumps(asdict(finding)))
            return
        note = "note: " if finding.note else ""
        print(f"{plain(finding.path)}:{finding.line}: {note}{finding.what}: {plain(finding.text)}")


def _summary(checker: Checker) -> str:
    read = f"{_counted(checker.records, 'record')} in {_counted(checker.connections, 'connection')}"
    problems, notes = checker.problems.total(), checker.notes.total()
    found = _counted(problems, "problem") if problems else "no problems"
    told = f", {_counted(notes, 'note')}" if notes else ""
    return f"{read}: {found}{_by_name(checker.problems)}{told}{_by_name(checker.notes)}"


def _summary_json(checker: Checker) -> str:
    return json.dumps(
        {
            "records": checker.records,
            "connections": checker.connections,
            "problems": dict(sorted(checker.problems.items())),
            "notes": dict(sorted(checker.notes.items())),
        }
    )


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _by_name(counts: Counter[str]) -> str:
    named = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f" ({named})" if named else ""
