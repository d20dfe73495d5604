"""Several processes that serve one socket of one machine."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

RESTART_SECONDS = 1.0
"""Pause before workers are replaced, so that one that can't live does not keep a core busy."""
PARENT_POLL_SECONDS = 0.5
MISCONFIGURED = 2
"""Exit code of a worker whose settings are wrong: another one would fail in the same way."""


def run_workers(serve: Callable[[int], None], count: int) -> None:
    """Run `serve` in forked processes, each with its number, until a signal comes. One that dies is replaced.

    Signals are passed on to the workers, and the process ends when they have ended. Returns in the workers alone, which
    end as on SIGTERM when this process is gone.
    """
    signals, parent = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}, os.getpid()
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler, some systems drop it while it is blocked
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # they are waited for, so that none is lost around a fork
    workers: dict[int, int] = {}
    missing, stop, code = list(range(count)), 0, 0
    while missing or workers:
        for number in missing:
            worker = os.fork()
            if not worker:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
                threading.Thread(target=_end_without, args=(parent,), daemon=True).start()
                return serve(number)
            workers[worker] = number
        received = signal.sigwait(signals)
        ended = dict(_reap(workers))
        if received != signal.SIGCHLD:
            stop = _send(signal.SIGTERM if received == signal.SIGHUP else received, workers)
        elif not stop and MISCONFIGURED in ended.values():
            stop, code = _send(signal.SIGTERM, workers), MISCONFIGURED
        missing = [] if stop else list(ended)
        if missing:
            logger.warning("workers ended and are replaced", extra={"facts": {"codes": str([*ended.values()])}})
            time.sleep(RESTART_SECONDS)
    if stop == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(code)


def _end_without(parent: int) -> None:
    """End this process once its parent has died: the port would stay taken."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


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
