"""
QEMU's command line: which monitors it puts into control mode, and how to have them elsewhere.

What is not understood is left as it is, for QEMU to read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from txqmp.wrap.flags import takes_argument
from txqmp.wrap.options import Field, join, last, split, truth, written

Form = Literal["legacy", "options", "json"]


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """
    A UNIX socket.

    :ivar abstract: the name is in no file system (unix(7)).
    :ivar tight: an abstract name is not padded.
    """

    path: str
    abstract: bool = False
    tight: bool = True


@dataclass(frozen=True, slots=True)
class TCPAddress:
    """
    A TCP port.

    :ivar host: empty for every address of this host.
    :ivar port: a number, or the name of a service.
    :ivar to: the last port of a range to choose from.
    :ivar ipv4: whether it is to be one; None where nothing is said.
    :ivar ipv6: likewise.
    """

    host: str
    port: str
    to: int | None = None
    ipv4: bool | None = None
    ipv6: bool | None = None


@dataclass(frozen=True, slots=True)
class DescriptorAddress:
    """A socket that QEMU inherits, by its number."""

    number: int


Address = UnixAddress | TCPAddress | DescriptorAddress


@dataclass(frozen=True, slots=True)
class Monitor:
    """
    A monitor in control mode.

    :ivar name: the label of its character device, in QEMU's own words.
    :ivar address: where it is.
    :ivar server: whether it listens there; it connects otherwise.
    :ivar wait: whether QEMU waits for a client before it goes on.
    :ivar reconnect: seconds after which it connects again; 0 for not at all.
    :ivar pretty: whether it lays out what it says.
    :ivar place: the index of the argument that says where it is.
    :ivar form: how that argument is written.
    """

    name: str
    address: Address
    server: bool
    wait: bool
    reconnect: float
    pretty: bool
    place: int
    form: Form


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What a command line says of monitors in control mode.

    :ivar monitors: those that can be taken over.
    :ivar left: the names of those that cannot, and why.
    """

    monitors: tuple[Monitor, ...]
    left: tuple[tuple[str, str], ...]


_ENDS_EARLY = frozenset(["h", "help", "V", "version"])
_ANOTHER_USER = frozenset(["runas", "chroot", "run-with"])


class _LeftAlone(Exception):
    """A monitor cannot be taken over; the message says why."""


@dataclass(slots=True)
class _Device:
    """A character device, as it is written."""

    place: int
    form: Form
    fields: dict[str, str]


@dataclass(slots=True)
class _Use:
    """A monitor in control mode, and the device that it wants."""

    name: str
    pretty: bool


def read(arguments: Sequence[str]) -> Reading:
    """
    Read QEMU's arguments, or those of ``qemu-storage-daemon``.

    :param arguments: without the program's name. It never raises.
    """
    if not _ENDS_EARLY.isdisjoint(word.lstrip("-") for word in arguments if word[:1] == "-"):
        # It says something and ends, and leaves every socket as it is.
        return Reading((), ())
    devices, uses, early = _gather(arguments)
    monitors: list[Monitor] = []
    left = list(early)
    for use in uses:
        try:
            monitors.append(_monitor(use, uses, devices, arguments))
        except _LeftAlone as reason:
            left.append((use.name, str(reason)))
        except ValueError as error:
            left.append((use.name, f"it cannot be read: {error}"))
    return Reading(tuple(monitors), tuple(left))


def rewrite(arguments: Sequence[str], replacements: Mapping[Monitor, int | str]) -> list[str]:
    """
    Have monitors elsewhere.

    :param replacements: for each, the number of a descriptor, of a UNIX socket that listens or is
        connected as the monitor would be, or the path of a UNIX socket.
    :returns: as many arguments; only those that say where the monitors are differ.
    """
    result = list(arguments)
    for monitor, replacement in replacements.items():
        here = ("fd", str(replacement)) if isinstance(replacement, int) else ("path", replacement)
        result[monitor.place] = _rewritten(result[monitor.place], monitor.form, here)
    return result


