"""The ``txqmp`` program."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from twisted.python.usage import UsageError

from txqmp.cli.command import GroupOptions, subcommand
from txqmp.errors import MonitorError, os_error_text


class TxqmpOptions(GroupOptions):
    """The command line of ``txqmp``."""

    synopsis = "txqmp <command> [options]"
    wanted = "say what to do"
    longdesc = (
        "Clients, servers and a recording proxy for the monitor of QEMU. "
        "The services are run by twistd: see twistd qmp-proxy --help, twistd qmp-logger --help."
    )
    subCommands = [
        subcommand("demo", "DemoOptions", "Show a recorded session with a simulated machine."),
        subcommand("journal", "JournalCommandOptions", "Read journals."),
        subcommand("policy", "PolicyCommandOptions", "Say who may say what, and try it."),
        subcommand("replay", "ReplayOptions", "Answer as a recorded monitor did, or ask it again."),
        subcommand("run", "RunOptions", "Send one command to a monitor and show the answer."),
        subcommand("shell", "ShellOptions", "Talk with a monitor, command by command."),
        subcommand("takeover", "TakeoverOptions", "Record what is said at a running monitor."),
        subcommand("wrap", "WrapOptions", "Start a QEMU with a proxy before its monitors."),
    ]


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
        raise SystemExit(f"txqmp: {error} ({_given(options)} --help tells more)") from None
    except MonitorError as error:
        raise SystemExit(f"txqmp: {error}") from None
    except OSError as error:
        raise SystemExit(f"txqmp: {os_error_text(error)}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _given(options: Any) -> str:
    """The command that was given, as far as it is known."""
    names = ["txqmp"]
    while getattr(options, "subCommand", None) is not None:
        names.append(options.subCommand)
        options = options.subOptions
    return " ".join(names)
