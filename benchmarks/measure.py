"""Parts that the benchmarks share: server processes, MCP calls over HTTP, CPU, memory and descriptors of a process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import httpx

from benchmarks.api import ROOT
from benchmarks.tenant import Json

SERVER = (sys.executable, "-m", "reach_mcp", "serve")
HELLO = (sys.executable, "-m", "benchmarks.hello")
TICKS = os.sysconf("SC_CLK_TCK")
VERSION = "2026-07-28"
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": VERSION}
META = {"io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {}}


@dataclass(frozen=True)
class Process:
    """A server process over HTTP."""

    pid: int
    url: str

    @property
    def base(self) -> str:
        return self.url.removesuffix("/mcp")

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far, in steps of 10 ms."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def memory(self) -> float:
        """Resident MB now."""
        return self._status("VmRSS")

    @property
    def peak(self) -> float:
        """Most resident MB so far."""
        return self._status("VmHWM")

    @property
    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def _status(self, name: str) -> float:
        found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0


def environment(api_url: str = "http://127.0.0.1:9", **more: str) -> dict[str, str]:
    """The environment of a server: nothing of ours but the API, its token and these settings."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REACH_")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)
    return ours | {"REACH_API_URL": api_url, "REACH_API_TOKEN": "bench", "REACH_MCP_LOG_LEVEL": "ERROR"} | more


@contextmanager
def running_server(api_url: str, **settings: str) -> Iterator[Process]:
    """Our server over HTTP, which ends with the block."""
    with _running([*SERVER, "--http", "--port", "0"], environment(api_url, **settings)) as process:
        yield process


@contextmanager
def running_hello() -> Iterator[Process]:
    with _running([*HELLO, "--http"], environment()) as process:
        yield process


@contextmanager
def _running(command: Sequence[str], env: dict[str, str]) -> Iterator[Process]:
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env)
    assert process.stderr is not None
    try:
        url = _url(process.stderr)
        with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
            client.get(url.removesuffix("mcp"))  # any answer will do: it listens
        yield Process(process.pid, url)
    finally:
        process.terminate()
        process.wait()


def _url(lines: Iterator[str]) -> str:
    for line in lines:
        if found := re.search(r"http://[\w.:\[\]]+(/mcp)?", line):
            return found[0] if found[1] else f"{found[0]}/mcp"
    raise RuntimeError("The server ended before it named its URL.")


def request(tool: str, arguments: Json | None = None, *, number: int = 1) -> tuple[dict[str, str], bytes]:
    """Headers and body of a tool call in the protocol of 2026-07-28."""
    params = {"name": tool, "arguments": arguments or {}, "_meta": META}
    return _post("tools/call", params, number, {"Mcp-Name": tool})


def ping(number: int = 1) -> tuple[dict[str, str], bytes]:
    """Headers and body of the lightest request."""
    return _post("server/discover", {"_meta": META}, number, {})


def _post(method: str, params: Json, number: int, headers: dict[str, str]) -> tuple[dict[str, str], bytes]:
    body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return (
        HEADERS | {"Content-Type": "application/json", "Mcp-Method": method} | headers,
        json.dumps(body).encode(),
    )


def result_of(response: httpx.Response) -> Json:
    """The JSON-RPC message of a response, plain or as the last event of a stream."""
    text = response.text
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        text = [line[5:] for line in text.splitlines() if line.startswith("data:")][-1]
    message: Json = json.loads(text)
    return message


def timed(client: httpx.Client, url: str, post: tuple[dict[str, str], bytes]) -> float:
    """Seconds that one request takes. Raises RuntimeError unless it is answered."""
    headers, body = post
    start = perf_counter()
    response = client.post(url, headers=headers, content=body)
    seconds = perf_counter() - start
    message = result_of(response)
    if "result" not in message or message["result"].get("isError"):
        raise RuntimeError(f"Not answered: {json.dumps(message)[:500]}")
    return seconds


def middle(values: Sequence[float]) -> float:
    return median(values)


def p99(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A Markdown table."""
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)
