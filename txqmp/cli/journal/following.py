"""Journals that are shown as they grow."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from txqmp.cli.journal.views import View
from txqmp.errors import JournalError
from txqmp.journal.reader import Follower, Torn
from txqmp.journal.record import Record
from txqmp.journal.sources import merged

_GLANCE = 0.2
"""Seconds between two looks at a journal that is followed."""
_SOME = 1000
"""Entries after which a signal can end it."""


def follow(paths: Sequence[str], view: View, *, rotated: bool) -> None:
    """
    Show what is in journals and what is added, until interrupted or nobody reads it any more.

    :param rotated: begin with the oldest file of a rotation.
    :raises JournalError: a file is not there.
    :raises SystemExit: it is over.
    """
    for path in paths:
        if not Path(path).exists():
            raise JournalError(f"{path}: there is no such file")
    followers = {path: Follower(path, rotated=rotated) for path in paths}
    react(_until_interrupted, (Watcher(followers, view), _is_read))


class Watcher:
    """
    Shows what is new in journals.

    :param followers: of the journals, by name.
    """

    def __init__(self, followers: dict[str, Follower], view: View) -> None:
        self._followers = followers
        self._view = view

    def look(self) -> Iterator[None]:
        """Show all that is new, some at each step; several journals are merged by time."""
        streams = [(name, _until_quiet(one)) for name, one in self._followers.items()]
        for number, (name, entry) in enumerate(merged(streams), 1):
            if isinstance(entry, Torn):
                entry = replace(entry, path=name)
            self._view.take(name, entry)
            if not number % _SOME:
                yield
        self._view.pause()
        yield

    def close(self) -> None:
        """Close the journals."""
        for follower in self._followers.values():
            follower.close()


def _until_quiet(follower: Follower) -> Iterator[Record | Torn]:
    while entries := follower.poll():
        yield from entries


def _until_interrupted(
    reactor: Any, watcher: Watcher, is_read: Callable[[], bool]
) -> Deferred[None]:
    return Deferred.fromCoroutine(_watch(reactor, watcher, is_read))


async def _watch(reactor: Any, watcher: Watcher, is_read: Callable[[], bool]) -> None:
    try:
        while is_read():
            for _ in watcher.look():
                sys.stdout.flush()
                await deferLater(reactor, 0)
            await deferLater(reactor, _GLANCE)
    except BrokenPipeError:
        # What is buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (JournalError, OSError) as error:
        raise SystemExit(f"txqmp: {error}") from None
    finally:
        watcher.close()


def _is_read() -> bool:
    """Whether whoever reads our output is there still; a pipe tells before it is written to."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
