"""The simulated machine's JSON monitor: some of the commands and events of QEMU 7.2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

from txqmp.jsonqmp.grammar import JSONObject, JSONValue
from txqmp.jsonqmp.server import JSONServerFactory
from txqmp.jsonqmp.table import JSONCommandTable
from txqmp.machine import commands as actions
from txqmp.machine import jsoncommands as commands
from txqmp.machine import jsonqueries as queries
from txqmp.machine.monitor import monitor_table
from txqmp.machine.state import Machine


class _Row(NamedTuple):
    name: str
    handler: Callable[..., Any]
    args: dict[str, str] = {}
    oob: bool = False


_COMMANDS = [
    _Row("stop", actions.stop),
    _Row("cont", actions.cont),
    _Row("system_reset", actions.system_reset),
    _Row("system_powerdown", actions.system_powerdown),
    _Row("quit", actions.quit_machine),
    _Row("balloon", commands.balloon, {"value": "int"}),
    _Row(
        "migrate",
        commands.migrate,
        {"uri": "str", "blk": "bool?", "inc": "bool?", "detach": "bool?", "resume": "bool?"},
    ),
    _Row("migrate_cancel", actions.migrate_cancel),
    _Row("set_link", commands.set_link, {"name": "str", "up": "bool"}),
    _Row("eject", commands.eject, {"device": "str?", "id": "str?", "force": "bool?"}),
    _Row("device_del", commands.device_del, {"id": "str"}),
    _Row("send-key", commands.send_key, {"keys": "[object]", "hold-time": "int?"}),
    _Row("yank", commands.yank, {"instances": "[object]"}, oob=True),
]

_QUERIES = [
    _Row("query-status", queries.status),
    _Row("query-name", queries.name),
    _Row("query-uuid", queries.uuid),
    _Row("query-version", queries.version),
    _Row("query-balloon", queries.balloon),
    _Row("query-kvm", queries.kvm),
    _Row("query-vnc", queries.vnc),
    _Row("query-migrate", queries.migrate),
]

_LISTS = [
    _Row("query-cpus-fast", queries.cpus),
    _Row("query-block", queries.block),
    _Row("query-blockstats", queries.blockstats),
    _Row("query-chardev", queries.chardev),
    _Row("query-mice", queries.mice),
    _Row("query-yank", queries.yank, oob=True),
    _Row("qom-list", queries.qom_list, {"path": "str"}),
]

_CAUSE = {"guest": "bool", "reason": "str"}
_EVENTS: dict[str, dict[str, str]] = {
    "STOP": {},
    "RESUME": {},
    "POWERDOWN": {},
    "RESET": _CAUSE,
    "SHUTDOWN": _CAUSE,
}
_CAUSES: dict[str, JSONObject] = {
    "RESET": {"guest": False, "reason": "host-qmp-system-reset"},
    "SHUTDOWN": {"guest": False, "reason": "host-qmp-quit"},
}


def json_monitor_table(machine: Machine) -> JSONCommandTable:
    """
    Put a JSON monitor's commands before a machine.

    :returns: a table for a :class:`~txqmp.jsonqmp.server.JSONServerFactory`; it tells no events.
    """
    table = JSONCommandTable()
    for returns, rows in ((None, _COMMANDS), ("object", _QUERIES), ("[object]", _LISTS)):
        for row in rows:
            register = table.command(row.name, row.args, oob=row.oob, returns=returns)
            register(partial(row.handler, machine))
    run = commands.human_monitor_command(monitor_table(machine))
    table.command(
        "human-monitor-command", {"command-line": "str", "cpu-index": "int?"}, returns="str"
    )(partial(run, machine))
    for name, data in _EVENTS.items():
        table.event(name, data)
    return table


def json_monitor_factory(machine: Machine, reactor: Any = None) -> JSONServerFactory:
    """
    Put a JSON monitor before a machine: its commands, its events and the greeting of QEMU 7.2.

    :param reactor: measures the connections' times; the global reactor where it is None.
    """
    factory = JSONServerFactory(json_monitor_table(machine), reactor, qemu=queries.QEMU_VERSION)

    def tell(name: str, data: Mapping[str, object]) -> None:
        told = {**_CAUSES.get(name, {}), **cast(Mapping[str, JSONValue], data)}
        factory.broadcast(name, told)

    machine.subscribe(tell)
    return factory
