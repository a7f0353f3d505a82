"""``txqmp policy check``: whether a policy can be read, and what it says."""

from __future__ import annotations

from twisted.python.usage import UsageError

from txqmp.cli.command import CommandOptions
from txqmp.policy.describe import describe
from txqmp.policy.load import load


class CheckOptions(CommandOptions):
    """The command line of ``txqmp policy check``."""

    synopsis = "txqmp policy check FILE"
    longdesc = (
        "Reads a policy and shows its rules, in the order in which they are looked at; those of "
        "a ruleset that it includes come last. What is wrong is told with its line.\n\n"
        "Example: txqmp policy check policy.toml"
    )

    def parseArgs(self, *files: str) -> None:
        """
        Take the file.

        :raises UsageError: there is not one.
        """
        if len(files) != 1:
            raise UsageError("policy check wants a file")
        (self["file"],) = files

    def run(self) -> None:
        """
        Read the file and show its rules.

        :raises PolicyError: it cannot be read.
        """
        rules, default = load(self["file"])
        width = max((len(rule.label) for rule in rules), default=0)
        for rule in rules:
            print(f"{rule.label:{width}}  {rule.action:5}  {describe(rule)}")
        print(f"{'default':{width}}  {default:5}  every command that no rule decides")
