"""What differs from one run to the next, and says nothing of either."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

_ELEMENT = re.compile(r"\[[^]]*\]")


class Volatile(NamedTuple):
    """
    Something that is left out of a comparison.

    :ivar pattern: of the path of a field, see :class:`Ignored`.
    :ivar what: it is.
    """

    pattern: str
    what: str


class Passing(NamedTuple):
    """
    A part of any string, or line, that is made the same before a comparison.

    :ivar pattern: a regular expression.
    :ivar instead: what the part becomes.
    :ivar what: it is.
    """

    pattern: str
    instead: str
    what: str


VOLATILE = (
    Volatile("message-id", "the ``id`` that a client gives a message"),
    Volatile("timestamp", "when an event happened"),
    Volatile("thread-id", "a thread of QEMU"),
    Volatile("thread_id", "a thread, as QEMU 5 and before have it"),
    Volatile("pid", "a process, as of the guest agent's ``guest-exec``"),
    Volatile("fd", "a file descriptor of QEMU"),
    Volatile("fdset-id", "a set of descriptors, as ``add-fd`` numbers it"),
    Volatile("date-sec", "when a snapshot was made"),
    Volatile("date-nsec", "when a snapshot was made"),
    Volatile("vm-clock-sec", "when a snapshot was made, in the guest's time"),
    Volatile("vm-clock-nsec", "when a snapshot was made, in the guest's time"),
    Volatile("query-blockstats.return.*.stats", "what was read and written since the start"),
    Volatile("query-stats.return.*.value", "what KVM has counted since the start"),
    Volatile("query-migrate.return.*-time", "how long a migration takes"),
    Volatile("query-migrate.return.*downtime", "how long the guest stood still"),
    Volatile("query-migrate.return.ram", "how much memory was sent, and how fast"),
    Volatile("query-migrate.return.disk", "how much of the disks was sent, and how fast"),
    Volatile("query-jobs.return.*.current-progress", "how far a job is"),
    Volatile("query-block-jobs.return.*.offset", "how far a job is"),
    Volatile("RTC_CHANGE.data.offset", "seconds between two clocks"),
    Volatile("guest-get-time.return", "the time in the guest"),
)

PASSING = (
    Passing(r"#block\d+", "#block*", "the name that QEMU gives a block node without one"),
    Passing(r"/dev/fdset/\d+", "/dev/fdset/*", "a file that was passed as a descriptor"),
    Passing(r"/dev/pts/\d+", "/dev/pts/*", "a pseudo-terminal"),
    Passing(r"\bthread_id=\d+", "thread_id=*", "a thread, in ``info cpus``"),
    Passing(r"/tmp/[^/\s,]+/", "/tmp/*/", "a temporary folder"),
    Passing(r"/domain-\d+-", "/domain-*-", "the number of a domain, in libvirt's folders"),
    Passing(r"<-> \S+", "<-> *", "the other end of a connection, with its port"),
)


class Ignored:
    """
    Leaves out of values what is not compared.

    A field has a path: the name of its command or event, and the names of the members that lead
    to it, with dots between; elements of a list count from 0. So it is with
    ``query-cpus-fast.return.0.thread-id``. A pattern is a glob for whole paths, in which ``*``
    stands for anything, dots as well, and an element in brackets, as differences show it, for any
    element. One without a dot is that of a member's name, wherever it is, or of the whole of a
    command or an event.

    :param patterns: of fields.
    :param passing: parts of strings that are made the same.
    """

    def __init__(self, patterns: Sequence[str], passing: Sequence[Passing] = ()) -> None:
        globs = [_regular(pattern) for pattern in patterns]
        fields = re.compile("|".join(globs) or r"(?!)", re.DOTALL)
        self.covers = lru_cache(maxsize=65536)(lambda path: fields.fullmatch(path) is not None)
        """Tells whether the field with a path is left out."""
        self._passing = [(re.compile(part.pattern), part.instead) for part in passing]

    def without(self, path: str, value: Any) -> Any:
        """
        Copy a JSON value without what is left out in it.

        :param path: of the value.
        :raises RecursionError: it is nested too deeply.
        """
        match value:
            case str():
                return self.settled(value)
            case dict():
                return {
                    key: self.without(below, member)
                    for key, member in value.items()
                    if not self.covers(below := f"{path}.{key}")
                }
            case list():
                return [
                    self.without(below, element)
                    for index, element in enumerate(value)
                    if not self.covers(below := f"{path}.{index}")
                ]
        return value

    def settled(self, text: str) -> str:
        """Make the passing parts of a string the same."""
        for pattern, instead in self._passing:
            text = pattern.sub(instead, text)
        return text


def _regular(pattern: str) -> str:
    pattern = _ELEMENT.sub(".*", pattern)
    regular = fnmatch.translate(pattern)
    return regular if "." in pattern else rf"(?:.*\.)?(?:{regular})"
