"""Clients wait at the entrance until it is known what stands behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from tests.text.ends import table
from tests.wires import Sockets, Wire, pending
from txqmp.gateway.entrance import Entrance
from txqmp.monitor.closing import CLOSE_TIMEOUT
from txqmp.text.server import TextServerFactory


class Room(Protocol):
    """What a client becomes: it greets, and keeps what happens to it."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"welcome\r\n")

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)

    def readConnectionLost(self) -> None:
        self.told.append("no more is said")

    def writeConnectionLost(self) -> None:
        self.told.append("no more is read")

    def connectionLost(self, reason: Any = None) -> None:
        self.told.append("gone")


class House:
    """An entrance, and the rooms behind it."""

    def __init__(self, reason: str = "nobody listens", **settings: Any) -> None:
        self.clock = Clock()
        self.rooms: list[Room] = []
        self.full = False
        self.entrance = Entrance(self.clock, 30.0, lambda: reason, **settings)

    def buildProtocol(self, addr: Any) -> Room | None:
        """The factory behind it."""
        if self.full:
            return None
        self.rooms.append(Room())
        return self.rooms[-1]

    def opens(self) -> None:
        self.entrance.choose(self)

    def knock(self) -> Wire:
        return Wire(self.entrance)

    @property
    def calm(self) -> bool:
        return not self.clock.getDelayedCalls()


def is_reading(client: Wire) -> bool:
    return client.transport.producerState == "producing"


# Waiting, and going in.


def test_a_client_waits_and_nothing_of_it_is_read() -> None:
    house = House()
    client = house.knock()
    assert client.heard() == []
    assert not is_reading(client)
    assert not client.transport.disconnecting


def test_those_who_wait_go_in_once_it_opens() -> None:
    house = House()
    clients = [house.knock(), house.knock()]
    house.opens()
    assert [client.heard() for client in clients] == [["welcome"]] * 2
    assert all(map(is_reading, clients))
    assert house.calm


def test_those_who_come_later_go_in_at_once() -> None:
    house = House()
    house.opens()
    client = house.knock()
    assert client.heard() == ["welcome"]
    assert house.calm


def test_each_has_a_room_of_its_own() -> None:
    house = House()
    clients = [house.knock(), house.knock()]
    house.opens()
    for client, word in zip(clients, (b"a", b"b"), strict=True):
        client.sends(word)
    assert sorted(room.told for room in house.rooms) == [[b"a"], [b"b"]]


def test_inside_it_hears_all_that_happens() -> None:
    house = House()
    house.opens()
    client = house.knock()
    client.sends(b"hello")
    client.protocol.readConnectionLost()
    client.protocol.writeConnectionLost()
    client.hangs_up()
    assert house.rooms[0].told == [b"hello", "no more is said", "no more is read", "gone"]


def test_it_can_be_told_of_half_closed_connections() -> None:
    assert IHalfCloseableProtocol.providedBy(House().knock().protocol)


def test_a_client_that_leaves_while_it_waits() -> None:
    house = House()
    house.knock().hangs_up()
    assert house.calm
    house.opens()
    assert house.rooms == []


def test_a_half_closed_client_still_goes_in() -> None:
    house = House()
    client = house.knock()
    client.protocol.readConnectionLost()
    assert not client.transport.disconnecting
    house.opens()
    assert client.heard() == ["welcome"]


def test_a_client_that_cannot_be_told_anything_while_it_waits() -> None:
    house = House()
    client = house.knock()
    client.protocol.writeConnectionLost()
    house.opens()
    assert house.rooms[0].told == []


# In vain.


def test_a_client_waits_no_longer_than_the_timeout() -> None:
    house = House()
    client = house.knock()
    house.clock.advance(29.9)
    assert not client.transport.disconnecting
    with capturedLogs() as logs:
        house.clock.advance(0.1)
    assert client.transport.disconnecting
    assert [e["reason"] for e in logs if "there is no monitor" in e["log_format"]] == [
        "nobody listens"
    ]
    client.hangs_up()
    assert house.calm


def test_where_no_reason_is_known() -> None:
    house = House(reason="")
    client = house.knock()
    with capturedLogs() as logs:
        house.clock.advance(30)
    assert [e["reason"] for e in logs if "reason" in e] == ["it has said nothing"]
    client.hangs_up()


