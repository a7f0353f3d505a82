"""What all commands of the ``txqmp`` program have in common."""

from __future__ import annotations

from twisted.python.usage import Options

import txqmp


class CommandOptions(Options):
    """A command line: its synopsis is whole, and the version is ours."""

    synopsis: str

    def getSynopsis(self) -> str:
        """The usage, without that of the command above it, which ``usage`` would put first."""
        return f"Usage: {self.synopsis}"

    def opt_version(self) -> None:
        """Show the version and end."""
        print(f"txqmp {txqmp.__version__}")
        raise SystemExit(0)
