"""A libvirt daemon of the test's own, which nothing else on the machine hears of."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.integration.programs import Program, Programs, eventually, listens

NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

STATE = ("var/lib/libvirt", "var/cache/libvirt", "var/log/libvirt", "run/libvirt")
SETTINGS = "etc/libvirt"
"""Where libvirt keeps what it knows, and is told what to do: each becomes a folder of the test."""

USERS = {
    "etc/passwd": "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "libvirt-qemu:x:64055:\n",
}
"""Whom libvirt wants to know, and does not use here; a package of its settings would make them."""

INIT = f"""
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/libvirt
for place in {" ".join((*STATE, SETTINGS, *USERS))}; do
    if [ ! -e "/$place" ]; then
        mount -t tmpfs -o mode=755 tmpfs "/${{place%/*}}"
        mkdir "/$place"
    fi
    mount --bind "$1/$place" "/$place"
done
echo mounted
while read -r _; do
    PATH=/usr/sbin:/sbin LIBVIRT_DRIVER_DIR="$1/drivers" "$2" </dev/null &
done
"""
"""The first process of the namespaces. It starts the daemon for each line that it reads, and buries
orphans. When its input ends it ends, and the kernel with it all that runs there."""

DAEMON = """
unix_sock_dir = "{folder}/run/libvirt"
auth_unix_ro = "none"
auth_unix_rw = "none"
"""

QEMU = """
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""


def no_namespaces() -> str | None:
    """Why root gets no namespaces here, such as in a container without privileges, if so."""
    done = subprocess.run([*NAMESPACES, "true"], capture_output=True, text=True, check=False)
    return f"needs namespaces: {done.stderr.strip()}" if done.returncode else None


class Answer(NamedTuple):
    """How a virsh ended, and all that it said."""

    status: int
    text: str


class Process(NamedTuple):
    """One that runs in the namespaces: its number here, its number there, and its name."""

    pid: int
    pid_there: int
    name: str


class Libvirt:
    """
    libvirtd in namespaces of its own, and the virsh that talks to it.

    The daemon finds no emulator by itself, so that it examines only those that a domain names, and
    has no driver but that of QEMU: it touches no network, firewall or device of the machine.
    """

    def __init__(self, programs: Programs) -> None:
        self.folder = programs.folder
        self._programs = programs
        self._socket = self.folder / "run/libvirt/libvirt-sock"
        self._init: Program | None = None

    async def start(self) -> None:
        """Make the namespaces, and start the daemon."""
        for place in (*STATE, SETTINGS, "drivers"):
            (self.folder / place).mkdir(parents=True)
        for place, line in USERS.items():
            (self.folder / place).write_text(Path("/", place).read_text() + line)
        settings = self.folder / SETTINGS
        (settings / "libvirtd.conf").write_text(DAEMON.format(folder=self.folder))
        (settings / "qemu.conf").write_text(QEMU)
        (driver,) = Path("/usr/lib").glob("*/libvirt/connection-driver/libvirt_driver_qemu.so")
        (self.folder / "drivers" / driver.name).symlink_to(driver)
        daemon = shutil.which("libvirtd")
        assert daemon is not None
        init = self._init = self._programs.start(
            *NAMESPACES, "bash", "-c", INIT, "init", str(self.folder), daemon
        )
        await init.says(b"mounted")
        self._namespace = Path(f"/proc/{init.pid}/ns/pid_for_children").readlink()
        await self.start_daemon()

    async def start_daemon(self) -> None:
        """Start the daemon, which does not run now."""
        init = self._init
        assert init is not None
        init.write(b"\n")
        await eventually(lambda: init.status is not None or listens(self._socket))
        assert init.status is None, init.err

    async def kill_daemon(self) -> None:
        """End the daemon as if it had crashed; what it started goes on."""
        (daemon,) = [process for process in self.processes() if process.name == "libvirtd"]
        os.kill(daemon.pid, signal.SIGKILL)
        await eventually(lambda: daemon not in self.processes())

    async def stop(self) -> None:
        """End the daemon, and all that it has ever started."""
        if self._init is not None:
            self._init.end_input()
            await self._init.ends()
        await self._programs.stop()

    def processes(self) -> list[Process]:
        """What runs in the namespaces."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "ns/pid").readlink() == self._namespace:
                    status = (process / "status").read_text().splitlines()
                    said = dict(line.split(":\t", 1) for line in status if ":\t" in line)
                    pid, *_, pid_there = map(int, said["NSpid"].split())
                    found.append(Process(pid, pid_there, said["Name"]))
            except OSError:  # it has ended, or is not ours to look at
                continue
        return found

    def listen(self, *words: str) -> Program:
        """Start a virsh that goes on."""
        uri = f"qemu+unix:///system?socket={self._socket}"
        return self._programs.start("env", "LC_ALL=C", "virsh", "--quiet", "--connect", uri, *words)

    async def virsh(self, *words: str) -> Answer:
        """Run one command of virsh to its end."""
        program = self.listen(*words)
        status = await program.ends()
        return Answer(status, (program.out + program.err).decode().strip())
