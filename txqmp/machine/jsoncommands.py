"""
The commands of the simulated machine's JSON monitor that do something, but for those without
arguments, which are the text monitor's.

Each gets the machine, the :class:`~txqmp.jsonqmp.server.Request` and its arguments, by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from txqmp.errors import CommandFailed, CommandRejected, ProtocolViolation
from txqmp.jsonqmp.grammar import JSONObject, JSONValue
from txqmp.machine.commands import CPU, DEFAULT_HOLD
from txqmp.machine.drives import Drive
from txqmp.machine.input import KEYS
from txqmp.machine.jsonqueries import YANK
from txqmp.machine.state import Machine
from txqmp.text.grammar import parse_command
from txqmp.text.server import Request as TextRequest
from txqmp.text.server import output_lines
from txqmp.text.table import CommandTable

if TYPE_CHECKING:
    from txqmp.jsonqmp.server import Request

_MIB = 1024 * 1024
_YANK_TYPES = {"chardev": "id", "block-node": "node-name", "migration": None}
_QCODES = {"less": "<"}


def _no_device(name: str) -> CommandFailed:
    return CommandFailed(f"Device '{name}' not found", error_class="DeviceNotFound")


def _member(holder: JSONObject, path: str, name: str) -> JSONValue:
    if name not in holder:
        raise CommandFailed(f"Parameter '{path}.{name}' is missing")
    return holder[name]


def _choice(holder: JSONObject, path: str, name: str, choices: object) -> str:
    value = _member(holder, path, name)
    if not isinstance(value, str):
        raise CommandFailed(f"Invalid parameter type for '{path}.{name}', expected: string")
    if value not in choices:  # type: ignore[operator]
        raise CommandFailed(f"Parameter '{name}' does not accept value '{value}'")
    return value


def _no_more(holder: JSONObject, path: str, *names: str | None) -> None:
    for name in holder:
        if name not in names:
            raise CommandFailed(f"Parameter '{path}.{name}' is unexpected")


def balloon(machine: Machine, request: Request, value: int) -> None:
    """``balloon``: ``value`` is in bytes"""
    if value < _MIB:
        raise CommandFailed("Parameter 'target' expects a size")
    machine.set_balloon(value // _MIB)


def migrate(
    machine: Machine,
    request: Request,
    uri: str,
    blk: bool = False,
    inc: bool = False,
    detach: bool = False,
    resume: bool = False,
) -> None:
    """``migrate``: done once it began (rule 20)"""
    try:
        machine.migrate(uri)
    except CommandFailed as error:
        if error.reason.startswith("unknown migration protocol"):
            reason = "Parameter 'uri' expects a valid migration protocol"
            raise CommandFailed(reason) from None
        raise


def set_link(machine: Machine, request: Request, name: str, up: bool) -> None:
    """``set_link``"""
    if name not in (device.name for device in machine.network):
        raise _no_device(name)
    machine.network.set_link(name, up)


def eject(
    machine: Machine,
    request: Request,
    device: str | None = None,
    id: str | None = None,
    force: bool = False,
) -> None:
    """``eject``: a drive is known by the same name as a device"""
    if (device is None) == (id is None):
        raise CommandFailed("Need exactly one of 'device' and 'id'")
    drive = _drive(machine, device or id or "")
    if not drive.removable:
        raise CommandFailed(f"Device '{drive.name}' is not removable")
    if drive.locked and not force:
        raise CommandFailed(f"Device '{drive.name}' is locked and force was not specified")
    drive.empty()


def _drive(machine: Machine, name: str) -> Drive:
    if name not in machine.drives:
        raise _no_device(name)
    return machine.drives.find(name)


def device_del(machine: Machine, request: Request, id: str) -> NoReturn:
    """``device_del``: no device here has an id"""
    raise _no_device(id)


def send_key(
    machine: Machine, request: Request, keys: list[JSONObject], hold_time: int = DEFAULT_HOLD
) -> None:
    """``send-key``"""
    names = []
    for index, key in enumerate(keys):
        path = f"keys[{index}]"
        if _choice(key, path, "type", ("number", "qcode")) == "qcode":
            name = _choice(key, path, "data", _known_keys())
            names.append(_QCODES.get(name, name))
        else:
            code = _member(key, path, "data")
            if not isinstance(code, int) or isinstance(code, bool):
                raise CommandFailed(f"Invalid parameter type for '{path}.data', expected: integer")
            names.append(f"0x{code:x}")
        _no_more(key, path, "type", "data")
    machine.keyboard.press(names, hold_time / 1000)


def _known_keys() -> frozenset[str]:
    return KEYS - set(_QCODES.values()) | _QCODES.keys()


def yank(machine: Machine, request: Request, instances: list[JSONObject]) -> None:
    """``yank``: nothing here can hang, so there is nothing to pull"""
    for index, instance in enumerate(instances):
        path = f"instances[{index}]"
        which = _YANK_TYPES[_choice(instance, path, "type", _YANK_TYPES)]
        if which is not None:
            _member(instance, path, which)
        _no_more(instance, path, "type", which)
    for instance in instances:
        if instance != YANK:
            raise CommandFailed("Instance not found", error_class="DeviceNotFound")


def human_monitor_command(table: CommandTable) -> Callable[..., str]:
    """
    Make ``human-monitor-command``, which gives a text command's output as one string.

    :param table: the text commands.
    """

    def run(
        machine: Machine, request: Request, command_line: str, cpu_index: int | None = None
    ) -> str:
        if cpu_index is not None and not 0 <= cpu_index < machine.cpus:
            raise CommandFailed("Parameter 'cpu-index' expects a CPU number")
        state = {} if cpu_index is None else {CPU: cpu_index}
        try:
            command = parse_command(command_line.encode())
            if command is None:
                return ""
            text = TextRequest(command, state)
            lines = [*output_lines(table.call(text))]
            if text.closing:
                request.close()
        except CommandRejected:
            lines = [f"unknown command: '{command_line}'"]
        except (CommandFailed, ProtocolViolation) as error:
            reason = error.problem if isinstance(error, ProtocolViolation) else error.reason
            lines = [f"Error: {reason}"]
        return "".join(f"{line}\r\n" for line in lines)

    return run
