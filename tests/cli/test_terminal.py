"""What a terminal shows: colours, folded text, progress, and shell completion."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import anyio
import click
import pytest
from click.testing import CliRunner

from reach_mcp.cli.layout import Column, fit, lay_out, mark_urgent
from reach_mcp.cli.main import cli
from reach_mcp.cli.output import Cell, Clock, Report, Table, Time, to_text
from reach_mcp.cli.session import Session, build_progress, show_line
from tests.cli.helpers import BERLIN, NOW, demo_transport

CLOCK = Clock(NOW.timestamp(), BERLIN)


def test_states_causes_and_near_deadlines_have_a_colour() -> None:
    near, far, past = (Time(CLOCK.now + seconds) for seconds in (3_599, 3_600, -1))
    rows: list[tuple[Cell, ...]]
    rows = [("failure", "failed", near, "failure"), ("partial_success", "not seen", far, ""), ("new", "", past, "")]
    rows += [("processing", "its schema is in progress", None, ""), ("success", "cycle", None, "")]
    text = to_text(Report([], Table("", "status | cause | deadline | errors", rows)), CLOCK, 200)

    found = re.findall(r"\x1b\[(\d\d)m(?:\x1b\[1m)?([^\x1b]+)", text)
    expected = "31 failure, 31 failed, 91 13:59 (12:59Z), 33 partial_success, 33 not seen, 36 processing, "
    expected += "36 its schema is in progress, 32 success, 33 cycle"
    assert ", ".join(map(" ".join, found)) == expected


def test_a_verdict_marks_what_is_urgent() -> None:
    verdict = "9 expire within 24 h (2 of them within 1 h), the first at 12:10Z (in 10 min). It is lost (in 110 min). "
    verdict += "38 resources have expired and are lost: resend. Incomplete: 1 of 2 batches read."
    pieces = mark_urgent(verdict)
    lost = "38 resources have expired and are lost"

    assert "".join(text for text, _ in pieces) == verdict
    assert [text for text, colour in pieces if colour][:3] == ["(2 of them within 1 h", "(in 10 min)", lost]
    assert pieces[-2][0] == "Incomplete: 1 of 2 batches read."


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_switched_off(environment: dict[str, str]) -> None:
    def output(variables: dict[str, str]) -> str:
        session = Session(True, transport=demo_transport(), now=NOW.timestamp)
        runner = CliRunner(env={"NO_COLOR": "", "TERM": "xterm"} | variables)
        return runner.invoke(cli, ["batch", "bat_cus_0918"], obj=session, color=True).stdout

    coloured, plain = output({}), output(environment)

    assert "\x1b[31m" in coloured
    assert plain == click.unstyle(coloured)


def test_a_text_is_folded_in_its_column_or_goes_below_its_row() -> None:
    columns = [Column("cause"), Column("action"), Column("waiting", "number")]
    rows = [["cycle", "resend one member without the reference", "11"], ["not seen", "send", "462"]]
    folded = ["cycle     resend one member without       11", "          the reference"]

    assert lay_out(columns, rows, 44)[1:] == [*folded, "not seen  send                           462"]
    assert lay_out(columns, rows, 30)[2] == "      action: resend one"
    assert lay_out(columns, [["b", "f" * 30, "12"]], 40)[2:] == ["      action:", f"      {'f' * 30}"]


def test_a_note_of_a_command_goes_below_it_on_a_narrow_terminal() -> None:
    text = "Try one of these:\n  reach list --demo   the batches\n  reach demo"

    assert fit(text, 40) == text
    assert fit(text, 12) == "Try one of\nthese:\n  reach list --demo\n      the batches\n  reach demo"


def test_a_terminal_sees_how_much_is_read_and_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "46")
    moments = [4.0, 3.0, 2.0, 0.9, 0.0]
    progress = build_progress(moments.pop, with_rows=True)
    for batches, total in ((10, 2_000), (500, 2_000), (2_000, 2_000), (7, None)):
        anyio.run(progress, batches, total, "2 pages read")
    show_line("")

    shown = ["500 of 2,000 batches, 6 s left (2 pa", "2,000 of 2,000 batches (2 pages read", "7 batches (2 pages read)"]
    assert terminal.getvalue() == "".join(f"\r\x1b[KReading: {line}" for line in shown) + "\r\x1b[K"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(shell: str) -> None:
    environment = os.environ | {"_EMBEDREACH_MCP_COMPLETE": f"{shell}_source"}
    command = [sys.executable, "-c", "from reach_mcp.cli import main; main()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert "_EMBEDREACH_MCP_COMPLETE" in done.stdout
