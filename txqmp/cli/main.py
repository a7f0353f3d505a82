"""The ``txqmp`` program."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from twisted.python.usage import Options, UsageError

from txqmp.cli.command import CommandOptions
from txqmp.errors import MonitorError


def _command(name: str, options: str, about: str) -> list[Any]:
    """
    One line of the table of commands.

    :param options: the class of its options, in the module of its name. It is imported when the
        command is given: none waits for what others need.
    """

    def make() -> Options:
        made: Options = getattr(import_module(f"txqmp.cli.{name}"), options)()
        return made

    return [name, None, make, about]


class TxqmpOptions(CommandOptions):
    """The command line of ``txqmp``."""

    synopsis = "txqmp <command> [options]"
    longdesc = (
        "Clients, servers and a recording proxy for the monitor of QEMU. "
        "The services are run by twistd: see twistd qmp-proxy --help, twistd qmp-logger --help."
    )
    subCommands = [
        _command("demo", "DemoOptions", "Show a recorded session with a simulated machine."),
        _command("journal", "JournalCommandOptions", "Read journals."),
        _command("replay", "ReplayOptions", "Answer as a recorded monitor did, or ask it again."),
        _command("run", "RunOptions", "Send one command to a monitor and show the answer."),
        _command("shell", "ShellOptions", "Talk with a monitor, command by command."),
        _command("takeover", "TakeoverOptions", "Record what is said at a running monitor."),
        _command("wrap", "WrapOptions", "Start a QEMU with a recording proxy before its monitors."),
    ]

    def postOptions(self) -> None:
        """
        See that there is something to do.

        :raises UsageError: no command was given.
        """
        if self.subCommand is None:
            names = ", ".join(command[0] for command in self.subCommands)
            raise UsageError(f"say what to do: {names}")


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
        if sys.stdout is not None:
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
