"""The ``txqmp`` program."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from twisted.python.usage import UsageError

from txqmp.cli.command import CommandOptions
from txqmp.cli.demo import DemoOptions
from txqmp.cli.journal import JournalCommandOptions
from txqmp.cli.run import RunOptions
from txqmp.cli.shell import ShellOptions
from txqmp.cli.takeover import TakeoverOptions
from txqmp.errors import MonitorError


class TxqmpOptions(CommandOptions):
    """The command line of ``txqmp``."""

    synopsis = "txqmp <command> [options]"
    longdesc = (
        "Clients, servers and a recording proxy for the monitor of QEMU. "
        "The services are run by twistd: see twistd qmp-proxy --help, twistd qmp-logger --help."
    )
    subCommands = [
        ["demo", None, DemoOptions, "Show a recorded session with a simulated machine."],
        ["journal", None, JournalCommandOptions, "Read journals."],
        ["run", None, RunOptions, "Send one command to a monitor and show the answer."],
        ["shell", None, ShellOptions, "Talk with a monitor, command by command."],
        ["takeover", None, TakeoverOptions, "Record what is said at a running monitor's socket."],
    ]

    def postOptions(self) -> None:
        """
        See that there is something to do.

        :raises UsageError: no command was given.
        """
        if self.subCommand is None:
            raise UsageError("say what to do: demo, journal, run, shell, takeover")


def main(argv: Sequence[str] | None = None) -> None:
    """
    Run the program.

    :param argv: its arguments, without its name; those of the process if None.
    :raises SystemExit: always, or when the reactor has run.
    """
    options = TxqmpOptions()
    try:
        options.parseOptions(sys.argv[1:] if argv is None else list(argv))
        options.subOptions.run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UsageError as error:
        raise SystemExit(f"txqmp: {error} (txqmp --help tells more)") from None
    except (MonitorError, OSError) as error:
        raise SystemExit(f"txqmp: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
