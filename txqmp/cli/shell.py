"""``txqmp shell``: a prompt before a monitor, or a script of commands."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import react
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from txqmp.cli.answers import (
    answer_lines,
    ask,
    connected,
    data_lines,
    error_text,
    printable,
    write_out,
)
from txqmp.cli.command import CommandOptions
from txqmp.cli.vocabulary import JSONVocabulary, TextVocabulary, Vocabulary
from txqmp.errors import CommandError, CommandFailed, InvalidCommand, MonitorError
from txqmp.journal.record import Direction, Kind, Record
from txqmp.journal.redact import redact
from txqmp.jsonqmp.arguments import parse_line
from txqmp.service.options import client_endpoint, seconds

if TYPE_CHECKING:
    from txqmp.cli.prompt import Prompt

_MISSING = "the prompt needs prompt-toolkit: pip install 'txqmp[shell]'"


class ShellOptions(CommandOptions):
    """The command line of ``txqmp shell``."""

    synopsis = "txqmp shell [options] ENDPOINT"
    longdesc = (
        "Asks for commands, sends them to a monitor of either dialect, and shows the answers, and "
        "the events as they come. Commands are written as for txqmp run. Tab completes; Ctrl-C "
        "cancels the line, or the wait for an answer; exit or Ctrl-D ends the shell. "
        "If standard input or output is no terminal, standard input is a script: a command a "
        "line; blank lines and those that begin with # are skipped; events are not shown. The "
        "script ends at the first command that fails, unless --keep-going is given; the exit "
        "status is 1 if any failed."
    )
    optParameters = [
        [
            "timeout",
            "t",
            30.0,
            "seconds to connect in, and in a script to wait for each answer.",
            seconds,
        ]
    ]
    optFlags = [
        ["keep-going", "k", "go on with a script when a command fails."],
        ["no-history", None, "neither read nor write the file with the lines of before."],
    ]

    def parseArgs(self, endpoint: str = "", *extra: str) -> None:
        """
        Take the endpoint.

        :raises UsageError: it is missing, or not alone.
        """
        if not endpoint:
            raise UsageError("shell wants an endpoint")
        if extra:
            raise UsageError(f"unexpected argument: {extra[0]} (txqmp run sends one command)")
        self["endpoint"] = endpoint

    def postOptions(self) -> None:
        """
        Check the endpoint.

        :raises UsageError: it is none.
        """
        self["client"] = client_endpoint("ENDPOINT", self["endpoint"])

    def run(self) -> None:
        """
        Open the shell; see ``txqmp shell --help``.

        :raises SystemExit: a prompt is needed, and prompt-toolkit is not installed.
        """
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            react(_run_script, (self["client"], self["timeout"], bool(self["keep-going"])))
        try:
            import txqmp.cli.prompt  # noqa: F401
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "prompt_toolkit":
                raise
            raise SystemExit(f"txqmp: {_MISSING}") from None
        path = None if self["no-history"] else history_path()
        react(_run_prompt, (self["client"], self["timeout"], path))


def history_path() -> Path:
    """Where the lines of before are kept: in the XDG state directory."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification has relative paths ignored.
    folder = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return folder / "txqmp" / "history"


def holds_secret(line: str, dialect: str) -> bool:
    """Whether a line has something in it that a journal would not show."""
    fields: dict[str, Any] = {"problem": ""}
    kind, raw = Kind.UNDECODED, line.encode("utf-8", "backslashreplace")
    if dialect == "json":
        try:
            command = parse_line(line)
        except InvalidCommand:
            pass
        else:
            kind, raw = Kind.COMMAND, b""
            fields = {"command": command.name, "arguments": command.arguments}
    record = Record(
        time=0.0,
        mono=0.0,
        monitor="",
        connection=0,
        seq=0,
        direction=Direction.TO_MONITOR,
        dialect="json" if dialect == "json" else "text",
        kind=kind,
        fields=fields,
        raw=raw,
    )
    return redact(record) is not record


def _is_command(line: str) -> bool:
    return bool(line) and not line.startswith("#")


class _Script(Protocol):
    """Standard input, a line at a time; no more is read than is asked for."""

    transport: Any

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._ended = False
        self._asked: Deferred[str | None] | None = None

    def line(self) -> Deferred[str | None]:
        """
        Ask for the next line.

        :returns: fires with the line, or None when there are no more.
        """
        asked: Deferred[str | None] = Deferred()
        self._asked = asked
        self._answer()
        if self._asked is not None:
            self.transport.resumeProducing()
        return asked

    def dataReceived(self, data: bytes) -> None:
        """Keep the lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines += lines
        self._answer()
        if self._lines:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The script ends; its last line may have no line end."""
        self._lines += [self._rest] if self._rest else []
        self._ended = True
        self._answer()

    def _answer(self) -> None:
        if self._asked is not None and (self._lines or self._ended):
            asked, self._asked = self._asked, None
            line = self._lines.popleft().decode("utf-8", "surrogateescape") if self._lines else None
            asked.callback(None if line is None else line.strip())


def _run_script(reactor: Any, *arguments: Any) -> Deferred[None]:
    return Deferred.fromCoroutine(_script(reactor, *arguments))


