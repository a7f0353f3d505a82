"""What all commands of the ``txqmp`` program have in common."""

from __future__ import annotations

import getopt
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from twisted.python.usage import Options, UsageError

import txqmp


class CommandOptions(Options):
    """A command line: its synopsis is whole, and the version is ours."""

    synopsis: str
    longdesc: str

    def getSynopsis(self) -> str:
        """The usage, without that of the command above it, which ``usage`` would put first."""
        return f"Usage: {self.synopsis}"

    def getUsage(self, width: int | None = None) -> str:
        """Show the options; an example in the description stands in a line of its own, the last."""
        if hasattr(self, "subOptions"):
            return super().getUsage(width)
        whole = self.longdesc
        self.longdesc, example, line = whole.partition("\n\nExample: ")
        try:
            usage = super().getUsage(width)
        finally:
            self.longdesc = whole
        return f"{usage}\nExample: {line}\n" if example else usage

    def opt_version(self) -> None:
        """Show the version and end."""
        print(f"txqmp {txqmp.__version__}")
        raise SystemExit(0)


class GroupOptions(CommandOptions):
    """
    A command line that has commands of its own, one of which is wanted.

    :cvar wanted: what to say where none was given; their names follow.
    """

    wanted: str

    def postOptions(self) -> None:
        """
        See that there is something to do.

        :raises UsageError: no command was given.
        """
        if self.subCommand is None:
            names = ", ".join(command[0] for command in vars(type(self))["subCommands"])
            raise UsageError(f"{self.wanted}: {names}")

    def run(self) -> None:
        """Do what was asked for."""
        self.subOptions.run()


class MixedOptions(CommandOptions):
    """A command line whose options may stand after its arguments as well."""

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Read the command line.

        :raises UsageError: it cannot be read.
        """
        given = sys.argv[1:] if options is None else list(options)
        try:
            found, arguments = getopt.gnu_getopt(given, self.shortOpt, self.longOpt)
        except getopt.error as error:
            raise UsageError(str(error)) from None
        flat = [
            part
            for option, value in found
            for part in _written(option, value, self.shortOpt, self.longOpt)
        ]
        super().parseOptions([*flat, "--", *arguments])


def _written(option: str, value: str, short: str, known: Sequence[str]) -> list[str]:
    if option.startswith("--"):
        return [f"{option}={value}"] if f"{option[2:]}=" in known else [option]
    return [option, value] if f"{option[1:]}:" in short else [option]


def subcommand(module: str, options: str, about: str) -> list[Any]:
    """
    One line of a table of commands.

    :param module: below ``txqmp.cli``; its last part is the name of the command.
    :param options: the class of its options in there. It is imported when the command is given:
        none waits for what others need.
    """

    def make() -> Options:
        made: Options = getattr(import_module(f"txqmp.cli.{module}"), options)()
        return made

    return [module.rpartition(".")[2], None, make, about]