def machine_name(arguments: Sequence[str]) -> str:
    """The name of the machine (``-name``); empty if it has none."""
    name = ""
    for option, _, value in _options(arguments):
        if option == "name":
            name = last(split(value, "guest")).get("guest", "")
    return name


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """Each option that has an argument, without its dashes; where the argument is; and it."""
    index = 0
    while index < len(arguments):
        word = arguments[index]
        index += 1
        if not word.startswith("-") or word == "-":
            continue
        option = word[2:] if word.startswith("--") else word[1:]
        following = arguments[index] if index < len(arguments) else None
        if following is not None and takes_argument(option, following):
            yield option, index, following
            index += 1


def _gather(
    arguments: Sequence[str],
) -> tuple[dict[str, _Device], list[_Use], list[tuple[str, str]]]:
    devices: dict[str, _Device] = {}
    uses: list[_Use] = []
    left: list[tuple[str, str]] = []
    compatible = 0
    for option, place, value in _options(arguments):
        if option in ("qmp", "qmp-pretty", "monitor") and not _is_of_storage_daemon(option, value):
            if option == "monitor" and value.startswith("none"):
                continue
            # QEMU numbers all of these together.
            name, compatible = f"compat_monitor{compatible}", compatible + 1
            if option == "monitor":
                continue
            if value.startswith("chardev:"):
                name = value.removeprefix("chardev:")
            else:
                try:
                    devices[name] = _Device(place, "legacy", _legacy(value))
                except _LeftAlone as reason:
                    left.append((name, str(reason)))
                    continue
            uses.append(_Use(name, option == "qmp-pretty"))
        elif option == "chardev":
            form, fields = _read(value, "backend")
            devices[fields.get("id", "")] = _Device(place, form, fields)
        elif option in ("mon", "monitor"):
            _, fields = _read(value, "chardev")
            default = "control" if option == "monitor" else "readline"
            if fields.get("mode", default) == "control":
                pretty = fields.get("pretty", "") in ("on", "yes", "true", "y")
                uses.append(_Use(fields.get("chardev", ""), pretty))
    return devices, uses, left


def _is_of_storage_daemon(option: str, value: str) -> bool:
    """``--monitor`` of ``qemu-storage-daemon`` names a character device; QEMU's own is one."""
    return option == "monitor" and (
        value.startswith("{") or any(field.key == "chardev" for field in split(value))
    )


def _read(value: str, implied: str) -> tuple[Form, dict[str, str]]:
    """Options in either of QEMU's two ways to write them."""
    if value.startswith("{"):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return "json", {}
        if not isinstance(found, dict):
            return "json", {}
        return "json", {key: _text(item) for key, item in found.items()}
    return "options", last(split(value, implied))


def _text(item: Any) -> str:
    if isinstance(item, bool):
        return "on" if item else "off"
    return str(item)


_TCP = re.compile(r"tcp:([^:,\[]{0,64}):([^,]{1,32})(?:,(.*))?", re.DOTALL)


def _legacy(value: str) -> dict[str, str]:
    """The device of ``-qmp``, as QEMU reads it (``qemu_chr_parse_compat``)."""
    if value.startswith("unix:"):
        return {"backend": "socket", **last(split(value.removeprefix("unix:"), "path"))}
    if match := _TCP.fullmatch(value):
        more = last(split(match[3] or ""))
        return {"backend": "socket", "host": match[1], "port": match[2], **more}
    kind = value.partition(":")[0].partition(",")[0]
    raise _LeftAlone(f"{kind} is no plain socket")


