"""Many calls on one server process: `python -m benchmarks.soak [--calls 10000]`.

Callers post mixed calls of all three tools over HTTP, in both protocol eras: pages and walks, follow-ups, fresh
readings, wrong arguments, ids that are not there, and calls that are hung up on half way. One answer in twenty of the
API behind is an error or cut off. Every thousandth call the server process is looked at: its memory (VmRSS) and its
open descriptors. Both have to stay where they are once the server is warm. Needs Linux's /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import httpx

from benchmarks.measure import ROOT, SERVER, running_api

BATCHES, ROWS, FAULTS = 200, 2_000, 0.05
CALLERS = 6
LOOK = 1_000
HUNG_UP = 0.05
"""Share of the calls that are hung up on."""

GROWTH = 1.10
"""Most memory at the end for what there was after a third of the calls: the allocator's ups and downs stay below."""

ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
MODERN = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call"}
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("list_batches", {}),
    ("list_batches", {"limit": 5}),
    ("list_batches", {"scope": "all"}),
    ("list_batches", {"scope": "all", "offset": 20}),
    ("list_batches", {"status": "failure", "created_after": "7d", "fresh": True}),
    ("list_batches", {"limit": 0}),
    ("get_batch", {"batch_id": "nosuch"}),
    ("get_batch", {"batch_id": "{batch}"}),
    ("explain_pending_dependencies", {}),
    ("explain_pending_dependencies", {"focus": "{batch}"}),
    ("explain_pending_dependencies", {"offset": 5, "response_format": "detailed"}),
    ("explain_pending_dependencies", {"fresh": True}),
    ("explain_pending_dependencies", {"schema": "customers"}),
    ("explain_pending_dependencies", {"tenant_id": "{tenant}"}),
]


@contextmanager
def running_server(api: str) -> Iterator[tuple[int, str]]:
    """Process id and URL of a server over HTTP, which ends with the block."""
    command = [*SERVER, "serve", "--http", "--port", "0"]
    env = os.environ | {"REACH_API_URL": api, "REACH_API_TOKEN": "soak", "REACH_MCP_LOG_LEVEL": "ERROR"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env)
    try:
        assert process.stderr is not None
        yield process.pid, process.stderr.readline().split()[-1]
    finally:
        process.terminate()
        process.wait()


class Soak:
    """The calls, and how they were answered."""

    def __init__(self, pid: int, url: str, *, calls: int, batches: list[str]) -> None:
        self.pid = pid
        self.url = url
        self.batches = batches
        self.left = calls
        self.done = 0
        self.outcomes: Counter[str] = Counter()
        self.looks: list[tuple[int, int]] = []
        self.random = Random(1)
        self.started = perf_counter()

    async def run(self) -> None:
        """Make all calls."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(CALLERS):
                tasks.create_task(self._call_again_and_again(modern=number % 2 == 0))

    async def _call_again_and_again(self, *, modern: bool) -> None:
        async with httpx.AsyncClient(headers=ACCEPT, timeout=120) as client:
            while self.left > 0:
                self.left -= 1
                self.outcomes[await self._call(client, modern=modern)] += 1
                self.done += 1
                if self.done % LOOK == 0:
                    self.look()

    async def _call(self, client: httpx.AsyncClient, *, modern: bool) -> str:
        tool, template = self.random.choice(CALLS)
        words = {"{batch}": self.random.choice(self.batches), "{tenant}": f"t{self.random.randrange(20)}"}
        arguments = {name: words.get(str(value), value) for name, value in template.items()}
        params = {"name": tool, "arguments": arguments} | ({"_meta": META} if modern else {})
        body = {"jsonrpc": "2.0", "id": self.done, "method": "tools/call", "params": params}
        headers = MODERN | {"Mcp-Name": tool} if modern else {}
        patience = self.random.uniform(0, 0.05) if self.random.random() < HUNG_UP else None
        try:
            async with asyncio.timeout(patience):
                answer = await client.post(self.url, json=body, headers=headers)
        except TimeoutError:
            return "hung up on"
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        return "error" if re.search(r'"isError":\s*true', answer.text) else "answer"

    def look(self) -> None:
        """Print a line of the curve."""
        resident = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert resident is not None
        self.looks.append((int(resident[1]), len(list(Path(f"/proc/{self.pid}/fd").iterdir()))))
        memory, descriptors = self.looks[-1]
        seconds = perf_counter() - self.started
        print(
            f"{self.done:>7} calls  {memory / 1024:7.1f} MiB  {descriptors:3} descriptors  {seconds:6.0f} s", flush=True
        )

    def is_flat(self) -> bool:
        """Whether the last third of the curve stands no higher than the middle one."""
        third = max(1, len(self.looks) // 3)
        middle, last = self.looks[third : 2 * third] or self.looks, self.looks[-third:]
        descriptors = max(count for _, count in last) <= max(count for _, count in middle) + CALLERS
        return descriptors and max(size for size, _ in last) <= GROWTH * max(size for size, _ in middle)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    options = parser.parse_args()
    with running_api(batches=BATCHES, rows=ROWS, faults=FAULTS) as api, running_server(api) as (pid, url):
        with httpx.Client() as client:
            found = re.findall(r'"batchId":"([^"]+)"', client.get(f"{api}/api/batches").text)
        assert found, "the first answer of the seeded API is none of its faults"
        soak = Soak(pid, url, calls=options.calls, batches=found)
        soak.look()
        asyncio.run(soak.run())
        asyncio.run(asyncio.sleep(1))  # what was hung up on ends
        soak.look()
    print(", ".join(f"{count} {name}" for name, count in soak.outcomes.most_common()))
    print("flat" if soak.is_flat() else "NOT flat")
    return 0 if soak.is_flat() else 1


if __name__ == "__main__":
    sys.exit(main())
