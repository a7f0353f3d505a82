"""The gateway as a service; what it does with real programs stands in tests/integration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from txqmp.journal.writer import Journal
from txqmp.machine.endpoint import MachineEndpoint
from txqmp.service.gateway import GatewayService


def test_the_numbers_of_a_client_that_is_gone_are_forgotten(
    tmp_path: Path, running_reactor: Any
) -> None:
    service = GatewayService(
        f"unix:{tmp_path}/p.sock",
        MachineEndpoint(running_reactor),
        Journal(tmp_path / "j"),
        running_reactor,
        name="vm1",
    )
    assert service._links.of_client(3, 1) == 1
    service._client_gone(3, "it left", "client")
    assert service._links.of_client(3, 1) == 2
