"""Time from spawn to the answer of tools/list over stdio, compared with a hello-world server of the same SDK.

python -m benchmarks.startup --runs 15
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Sequence
from statistics import median
from time import perf_counter

from benchmarks.api import ROOT
from benchmarks.measure import HELLO, SERVER, environment, print_table

CLIENT = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
MESSAGES = (
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": CLIENT},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
)
SERVERS = {"hello-world": HELLO, "embedreach-mcp": SERVER}


def start(command: Sequence[str]) -> float:
    """Seconds from the spawn until tools/list is answered."""
    begin = perf_counter()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment(), text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(f"{json.dumps(message)}\n" for message in MESSAGES))
        process.stdin.flush()
        for line in process.stdout:
            if json.loads(line).get("id") == 2:
                break
        seconds = perf_counter() - begin
        process.kill()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    for command in SERVERS.values():
        start(command)  # bytecode is written and the files are read
    runs = [{name: start(command) for name, command in SERVERS.items()} for _ in range(options.runs)]
    middle = {name: median(run[name] for run in runs) for name in SERVERS}
    ratio = median(run["embedreach-mcp"] / run["hello-world"] for run in runs)
    rows = [[name, f"{1000 * seconds:.0f} ms"] for name, seconds in middle.items()]
    print_table(("server", "spawn to tools/list"), [*rows, ["ratio (median of pairs)", f"{ratio:.2f}"]])


if __name__ == "__main__":
    main()
