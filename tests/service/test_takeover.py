"""A running monitor's socket is taken over, recorded at, and given back."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs

from tests.wires import Sockets, pending
from txqmp.errors import JournalError, TakeoverError
from txqmp.journal.reader import read
from txqmp.journal.record import Kind, Record
from txqmp.journal.writer import Journal
from txqmp.machine.jsonmonitor import json_monitor_factory
from txqmp.machine.monitor import monitor_factory
from txqmp.machine.state import Machine
from txqmp.service import sockdiag, takeover
from txqmp.service.aside import Outcome
from txqmp.service.takeover import Takeover
from txqmp.sniffer import connect

DIALECTS: dict[str, Any] = {"text": monitor_factory, "json": json_monitor_factory}


class Place:
    """A monitor at a path, and takeovers of it."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        self.reactor = reactor
        self.folder = folder
        self.path = folder / "vm1.sock"
        self.sockets = Sockets(reactor, "unix", folder)
        self._ports: list[Any] = []
        self._takeovers: list[Takeover] = []
        self.inode = 0

    def monitor(self, factory: Any = None, dialect: str = "json") -> Any:
        """Listen at the path, as QEMU does: what is there makes room."""
        self.path.unlink(missing_ok=True)
        if factory is None:
            factory = DIALECTS[dialect](Machine(clock=self.reactor), self.reactor)
        port = self.reactor.listenUNIX(str(self.path), factory, mode=0o640)
        self._ports.append(port)
        self.inode = self.path.stat().st_ino
        return port

    def takeover(self, **settings: Any) -> Takeover:
        journal = Journal(self.folder / "j", in_thread=lambda work: work())
        settings = {"quiet": True, "interval": 0.01, **settings}
        self._takeovers.append(Takeover(str(self.path), journal, self.reactor, **settings))
        return self._takeovers[-1]

    async def taken(self, **settings: Any) -> Takeover:
        taken = self.takeover(**settings)
        await taken.begin()
        return taken

    async def client(self, timeout: float = 30.0) -> Any:
        return await connect(self.reactor, f"unix:{self.path}", timeout)

    async def end(self, port: Any) -> None:
        """The monitor is killed: it listens no more, and leaves the path alone."""
        self._ports.remove(port)
        kept = self.path.rename(f"{self.path}.kept") if self.path.exists() else None
        # The port removes what has its name.
        self.path.touch()
        await port.stopListening()
        if kept is not None:
            kept.rename(self.path)

    def restored(self) -> bool:
        names = {path.name for path in self.folder.iterdir()} - {"j"}
        return names == {"vm1.sock"} and self.path.stat().st_ino == self.inode

    def records(self) -> list[Record]:
        return [record for record in read(self.folder / "j") if isinstance(record, Record)]

    async def close(self) -> None:
        for port in self._ports:
            self.path.touch()
            await port.stopListening()
        await self.sockets.close()


@pytest_twisted.async_yield_fixture
async def place(short_path: Path, running_reactor: Any) -> AsyncIterator[Place]:
    place = Place(running_reactor, short_path)
    yield place
    await place.close()


class Silent(Protocol):
    """A monitor that is busy with somebody else: it says nothing."""


# In order.


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_is_said_at_the_path_is_recorded_and_the_path_is_given_back(
    place: Place, dialect: str
) -> None:
    place.monitor(dialect=dialect)
    taken = await place.taken()
    assert not place.restored()
    assert place.path.stat().st_mode & 0o777 == 0o640
    client = await place.client()
    await client.execute("stop")
    await client.close()
    assert await taken.end() is Outcome.RESTORED
    assert place.restored()
    client = await place.client()
    await client.close()

    records = place.records()
    assert {record.monitor for record in records} == {"vm1"}
    assert [str(r.kind) for r in records if r.kind is not Kind.EVENT] == {
        "text": ["opened", "greeting", "command", "success", "closed"],
        "json": ["opened", "greeting", *["command", "success"] * 2, "closed"],
    }[dialect]
    assert records[0].fields == {"upstream": f"unix:{place.path}"}
    assert records[0].peer is not None
    assert records[0].peer["path"] == str(place.path)
    assert records[0].peer["pid"] == os.getpid()


