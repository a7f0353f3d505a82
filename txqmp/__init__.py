"""The QEMU Monitor Protocol for Twisted."""

from txqmp.connect import connect
from txqmp.errors import (
    BoundExceeded,
    CommandError,
    CommandFailed,
    CommandInterrupted,
    CommandRejected,
    CommandTimeout,
    ConnectionUnusable,
    EventTimeout,
    GreetingTimeout,
    InvalidCommand,
    JournalError,
    MonitorError,
    ProtocolViolation,
    QueueFull,
    TakeoverError,
)
from txqmp.jsonqmp.client import JSONClient, JSONClientFactory
from txqmp.jsonqmp.server import JSONServer, JSONServerFactory
from txqmp.jsonqmp.table import JSONCommandTable
from txqmp.monitor.client import IMonitorClient
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
    "ProtocolViolation",
    "QueueFull",
    "Reply",
    "Request",
    "TakeoverError",
    "TextClient",
    "TextClientFactory",
    "TextServer",
    "TextServerFactory",
    "connect",
]
