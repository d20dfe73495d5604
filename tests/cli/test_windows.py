"""Differences of Windows that can be simulated: missing modules and signals, a loop without readers, code pages."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

from tests.helpers import EXPLAIN, LIST, rpc
from tests.processes import environment, start, wait_for_address

WINDOWS = """
import asyncio, os, signal, sys
for name in ("grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGALRM"):
    vars(signal).pop(name, None)
for name in ("fork", "getuid", "geteuid"):
    vars(os).pop(name, None)
def refuse(*_):
    raise NotImplementedError
for name in ("add_signal_handler", "remove_signal_handler", "add_reader", "add_writer"):
    setattr(asyncio.SelectorEventLoop, name, refuse)
from reach_mcp.cli.main import main
main()
"""
COMMAND = (sys.executable, "-c", WINDOWS)
CODE_PAGES = ["cp437", "cp1252", "cp932", "ascii"]
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def run(*arguments: str, code_page: str) -> subprocess.CompletedProcess[bytes]:
    env = environment(PYTHONIOENCODING=code_page, PYTHONUTF8="0")
    return subprocess.run([*COMMAND, *arguments], capture_output=True, env=env, timeout=60)


@pytest.mark.parametrize("code_page", CODE_PAGES)
def test_every_character_is_printed_in_any_code_page(code_page: str) -> None:
    result = run("explain", "--demo", "--focus", "顧客→ü:1", code_page=code_page)

    assert (result.returncode, result.stderr) == (2, b"")
    assert b":1" in result.stdout


def test_errors_are_printed_in_any_code_page() -> None:
    result = run("explain", "--demo", "--schema", "顧客→ü", code_page="cp437")

    assert result.returncode == 2
    assert b"Traceback" not in result.stderr


def test_stdio_speaks_utf_8_whatever_the_code_page() -> None:
    call = rpc("tools/call", {"name": EXPLAIN, "arguments": {"focus": "顧客:1"}}, id=2)
    messages = [rpc("initialize", INITIALIZE), {"jsonrpc": "2.0", "method": "notifications/initialized"}, call]
    lines = "".join(f"{json.dumps(message, ensure_ascii=False)}\r\n" for message in messages)
    with start("--demo", stdin=True, command=COMMAND, PYTHONIOENCODING="cp1252") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines)
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]

    assert [answer["id"] for answer in answers] == [1, 2]
    assert "顧客:1" in answers[1]["result"]["content"][0]["text"]


def test_http_is_served_by_a_loop_without_readers_and_signal_handlers() -> None:
    with start("serve", "--demo", "--http", "--port", "0", command=COMMAND) as process:
        address, _ = wait_for_address(process)
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer = client.post(address, json=rpc("tools/call", {"name": LIST, "arguments": {}}))

    assert "bat_" in answer.text