async def test_its_names(place: Place) -> None:
    assert (place.takeover().name, place.takeover().path) == ("vm1", str(place.path))
    assert place.takeover(name="other").name == "other"


async def test_conversations_are_ended_with_it(place: Place) -> None:
    place.monitor()
    taken = await place.taken()
    client = await place.client()
    assert await taken.end() is Outcome.RESTORED
    await client.when_disconnected()
    closed = place.records()[-1]
    assert (closed.kind, closed.fields["reason"]) == (Kind.CLOSED, "the takeover is over")


async def test_it_can_be_done_again_and_again(place: Place) -> None:
    place.monitor()
    for _ in range(3):
        taken = await place.taken()
        assert await taken.end() is Outcome.RESTORED
        assert place.restored()


async def test_no_descriptor_stays_open(place: Place) -> None:
    place.monitor()

    async def once() -> None:
        taken = await place.taken()
        client = await place.client()
        await client.close()
        await taken.end()

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    await once()
    before = descriptors()
    await once()
    await place.sockets.until(lambda: descriptors() == before)


async def test_a_path_longer_than_the_address_of_a_socket(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.folder = place.folder / ("d" * 100)
    place.folder.mkdir()
    monkeypatch.chdir(place.folder)
    place.path = Path("vm1.sock")
    place.monitor()
    taken = await place.taken()
    client = await place.client()
    await client.close()
    assert await taken.end() is Outcome.RESTORED
    assert place.restored()


# Refused, with everything as it was.


async def test_a_client_that_is_connected_is_not_left_unrecorded(place: Place) -> None:
    place.monitor()
    client = await place.client()
    with pytest.raises(TakeoverError, match=r"vm1\.sock: a client is connected; what it says"):
        await place.taken()
    assert place.restored()
    await client.execute("stop")
    await client.close()


async def test_nobody_listens(place: Place) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(place.path))
    place.inode = place.path.stat().st_ino
    with pytest.raises(TakeoverError, match=r"vm1\.sock: nobody listens there$"):
        await place.taken()
    assert place.restored()


async def test_a_journal_that_cannot_be_had(place: Place) -> None:
    place.monitor()
    (place.folder / "j").mkdir()
    with pytest.raises(JournalError):
        await place.taken()
    assert place.restored()


async def test_a_second_takeover(place: Place) -> None:
    place.monitor()
    taken = await place.taken()
    with pytest.raises(TakeoverError, match=f"taken over already, by process {os.getpid()}"):
        await place.taken()
    assert await taken.end() is Outcome.RESTORED
    assert place.restored()