async def _script(reactor: Any, endpoint: Any, timeout: float, keep_going: bool) -> None:
    from twisted.internet.stdio import StandardIO

    client = await connected(reactor, endpoint, timeout)
    script = _Script()
    # Answers are printed: Twisted is not to make standard output non-blocking.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    standard: Any = StandardIO  # as mypy knows it, it is that of Windows
    standard(script, stdin=os.dup(0), stdout=nowhere, reactor=reactor)
    number, failed = 0, False
    try:
        while not (failed and not keep_going):
            number += 1
            line = await script.line()
            if line is None or line == "exit":
                break
            if not _is_command(line):
                continue
            try:
                write_out(answer_lines(await ask(client, [line], timeout), False))
            except MonitorError as error:
                failed = True
                write_out(data_lines(error.lines, False) if isinstance(error, CommandError) else [])
                print(f"txqmp: line {number}: {error_text(error)}", file=sys.stderr)
    finally:
        os.set_blocking(0, True)
        await client.close()
    if failed:
        raise SystemExit(1)


def _run_prompt(reactor: Any, *arguments: Any) -> Deferred[None]:
    return Deferred.fromCoroutine(_prompt(reactor, *arguments))


async def _prompt(reactor: Any, endpoint: Any, timeout: float, path: Path | None) -> None:
    client = await connected(reactor, endpoint, timeout)
    shell = _Shell(reactor, client, path)
    # The reactor's own handler would end the program.
    signal.signal(signal.SIGINT, lambda *_: reactor.callFromThread(shell.interrupt))
    try:
        await shell.converse(timeout)
    finally:
        await client.close()
    if shell.broken:
        raise SystemExit(1)


class _Shell:
    """
    A person at a prompt, and a monitor.

    :ivar broken: the connection ended, and not because of ``quit``.
    """

    def __init__(self, reactor: Any, client: Any, path: Path | None) -> None:
        from txqmp.cli import prompt

        self._reactor = reactor
        self._client = client
        self._vocabulary = Vocabulary()
        self._asked: Deferred[Any] | None = None
        self._quitting = False
        self._leaving = False
        self.broken = False
        try:
            history = prompt.history(path, lambda line: holds_secret(line, client.dialect))
        except OSError as error:
            print(f"no history: {error_text(error)}")
            history = prompt.history(None, bool)
        self._prompt: Prompt = prompt.Prompt(reactor, "qmp> ", history, self._complete)

    def _complete(self, line: str) -> list[str]:
        return self._vocabulary.complete(line)

    async def converse(self, timeout: float) -> None:
        """Send what is typed, until the end of it or of the connection."""
        client, prompt = self._client, self._prompt
        client.subscribe(None, self._event)
        client.when_disconnected().addCallback(self._disconnected)
        learning = Deferred.fromCoroutine(self._learn(timeout))
        print(f"connected: QEMU {printable(client.greeting.qemu)} ({client.dialect})")
        while (line := await prompt.line()) is not None and line.strip() != "exit":
            if _is_command(line.strip()):
                await self._execute(line.strip())
        self._leaving = True
        learning.cancel()

    def interrupt(self) -> None:
        """Ctrl-C: cancel the wait for an answer, or the line."""
        if self._asked is not None:
            self._asked.cancel()
        else:
            self._prompt.cancel()

    async def _execute(self, line: str) -> None:
        began = self._reactor.seconds()
        self._quitting = line.split()[0].lower() in ("quit", "q")
        self._asked = ask(self._client, [line], None)
        try:
            lines = answer_lines(await self._asked, True)
        except CancelledError:
            lines = ["no longer waiting: the monitor may carry it out all the same"]
        except MonitorError as error:
            lines = data_lines(error.lines, True) if isinstance(error, CommandError) else []
            lines.append(f"error: {error_text(error)}")
        self._asked = None
        lines.append(f"({(self._reactor.seconds() - began) * 1000:.1f} ms)")
        self._prompt.show("\n".join(lines))

    def _event(self, event: Any) -> None:
        data = event.data if isinstance(event.data, str) else json.dumps(event.data)
        shown = printable(f"{event.name} {data}" if event.data else event.name)
        self._prompt.show(f"* {shown}")

    def _disconnected(self, reason: Exception) -> None:
        # A signal comes here too: the reactor ends its connections before it waits for threads.
        if not self._leaving:
            self.broken = not self._quitting
            self._prompt.show(f"the connection is over: {error_text(reason)}")
            self._prompt.end()

    async def _learn(self, timeout: float) -> None:
        """Ask what there is to complete; a monitor that does not tell is none the worse."""
        execute = self._client.execute
        try:
            if self._client.dialect == "text":
                # Both at once: what is typed then comes after them.
                asked = [execute("help", timeout=timeout), execute("help", "info", timeout=timeout)]
                commands, topics = await gatherResults(asked, consumeErrors=True)
                self._vocabulary = TextVocabulary(commands.lines, topics.lines)
                return
            try:
                schema = await execute("query-qmp-schema", timeout=timeout)
            except CommandFailed:
                schema = await execute("query-commands", timeout=timeout)
            self._vocabulary = JSONVocabulary(schema)
        except (MonitorError, CancelledError, FirstError):
            return
