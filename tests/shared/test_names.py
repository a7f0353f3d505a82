"""The names of a client's descriptors."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shared.stage import plain
from txqmp.errors import InvalidCommand
from txqmp.shared.names import Names


def names(*given: str) -> Names:
    names = Names(7)
    for name in given:
        names.translate("getfd", {"fdname": name})
    return names


def test_a_descriptor_gets_a_name_that_is_the_client_s_own() -> None:
    sent = [Names(7).translate("getfd", {"fdname": "net0"})["fdname"] for _ in range(2)]
    assert list(map(plain, sent)) == ["txqmp.7.net0", "txqmp.7.net0"]
    # Nobody else can guess it.
    assert sent[0] != sent[1]


@pytest.mark.parametrize("name", ["", "0net", None, 5])
def test_a_name_that_none_can_have_is_left_to_the_monitor_to_refuse(name: Any) -> None:
    own = names()
    assert own.translate("getfd", {"fdname": name}) == {"fdname": name}
    assert not own


@pytest.mark.parametrize(
    ("command", "said", "sent"),
    [
        ("add_client", {"protocol": "vnc", "fdname": "a"}, {"protocol": "vnc", "fdname": "_a"}),
        ("migrate", {"uri": "fd:a"}, {"uri": "fd:_a"}),
        ("migrate", {"uri": "fd:c"}, {"uri": "fd:c"}),
        ("migrate", {"uri": "a"}, {"uri": "a"}),
        ("dump-guest-memory", {"protocol": "fd:b"}, {"protocol": "fd:_b"}),
        ("netdev_add", {"id": "a", "fd": "a"}, {"id": "a", "fd": "_a"}),
        ("netdev_add", {"fds": "a:c:b"}, {"fds": "_a:c:_b"}),
        ("netdev_add", {"dnssearch": [{"str": "a"}]}, {"dnssearch": [{"str": "a"}]}),
        ("device_add", {"vhostfd": "b"}, {"vhostfd": "_b"}),
        ("add-fd", {"fdset-id": 1, "opaque": "a"}, {"fdset-id": 1, "opaque": "a"}),
        ("remove-fd", {"fdset-id": 1, "fd": 5}, {"fdset-id": 1, "fd": 5}),
        (
            "nbd-server-start",
            {"addr": {"type": "fd", "data": {"str": "a"}}},
            {"addr": {"type": "fd", "data": {"str": "_a"}}},
        ),
        (
            "blockdev-add",
            {"server": {"type": "fd", "str": "a"}, "export": "a"},
            {"server": {"type": "fd", "str": "_a"}, "export": "a"},
        ),
        (
            "chardev-add",
            {"backend": {"type": "socket", "data": {"addr": {"type": "fd", "data": {"str": "b"}}}}},
            {
                "backend": {
                    "type": "socket",
                    "data": {"addr": {"type": "fd", "data": {"str": "_b"}}},
                }
            },
        ),
        ("set", {"l": [{"fd": "a"}, 1, None]}, {"l": [{"fd": "_a"}, 1, None]}),
    ],
)
def test_where_it_is_named(command: str, said: Any, sent: Any) -> None:
    got = names("a", "b").translate(command, said)
    assert plain(got).replace("txqmp.7.", "_") == repr(sent)


def test_once_it_is_closed_its_name_means_nothing() -> None:
    own = names("a")
    assert plain(own.translate("closefd", {"fdname": "a"})["fdname"]) == "txqmp.7.a"
    assert own.translate("closefd", {"fdname": "a"}) == {"fdname": "a"}


def test_all_that_are_left() -> None:
    own = names("a", "b", "a")
    assert [*map(plain, own.take_all())] == ["txqmp.7.a", "txqmp.7.b"]
    assert not own


def test_what_is_nested_too_deeply_is_refused() -> None:
    arguments: dict[str, Any] = {"fd": "a"}
    for _ in range(2000):
        arguments = {"l": [arguments]}
    with pytest.raises(InvalidCommand, match="'set' are nested too deeply"):
        names("a").translate("set", arguments)
