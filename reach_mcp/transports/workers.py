"""Several processes that serve one socket of one machine."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

RESTART_SECONDS = 1.0
"""Pause before workers are replaced, so that one that can't live does not keep a core busy."""
MISCONFIGURED = 2
"""Exit code of a worker whose settings are wrong: another one would fail in the same way."""


def run_workers(serve: Callable[[int], None], count: int) -> None:
    """Run `serve` in forked processes, each with its number, until a signal comes. One that dies is replaced.

    Signals are passed on to the workers, and the process ends when they have ended. Returns in the workers alone.
    """
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler, some systems drop it while it is blocked
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # they are waited for, so that none is lost around a fork
    workers: dict[int, int] = {}
    missing, stop, code = list(range(count)), 0, 0
    while missing or workers:
        for number in missing:
            worker = os.fork()
            if not worker:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
                return serve(number)
            workers[worker] = number
        received = signal.sigwait(signals)
        ended = dict(_reap(workers))
        if received != signal.SIGCHLD:
            stop = _send(received, workers)
        elif not stop and MISCONFIGURED in ended.values():
            stop, code = _send(signal.SIGTERM, workers), MISCONFIGURED
        missing = [] if stop else list(ended)
        if missing:
            logger.warning("workers ended and are replaced", extra={"facts": {"codes": str([*ended.values()])}})
            time.sleep(RESTART_SECONDS)
    if stop == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(code)


def _send(number: int, workers: dict[int, int]) -> int:
    for worker in workers:
        os.kill(worker, number)
    return number


def _reap(workers: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Remove the workers that have ended. Yields number and exit code of each, that of a signal negative."""
    for worker in list(workers):
        ended, status = os.waitpid(worker, os.WNOHANG)
        if ended:
            yield workers.pop(worker), os.waitstatus_to_exitcode(status)
