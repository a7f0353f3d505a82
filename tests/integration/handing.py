"""A client of JSON QMP that hands a QEMU descriptors beside its commands."""

from __future__ import annotations

import faulthandler
import json
import os
import socket
import sys
from array import array
from typing import Any


class Client:
    """Blocking, one command at a time."""

    def __init__(self, path: str) -> None:
        self._wire = socket.socket(socket.AF_UNIX)
        self._wire.connect(path)
        self._lines = self._wire.makefile("rb")
        assert b"QMP" in self._lines.readline()

    def ask(self, command: str, arguments: dict[str, Any] | None = None, *files: int) -> Any:
        """
        Send a command, descriptors with it, and take the answer; events are passed over.

        :raises ValueError: it is an error.
        """
        value = {"execute": command, "arguments": arguments or {}}
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", files))] if files else []
        self._wire.sendmsg([json.dumps(value).encode()], control)
        for line in self._lines:
            answer = json.loads(line)
            if "error" in answer:
                raise ValueError(answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]
        raise EOFError


def main(path: str) -> None:
    """Hand over descriptors for each command that takes one, and print what came of it."""
    faulthandler.dump_traceback_later(50, exit=True)
    client = Client(path)
    client.ask("qmp_capabilities")
    done: dict[str, Any] = {"getfd": 0, "add-fd": 0}
    for number in range(20):
        file = os.memfd_create("handed")
        client.ask("getfd", {"fdname": f"fd{number}"}, file)
        # It is there, or it could not be closed.
        client.ask("closefd", {"fdname": f"fd{number}"})
        done["getfd"] += 1
        answer = client.ask("add-fd", {"fdset-id": number, "opaque": f"o{number}"}, file)
        assert answer["fdset-id"] == number
        done["add-fd"] += 1
        os.close(file)
    sets = client.ask("query-fdsets")
    done["opaques"] = sum(info["fds"][0]["opaque"].startswith("o") for info in sets)
    with socket.socket(socket.AF_INET) as ours, socket.socket(socket.AF_INET) as port:
        port.bind(("127.0.0.1", 0))
        port.listen()
        ours.connect(port.getsockname())
        theirs, _ = port.accept()
        client.ask("getfd", {"fdname": "viewer"}, theirs.fileno())
        theirs.close()
        client.ask("add_client", {"protocol": "vnc", "fdname": "viewer"})
        done["viewer"] = ours.recv(3).decode()
    print(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1])
