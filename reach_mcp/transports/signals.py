"""Ends the process after a signal, whatever still runs."""

from __future__ import annotations

import os
import signal
import sys
import threading

MARGIN_SECONDS = 0.5
"""Time after the grace in which the lifespan may close."""


def die_of(number: int) -> None:  # pragma: no cover - ends the process; the tests start one for it
    """End the process by the signal that it was sent, so that its parent sees the truth."""
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def die_later(grace: float, number: int) -> threading.Timer:
    """End the process after the grace, even if a thread is in the midst of work or the event loop is blocked."""
    timer = threading.Timer(grace + MARGIN_SECONDS, os._exit, (128 + number,))
    timer.daemon = True
    timer.start()
    return timer