class Broken:
    """A file system on which one kind of change fails, the so-many-th time."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str, number: int) -> None:
        self._number = number
        self._change = getattr(os, name)
        patch.setattr(os, name, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._number -= 1
        if self._number == 0:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return self._change(*args, **kwargs)


@pytest.mark.parametrize(
    ("name", "number"),
    [("mkdir", 1), ("link", 1), ("link", 2), ("link", 3), ("replace", 1)],
)
async def test_a_step_that_fails_undoes_those_before(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    place.monitor()
    Broken(monkeypatch, name, number)
    with pytest.raises(TakeoverError, match=r"vm1\.sock cannot be taken over: Permission denied"):
        await place.taken()
    monkeypatch.undo()
    assert place.restored()


async def test_a_socket_that_cannot_be_bound(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.monitor()

    def fail(address: str, *args: Any, **kwargs: Any) -> None:
        raise CannotListenError("unix", address, OSError(errno.ENOSPC, "No space left on device"))

    with monkeypatch.context() as patched:
        patched.setattr(place.reactor, "listenUNIX", fail)
        with pytest.raises(TakeoverError, match=r"cannot be taken over: Couldn't listen .*space"):
            await place.taken()
    assert place.restored()


# A client that comes between the look and the switch.


class Counted:
    """What the kernel tells, with something happening at a certain look."""

    def __init__(self, patch: pytest.MonkeyPatch, number: int, happens: Any) -> None:
        self._number = number
        self._happens = happens
        patch.setattr(takeover, "census", self)

    def __call__(self, path: str) -> Any:
        self._number -= 1
        if self._number == 0:
            self._happens(path)
        return sockdiag.census(path)


async def test_a_client_that_came_in_between_has_everything_put_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.monitor()
    with socket.socket(socket.AF_UNIX) as client:
        # The monitor's own name is gone by then, but not its link.
        Counted(monkeypatch, 2, client.connect)
        with pytest.raises(TakeoverError, match="a client is connected since just now"):
            await place.taken()
        assert place.restored()


async def test_clients_of_ours_wait_until_it_is_certain(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.monitor()
    with socket.socket(socket.AF_UNIX) as client:
        Counted(monkeypatch, 2, lambda path: client.connect(str(place.path)))
        taken = await place.taken()
        await place.sockets.until(lambda: len(place.records()) == 2)
    assert await taken.end() is Outcome.RESTORED


# Where the kernel does not tell.


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "census", lambda path: None)
    monkeypatch.setattr(sockdiag, "census", lambda path: None)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_monitor_that_greets_is_free(place: Place, blind: None, dialect: str) -> None:
    place.monitor(dialect=dialect)
    taken = await place.taken()
    client = await place.client()
    await client.close()
    assert await taken.end() is Outcome.RESTORED
    assert place.restored()


async def test_one_that_does_not_greet_is_busy(
    place: Place, blind: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "PROBE_TIMEOUT", 0.01)
    place.monitor(Factory.forProtocol(Silent))
    with pytest.raises(TakeoverError, match="a client is connected"):
        await place.taken()
    assert place.restored()


async def test_one_that_closes_the_connection_is_busy(place: Place, blind: None) -> None:
    refusing: Any = Factory()
    refusing.buildProtocol = lambda addr: None
    place.monitor(refusing)
    with pytest.raises(TakeoverError, match="a client is connected"):
        await place.taken()
    assert place.restored()


async def test_one_that_takes_no_more_connections_is_busy(place: Place, blind: None) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(place.path))
        server.listen(0)
        place.inode = place.path.stat().st_ino
        client.connect(str(place.path))
        with pytest.raises(TakeoverError, match="a client is connected"):
            await place.taken()
        assert place.restored()


async def test_nobody_listens_and_the_kernel_does_not_tell(place: Place, blind: None) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(place.path))
    place.inode = place.path.stat().st_ino
    with pytest.raises(TakeoverError, match="nobody listens there"):
        await place.taken()
    assert place.restored()


# What happens meanwhile.


async def test_a_monitor_that_ends_ends_it(place: Place) -> None:
    port = place.monitor()
    taken = await place.taken()
    over = taken.when_over()
    assert pending(over)
    await place.end(port)
    await over
    assert await taken.end() is Outcome.ENDED
    assert [path.name for path in place.folder.iterdir()] == ["j"]


async def test_a_monitor_that_ends_unseen_is_missed_after_the_next_client(
    place: Place, blind: None
) -> None:
    port = place.monitor()
    taken = await place.taken()
    await place.end(port)
    over = taken.when_over()
    await place.sockets.turn(20)
    assert pending(over)
    with pytest.raises(Exception, match="connection is over"):
        await place.client()
    await over
    assert await taken.end() is Outcome.ENDED


async def test_a_monitor_that_ends_unseen_is_missed_when_its_path_is_gone(
    place: Place, blind: None
) -> None:
    port = place.monitor()
    taken = await place.taken()
    await place.end(port)
    place.path.unlink()
    await taken.when_over()
    assert await taken.end() is Outcome.ENDED


async def test_nobody_is_asked_while_a_client_is_served(place: Place, blind: None) -> None:
    asked: list[str] = []
    place.monitor()
    taken = await place.taken()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(takeover, "listens", asked.append)
        client = await place.client()
        taken._look()
        assert asked == []
        await client.close()
    assert await taken.end() is Outcome.RESTORED


async def test_a_path_that_others_removed_is_told_of_once(place: Place) -> None:
    place.monitor()
    taken = await place.taken()
    over = taken.when_over()
    with capturedLogs() as logs:
        place.path.unlink()
        taken._look()
        taken._look()
    said = [e["log_format"].format(**e) for e in logs if e["log_namespace"] == takeover.__name__]
    assert said == [f"{place.path} was removed or replaced: no client comes here"]
    assert pending(over)
    assert await taken.end() is Outcome.RESTORED
    assert place.restored()


async def test_a_new_monitor_at_the_path_is_left_alone(place: Place) -> None:
    port = place.monitor()
    taken = await place.taken()
    place.path.unlink()
    await place.end(port)
    place.monitor()
    await taken.when_over()
    assert await taken.end() is Outcome.LEFT
    assert place.restored()
    client = await place.client()
    await client.close()


# The end fails.


async def test_a_path_that_cannot_be_given_back_is_there_for_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.monitor()
    taken = await place.taken()
    client = await place.client()
    with monkeypatch.context() as patched:
        Broken(patched, "replace", 1)
        words = (
            r"vm1\.sock cannot be given back \(the monitor is .*vm1\.sock\.aside/monitor, the next "
            r"takeover will try again\): Permission denied"
        )
        with pytest.raises(TakeoverError, match=words):
            await taken.end()
    await client.when_disconnected()
    taken = await place.taken()
    assert taken.mended is Outcome.RESTORED
    assert await taken.end() is Outcome.RESTORED
    assert place.restored()


async def test_a_folder_that_cannot_be_removed_is_told_of(place: Place) -> None:
    place.monitor()
    taken = await place.taken()
    Path(f"{place.path}.aside/notes").touch()
    with pytest.raises(TakeoverError, match=r"in order, but not .*vm1\.sock\.aside: Directory not"):
        await taken.end()
    assert place.path.stat().st_ino == place.inode


async def test_a_monitor_whose_link_others_removed(place: Place) -> None:
    place.monitor()
    taken = await place.taken()
    Path(f"{place.path}.aside/monitor").unlink()
    await taken.when_over()
    with pytest.raises(TakeoverError, match=r"cannot be given back: somebody removed .*/monitor$"):
        await taken.end()


async def test_a_watch_that_fails_is_told_of(
    place: Place, monkeypatch: pytest.MonkeyPatch, logged_failures: Any
) -> None:
    place.monitor()
    taken = await place.taken()

    def fail(path: str) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(takeover, "census", fail)
        await place.sockets.until(lambda: not taken._looking.running)
    assert len(logged_failures.take(ZeroDivisionError)) == 1
    assert await taken.end() is Outcome.RESTORED


# What the settings are for.


async def test_the_settings_reach_the_relay(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    make: Callable[..., Any] = takeover.RelayFactory

    def note(*args: Any, **settings: Any) -> Any:
        given.update(settings)
        return make(*args, **settings)

    monkeypatch.setattr(takeover, "RelayFactory", note)
    place.monitor()
    taken = await place.taken(greeting_timeout=7.0, quiet=False)
    await taken.end()
    assert (given["greeting_timeout"], given["quiet"]) == (7.0, False)


def test_without_a_reactor_it_is_the_global_one(short_path: Path, running_reactor: Any) -> None:
    taken = Takeover(str(short_path / "vm1.sock"), Journal(short_path / "j"))
    assert taken._reactor is running_reactor


async def test_a_greeting_that_never_comes(place: Place) -> None:
    place.monitor(Factory.forProtocol(Silent))
    taken = await place.taken(greeting_timeout=0.01)
    endpoint = UNIXClientEndpoint(place.reactor, str(place.path))
    client = await endpoint.connect(Factory.forProtocol(Protocol))
    await place.sockets.until(lambda: place.records() and place.records()[-1].kind is Kind.CLOSED)
    assert "no greeting within 0.01 s" in place.records()[-1].fields["reason"]
    assert client is not None
    assert await taken.end() is Outcome.RESTORED
