"""Why a connection was not made, in a line."""

from __future__ import annotations

from twisted.internet.error import ConnectError
from twisted.python.failure import Failure

from txqmp.monitor.closing import ending_text


def why_refused(failure: Failure) -> str:
    """
    Say why a connection was not made.

    :param failure: of an endpoint's ``connect``.
    """
    error = failure.value
    # A UNIX socket that others wait at already refuses with what Twisted takes for "not yet".
    if isinstance(error, ConnectError) and error.args and isinstance(error.args[0], Failure):
        return "it takes no more connections (is another client connected to this monitor?)"
    return ending_text(error)
