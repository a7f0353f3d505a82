"""``txqmp journal``: reading what was recorded."""

from __future__ import annotations

from txqmp.cli.command import GroupOptions, subcommand


class JournalCommandOptions(GroupOptions):
    """The command line of ``txqmp journal``."""

    synopsis = "txqmp journal <command> [options] [FILE …]"
    wanted = "say what to do with the journal"
    longdesc = (
        "Reads what was recorded; each of its commands has a --help of its own.\n\n"
        "Example: txqmp journal show session.jsonl"
    )
    subCommands = [
        subcommand("journal.check", "CheckOptions", "Tell whether a journal is whole and valid."),
        subcommand("journal.diff", "DiffOptions", "Tell what is different between two sessions."),
        subcommand("journal.export", "ExportOptions", "Write a journal in another format."),
        subcommand("journal.plot", "PlotOptions", "Draw what was said over time."),
        subcommand("journal.redact", "RedactOptions", "Take the secrets out of an old journal."),
        subcommand("journal.show", "ShowOptions", "Show what was said."),
        subcommand("journal.stats", "StatsOptions", "Count what was said, and how long it took."),
    ]
