"""Help, the demo, serving, and processes of their own: encodings, pipes and interrupts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import pytest

from reach_mcp import __version__
from reach_mcp.cli.commands import QUESTION
from reach_mcp.cli.main import COMMANDS
from reach_mcp.cli.serving import run_until_host_is_gone
from tests.cli.helpers import run


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", [*COMMANDS])
def test_every_command_has_help_with_an_example(command: str, flag: str) -> None:
    result = run(command, flag)

    assert result.exit_code == 0
    assert f"embedreach-mcp {command}" in result.stdout.partition("Example")[2]


@pytest.mark.parametrize("command", [*COMMANDS, ""])
def test_a_misspelt_option_ends_with_two(command: str) -> None:
    result = run(*command.split(), "--dmeo")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such option" in result.stderr


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "token"])
def test_every_command_about_a_tenant_knows_the_demo(command: str) -> None:
    assert all(
        "--demo" in run(*arguments, "-h").stdout for arguments in ((command,), (command, "--demo"), ("--demo", command))
    )


def test_help_lists_commands_and_exit_codes() -> None:
    result = run("-h")

    assert result.exit_code == 0
    assert all(f"  {command} " in result.stdout for command in COMMANDS)
    assert "70 a bug" in " ".join(result.stdout.split())
    assert run("--version").stdout == f"embedreach-mcp, version {__version__}\n"


def test_the_demo_asks_one_question_and_answers_it() -> None:
    result = run("demo", REACH_API_TOKEN="")

    assert (result.exit_code, result.stderr) == (0, "")
    for text in (
        QUESTION,
        "explain_pending_dependencies {}",
        "locations:loc_harbor_12",
        "install claude-desktop --demo",
    ):
        assert text in result.stdout


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("REACH_")}
    return subprocess.Popen(
        [sys.executable, "-m", "reach_mcp", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=known | {"TZ": "UTC"} | environment,
    )


def test_an_encoding_without_a_character_replaces_it() -> None:
    process = start("explain", "--demo", "--focus", "顧客:1", PYTHONIOENCODING="cp1252")
    out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (2, "")
    assert "??:1" in out


def test_a_closed_pipe_ends_quietly() -> None:
    process = start("explain", "--demo", "--view", "resources", "--json")
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)

    assert process.returncode in (1, 141)
    assert "Traceback" not in err


def test_serving_without_a_host_ends_with_stdin() -> None:
    process = start("--demo")
    out, _ = process.communicate("", timeout=60)

    assert (process.returncode, out) == (0, "")


@pytest.mark.parametrize("error", [BrokenPipeError(), anyio.BrokenResourceError()])
def test_a_closed_pipe_ends_serving_whichever_way_it_shows(error: Exception) -> None:
    async def serve() -> None:
        raise ExceptionGroup("tasks", [error])

    run_until_host_is_gone(serve)


def test_a_host_that_is_gone_ends_the_server_quietly() -> None:
    process = start("--demo")
    assert process.stdout is not None
    process.stdout.close()
    message = {"jsonrpc": "2.0", "id": 1, "method": "nosuch"}
    _, err = process.communicate(f"{json.dumps(message)}\n" * 3, timeout=60)

    assert process.returncode == 0
    assert "Traceback" not in err


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """The address of a server, as it announces it, on a free port."""
    process = start(*arguments, "--port", "0")
    assert process.stderr is not None
    try:
        announced = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)
        address = next(filter(None, announced), None)
        assert address, process.communicate()
        yield address[0]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_the_demo_api_serves_other_programs() -> None:
    with served("demo-api") as url:
        process = start("list", "--limit", "1", REACH_API_URL=url, REACH_API_TOKEN="demo", NO_PROXY="127.0.0.1")
        out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (1, "")
    assert "142 batches" in out


@pytest.mark.parametrize("arguments", [(), ("serve",)])
def test_serving_in_a_terminal_says_what_it_waits_for(arguments: tuple[str, ...]) -> None:
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "reach_mcp", *arguments, "--demo"], stdin=follower, stdout=-1, stderr=-1, text=True
    )
    os.close(follower)
    assert process.stderr is not None
    assert "is an MCP server" in process.stderr.readline()
    os.close(leader)
    process.communicate(timeout=60)
