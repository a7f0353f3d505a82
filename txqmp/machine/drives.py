"""
The drives of the simulated machine and the media in them.

A medium is a name and nothing else: no file is ever opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from txqmp.errors import CommandFailed

FORMATS = frozenset("bochs cloop cow dmg nbd parallels qcow qcow2 raw vmdk vpc vvfat".split())
"""The image formats that QEMU knew in 2009."""


class Statistics(NamedTuple):
    """What a drive has done since the machine was switched on; amounts in bytes."""

    rd_bytes: int
    wr_bytes: int
    rd_operations: int
    wr_operations: int


class _Kind(NamedTuple):
    """What the guest does with such a drive: operations in a second, bytes in an operation."""

    removable: bool
    read_only: bool
    reads: int
    writes: int
    block: int


_KINDS = {
    "hd": _Kind(removable=False, read_only=False, reads=10, writes=4, block=4096),
    "cdrom": _Kind(removable=True, read_only=True, reads=2, writes=0, block=2048),
    "floppy": _Kind(removable=True, read_only=False, reads=1, writes=1, block=512),
}


class Stopwatch:
    """
    Adds up the time between its starts and stops.

    :param now: tells the time that is to be measured, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sum = 0.0
        self._since: float | None = None

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._since is not None

    @property
    def seconds(self) -> float:
        """What it shows."""
        return self._sum if self._since is None else self._sum + self._now() - self._since

    def start(self) -> None:
        """Go on; to start twice is to start once."""
        if self._since is None:
            self._since = self._now()

    def stop(self) -> None:
        """Stop; the sum stays."""
        self._sum = self.seconds
        self._since = None


class Drive:
    """
    One drive.

    :ivar name: as the monitor calls it, ``ide1-cd0``.
    :ivar kind: ``hd``, ``cdrom`` or ``floppy``.
    :ivar file: the medium, or None.
    :ivar format: the medium's format.
    :ivar locked: whether the guest has locked the tray.
    """

    def __init__(self, name: str, kind: str, uptime: Callable[[], float]) -> None:
        self.name = name
        self.kind = kind
        self.file: str | None = None
        self.format = "raw"
        self.locked = False
        self._busy = Stopwatch(uptime)

    @property
    def removable(self) -> bool:
        """Whether its medium can be taken out."""
        return _KINDS[self.kind].removable

    @property
    def read_only(self) -> bool:
        """Whether the guest can only read it."""
        return _KINDS[self.kind].read_only

    @property
    def statistics(self) -> Statistics:
        """What the guest did with it: a little in every second that it had a medium and ran."""
        kind = _KINDS[self.kind]
        reads, writes = (int(self._busy.seconds) * rate for rate in (kind.reads, kind.writes))
        return Statistics(reads * kind.block, writes * kind.block, reads, writes)

    def insert(self, file: str, format: str) -> None:
        """
        Put a medium in.

        :raises CommandFailed: an unknown format.
        """
        if format not in FORMATS:
            raise CommandFailed(f"invalid format {format}")
        self.file = file
        self.format = format
        self._busy.start()

    def empty(self) -> None:
        """Take the medium out, whatever holds it."""
        self.file = None
        self._busy.stop()


class Drives:
    """
    All drives, in the order in which they were attached.

    :param uptime: the seconds that the machine has run.
    """

    def __init__(self, uptime: Callable[[], float]) -> None:
        self._uptime = uptime
        self._drives: dict[str, Drive] = {}
        self.attach("ide0-hd0", "hd", "disk0.qcow2", "qcow2")
        self.attach("ide1-cd0", "cdrom")
        self.attach("floppy0", "floppy")

    def __iter__(self) -> Iterator[Drive]:
        return iter(self._drives.values())

    def __contains__(self, name: object) -> bool:
        return name in self._drives

    def attach(self, name: str, kind: str, file: str | None = None, format: str = "raw") -> Drive:
        """
        Add a drive, empty if ``file`` is None.

        :raises CommandFailed: an unknown format.
        """
        drive = Drive(name, kind, self._uptime)
        if file is not None:
            drive.insert(file, format)
        self._drives[name] = drive
        return drive

    def detach(self, name: str) -> None:
        """Remove a drive that is there."""
        del self._drives[name]

    def find(self, name: str) -> Drive:
        """
        Look a drive up.

        :raises CommandFailed: ``device not found``.
        """
        try:
            return self._drives[name]
        except KeyError:
            raise CommandFailed("device not found") from None

    def with_snapshots(self) -> list[Drive]:
        """The drives whose medium can hold snapshots of the machine."""
        return [d for d in self if d.file is not None and d.format == "qcow2" and not d.removable]

    def eject(self, name: str, force: bool = False) -> None:
        """
        Take a medium out; an empty drive is left alone.

        :param force: even from a locked or a fixed drive.
        :raises CommandFailed: no such drive, or it will not.
        """
        drive = self.find(name)
        if drive.file is not None and not force:
            if not drive.removable:
                raise CommandFailed("device is not removable")
            if drive.locked:
                raise CommandFailed("device is locked")
        drive.empty()

    def change(self, name: str, file: str, format: str | None = None) -> None:
        """
        Swap a medium for another.

        :param file: the new medium; it is not opened, so any name will do.
        :param format: None to leave it to QEMU, which takes it for raw here.
        :raises CommandFailed: no such drive or format, or the old medium stays in.
        """
        drive = self.find(name)
        if format not in (None, *FORMATS):
            raise CommandFailed(f"invalid format {format}")
        self.eject(name)
        drive.insert(file, format or "raw")
