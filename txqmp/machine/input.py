"""The keyboard and the mice of the simulated machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from txqmp.errors import CommandFailed

KEYS = frozenset(
    """
    shift shift_r alt alt_r altgr altgr_r ctrl ctrl_r menu esc 1 2 3 4 5 6 7 8 9 0 minus equal
    backspace tab q w e r t y u i o p ret a s d f g h j k l z x c v b n m comma dot slash asterisk
    spc caps_lock f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12 num_lock scroll_lock kp_divide
    kp_multiply kp_subtract kp_add kp_enter kp_decimal sysrq kp_0 kp_1 kp_2 kp_3 kp_4 kp_5 kp_6
    kp_7 kp_8 kp_9 < print home pgup pgdn end left up down right insert delete
    """.split()
)
"""The names that ``sendkey`` knew in 2009."""

MAX_KEYS = 16
"""Keys pressed together."""

SCREEN = (640, 480)
"""Width and height of the screen, in pixels."""


def _is_key(name: str) -> bool:
    if name in KEYS:
        return True
    try:
        return name.startswith("0x") and 1 <= int(name, 16) <= 0xFF
    except ValueError:
        return False


class Keyboard:
    """
    Holds the keys that ``sendkey`` presses for as long as it should.

    :param now: tells the time, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._keys: tuple[str, ...] = ()
        self._until = 0.0

    @property
    def down(self) -> tuple[str, ...]:
        """The keys that are down."""
        return self._keys if self._now() < self._until else ()

    def press(self, keys: Sequence[str], hold: float) -> None:
        """
        Press keys together; those that are down are released first.

        :param keys: names from :data:`KEYS`, or key codes such as ``0x1e``.
        :param hold: seconds until they are released.
        :raises CommandFailed: an unknown key, or too many.
        """
        self.release()
        if len(keys) > MAX_KEYS:
            raise CommandFailed("too many keys")
        for key in keys:
            if not _is_key(key):
                raise CommandFailed(f"unknown key: '{key}'")
        self._keys = tuple(keys)
        self._until = self._now() + hold

    def release(self) -> None:
        """Let go of all keys."""
        self._keys = ()


class Mice:
    """
    The pointing devices, one of which moves the pointer.

    :ivar current: its index.
    :ivar x: the pointer's column.
    :ivar y: the pointer's row.
    :ivar buttons: those that are down: 1 left, 2 middle, 4 right, added up.
    """

    def __init__(self) -> None:
        self._names = ["QEMU PS/2 Mouse"]
        self.current = 0
        self.x = SCREEN[0] // 2
        self.y = SCREEN[1] // 2
        self.buttons = 0

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def plug(self, name: str) -> None:
        """Add a device; the current one stays current."""
        self._names.append(name)

    def unplug(self, name: str) -> None:
        """Remove a device that is there."""
        index = self._names.index(name)
        del self._names[index]
        if self.current == index:
            self.current = 0
        elif self.current > index:
            self.current -= 1

    def select(self, index: int) -> None:
        """
        Choose the device that moves the pointer.

        :raises CommandFailed: no such device.
        """
        if not 0 <= index < len(self._names):
            raise CommandFailed("Mouse at given index not found")
        self.current = index

    def move(self, dx: int, dy: int) -> None:
        """Move the pointer by so many pixels; it stays on the screen."""
        self.x = min(max(self.x + dx, 0), SCREEN[0] - 1)
        self.y = min(max(self.y + dy, 0), SCREEN[1] - 1)

    def press(self, buttons: int) -> None:
        """Say which buttons are down."""
        self.buttons = buttons & 7
