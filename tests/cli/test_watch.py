"""`--watch`: what a pipe and a terminal get, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reach_mcp.cli.main import cli
from reach_mcp.cli.session import Session
from tests.builders import batch, page, pending
from tests.cli.helpers import BERLIN, NOW
from tests.fakes import ScriptedTransport

C1 = [pending(f"orders:o{number}", "customers:c1", expires=0.5) for number in (1, 2)]


class Clock:
    """A clock that only sleeping moves on. The reader interrupts the sleep after the last reading."""

    def __init__(self, readings: int) -> None:
        self.slept: list[float] = []
        self.readings = readings

    def now(self) -> float:
        return NOW.timestamp() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == self.readings:
            raise KeyboardInterrupt


def watch(arguments: str, *answers: Any, readings: int = 0) -> tuple[Result, list[str]]:
    """The result, and what was printed in each dated block."""
    clock = Clock(readings or len(answers))
    session = Session(transport=ScriptedTransport(*answers), now=clock.now, sleep=clock.sleep, zone=BERLIN)
    environment = {"REACH_API_TOKEN": "demo", "COLUMNS": "400"}
    result = CliRunner().invoke(cli, arguments.split(), obj=session, env=environment, prog_name="embedreach-mcp")
    return result, re.split(r"^(?=2026-11-23 )", result.stdout, flags=re.MULTILINE)[1:]


def test_a_pipe_gets_the_answer_and_then_what_changed() -> None:
    all_of_it, less, none = page(batch("b1", *C1)), page(batch("b1", C1[0])), page(batch("b1", status="success"))
    result, blocks = watch("explain --watch", all_of_it, all_of_it, less, less, none)

    assert (result.exit_code, result.stderr) == (130, "")
    assert [block.partition("\n")[0][11:] for block in blocks] == [f"13:0{minute}:00+01:00" for minute in (0, 2, 4)]
    assert "Missing records\n" in blocks[0]
    assert "pending resources 2 -> 1 (at least 1 gone)" in blocks[1]
    assert re.search(r"customers:c1 +2 +1$", blocks[1], re.MULTILINE)
    assert "Of those gone at most 2 can have expired." in blocks[1]
    assert "Missing records\n" not in blocks[1]
    assert "pending resources 1 -> 0" in blocks[2]


def test_batches_that_are_new_changed_or_gone_are_told() -> None:
    old, done = batch("b1", status="processing"), batch("b1", status="success")
    result, blocks = watch("list --watch 10", page(old), page(old), page(batch("b2"), done), page(done))

    assert result.exit_code == 130
    assert len(blocks) == 3
    assert "Since the last reading: 1 new, 1 changed, 0 gone." in blocks[1]
    assert "Batches that are new or changed" in blocks[1]
    assert "0 new, 0 changed, 1 gone. Gone: b2." in blocks[2]


def test_a_reading_that_fails_is_told_and_the_next_one_tried() -> None:
    result, blocks = watch("list --watch 10", 403, page(batch("b1")), 403, page(batch("b1")))

    assert result.exit_code == 130
    assert len(blocks) == 1
    assert len(re.findall(r"^2026-11-23 13:00:\d0\+01:00: .*The next reading is in 10 s\.$", result.stderr, re.M)) == 2


@pytest.mark.parametrize("command", ["list", "explain"])
def test_an_incomplete_reading_makes_nothing_gone(command: str) -> None:
    whole = page(batch("b1", C1[0]), batch("b2", C1[1]))
    part = page(batch("b1", C1[0]), cursor="next", total=2)
    result, blocks = watch(f"{command} --watch 10", whole, part, *[403] * 2, whole, readings=3)

    assert (result.exit_code, len(blocks)) == (130, 1), result.stdout


def test_a_terminal_is_cleared_for_each_answer_and_an_interrupt_is_quiet() -> None:
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "reach_mcp", "list", "--demo", "--limit", "1", "--watch"]
    environment = os.environ | {"TERM": "xterm", "NO_COLOR": "", "COLUMNS": "200"}
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=-1, env=environment)
    os.close(follower)
    text = ""
    while "\x1b[36mprocessing\x1b[0m" not in text:
        text += os.read(leader, 65_536).decode()
    process.send_signal(signal.SIGINT)
    with suppress(OSError):  # how a terminal ends that nobody writes to any more
        while os.read(leader, 65_536):  # a process that can't write its rest would not end
            pass
    _, err = process.communicate(timeout=60)
    os.close(leader)

    assert (process.returncode, err) == (130, b"")
    assert text.startswith("\x1b[2J\x1b[1;1H\x1b[1mEvery 60 s. Read ")
