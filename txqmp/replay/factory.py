"""Putting a recording where clients can connect to it."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint

from txqmp.replay.elsewhere import Elsewhere
from txqmp.replay.jsonserver import ReplayingJSONFactory
from txqmp.replay.matching import Mode
from txqmp.replay.player import Replay
from txqmp.replay.recording import Recording
from txqmp.replay.textserver import ReplayingTextFactory


def replay_factory(
    recording: Recording,
    reactor: Any = None,
    *,
    mode: Mode = "strict",
    speed: float = 1.0,
    elsewhere: IStreamClientEndpoint | None = None,
) -> ReplayingJSONFactory | ReplayingTextFactory:
    """
    Make the servers that answer as the monitor did, in the dialect of the recording.

    Each new client gets the next conversation; after the last comes the first again.

    :param reactor: measures all times; the global reactor where it is None.
    :param mode: ``strict``: the same commands in the same order; ``loose``: by command and
        arguments.
    :param speed: how many times as fast as recorded; 0: nothing is waited for.
    :param elsewhere: a monitor that is asked what is not in the record.
    :raises ValueError: an unknown mode, a negative speed, or another monitor in strict mode.
    """
    if reactor is None:
        from twisted.internet import reactor
    if elsewhere is not None and mode == "strict":
        raise ValueError("a strict replay asks no other monitor: choose the mode loose")
    replay = Replay(recording, reactor, mode, speed)
    other = None if elsewhere is None else Elsewhere(reactor, elsewhere, recording.dialect)
    make = ReplayingJSONFactory if recording.dialect == "json" else ReplayingTextFactory
    return make(replay, reactor, other)
