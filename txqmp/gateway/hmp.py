"""
The human monitor, for what QEMU has no JSON command for.

``human-monitor-command`` returns what was printed and no status; what became of the command is
told from that, by the six rules of "Today's QEMU, for the gateway" in the interpretation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from txqmp.errors import CommandFailed, CommandRejected
from txqmp.gateway.call import Call

_UNKNOWN = re.compile(r"unknown command: '")
_UNAVAILABLE = re.compile(r"""Command ['"].*['"] (?:is )?not available""")
_PRINTS_ANYTHING = frozenset(["x", "xp", "help", "?"])
_HOSTFWD = (
    r"unrecognized netdev id|[Ii]nvalid |Could not set up |user mode network stack not in use"
    r"|host forwarding rule .* not found"
)
_FAILURES = {
    "commit": r"Device '.*' not found|'commit' error for|Device '.*' is ",
    "cpu": r"invalid CPU index",
    "sendkey": r"invalid parameter: ",
    "boot_set": r"Invalid boot device '",
    "mouse_set": r"Mouse at index '.*' not found",
    "logfile": r"Error opening logfile ",
    "log": r"Error opening logfile ",
    "drive_add": r"(?!OK)",
    "drive_del": r"Device '.*' not found",
    "hostfwd_add": _HOSTFWD,
    "hostfwd_remove": _HOSTFWD,
    "mce": r"Invalid |.* not allowed|.* disabled",
    "gdbserver": r"Could not open gdbserver",
    "i": r"invalid ",
    "o": r"invalid ",
}
"""Rule 5: how a command says that it failed, where it says so without a mark."""
_ANY_FAILURE = re.compile(
    r"terminal does not support password prompting|No CPU available$|Can not dump without CPU$"
)
_VERB = re.compile(r"info\s+[^\s/]+|[^\s/]*", re.IGNORECASE)


def command_line(line: str) -> str:
    """
    Write a client's line for the human monitor, which knows verbs in lower case only.

    :param line: as it came.
    """
    line = line.strip()
    verb = _VERB.match(line)
    assert verb is not None, "it matches nothing, too"
    return verb[0].lower() + line[verb.end() :]


def outcome(verb: str, printed: str) -> Iterable[str]:
    """
    Tell what became of a command.

    :param verb: in lower case; for a sub-command, ``info``.
    :param printed: what ``human-monitor-command`` returned, LF at the ends of its lines.
    :returns: its data; it may raise :class:`~txqmp.CommandFailed` after some lines.
    :raises CommandRejected: the command is unknown.
    :raises CommandFailed: it could not be carried out.
    """
    printed = printed.rstrip("\n")
    if not printed:
        return ()
    if _UNKNOWN.match(printed):
        raise CommandRejected("unknown command")
    first, _, _ = printed.partition("\n")
    last = printed[printed.rfind("\n") + 1 :]
    if last.startswith('Try "help ') and last.endswith('" for more information'):
        raise CommandFailed(first)
    if verb not in _PRINTS_ANYTHING and (printed.startswith("Error: ") or "\nError: " in printed):
        return _until_error(printed)
    known = _FAILURES.get(verb)
    if (
        _UNAVAILABLE.match(printed)
        or _ANY_FAILURE.search(last)
        or (known is not None and re.match(known, printed))
    ):
        raise CommandFailed(first)
    return _lines(printed)


def _until_error(printed: str) -> Iterator[str]:
    for line in _lines(printed):
        if line.startswith("Error: "):
            raise CommandFailed(line.removeprefix("Error: "))
        yield line


def _lines(printed: str) -> Iterator[str]:
    # One after the other: a copy of the whole is not made.
    start = 0
    while (end := printed.find("\n", start)) >= 0:
        yield printed[start:end]
        start = end + 1
    yield printed[start:]


async def pass_on(call: Call) -> Iterable[str]:
    """
    Have a client's line carried out as it is.

    :raises CommandRejected: the human monitor does not know it, or is not used.
    """
    line = command_line(call.request.command.line)
    return outcome(call.request.command.verb, await call.hmp(line))


async def carry_out(call: Call, line: str) -> Iterable[str]:
    """Have a line of our own carried out."""
    return outcome(line.split(" ")[0], await call.hmp(line))
