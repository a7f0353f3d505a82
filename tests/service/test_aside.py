"""A socket put aside and given back: whatever happens on the way, it is there, and whose it was."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from txqmp.errors import TakeoverError
from txqmp.service.aside import LISTENING, MONITOR, OURS, PID, Aside, Outcome


class Monitor:
    """A socket that somebody listens at."""

    def __init__(self, path: Path, mode: int = 0o640) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        path.chmod(mode)
        self.inode = path.stat().st_ino
        # As long as it is there no other socket has this number.
        self._keep = os.open(path, os.O_PATH | os.O_NOFOLLOW)

    def is_at(self, path: Path) -> bool:
        return path.lstat().st_ino == self.inode

    def ends(self) -> None:
        """Die, as by ``kill -9``: the socket stays."""
        self._socket.close()

    def close(self) -> None:
        self.ends()
        os.close(self._keep)


@pytest.fixture
def path(short_path: Path) -> Path:
    return short_path / "m.sock"


@pytest.fixture
def monitors() -> Iterator[Callable[[Path], Monitor]]:
    made: list[Monitor] = []

    def make(path: Path) -> Monitor:
        made.append(Monitor(path))
        return made[-1]

    yield make
    for monitor in made:
        monitor.close()


@pytest.fixture
def monitor(path: Path, monitors: Callable[[Path], Monitor]) -> Monitor:
    return monitors(path)


class Life:
    """All that a takeover does to files, as one process does it."""

    def __init__(self, path: Path) -> None:
        self.aside = Aside(str(path))
        self._socket: socket.socket | None = None

    def take(self) -> None:
        self.aside.open()
        self._socket = socket.socket(socket.AF_UNIX)
        address = self.aside.address(LISTENING)
        self._socket.bind(address)
        os.chmod(address, self.aside.mode)  # noqa: PTH101
        self._socket.listen()
        self.aside.switch()

    def give_back(self) -> Outcome:
        outcome = self.aside.restore()
        self._stop_listening()
        self.aside.close()
        return outcome

    def _stop_listening(self) -> None:
        assert self._socket is not None
        os.unlink(self.aside.address(LISTENING))  # noqa: PTH108
        self._socket.close()

    def dies(self) -> None:
        """What the kernel does for a process that was killed."""
        self.aside.abandon()
        if self._socket is not None:
            self._socket.close()


@contextmanager
def taken(path: Path) -> Iterator[Life]:
    life = Life(path)
    life.take()
    yield life
    life.dies()


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def folder(path: Path) -> Path:
    return Path(f"{path}.aside")


# In order.


def test_there_and_back(path: Path, monitor: Monitor) -> None:
    life = Life(path)
    life.take()
    assert life.aside.holds()
    assert not monitor.is_at(path)
    assert monitor.is_at(folder(path) / MONITOR)
    assert life.give_back() is Outcome.RESTORED
    assert monitor.is_at(path)
    assert names(path.parent) == ["m.sock"]
    assert life.aside.mended is None


def test_the_socket_in_its_place_is_open_to_the_same(path: Path, monitor: Monitor) -> None:
    original = path.stat()
    with taken(path):
        ours = path.stat()
        assert (ours.st_mode, ours.st_uid, ours.st_gid) == (
            original.st_mode, original.st_uid, original.st_gid,
        )  # fmt: skip
        assert stat.S_IMODE(folder(path).stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_takes_over_for_another_user(path: Path, monitor: Monitor) -> None:
    os.chown(path, 12345, 23456)
    with taken(path):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_a_symbolic_link_stays_one(path: Path, monitor: Monitor, short_path: Path) -> None:
    link = short_path / "link"
    link.symlink_to(path.name)
    life = Life(link)
    life.take()
    assert life.aside.path == str(path.resolve())
    assert link.is_symlink()
    assert not monitor.is_at(path)
    life.give_back()
    assert monitor.is_at(path)


def test_a_path_may_be_longer_than_the_address_of_a_socket(
    short_path: Path, monitors: Callable[[Path], Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = short_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.chdir(deep)
    monitor = monitors(Path("m.sock"))
    life = Life(Path("m.sock"))
    life.take()
    assert len(life.aside.address(MONITOR)) < 100
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("m.sock")
    assert life.give_back() is Outcome.RESTORED
    assert monitor.is_at(deep / "m.sock")


# Refused, with everything as it was.


def refuses(path: Path, words: str) -> None:
    before = names(path.parent)
    with pytest.raises(TakeoverError, match=words):
        Aside(str(path)).open()
    assert names(path.parent) == before


def test_what_is_not_there_is_refused(path: Path) -> None:
    refuses(path, "m.sock: No such file or directory")


def test_what_is_no_socket_is_refused(path: Path) -> None:
    path.write_text("")
    refuses(path, "m.sock is no socket")


def test_the_socket_of_another_user_is_refused(
    path: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    refuses(path, r"m\.sock belongs to user \d+: only that user, or root, can")


def test_the_folder_of_another_user_is_refused(
    path: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(path).mkdir(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    refuses(path, r"m\.sock\.aside is not ours alone \(user \d+, mode 0700\)")


def test_a_folder_that_others_can_write_to_is_refused(path: Path, monitor: Monitor) -> None:
    folder(path).mkdir()
    folder(path).chmod(0o770)
    refuses(path, r"m\.sock\.aside is not ours alone \(user \d+, mode 0770\)")


@pytest.mark.parametrize("make", [Path.touch, lambda p: p.symlink_to("elsewhere")])
def test_what_is_no_folder_is_left_alone(
    path: Path, monitor: Monitor, make: Callable[[Path], object]
) -> None:
    make(folder(path))
    with pytest.raises(OSError, match=r"Not a directory|levels of symbolic links"):
        Aside(str(path)).open()
    assert names(path.parent) == ["m.sock", "m.sock.aside"]


def test_a_second_takeover_is_refused_and_the_first_is_named(path: Path, monitor: Monitor) -> None:
    with taken(path) as life:
        words = f"m.sock is taken over already, by process {os.getpid()}$"
        with pytest.raises(TakeoverError, match=words):
            Aside(str(path)).open()
        folder(path).joinpath(PID).unlink()
        with pytest.raises(TakeoverError, match=r"by process \?$"):
            Aside(str(path)).open()
        assert life.give_back() is Outcome.RESTORED
    assert monitor.is_at(path)


def test_a_folder_that_goes_before_it_is_locked_is_made_anew(
    path: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [folder(path).rmdir, lambda: folder(path).rename(f"{path}.other")]
    flock = fcntl.flock

    def late(fd: int, how: int) -> None:
        if left:
            left.pop(0)()
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with taken(path) as life:
        assert left == []
        assert life.give_back() is Outcome.RESTORED


def test_a_folder_that_goes_before_it_is_opened_is_made_anew(
    path: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open
    left = [folder(path).rmdir]

    def late(name: Any, *args: Any, **kwargs: Any) -> int:
        if left and name == str(folder(path)):
            left.pop()()
        return opened(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", late)
    with taken(path) as life:
        assert life.give_back() is Outcome.RESTORED


def test_a_socket_that_is_replaced_at_the_last_moment_is_left_alone(
    path: Path, monitors: Callable[[Path], Monitor]
) -> None:
    monitors(path)
    life = Life(path)
    life.aside.open()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(life.aside.address(LISTENING))
        path.unlink()
        other = monitors(path)
        with pytest.raises(TakeoverError, match="has just replaced it"):
            life.aside.switch()
    assert life.aside.restore() is Outcome.LEFT
    life.aside.close()
    assert other.is_at(path)
    assert names(path.parent) == ["m.sock"]


# What happened meanwhile.


def test_a_monitor_that_ended_leaves_nothing(path: Path, monitor: Monitor) -> None:
    with taken(path) as life:
        monitor.ends()
        assert life.give_back() is Outcome.ENDED
    assert names(path.parent) == []


def test_a_monitor_that_removed_its_path_when_it_ended(path: Path, monitor: Monitor) -> None:
    with taken(path) as life:
        path.unlink()
        monitor.ends()
        assert not life.aside.holds()
        assert life.give_back() is Outcome.ENDED
    assert names(path.parent) == []


def test_where_only_the_path_was_removed_the_monitor_gets_it_back(
    path: Path, monitor: Monitor
) -> None:
    with taken(path) as life:
        path.unlink()
        assert life.give_back() is Outcome.RESTORED
    assert monitor.is_at(path)
    assert names(path.parent) == ["m.sock"]


@pytest.mark.parametrize("ended", [False, True])
def test_the_socket_of_somebody_else_is_left_alone(
    path: Path, monitor: Monitor, monitors: Callable[[Path], Monitor], ended: bool
) -> None:
    with taken(path) as life:
        path.unlink()
        other = monitors(path)
        if ended:
            monitor.ends()
        assert not life.aside.holds()
        assert life.give_back() is Outcome.LEFT
    assert other.is_at(path)
    assert names(path.parent) == ["m.sock"]


def test_what_others_put_into_the_folder_stays_there(path: Path, monitor: Monitor) -> None:
    with taken(path) as life:
        folder(path).joinpath("notes").touch()
        with pytest.raises(OSError, match="not empty"):
            life.give_back()
    assert monitor.is_at(path)
    assert names(folder(path)) == ["notes"]


def test_what_cannot_be_mended_is_kept_for_the_next(
    path: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with taken(path):
        pass
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", forbidden)
        with pytest.raises(PermissionError):
            Aside(str(path)).open()
    assert monitor.is_at(folder(path) / MONITOR)
    life = Life(path)
    life.take()
    assert life.aside.mended is Outcome.RESTORED
    assert life.give_back() is Outcome.RESTORED
    assert monitor.is_at(path)


def forbidden(*args: Any, **kwargs: Any) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


# Killed at each step.


class Killed(BaseException):
    """The process is no more."""


class Mortal:
    """
    Lets a process do so many changes to files, and kills it before the next; at each it sees
    that the path is there.
    """

    CHANGES = ("mkdir", "rmdir", "link", "unlink", "replace", "chmod", "chown")

    def __init__(self, patch: pytest.MonkeyPatch, path: Path, steps: int) -> None:
        self._left = steps
        self._path = path
        self.steps: list[str] = []
        self.missing: list[str] = []
        for name in self.CHANGES:
            patch.setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            # The dead do not clean up.
            if self._left <= 0:
                raise Killed
            result = change(*args, **kwargs)
            self._left -= 1
            self.steps.append(name)
            if not os.path.lexists(self._path):
                self.missing.append(name)
            return result

        return counted


def lives(path: Path, steps: int = 1000) -> Mortal:
    """Take over and give back, if the steps suffice."""
    life = Life(path)
    with pytest.MonkeyPatch.context() as patch:
        mortal = Mortal(patch, path, steps)
        try:
            life.take()
            life.give_back()
        except Killed:
            pass
    life.dies()
    return mortal


LIFE = (
    # taken
    "mkdir", "link", "chmod", "link", "link", "replace",
    # given back
    "replace", "unlink", "unlink", "unlink", "rmdir",
)  # fmt: skip


def test_each_step_is_one_change_and_the_path_never_is_missing(
    path: Path, monitor: Monitor
) -> None:
    mortal = lives(path)
    assert tuple(mortal.steps) == LIFE
    assert mortal.missing == []
    assert names(path.parent) == ["m.sock"]


STEPS = range(len(LIFE))


@pytest.mark.parametrize("steps", STEPS)
def test_killed_at_any_step_the_next_start_mends_it(
    steps: int, path: Path, monitor: Monitor
) -> None:
    killed = lives(path, steps)
    assert len(killed.steps) == steps
    assert path.is_socket()
    mending = lives(path)
    assert killed.missing + mending.missing == []
    assert monitor.is_at(path)
    assert names(path.parent) == ["m.sock"]


@pytest.mark.parametrize("steps", STEPS)
def test_killed_at_any_step_and_the_monitor_ends_too(
    steps: int, path: Path, monitor: Monitor
) -> None:
    lives(path, steps)
    was_ours = not monitor.is_at(path)
    monitor.ends()
    aside = Aside(str(path))
    if was_ours:
        with pytest.raises(TakeoverError, match="No such file"):
            aside.open()
        assert names(path.parent) == []
    else:
        aside.open()
        aside.close()
        # As dead as its QEMU left it.
        assert monitor.is_at(path)
        assert names(path.parent) == ["m.sock"]


@pytest.mark.parametrize("again", range(1, 6))
def test_killed_while_it_mends_what_was_killed(again: int, path: Path, monitor: Monitor) -> None:
    taking = LIFE.index("replace") + 1
    lives(path, taking)
    assert not monitor.is_at(path)
    killed = lives(path, again)
    assert len(killed.steps) == again
    mending = lives(path)
    assert killed.missing + mending.missing == []
    assert monitor.is_at(path)
    assert names(path.parent) == ["m.sock"]


@pytest.mark.parametrize("steps", STEPS)
def test_killed_at_any_step_and_a_new_monitor_has_the_path(
    steps: int, path: Path, monitors: Callable[[Path], Monitor]
) -> None:
    old = monitors(path)
    lives(path, steps)
    old.ends()
    path.unlink()
    new = monitors(path)
    life = Life(path)
    life.take()
    assert life.give_back() is Outcome.RESTORED
    assert new.is_at(path)
    assert names(path.parent) == ["m.sock"]


def test_the_next_start_tells_what_it_mended(path: Path, monitors: Callable[..., Monitor]) -> None:
    first = monitors(path)
    with taken(path):
        pass
    aside = Aside(str(path))
    aside.open()
    assert aside.mended is Outcome.RESTORED
    aside.close()
    with taken(path):
        pass
    first.ends()
    aside = Aside(str(path))
    with pytest.raises(TakeoverError):
        aside.open()
    assert aside.mended is Outcome.ENDED
    second = monitors(path)
    with taken(path):
        path.unlink()
    monitors(path)
    aside = Aside(str(path))
    aside.open()
    assert aside.mended is Outcome.LEFT
    aside.close()
    second.ends()


def test_a_start_that_was_killed_before_it_did_anything_is_not_worth_a_word(
    path: Path, monitor: Monitor
) -> None:
    lives(path, LIFE.index("mkdir") + 1)
    aside = Aside(str(path))
    aside.open()
    assert aside.mended is None
    aside.close()


def test_the_names_in_the_folder(path: Path, monitor: Monitor) -> None:
    with taken(path):
        assert names(folder(path)) == [LISTENING, MONITOR, OURS, PID]
