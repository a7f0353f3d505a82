"""
Everything that txqmp raises of its own accord::

    Exception
    └── MonitorError
        ├── CommandError                one command and how it ended
        │   ├── CommandFailed           "- ERR": known, but it could not be done
        │   ├── CommandRejected         "- BAD": not understood
        │   └── CommandInterrupted      the outcome is unknown
        │       └── CommandTimeout      no reply within the time allowed
        ├── InvalidCommand              refused before a byte was sent (also a ValueError)
        ├── QueueFull                   refused before a byte was sent: too much waits already
        ├── ConnectionUnusable          refused before a byte was sent: this connection is over
        ├── ProtocolViolation           the peer broke the protocol
        │   └── BoundExceeded           … by sending more than was allowed for
        ├── GreetingTimeout             the monitor stayed silent
        ├── EventTimeout                the event that was waited for did not come
        ├── JournalError                a journal cannot be opened or read
        ├── FilterError                 a filter of records cannot be read (also a ValueError)
        ├── PolicyError                 a policy cannot be read
        ├── TakeoverError               a monitor's socket cannot be taken over, or given back
        └── WrapError                   a QEMU cannot be started as it should be

A command whose Deferred fails with :class:`CommandInterrupted` may or may not
have been carried out; nothing is ever sent twice on its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


def escaped(data: bytes, limit: int = 200) -> str:
    """
    Show what a peer sent so that it is safe in one line of a log or a terminal.

    :param limit: bytes shown at most; the rest is counted.
    """
    shown = data[:limit].decode("ascii", "backslashreplace")
    text = "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in shown)
    return text if len(data) <= limit else f"{text}… ({len(data)} bytes)"


def os_error_text(error: OSError) -> str:
    """Tell what the system would not do, and with which file, as its own programs do."""
    if not error.strerror:
        return str(error) or type(error).__name__
    name = error.filename2 or error.filename or ""
    return f"{os.fsdecode(name)}: {error.strerror}" if name else error.strerror


class MonitorError(Exception):
    """Anything that goes wrong with a monitor."""


class CommandError(MonitorError):
    """
    One command and how it ended.

    :ivar command: the command line as it was (or would have been) sent, without its line end.
    :ivar lines: the data lines that had come for it (rule 16).
    """

    def __init__(self, message: str, command: str = "", lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.command = command
        self.lines = tuple(lines)


class CommandFailed(CommandError):
    """
    The monitor knows the command and could not carry it out (``- ERR``, section 3.3.2).

    A server's command handler raises it to answer so.

    :ivar reason: the monitor's words.
    :ivar error_class: what JSON QMP calls this kind of failure, such as ``DeviceNotFound``;
        the text protocol has no such thing.
    """

    def __init__(
        self,
        reason: str,
        command: str = "",
        lines: Sequence[str] = (),
        *,
        error_class: str = "GenericError",
    ) -> None:
        super().__init__(reason, command, lines)
        self.reason = reason
        self.error_class = error_class

    def __str__(self) -> str:
        return f"{self.command}: {self.reason}" if self.command else self.reason


class CommandRejected(CommandError):
    """
    The monitor did not understand the command (``- BAD``, section 3.3.2).

    :ivar reason: the monitor's words.
    """

    def __init__(self, reason: str, command: str = "", lines: Sequence[str] = ()) -> None:
        super().__init__(reason, command, lines)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.command}: {self.reason}" if self.command else self.reason


class CommandInterrupted(CommandError):
    """
    The reply will never be seen: whether the command was carried out is unknown.

    :ivar reason: what ended the connection, or None.
    """

    def __init__(
        self,
        command: str,
        reason: BaseException | None = None,
        lines: Sequence[str] = (),
    ) -> None:
        why = f": {reason}" if reason is not None else ""
        super().__init__(f"the outcome of {command!r} is unknown{why}", command, lines)
        self.reason = reason


class CommandTimeout(CommandInterrupted):
    """
    No reply came in time. The place in the queue of a command that was sent is kept (rule 5).

    :ivar timeout: the time allowed, in seconds.
    :ivar sent: False if its turn did not come either: it was not, and will not be, carried out.
    """

    def __init__(
        self, command: str, timeout: float, lines: Sequence[str] = (), *, sent: bool = True
    ) -> None:
        super().__init__(command, None, lines)
        known = "its outcome is unknown" if sent else "it was not sent"
        self.args = (f"no reply to {command!r} within {timeout:g} s; {known}",)
        self.timeout = timeout
        self.sent = sent


class InvalidCommand(MonitorError, ValueError):
    """The command cannot be written in the protocol (rules 9 and 12); nothing was sent."""


class QueueFull(MonitorError):
    """As many commands wait as were allowed for; nothing was sent."""


class ConnectionUnusable(MonitorError):
    """The connection is not open, or can no longer tell whose a reply is; nothing was sent."""


class ProtocolViolation(MonitorError):
    """
    The peer sent what the protocol does not allow.

    :ivar line: the offending bytes.
    """

    def __init__(self, problem: str, line: bytes = b"") -> None:
        super().__init__(f"{problem}: '{escaped(line)}'" if line else problem)
        self.problem = problem
        self.line = line


class BoundExceeded(ProtocolViolation):
    """The peer sent a line or a response longer than allowed (rule 12)."""


class GreetingTimeout(MonitorError):
    """
    The connection opened and no greeting came: the monitor is busy with another client, or hangs.

    :ivar timeout: the time allowed, in seconds.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(
            f"no greeting within {timeout:g} s (is another client connected to this monitor?)"
        )
        self.timeout = timeout


class EventTimeout(MonitorError):
    """
    The event that was waited for did not come.

    :ivar event: what was waited for.
    :ivar timeout: the time allowed, in seconds.
    """

    def __init__(self, event: str, timeout: float) -> None:
        super().__init__(f"no event {event} within {timeout:g} s")
        self.event = event
        self.timeout = timeout


class JournalError(MonitorError):
    """A journal cannot be opened, written or read; the message names the file."""


class FilterError(MonitorError, ValueError):
    """
    A filter of a journal's records cannot be read.

    The message has three lines: what is wrong, the filter, and a caret under the place.
    """


class PolicyError(MonitorError):
    """A policy cannot be read; the message names the file and the line."""


class TakeoverError(MonitorError):
    """The socket of a monitor cannot be taken over, or given back; the message names it."""


class WrapError(MonitorError):
    """A QEMU cannot be started with a proxy before its monitors; the message says why."""