def _monitor(
    use: _Use, uses: Sequence[_Use], devices: Mapping[str, _Device], arguments: Sequence[str]
) -> Monitor:
    device = devices.get(use.name)
    if device is None:
        raise _LeftAlone("there is no such character device")
    said = device.fields
    if said.get("backend") != "socket":
        raise _LeftAlone(f"{said.get('backend') or 'its device'} is no plain socket")
    for switch in ("telnet", "tn3270", "websocket", "mux"):
        if truth(said.get(switch, ""), False):
            raise _LeftAlone(f"{switch} is not spoken here")
    if said.get("tls-creds"):
        raise _LeftAlone("TLS is not spoken here")
    _check_alone(use.name, uses, arguments)
    server = truth(said.get("server", ""), False)
    address = _address(said, server)
    reconnect = 0.0 if server else _reconnect(said)
    if reconnect and any(option in _ANOTHER_USER for option, _, _ in _options(arguments)):
        raise _LeftAlone("QEMU may not reach a private path once it is another user")
    return Monitor(
        name=use.name,
        address=address,
        server=server,
        wait=server and truth(said.get("wait", ""), True),
        reconnect=reconnect,
        pretty=use.pretty,
        place=device.place,
        form=device.form,
    )


def _check_alone(name: str, uses: Sequence[_Use], arguments: Sequence[str]) -> None:
    if sum(use.name == name for use in uses) > 1:
        raise _LeftAlone("two monitors want its device")
    quoted = re.escape(name.replace(",", ",,"))
    other = re.compile(rf'(?:^|,)chardev[=:]{quoted}(?:,|$)|"chardev"\s*:\s*"{re.escape(name)}"')
    users = 0
    for option, _, value in _options(arguments):
        if option == "set" and value.startswith((f"chardev.{name}.", "mon.")):
            raise _LeftAlone("-set changes it")
        if option not in ("mon", "chardev", "monitor", "qmp", "qmp-pretty"):
            users += bool(other.search(value))
        elif option == "monitor" and value == f"chardev:{name}":
            users += 1
    if users:
        raise _LeftAlone("something else wants its device, too")


def _reconnect(said: Mapping[str, str]) -> float:
    if "reconnect-ms" in said:
        return float(said["reconnect-ms"]) / 1000
    return float(said.get("reconnect", "0"))


def _address(said: Mapping[str, str], server: bool) -> Address:
    places = [key for key in ("path", "port", "fd") if key in said]
    if len(places) != 1:
        raise _LeftAlone("it says of no one place where it is")
    if "fd" in said:
        if not (said["fd"].isascii() and said["fd"].isdigit()):
            raise _LeftAlone("its descriptor has a name, not a number")
        return DescriptorAddress(int(said["fd"]))
    if "path" in said:
        if not said["path"]:
            raise _LeftAlone("its path is empty")
        abstract = truth(said.get("abstract", ""), False)
        return UnixAddress(said["path"], abstract, truth(said.get("tight", ""), True))
    family = {key: truth(said[key], False) if said.get(key) else None for key in ("ipv4", "ipv6")}
    host = said.get("host", "")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    last_port = int(said["to"]) if server and said.get("to") else None
    return TCPAddress(host, said["port"], last_port, **family)


_PLACES = frozenset(["path", "abstract", "tight", "host", "port", "to", "ipv4", "ipv6", "fd"])
# These go with an address, too: of TCP, or of a socket that QEMU makes.
_OF_TCP = frozenset(["delay", "nodelay"])


def _rewritten(value: str, form: Form, here: tuple[str, str]) -> str:
    if form == "json":
        found: dict[str, Any] = {}
        for key, item in json.loads(value).items():
            if key not in _PLACES:
                found[key] = item
            elif here[0] not in found:
                found[here[0]] = here[1]
        return json.dumps(found)
    if form == "legacy":
        prefix = "unix:"
        if value.startswith("unix:"):
            fields = split(value.removeprefix("unix:"), "path")
        else:
            _, _, options = value.partition(",")
            fields = [written("host", ""), *split(options)]
    else:
        prefix, fields = "", split(value, "backend")
    kept: list[Field] = []
    there = False
    for field in fields:
        if field.key in _PLACES:
            if not there:
                kept.append(written(*here))
            there = True
        elif field.key not in _OF_TCP:
            kept.append(field)
    return prefix + join(kept)
