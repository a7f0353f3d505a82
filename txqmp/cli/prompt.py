"""The prompt of ``txqmp shell``, which is prompt-toolkit's."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.shortcuts import CompleteStyle
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool


class Prompt:
    """
    Asks for lines, and shows above the prompt what comes meanwhile.

    :param message: the prompt itself.
    :param history: the lines of before.
    :param complete: gives what the last word of a line may become; called in a thread.
    """

    # prompt-toolkit runs an asyncio loop: in a thread of its own, so that the reactor is the
    # one that any application has, and does not depend on how long the terminal takes.

    def __init__(
        self, reactor: Any, message: str, history: History, complete: Callable[[str], list[str]]
    ) -> None:
        self._reactor = reactor
        self._message = message
        self._session: PromptSession[str] = PromptSession(
            history=history,
            completer=_Completer(complete),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
        )
        self._open = False
        self._over = False
        self._waiting: deque[str] = deque()
        self._printing = Lock()

    def line(self) -> Deferred[str | None]:
        """
        Ask for a line.

        :returns: fires with the line, an empty one if it was cancelled (Ctrl-C), and None when
            there are no more (Ctrl-D, or :meth:`end`).
        """
        self._open = True
        asked: Deferred[str | None] = deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), self._ask
        )
        return asked.addBoth(self._closed)

    def show(self, text: str) -> None:
        """Show text at once, whether the prompt is open or not."""
        self._waiting.append(text)
        if self._open:
            self._in_loop(self._flush_above)
        else:
            self._flush()

    def cancel(self) -> None:
        """Cancel the line, if the prompt is open."""
        self._in_loop(self._exit, KeyboardInterrupt)

    def end(self) -> None:
        """Ask no more, and close the prompt if it is open."""
        self._over = True
        self._in_loop(self._exit, EOFError)

    def _closed(self, result: Any) -> Any:
        self._open = False
        # What came too late for the prompt's loop.
        self._flush()
        return result

    def _in_loop(self, call: Callable[..., Any], *arguments: Any) -> None:
        loop = self._session.app.loop
        if loop is not None:
            # It may be closed by now: then _closed comes next.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(call, *arguments)

    # All that follows runs in the prompt's thread.

    def _ask(self) -> str | None:
        try:
            return None if self._over else self._session.prompt(self._message, pre_run=self._begin)
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None

    def _begin(self) -> None:
        # What came before there was a loop.
        self._in_loop(self._flush_above)
        if self._over:
            self._in_loop(self._exit, EOFError)

    def _exit(self, why: type[BaseException]) -> None:
        app = self._session.app
        if app.future is not None and not app.future.done():
            app.exit(exception=why)

    def _flush_above(self) -> None:
        if self._waiting:
            run_in_terminal(self._flush)

    def _flush(self) -> None:
        with self._printing:
            while self._waiting:
                print(self._waiting.popleft(), flush=True)


class _Completer(Completer):
    def __init__(self, complete: Callable[[str], list[str]]) -> None:
        self._complete = complete

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        line = document.text_before_cursor
        word = re.split(r"\s", line)[-1]
        for new in self._complete(line):
            yield Completion(new, start_position=-len(word))


class _OpenHistory(FileHistory):
    """Leaves out of its file the lines that hold secrets."""

    def __init__(self, path: Path, holds_secret: Callable[[str], bool]) -> None:
        super().__init__(str(path))
        self._holds_secret = holds_secret

    def store_string(self, string: str) -> None:
        # A full disk is no reason to lose the prompt.
        if not self._holds_secret(string):
            with suppress(OSError):
                super().store_string(string)


def history(path: Path | None, holds_secret: Callable[[str], bool]) -> History:
    """
    Open the history.

    :param path: its file, which is made for its owner alone; None: keep it in memory.
    :param holds_secret: tells the lines that are never written to the file.
    :raises OSError: the file cannot be made.
    """
    if path is None:
        return InMemoryHistory()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return _OpenHistory(path, holds_secret)
