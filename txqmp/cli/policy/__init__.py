"""``txqmp policy``: who may say what."""

from __future__ import annotations

from txqmp.cli.command import GroupOptions, subcommand


class PolicyCommandOptions(GroupOptions):
    """The command line of ``txqmp policy``."""

    synopsis = "txqmp policy <command> [options] FILE …"
    wanted = "say what to do with a policy"
    longdesc = (
        "Tells who may say what, and what a policy would make of what was recorded; each of its "
        "commands has a --help of its own.\n\n"
        "Example: txqmp policy check policy.toml"
    )
    subCommands = [
        subcommand("policy.check", "CheckOptions", "Read a policy, and show its rules."),
        subcommand("policy.learn", "LearnOptions", "Make an allow-list of what was recorded."),
        subcommand("policy.test", "TestOptions", "Show what a policy makes of what was recorded."),
    ]
