"""What is not installed with txqmp itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(what: str, name: str) -> Iterator[None]:
    """
    Import something that an extra of the package brings.

    :param what: wants it, as a user calls it.
    :param name: of the extra.
    :raises SystemExit: it is not installed: how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "txqmp":
            raise
        raise SystemExit(f"txqmp: {what} needs {error.name}: pip install 'txqmp[{name}]'") from None
