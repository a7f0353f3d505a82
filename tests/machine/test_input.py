"""The keyboard and the mice, at their limits."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from txqmp.errors import CommandFailed
from txqmp.machine.input import Keyboard, Mice


def test_keys_that_are_refused_release_those_that_were_down() -> None:
    keyboard = Keyboard(Clock().seconds)
    keyboard.press(["a"], hold=10)
    with pytest.raises(CommandFailed):
        keyboard.press(["nokey"], hold=10)
    assert keyboard.down == ()


@pytest.mark.parametrize("keys", [["a"] * 16, ["0x1"], ["0xff"], ["<"], []])
def test_keys_that_can_be_pressed(keys: list[str]) -> None:
    keyboard = Keyboard(Clock().seconds)
    keyboard.press(keys, hold=10)
    assert keyboard.down == tuple(keys)


@pytest.mark.parametrize("keys", [["a"] * 17, ["0x0"], ["0x100"], ["1e"], ["A"], [""]])
def test_keys_that_cannot_be_pressed(keys: list[str]) -> None:
    with pytest.raises(CommandFailed):
        Keyboard(Clock().seconds).press(keys, hold=10)


@pytest.mark.parametrize(
    ("move", "place"),
    [
        ((0, 0), (320, 240)),
        ((-320, -240), (0, 0)),
        ((-321, -241), (0, 0)),
        ((319, 239), (639, 479)),
        ((320, 240), (639, 479)),
    ],
)
def test_the_pointer_stays_on_the_screen(move: tuple[int, int], place: tuple[int, int]) -> None:
    mice = Mice()
    mice.move(*move)
    assert (mice.x, mice.y) == place


def test_there_are_three_buttons() -> None:
    mice = Mice()
    assert mice.buttons == 0
    mice.press(-1)
    assert mice.buttons == 7


def test_the_first_mouse_can_be_chosen_again() -> None:
    mice = Mice()
    mice.plug("another")
    mice.select(1)
    mice.select(0)
    assert mice.current == 0
    for index in (-1, 2):
        with pytest.raises(CommandFailed):
            mice.select(index)
