"""What the options of all txqmp's services have in common."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.python.usage import Options, UsageError

from txqmp.errors import os_error_text
from txqmp.journal.writer import Journal

_PARTS = (
    (r"missing \d+ required .* arguments?: (.+)", "it lacks {0}"),
    (r"unexpected keyword argument ('.+')", "there is no {0} in it"),
    (r"takes .* positional arguments? but", "it has too many parts"),
    (r"got multiple values for argument '(.+)'", "its further parts want names, as in {0}=…"),
    (r"invalid literal for int\(\) with base \d+: (.+)", "{0} is no number"),
)
"""What Python says of the parts of an endpoint's string, and what is meant."""

_LOOPBACK = {"tcp": "127.0.0.1", "ssl": "127.0.0.1", "mtls": "127.0.0.1", "tcp6": "::1"}


def positive(value: str) -> int:
    """
    Read a whole number of at least 1.

    :raises ValueError: it is none.
    """
    number = _whole(value)
    if number < 1:
        raise ValueError(f"{value} is less than 1")
    return number


def natural(value: str) -> int:
    """
    Read a whole number of at least 0.

    :raises ValueError: it is none.
    """
    number = _whole(value)
    if number < 0:
        raise ValueError(f"{value} is less than 0")
    return number


def _whole(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"{value!r} is no whole number") from None


def seconds(value: str) -> float:
    """
    Read a time in seconds, more than none.

    :raises ValueError: it is none.
    """
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"{value!r} is no number of seconds") from None
    if not 0 < number < float("inf"):
        raise ValueError(f"{value} is no length of time")
    return number


def _parts(description: str) -> list[str]:
    r"""Take the string of an endpoint apart, at each colon that no ``\`` stands before."""
    return re.findall(r"(?:\\.|[^\\:])+", description)


def safe_server_string(description: str) -> str:
    """
    Complete the string of a server endpoint: a UNIX socket is for its owner alone, a TCP port
    for this machine, and a crowd may come at once, where nothing else is said.
    """
    kind, _, _ = description.partition(":")
    settings = {"backlog": "1024"}
    if kind == "unix":
        settings["mode"] = "600"
    elif kind in _LOOPBACK:
        settings["interface"] = _LOOPBACK[kind].replace(":", r"\:")
    else:
        return description
    given = {part.partition("=")[0] for part in _parts(description) if "=" in part}
    for key, value in settings.items():
        if key not in given:
            description += f":{key}={value}"
    return description


def _explain(option: str, description: str, error: Exception) -> UsageError:
    hint = ""
    if description.startswith(("/", ".", "~")) or description.endswith((".sock", ".qmp")):
        hint = f" (for a UNIX socket: unix:{description})" if ":" not in description else ""
    return UsageError(f"{option} {description}: {_problem(error)}{hint}")


def _problem(error: Exception) -> str:
    """Say what is wrong with the string of an endpoint; its parts are arguments of Python's."""
    error = getattr(error, "originalException", error)  # FilePath's, where a folder is wanted
    if isinstance(error, OSError):
        return os_error_text(error)
    text = str(error) or type(error).__name__
    for pattern, words in _PARTS:
        if found := re.search(pattern, text):
            return words.format(*found.groups())
    return text


def check_server_string(option: str, description: str) -> None:
    """
    Check the string of a server endpoint.

    :raises UsageError: it is none.
    """
    from twisted.internet import reactor

    try:
        serverFromString(reactor, description)
    except LookupError as error:
        # Twisted's systemd: looks in a list, or a dictionary, of what was passed.
        missing = "no such socket was passed to this process (LISTEN_FDS, LISTEN_FDNAMES)"
        explained = ValueError(missing) if description.startswith("systemd:") else error
        raise _explain(option, description, explained) from None
    except Exception as error:
        raise _explain(option, description, error) from None


def client_endpoint(option: str, description: str) -> Any:
    """
    Make a client endpoint of its string.

    :raises UsageError: it is none.
    """
    from twisted.internet import reactor

    try:
        return clientFromString(reactor, description)
    except Exception as error:
        raise _explain(option, description, error) from None


def monitor_name(description: str) -> str:
    """Name a monitor after its endpoint: ``unix:/run/vm1.qmp`` is ``vm1``."""
    kind, *rest = _parts(description) or [""]
    if kind == "unix" and rest:
        path = re.sub(r"\\(.)", r"\1", rest[0].removeprefix("path="))
        return PurePath(path).stem or description
    if kind == "tls":
        # Without the paths of its keys.
        return ":".join([kind, *(part for part in rest if "=" not in part)])
    return description if rest else kind


class JournalOptions(Options):
    """The options that say where and how to write a journal."""

    optParameters = [
        [
            "rotate-bytes",
            None,
            100_000_000,
            "begin a new journal file beyond this size; 0: never.",
            natural,
        ],
        ["keep", None, 10, "full journal files to keep.", positive],
        ["greeting-timeout", None, 30.0, "seconds in which a monitor must greet.", seconds],
    ]
    optFlags = [
        ["no-redact", None, "journal passwords, secrets and key data too."],
        ["quiet", "q", "log no line for each connection."],
    ]

    def journal(self) -> Journal:
        """Make the journal that the options describe."""
        return Journal(
            self["journal"],
            rotate_bytes=self["rotate-bytes"],
            keep=self["keep"],
            redact=not self["no-redact"],
        )

    def parseArgs(self, *extra: str) -> None:
        """Take no arguments but options."""
        if extra:
            raise UsageError(f"unexpected argument: {extra[0]}")
