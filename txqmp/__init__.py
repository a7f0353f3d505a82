"""
The QEMU Monitor Protocol for Twisted.

Each name is fetched when it is first used: a program that needs one of them, or that only has to
start another, does not wait for all.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from txqmp.errors import (
        BoundExceeded,
        CommandError,
        CommandFailed,
        CommandInterrupted,
        CommandRejected,
        CommandTimeout,
        ConnectionUnusable,
        EventTimeout,
        FilterError,
        GreetingTimeout,
        InvalidCommand,
        JournalError,
        MonitorError,
        PolicyError,
        ProtocolViolation,
        QueueFull,
        TakeoverError,
        WrapError,
    )
    from txqmp.jsonqmp.client import JSONClient, JSONClientFactory
    from txqmp.jsonqmp.server import JSONServer, JSONServerFactory
    from txqmp.jsonqmp.table import JSONCommandTable
    from txqmp.monitor.client import IMonitorClient
    from txqmp.sniffer import connect
    from txqmp.text.client import Reply, TextClient, TextClientFactory
    from txqmp.text.server import Request, TextServer, TextServerFactory
    from txqmp.text.table import CommandTable

__version__ = "0.1.0"

__all__ = [
    "BoundExceeded",
    "CommandError",
    "CommandFailed",
    "CommandInterrupted",
    "CommandRejected",
    "CommandTable",
    "CommandTimeout",
    "ConnectionUnusable",
    "EventTimeout",
    "FilterError",
    "GreetingTimeout",
    "IMonitorClient",
    "InvalidCommand",
    "JSONClient",
    "JSONClientFactory",
    "JSONCommandTable",
    "JSONServer",
    "JSONServerFactory",
    "JournalError",
    "MonitorError",
    "PolicyError",
    "ProtocolViolation",
    "QueueFull",
    "Reply",
    "Request",
    "TakeoverError",
    "TextClient",
    "TextClientFactory",
    "TextServer",
    "TextServerFactory",
    "WrapError",
    "connect",
]

_HOMES = {
    "CommandTable": "text.table",
    "IMonitorClient": "monitor.client",
    "JSONClient": "jsonqmp.client",
    "JSONClientFactory": "jsonqmp.client",
    "JSONCommandTable": "jsonqmp.table",
    "JSONServer": "jsonqmp.server",
    "JSONServerFactory": "jsonqmp.server",
    "Reply": "text.client",
    "Request": "text.server",
    "TextClient": "text.client",
    "TextClientFactory": "text.client",
    "TextServer": "text.server",
    "TextServerFactory": "text.server",
    "connect": "sniffer",
}
"""Where a name comes from; those that are not here are of ``txqmp.errors``."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
