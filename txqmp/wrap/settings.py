"""
What a wrapper is told, and by whom: a file of TOML, the environment, and the command line.

libvirt starts emulators with next to no environment, so a file can say everything.
"""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from txqmp.errors import WrapError

JOURNAL = "qmp-wrap-{name}-{pid}.jsonl"

_PLACE = re.compile(r"\{(\w*)\}")
_UNSAFE = re.compile(r"[^\w.+:@=-]")


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How to wrap.

    :ivar qemu: the real emulator, a path or a name to look for; found by itself if empty.
    :ivar journal: the file to write to. ``{name}`` is the machine's name, ``{pid}`` the number of
        the process that becomes QEMU.
    :ivar log: the file of the proxy's own log; beside the journal, and only if there is something
        to complain about, where it is empty.
    :ivar name: the machine's name in the journal; that of ``-name`` where it is empty.
    :ivar rotate_bytes: the size in bytes beyond which a new journal file is begun; 0 for never.
    :ivar keep: full journal files to keep.
    :ivar redact: take secrets out of what is journalled.
    :ivar decode: False to journal what is said as it comes.
    """

    qemu: str = ""
    journal: str = JOURNAL
    log: str = ""
    name: str = ""
    rotate_bytes: int = 100_000_000
    keep: int = 10
    redact: bool = True
    decode: bool = True

    def journal_of(self, name: str, pid: int) -> Path:
        """
        The journal of one machine.

        :param name: the machine's; what could lead elsewhere in it is left out.
        :raises WrapError: the setting has a place that nothing is known for.
        """
        known = {"name": _UNSAFE.sub("_", name).lstrip(".") or "_", "pid": str(pid)}

        def filled(match: re.Match[str]) -> str:
            if match[1] not in known:
                raise WrapError(
                    f"journal {self.journal}: {match[0]} is not known ({{name}} and {{pid}} are)"
                )
            return known[match[1]]

        try:
            return Path(_PLACE.sub(filled, self.journal)).expanduser().absolute()
        except (OSError, RuntimeError, ValueError) as error:
            raise WrapError(f"journal {self.journal}: {error}") from None


def load(called_as: str, environ: Mapping[str, str]) -> Settings:
    """
    Read the settings: the first file there is, then ``TXQMP_QEMU`` and ``TXQMP_JOURNAL``.

    :param called_as: how this program was called, whose neighbour may be its file.
    :raises WrapError: the file cannot be read, or says what is not understood.
    """
    settings = Settings()
    if environ.get("TXQMP_CONFIG"):
        return _and_environment(_read(Path(environ["TXQMP_CONFIG"])), environ)
    for path, ours in _files(called_as, environ):
        # A home that is not ours to look into, as libvirt leaves it in the environment, has none.
        if os.access(path, os.R_OK) or (ours and path.exists()):
            settings = _read(path)
            break
    return _and_environment(settings, environ)


def _and_environment(settings: Settings, environ: Mapping[str, str]) -> Settings:
    if environ.get("TXQMP_QEMU"):
        settings = replace(settings, qemu=environ["TXQMP_QEMU"])
    if environ.get("TXQMP_JOURNAL"):
        settings = replace(settings, journal=environ["TXQMP_JOURNAL"])
    return settings


def _files(called_as: str, environ: Mapping[str, str]) -> Iterator[tuple[Path, bool]]:
    """Where settings may be, and whether they are meant for us: to overlook them is an error."""
    if os.sep in called_as:
        yield Path(f"{called_as}.toml"), True
    home = environ.get("HOME")
    configuration = environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config")
    if configuration:
        yield Path(configuration) / "txqmp" / "wrap.toml", False
    yield Path("/etc/txqmp/wrap.toml"), True


def _read(path: Path) -> Settings:
    try:
        with path.open("rb") as file:
            said = tomllib.load(file)
    except OSError as error:
        raise WrapError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrapError(f"{path}: {error}") from None
    kinds = {field.name: type(field.default) for field in fields(Settings)}
    values: dict[str, Any] = {}
    for key, value in said.items():
        name = key.replace("-", "_")
        if name not in kinds:
            known = ", ".join(kind.replace("_", "-") for kind in kinds)
            raise WrapError(f"{path}: {key} is no setting (known: {known})")
        if type(value) is not kinds[name]:
            what = {str: "a string", int: "a number", bool: "true or false"}[kinds[name]]
            raise WrapError(f"{path}: {key} is {what}")
        values[name] = value
    if values.get("rotate_bytes", 0) < 0 or values.get("keep", 1) < 1:
        raise WrapError(f"{path}: rotate-bytes is at least 0, and keep at least 1")
    return Settings(**values)


def find_emulator(called_as: str, settings: Settings, environ: Mapping[str, str]) -> str:
    """
    Find the real emulator: where the settings say, or by the name that this program was called
    by, further on in ``PATH``; ``txqmp-qemu`` finds that of this machine's architecture.

    :returns: its path.
    :raises WrapError: there is none.
    """
    path = environ.get("PATH", os.defpath)
    if settings.qemu:
        found = shutil.which(settings.qemu, path=path)
        if found is None:
            raise WrapError(f"{settings.qemu}: there is no such program")
        if _is_ours(found, called_as):
            raise WrapError(f"{settings.qemu} is this wrapper itself: name the real emulator")
        return found
    own = Path(called_as).name
    names = [own]
    if not own.startswith("qemu-") or own == "qemu-wrap":
        names = [f"qemu-system-{os.uname().machine}", "qemu-kvm"]
    for name in names:
        for folder in path.split(os.pathsep):
            candidate = Path(folder or ".") / name
            usable = os.access(candidate, os.X_OK) and candidate.is_file()
            if usable and not _is_ours(str(candidate), called_as):
                return str(candidate)
    raise WrapError(f"no {' or '.join(names)} in PATH: set TXQMP_QEMU, or qemu in a file")


def _is_ours(path: str, called_as: str) -> bool:
    own = called_as if os.sep in called_as else shutil.which(called_as)
    try:
        return own is not None and Path(path).samefile(own)
    except OSError:
        return False
