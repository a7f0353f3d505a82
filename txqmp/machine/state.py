"""
A simulated machine: what it has, what it does and what it announces.

It speaks no dialect and prints nothing: a monitor stands in front of it. It touches nothing of
the host: no file, no network, no program. What it cannot do it refuses with
:class:`~txqmp.errors.CommandFailed`, in the words of 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast
from uuid import UUID

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txqmp.errors import CommandFailed
from txqmp.machine.buses import PCIBus, USBBus
from txqmp.machine.drives import Drives, Stopwatch
from txqmp.machine.input import Keyboard, Mice
from txqmp.machine.migration import Migration
from txqmp.machine.network import NIC_MODELS, Network
from txqmp.machine.snapshots import Snapshots
from txqmp.machine.vnc import AccessList, VNCServer

_log = Logger()

EventCallback = Callable[[str, Mapping[str, object]], None]
"""Called with an event's name in JSON QMP, such as ``STOP``, and its data."""

WATCHDOG_ACTIONS = ("reset", "shutdown", "poweroff", "pause", "debug", "none")
BOOT_DEVICES = "abcdn"

_MIB = 1024 * 1024
_RESET_VECTOR = 0xFFFFFFF0
_KERNEL = 0xFFFFFFFF80200000


class Machine:
    """
    A PC that has a disk, an empty CD drive and an empty floppy drive, and two network cards.

    :ivar name: what it is called, or None.
    :ivar uuid: its UUID.
    :ivar memory: MiB.
    :ivar cpus: their number.
    :ivar balloon: the memory that the guest has left, in MiB.
    :ivar boot_order: drive letters, as ``boot_set`` takes them.
    :ivar watchdog_action: what a watchdog would do.
    :ivar singlestep: whether it runs one instruction at a time.
    :ivar nmis: how many interrupts were injected into each CPU.
    :param paused: do not run when switched on.
    :param clock: measures all times; the global reactor where it is None.
    :raises ValueError: there is no such machine.
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        uuid: str = "00000000-0000-0000-0000-000000000000",
        memory: int = 512,
        cpus: int = 2,
        paused: bool = False,
        clock: IReactorTime | None = None,
    ) -> None:
        if name is not None and not name.isprintable():
            raise ValueError(f"a machine's name is printable text, not {name!r}")
        if not 1 <= memory <= 1 << 20:
            raise ValueError(f"memory is 1 to {1 << 20} MiB, not {memory}")
        if not 1 <= cpus <= 255:
            raise ValueError(f"a machine has 1 to 255 CPUs, not {cpus}")
        if clock is None:
            from twisted.internet import reactor

            clock = cast(IReactorTime, reactor)
        try:
            self.uuid = str(UUID(uuid))
        except ValueError:
            raise ValueError(f"not a UUID: {uuid!r}") from None
        self.name = name
        self.memory = memory
        self.cpus = cpus
        self._paused = paused
        self._clock = clock
        self._subscribers: list[EventCallback] = []
        self._switch_on()

    def _switch_on(self) -> None:
        self._running = Stopwatch(self._clock.seconds)
        self._clock_offset = 0.0
        self._booted = 0.0
        self.balloon = self.memory
        self.boot_order = "cad"
        self.watchdog_action = "reset"
        self.singlestep = False
        self.nmis = [0] * self.cpus
        self.snapshots = Snapshots()
        self.drives = Drives(lambda: self._running.seconds)
        self.network = Network()
        self.pci = PCIBus()
        for card in self.network:
            if card.nic:
                slot = self.pci.free_slot(None)
                self.pci.plug(slot, "Ethernet controller", NIC_MODELS[card.model], card.name)
        self.usb = USBBus()
        self.keyboard = Keyboard(self._clock.seconds)
        self.mice = Mice()
        self.vnc = VNCServer()
        self.access = {"vnc.username": AccessList()}
        self.migration = Migration(self._clock, self.stop)
        if not self._paused:
            self._running.start()

    # What others hear of it.

    def subscribe(self, callback: EventCallback) -> Callable[[], None]:
        """
        Hear of events, each before the command that causes it is done.

        :param callback: what it raises is logged, and harms nobody.
        :returns: a function that ends the subscription; to call it twice is harmless.
        """
        self._subscribers.append(callback)
        left = [callback]

        def unsubscribe() -> None:
            if left:
                self._subscribers.remove(left.pop())

        return unsubscribe

    def _announce(self, event: str) -> None:
        for callback in list(self._subscribers):
            try:
                callback(event, {})
            except Exception:
                _log.failure("a subscriber failed at {event}", event=event)

    # Running, and not.

    @property
    def running(self) -> bool:
        """Whether the guest runs; it is paused otherwise."""
        return self._running.running

    @property
    def guest_clock(self) -> float:
        """The guest's clock: seconds that it has run; a snapshot takes it back."""
        return self._running.seconds + self._clock_offset

    def stop(self) -> None:
        """Pause the guest: ``STOP``, if it ran."""
        if self.running:
            self._running.stop()
            self._announce("STOP")

    def cont(self) -> None:
        """Let the guest run on: ``RESUME``, if it was paused."""
        if not self.running:
            self._running.start()
            self._announce("RESUME")

    def reset(self) -> None:
        """Press the reset button: ``RESET``. A paused machine stays paused."""
        self._booted = self.guest_clock
        self.keyboard.release()
        for drive in self.drives:
            drive.locked = False
        self._announce("RESET")

    def powerdown(self) -> None:
        """Press the power button: ``POWERDOWN``. This guest does not mind it."""
        self._announce("POWERDOWN")

    def quit(self) -> None:
        """Switch the machine off: ``SHUTDOWN``. A new one, as it was at first, takes its place."""
        self.migration.cancel()
        self._announce("SHUTDOWN")
        self._switch_on()

    # The processors.

    def check_cpu(self, index: int) -> None:
        """
        See that a CPU is there.

        :raises CommandFailed: it is not.
        """
        if not 0 <= index < self.cpus:
            raise CommandFailed("Invalid CPU index")

    def program_counter(self, index: int) -> int:
        """Where a CPU is: at the reset vector at first, somewhere in its kernel later."""
        ticks = int((self.guest_clock - self._booted) * 1000)
        if ticks == 0:
            return _RESET_VECTOR
        return _KERNEL + ((ticks * 0x2C4 + index * 0x1F0) & 0xFFFFC)

    def halted(self, index: int) -> bool:
        """Whether a CPU waits for work; this guest uses only the first."""
        return index > 0

    def nmi(self, index: int) -> None:
        """
        Inject a non-maskable interrupt.

        :raises CommandFailed: no such CPU.
        """
        self.check_cpu(index)
        self.nmis[index] += 1

    # Settings.

    def set_balloon(self, target: int) -> None:
        """
        Ask the guest to make do with less memory; it obeys at once, and gets no more than there is.

        :param target: MiB.
        :raises CommandFailed: less than one.
        """
        if target < 1:
            raise CommandFailed(f"invalid balloon target {target}")
        self.balloon = min(target, self.memory)

    def set_boot_order(self, order: str) -> None:
        """
        Choose what to boot from.

        :param order: one to three drive letters.
        :raises CommandFailed: too many, or one that is none.
        """
        for letter in order:
            if letter not in BOOT_DEVICES:
                raise CommandFailed(f"Invalid boot device for PC: '{letter}'")
        if not 1 <= len(order) <= 3:
            raise CommandFailed("Too many boot devices for PC" if order else "no boot device")
        self.boot_order = order

    def set_watchdog_action(self, action: str) -> None:
        """
        Choose what a watchdog does.

        :raises CommandFailed: an unknown action.
        """
        if action.lower() not in WATCHDOG_ACTIONS:
            raise CommandFailed(f"Unknown watchdog action '{action}'")
        self.watchdog_action = action.lower()

    # Snapshots and migration.

    def save(self, name: str | None = None) -> None:
        """
        Take a snapshot; the guest stands still meanwhile.

        :param name: its tag; one of that tag or number is replaced.
        :raises CommandFailed: no drive can hold it, or there are too many.
        """
        if not self.drives.with_snapshots():
            raise CommandFailed("No block device can accept snapshots")
        was_running = self.running
        self.stop()
        try:
            self.snapshots.put(
                name or "",
                size=self.balloon * _MIB,
                date=self._clock.seconds(),
                clock=self.guest_clock,
                booted=self._booted,
                balloon=self.balloon,
            )
        finally:
            if was_running:
                self.cont()

    def load(self, name: str) -> None:
        """
        Go back to a snapshot; a machine that ran runs on from there.

        :param name: its tag or number.
        :raises CommandFailed: no such snapshot.
        """
        snapshot = self.snapshots.find(name)
        drive = self._snapshot_drive()
        if snapshot is None:
            raise CommandFailed(f"Could not find snapshot '{name}' on device '{drive}'")
        was_running = self.running
        self.stop()
        self._clock_offset = snapshot.clock - self._running.seconds
        self._booted = snapshot.booted
        self.balloon = snapshot.balloon
        if was_running:
            self.cont()

    def delete_snapshot(self, name: str) -> None:
        """
        Forget a snapshot.

        :param name: its tag or number.
        :raises CommandFailed: no such snapshot.
        """
        snapshot = self.snapshots.find(name)
        drive = self._snapshot_drive()
        if snapshot is None:
            raise CommandFailed(f"Error -2 while deleting snapshot on '{drive}'")
        self.snapshots.remove(snapshot)

    def _snapshot_drive(self) -> str:
        drives = self.drives.with_snapshots()
        if not drives:
            raise CommandFailed("No block device supports snapshots")
        return drives[0].name

    def migrate(self, uri: str) -> None:
        """
        Begin a migration; once it is completed the machine is paused, with ``STOP``.

        :raises CommandFailed: see :meth:`Migration.start`.
        """
        self.migration.start(uri, self.balloon * _MIB)
