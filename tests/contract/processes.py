"""Processes that the contract tests start: a server until the test is over, a command until it ends."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
REACH_MCP = (sys.executable, "-m", "reach_mcp")
READY_WITHIN = 60.0
ENDS_WITHIN = 15.0


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without any setting of ours, and these laid over it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REACH_")}
    return inherited | settings


def run(command: Sequence[str], *, env: Mapping[str, str], cwd: Path = ROOT, seconds: float = 120) -> Ended:
    """Run a command to its end, with nothing on its stdin."""
    done = subprocess.run(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@contextmanager
def serving(command: Sequence[str], *, ready: str, env: Mapping[str, str]) -> Iterator[str]:
    """Start a server, wait for the line that matches `ready`, and give the match's first group.

    The process is ended by its id, whatever happens; what it has said stands in the failure if it never gets ready.
    """
    process = subprocess.Popen(
        command,
        env=env,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        yield _wait_for(ready, lines)
    finally:
        _end(process)
        reader.join(ENDS_WITHIN)
        process.stdout.close()


def _pass_on(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    """Read to the end, so that a full pipe never holds the server up."""
    for line in stream:
        lines.put(line)
    lines.put(None)


def _wait_for(ready: str, lines: queue.Queue[str | None]) -> str:
    said: list[str] = []
    end = time.monotonic() + READY_WITHIN
    while (left := end - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=left)
        except queue.Empty:
            break
        if line is None:
            raise AssertionError(f"the server ended before it was ready:\n{''.join(said)}")
        said.append(line)
        if found := re.search(ready, line):
            return found[1]
    raise AssertionError(f"the server was not ready within {READY_WITHIN:g} s:\n{''.join(said)}")


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(ENDS_WITHIN)
