"""The endpoint ``replay:`` over the real reactor."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import (
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
)
from twisted.internet.task import Clock
from twisted.plugin import IPlugin
from zope.interface.verify import verifyObject

from tests.replay.example import JSON, TEXT, recorded, written
from txqmp.errors import CommandFailed
from txqmp.jsonqmp.client import JSONClientFactory
from txqmp.replay.endpoint import ReplayEndpoint, ReplayStringParser
from txqmp.text.client import TextClientFactory


def global_reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@pytest.fixture
def journal(tmp_path: Path) -> str:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(
        written(
            recorded(JSON),
            recorded(TEXT, "text", monitor="vm2", connection=2),
            recorded(TEXT, "text", monitor="vm2", connection=3),
        )
    )
    return str(path)


def endpoint(description: str, reactor: Any = None) -> ReplayEndpoint:
    made = clientFromString(global_reactor() if reactor is None else reactor, description)
    assert isinstance(made, ReplayEndpoint)
    return made


async def test_a_client_talks_to_the_recorded_monitor(journal: str) -> None:
    client: Any = await endpoint(f"replay:{journal}:mode=loose:speed=0").connect(
        JSONClientFactory(global_reactor())
    )
    await client.when_greeted()
    assert await client.execute("query-status") == {"status": "running"}
    with pytest.raises(CommandFailed, match="Device 'nosuch' not found"):
        await client.execute("device_del", {"id": "nosuch"})
    await client.close()


async def test_another_monitor_of_the_journal(journal: str) -> None:
    client: Any = await endpoint(f"replay:{journal}:monitor=vm2:speed=0").connect(
        TextClientFactory(global_reactor())
    )
    assert (await client.execute("info", "status")).text == "VM status: running"
    await client.close()


async def test_when_the_journal_is_gone(journal: str) -> None:
    made = endpoint(f"replay:{journal}")
    Path(journal).unlink()
    with pytest.raises(NoProtocol):
        await made.connect(TextClientFactory(global_reactor()))


def test_the_parser_is_a_plugin_for_client_endpoints(journal: str) -> None:
    parser = ReplayStringParser()
    assert verifyObject(IPlugin, parser)
    assert verifyObject(IStreamClientEndpointStringParserWithReactor, parser)
    assert verifyObject(IStreamClientEndpoint, parser.parseStreamClient(Clock(), journal))


def test_a_description_with_settings(journal: str) -> None:
    made: Any = endpoint(f"replay:path={journal}:monitor=vm2:connection=3:mode=loose:speed=2")
    replay = made._factory.replay
    assert [each.connection for each in replay.recording.conversations] == [3]
    assert (replay.mode, replay.delay(3)) == ("loose", 1.5)


def test_a_description_without_settings(journal: str) -> None:
    made: Any = endpoint(f"replay:{journal}", Clock())
    assert (made._factory.replay.mode, made._factory.replay.delay(3)) == ("strict", 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            "{}:colour=red",
            "unknown setting 'colour' (known: path, mode, speed, monitor, connection)",
        ),
        ("{}:extra", "it is the path of one journal that is wanted"),
        ("", "it is the path of one journal that is wanted"),
        ("{}:mode=lax", "mode is strict or loose, not 'lax'"),
        ("{}:speed=fast", "speed is a number, not 'fast'"),
        ("{}:speed=-1", "speed is 0 or more, not -1"),
        ("{}:connection=two", "connection is a number, not 'two'"),
        ("{}:connection=7", "{}: it has no connection 7 (it has: 1, 2, 3)"),
        ("nosuch.jsonl", "nosuch.jsonl: No such file or directory"),
    ],
)
def test_a_description_that_will_not_do(journal: str, settings: str, message: str) -> None:
    words = re.escape(message.replace("{}", journal))
    with pytest.raises(ValueError, match=f"^replay: {words}$"):
        endpoint(f"replay:{settings.replace('{}', journal)}", Clock())


def test_importing_the_endpoint_is_light() -> None:
    script = (
        "import sys, txqmp.replay.endpoint;"
        "heavy = ['twisted.internet.reactor', 'txqmp.replay.factory', 'txqmp.journal.reader'];"
        "sys.exit(', '.join(name for name in heavy if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
