"""What the benchmarks share: an API process, the floor, one explained answer, and how figures are summed up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, TextContent

ROOT = Path(__file__).parents[1]
SERVER = (sys.executable, "-m", "reach_mcp")
PAGE_SIZE = 100
TIMEOUT = 600.0


@dataclass(frozen=True)
class Floor:
    """Fetching every page and `json.loads` of each, without anything made of it."""

    seconds: float
    loading: float
    """The part of `seconds` that was `json.loads`."""
    pages: int
    rows: int
    bytes: int


@dataclass(frozen=True)
class Explained:
    """One call of `explain_pending_dependencies`, from the request on the pipe to the whole answer."""

    seconds: float
    peak: int | None
    """Bytes of memory that the server process held at most, its start included; None where the system doesn't tell."""
    text: str

    @property
    def first_line(self) -> str:
        return self.text.strip().partition("\n")[0]


@contextmanager
def running_api(*, batches: int, rows: int, latency_ms: float = 0, faults: float = 0) -> Iterator[str]:
    """The URL of a benchmark API in a process of its own, which ends with the block."""
    command = [sys.executable, "-m", "benchmarks.api", "--batches", str(batches), "--rows", str(rows)]
    command += ["--latency-ms", str(latency_ms), "--faults", str(faults)]
    stderr = subprocess.DEVNULL if faults else None  # uvicorn complains of each answer that is cut off
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None, "stdout was asked for"
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit(f"The benchmark API ended before it had a URL, with code {process.wait()}.")
        yield url
    finally:
        process.terminate()
        process.wait()


def measure_floor(url: str) -> Floor:
    """All pages of batches with pending resources, one after the other over one connection."""
    query = {
        "limit": str(PAGE_SIZE),
        "includePendingDetails": "true",
        "onlyBatchesWithPendingResources": "true",
    }
    loading, pages, rows, size = 0.0, 0, 0, 0
    cursor: str | None = None
    start = perf_counter()
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer bench"}, timeout=TIMEOUT) as client:
        while cursor is not None or not pages:
            answer = client.get("/api/batches", params=query | ({"cursor": cursor} if cursor else {}))
            answer.raise_for_status()
            before = perf_counter()
            data: dict[str, Any] = json.loads(answer.content)["data"]
            loading += perf_counter() - before
            pages += 1
            size += len(answer.content)
            rows += sum(len(batch["pendingResources"]) for batch in data["results"])
            cursor = data["pagination"]["cursor"]
    return Floor(perf_counter() - start, loading, pages, rows, size)


async def measure_explain(
    url: str, *, arguments: dict[str, Any], server: Sequence[str] = SERVER, token: str = "bench"
) -> Explained:
    """Explain over stdio with a server process started for this call alone, after one warm-up of `list_batches`."""
    env = {"REACH_API_URL": url, "REACH_API_TOKEN": token}
    parameters = StdioServerParameters(command=server[0], args=list(server[1:]), env=env, cwd=ROOT)
    before = _children()
    async with Client(parameters, read_timeout_seconds=TIMEOUT) as client:
        started = _children() - before
        _text(await client.call_tool("list_batches", {}))
        start = perf_counter()
        result = await client.call_tool("explain_pending_dependencies", arguments)
        seconds = perf_counter() - start
        return Explained(seconds, max(map(_peak, started), default=None), _text(result))


def _text(result: CallToolResult) -> str:
    text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
    if result.is_error:
        raise RuntimeError(f"The tool answered with an error: {text}")
    return text


def _children() -> set[int]:
    """Ids of this process's own children, where there is a /proc to tell."""
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return {id for id, parent in parents.items() if parent == os.getpid()}


def _peak(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0
