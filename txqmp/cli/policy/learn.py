"""``txqmp policy learn``: an allow-list of what was recorded."""

from __future__ import annotations

from txqmp.cli.journal.source import ReadOptions
from txqmp.cli.policy.heard import undenied
from txqmp.errors import ProtocolViolation
from txqmp.policy.learn import Lesson


class LearnOptions(ReadOptions):
    """The command line of ``txqmp policy learn``."""

    synopsis = "txqmp policy learn [options] JOURNAL …"
    longdesc = (
        "Writes a policy that allows the commands in the journals, and denies every other. "
        "Read it before you use it: it allows what was said, be it good or bad.\n\n"
        "Example: txqmp policy learn qmp-proxy.jsonl > policy.toml"
    )
    optFlags = [
        [
            "arguments",
            None,
            "allow arguments as they were: the values, any file of a folder, or more than 8.",
        ],
    ]

    def run(self) -> None:
        """
        Read the journals and write the policy.

        :raises JournalError: a journal cannot be read.
        """
        lesson = Lesson(arguments=bool(self["arguments"]))
        lost = 0
        with self.sources() as sources:
            for each in undenied(self.records(sources)):
                try:
                    lesson.hear(each.dialect, each.message)
                except ProtocolViolation:
                    lost += 1
        if lost:
            print(f"# {lost} messages could not be read: every policy denies such.")
        print(lesson.policy(), end="")
