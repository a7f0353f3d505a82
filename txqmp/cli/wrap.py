"""``txqmp wrap``: start a QEMU with a recording proxy before its monitors."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

from twisted.python.usage import UsageError

from txqmp.cli.command import CommandOptions
from txqmp.errors import WrapError
from txqmp.wrap.launch import launch
from txqmp.wrap.settings import JOURNAL, load


class WrapOptions(CommandOptions):
    """The command line of ``txqmp wrap``."""

    synopsis = "txqmp wrap [options] -- EMULATOR [ARGUMENT …]"
    longdesc = (
        "Becomes the emulator, with its arguments, and has a proxy stand before each monitor that "
        "they put into control mode (-qmp, -mon …,mode=control). The proxy is a process of its "
        "own, and ends after QEMU. txqmp-qemu does the same for those who want the name of an "
        "executable."
    )
    optParameters = [
        ["journal", "j", None, f"the file to write to; {JOURNAL} unless given."],
        ["name", "n", None, "the machine's name in the journal; that of -name unless given."],
        ["log", None, None, "the file of the proxy's own log."],
    ]
    optFlags = [
        ["no-redact", None, "journal passwords, secrets and key data too."],
        ["no-decode", None, "record what is said as it comes, undecoded: for bulk."],
    ]

    def parseArgs(self, *command: str) -> None:
        """
        Take the emulator and its arguments.

        :raises UsageError: there is none.
        """
        if not command:
            raise UsageError("wrap wants an emulator: txqmp wrap -- qemu-system-x86_64 …")
        self["command"] = command

    def run(self) -> None:
        """
        Become the emulator; see ``txqmp wrap --help``.

        :raises WrapError: there is no such program, or no proxy can be started.
        """
        name, *arguments = self["command"]
        emulator = shutil.which(name)
        if emulator is None:
            raise WrapError(f"{name}: there is no such program")
        given = {key: self[key] for key in ("journal", "name", "log") if self[key] is not None}
        if self["no-redact"]:
            given["redact"] = False
        if self["no-decode"]:
            given["decode"] = False
        launch(emulator, arguments, replace(load("txqmp", os.environ), **given))
