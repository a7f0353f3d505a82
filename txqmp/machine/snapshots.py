"""The snapshots of the simulated machine, which are kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from txqmp.errors import CommandFailed

MAX_SNAPSHOTS = 100


@dataclass(frozen=True)
class Snapshot:
    """
    A saved state of the machine.

    :ivar id: a number.
    :ivar tag: the name it was given, or the empty string.
    :ivar size: bytes.
    :ivar date: when it was taken, in seconds since 1970.
    :ivar clock: the guest's clock then, in seconds.
    :ivar booted: when the guest had booted, on its clock.
    :ivar balloon: the guest's memory then, in MiB.
    """

    id: str
    tag: str
    size: int
    date: float
    clock: float
    booted: float
    balloon: int


class Snapshots:
    """All snapshots, the oldest first."""

    def __init__(self) -> None:
        self._snapshots: list[Snapshot] = []

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(self._snapshots)

    def find(self, name: str) -> Snapshot | None:
        """Look one up by its number or its tag."""
        return next((s for s in self._snapshots if name and name in (s.id, s.tag)), None)

    def put(
        self, name: str, *, size: int, date: float, clock: float, booted: float, balloon: int
    ) -> None:
        """
        Keep a new one.

        :param name: its tag; one of that tag or number is replaced, and gives it both.
        :raises CommandFailed: there are too many.
        """
        old = self.find(name)
        if old is not None:
            number, tag = old.id, old.tag
            self.remove(old)
        elif len(self._snapshots) == MAX_SNAPSHOTS:
            raise CommandFailed(f"no more than {MAX_SNAPSHOTS} snapshots")
        else:
            number, tag = str(1 + max((int(s.id) for s in self), default=0)), name
        self._snapshots.append(Snapshot(number, tag, size, date, clock, booted, balloon))

    def remove(self, snapshot: Snapshot) -> None:
        """Forget one that is there."""
        self._snapshots.remove(snapshot)
