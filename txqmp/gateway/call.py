"""What carries one text command out by JSON ones."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from txqmp.errors import CommandFailed, CommandRejected
from txqmp.gateway.asking import Asker
from txqmp.policy.judged import Judged
from txqmp.proxy.common import NoAnswer
from txqmp.text.server import Request

_R = TypeVar("_R")

CPU = "cpu"
"""Where a connection keeps the CPU that its client chose (rule 21)."""

JUDGED = "judged"
"""Where a connection keeps its client as a policy sees it, if there is one."""

Handler = Callable[..., Awaitable[str | Iterable[str] | None]]
"""Gets a :class:`Call` and the command's arguments; returns its lines."""


class Call:
    """
    One text command while it is carried out.

    :ivar request: the command, as the text server has it.
    :ivar upstream: the monitor.
    :ivar link: the number that links it to the JSON commands in the journal.
    :ivar was_answered: the monitor has answered something.
    :param hmp: whether ``human-monitor-command`` may be used.
    """

    def __init__(self, upstream: Asker, request: Request, link: int, hmp: bool) -> None:
        self.upstream = upstream
        self.request = request
        self.link = link
        self._hmp = hmp
        self.was_answered = False

    def judge(self) -> Deferred[None] | None:
        """
        See what a policy makes of the text command, before anything is asked for it.

        :returns: None if it may be carried out at once, else what fires when it may.
        :raises CommandFailed: it is denied.
        """
        judged: Judged | None = self.request.state.get(JUDGED)
        return None if judged is None else judged.judge(self.request.command, self.link)

    @property
    def cpu(self) -> int | None:
        """The CPU that the client chose, or None."""
        return self.request.state.get(CPU)

    def for_cpu(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Add the CPU that the client chose to arguments."""
        return arguments if self.cpu is None else {**arguments, "cpu-index": self.cpu}

    async def ask(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """
        Send a JSON command.

        :returns: what the monitor returns.
        :raises CommandFailed: as :meth:`Asker.ask <txqmp.gateway.asking.Asker.ask>`.
        """
        answer = await self.upstream.ask(command, arguments, self.link)
        self.was_answered = True
        return answer

    async def knows(self, command: str) -> bool:
        """Whether the monitor has a JSON command."""
        return await self.upstream.knows(command, self.link)

    async def hmp(self, line: str, cpu: int | None = None) -> str:
        """
        Have the human monitor carry a line out.

        :param cpu: the CPU it is for; without it, the one that the client chose.
        :returns: what it printed, LF at the ends of its lines.
        :raises CommandRejected: the gateway does not use the human monitor.
        """
        if not self._hmp:
            raise CommandRejected("unknown command")
        arguments = self.for_cpu({"command-line": line})
        if cpu is not None:
            arguments["cpu-index"] = cpu
        printed: str = await self.ask("human-monitor-command", arguments)
        return printed.replace("\r\n", "\n")


def to_its_end(handler: Callable[..., Coroutine[Any, Any, _R]]) -> Callable[..., Awaitable[_R]]:
    """
    Decorate a handler of several steps: what it has begun it ends, even if its client leaves.
    """

    @wraps(handler)
    async def wrapped(*arguments: Any) -> _R:
        waiting: Deferred[_R] = Deferred()

        def ended(result: Any) -> None:
            if not waiting.called:
                waiting.callback(result)

        Deferred.fromCoroutine(handler(*arguments)).addBoth(ended)
        return await waiting

    return wrapped


@contextmanager
def in_words_of_2009(*words: tuple[str, str]) -> Iterator[None]:
    """
    Say the errors of today in the words of 2009.

    :param words: for an error class, or a pattern of QEMU's words, what to say; the first fits.
    """
    try:
        yield
    except NoAnswer:
        raise
    except CommandFailed as error:
        for sign, said in words:
            if sign == error.error_class or re.search(sign, error.reason):
                raise CommandFailed(said, error_class=error.error_class) from None
        raise