def test_one_that_went_in_is_not_turned_out_by_the_time() -> None:
    house = House()
    client = house.knock()
    house.opens()
    house.clock.advance(1000)
    assert not client.transport.disconnecting


def test_a_client_that_was_refused_does_not_go_in() -> None:
    house = House()
    client = house.knock()
    with capturedLogs():
        house.clock.advance(30)
    house.opens()
    assert (client.heard(), house.rooms) == ([], [])
    client.hangs_up()


def test_a_refused_client_that_does_not_go_is_aborted() -> None:
    house = House()
    client = house.knock()
    with capturedLogs():
        house.clock.advance(30)
    assert not client.transport.aborted
    house.clock.advance(CLOSE_TIMEOUT)
    assert client.transport.aborted


@pytest.mark.parametrize("opened_first", [True, False])
def test_one_for_whom_there_is_no_room_is_closed(opened_first: bool) -> None:
    house = House()
    house.full = True
    if opened_first:
        house.opens()
        client = house.knock()
    else:
        client = house.knock()
        house.opens()
    assert client.transport.disconnecting
    client.hangs_up()
    assert house.calm


# Too many.


def test_too_many_are_not_received() -> None:
    house = House(max_connections=2)
    house.knock()
    client = house.knock()
    with capturedLogs() as logs:
        assert house.entrance.buildProtocol(None) is None
    assert [e["limit"] for e in logs if "limit" in e] == [2]
    client.hangs_up()
    assert house.entrance.buildProtocol(None) is not None


def test_those_inside_count_too() -> None:
    house = House(max_connections=1)
    house.opens()
    house.knock()
    with capturedLogs():
        assert house.entrance.buildProtocol(None) is None


# The end.


def closing(house: House) -> Deferred[None]:
    return Deferred.fromCoroutine(house.entrance.close_all())


def test_closing_an_empty_house() -> None:
    assert not pending(closing(House()))


def test_closing_sends_away_those_who_wait() -> None:
    house = House()
    clients = [house.knock(), house.knock()]
    closed = closing(house)
    assert all(client.transport.disconnecting for client in clients)
    clients[0].hangs_up()
    assert pending(closed)
    clients[1].hangs_up()
    assert not pending(closed)
    assert house.calm


def test_closing_waits_for_those_inside_and_leaves_them_alone() -> None:
    house = House()
    house.opens()
    client = house.knock()
    closed = closing(house)
    assert not client.transport.disconnecting
    assert pending(closed)
    client.hangs_up()
    assert not pending(closed)


def test_closing_twice() -> None:
    house = House()
    client = house.knock()
    both = [closing(house), closing(house)]
    client.hangs_up()
    assert not any(map(pending, both))


# On real sockets.


@pytest.fixture(params=["unix", "tcp"])
def wire_kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest_twisted.async_yield_fixture
async def sockets(running_reactor: Any, wire_kind: str, short_path: Path) -> AsyncIterator[Sockets]:
    opened = Sockets(running_reactor, wire_kind, short_path)
    yield opened
    await opened.close()


async def test_what_a_client_said_and_half_closed_while_it_waited_is_answered(
    sockets: Sockets, running_reactor: Any
) -> None:
    entrance = Entrance(running_reactor, 1000.0, str)
    await sockets.listen(entrance)
    client = await sockets.raw()
    client.transport.write(b"stop\r\ncont\r\n")
    client.transport.loseWriteConnection()
    await sockets.until(lambda: entrance._guests)
    await sockets.turn(10)
    assert client.heard == b""
    commands = table(stop=lambda request: None, cont=lambda request: None)
    entrance.choose(TextServerFactory(commands, running_reactor))
    await client.when_lost()
    assert client.heard.splitlines()[1:] == [b"+ OK stop completed", b"+ OK cont completed"]


async def test_one_who_left_while_it_waited_is_let_go(
    sockets: Sockets, running_reactor: Any
) -> None:
    entrance = Entrance(running_reactor, 1000.0, str)
    await sockets.listen(entrance)
    client = await sockets.raw()
    await sockets.until(lambda: entrance._guests)
    client.transport.abortConnection()
    await sockets.turn(10)
    entrance.choose(Factory.forProtocol(Room))
    await sockets.until(lambda: not entrance._guests)
