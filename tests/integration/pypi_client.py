"""A session of the client ``qmp`` from PyPI: run with the path of a socket."""

import json
import sys

from qmp import QEMUMonitorProtocol

client = QEMUMonitorProtocol(sys.argv[1])
said = {"greeting": client.connect()}
said["status"] = client.command("query-status")
said["error"] = client.cmd("device_del", {"id": "nosuch"})["error"]["class"]
client.cmd("stop")
said["event"] = client.pull_event(wait=5.0)["event"]
client.cmd("quit")
client.close()
print(json.dumps(said))  # noqa: T201
