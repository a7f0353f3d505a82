"""``txqmp policy``: who may say what."""

from __future__ import annotations

from txqmp.cli.command import CommandOptions, subcommand


class PolicyCommandOptions(CommandOptions):
    """The command line of ``txqmp policy``."""

    synopsis = "txqmp policy <command> [options] FILE …"
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

    def postOptions(self) -> None:
        """
        See that there is something to do.

        :raises UsageError: no command was given.
        """
        self.want_command("say what to do with a policy")

    def run(self) -> None:
        """Do what was asked for."""
        self.subOptions.run()
