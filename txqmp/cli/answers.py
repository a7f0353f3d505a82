"""What ``run`` and ``shell`` share: ask a monitor of either dialect, show its answer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail

from txqmp.errors import InvalidCommand, MonitorError, escaped, os_error_text
from txqmp.jsonqmp.arguments import parse_line, parse_words
from txqmp.sniffer import connect
from txqmp.text.client import Reply


async def connected(reactor: Any, endpoint: Any, timeout: float) -> Any:
    """
    Connect to a monitor, whatever its dialect.

    :param timeout: seconds in which it must be ready for commands.
    :raises SystemExit: it cannot be; one line says why.
    """
    try:
        return await connect(reactor, endpoint, timeout=timeout)
    except MonitorError as error:
        raise SystemExit(f"txqmp: {error_text(error)}") from None
    except Exception as error:
        raise SystemExit(f"txqmp: cannot connect: {error_text(error)}") from None


def ask(client: Any, words: Sequence[str], timeout: float | None) -> Deferred[Any]:
    """
    Send a command.

    :param words: a single one is a whole command line.
    :param timeout: seconds to wait for the answer; None: for ever.
    :returns: fires with the answer, a :class:`~txqmp.Reply` or a JSON value; fails as the
        client's ``execute`` does.
    """
    whole = len(words) == 1
    if client.dialect == "text":
        if whole:
            return client.execute_line(words[0], timeout=timeout)  # type: ignore[no-any-return]
        if " " in words[0]:
            either = "the whole line in one argument, or each word in its own"
            return fail(InvalidCommand(f"{words[0]!r} is no word: give {either}"))
        return client.execute(*words, timeout=timeout)  # type: ignore[no-any-return]
    try:
        command = parse_line(words[0]) if whole else parse_words(words)
    except InvalidCommand as error:
        return fail(error)
    return client.execute(  # type: ignore[no-any-return]
        command.name, command.arguments, oob=command.oob, timeout=timeout
    )


def answer_lines(answer: Any, terminal: bool) -> list[str]:
    """
    Write an answer down.

    :param terminal: for people to read, and nothing in it raw. A JSON value is laid out, or,
        if it is a text, shown as that; elsewhere it is one line.
    """
    if isinstance(answer, Reply):
        return data_lines(answer.lines, terminal)
    if not terminal:
        return [json.dumps(answer, separators=(",", ":"))]
    if isinstance(answer, str):
        return [printable(line) for line in answer.splitlines()]
    # ASCII, but for the DEL that json leaves as it is.
    return json.dumps(answer, indent=2).replace("\x7f", "\\u007f").splitlines()


def data_lines(lines: Sequence[str], terminal: bool) -> list[str]:
    """Write the data lines of an answer down; elsewhere than on a terminal as they came."""
    return [printable(line) for line in lines] if terminal else list(lines)


def printable(text: str) -> str:
    """Show text of a peer on a terminal: printable ASCII, the rest escaped."""
    # Surrogates stand for the bytes of a text monitor that are not ASCII.
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "backslashreplace")
    return escaped(data, limit=len(data))


def error_text(error: BaseException) -> str:
    """Tell an error in one line that is safe to show."""
    text = os_error_text(error) if isinstance(error, OSError) else str(error)
    return printable(text) or type(error).__name__


def write_out(lines: Sequence[str]) -> None:
    """
    Write lines to standard output.

    :raises SystemExit: whoever read them has seen enough.
    """
    try:
        for line in lines:
            sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape") + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
