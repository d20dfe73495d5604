"""Many callers at once on one server process over HTTP: `python -m benchmarks.load --seconds 60`.

Every answer is compared with the answer to the same call before the load. Then `/healthz` is timed while a tenant of
200,000 pending resources is explained. Exit code 1 when an answer is wrong. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from itertools import zip_longest
from random import Random
from time import perf_counter

import httpx

from benchmarks.api import BATCHES, running_api
from benchmarks.measure import Process, middle, p99, print_table, request, result_of, running_server
from benchmarks.tenant import Json

EXPLAIN = "explain_pending_dependencies"
TIMED = frozenset(
    {"as_of", "age_seconds", "verdict", "legend", "notes", "since", "expiry", "within_1_h", "within_24_h"}
)
"""Fields that change while nothing happens: they tell the time or how long something takes until a time."""

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


def calls(batch_ids: list[str]) -> list[tuple[str, Json]]:
    """Mixed calls of all three tools."""
    explains: list[Json] = [
        {},
        {"view": "plan"},
        {"cause": "failed"},
        {"view": "blockers", "offset": 50},
        {"view": "cycles"},
        {"schema": "orders"},
        {"focus": batch_ids[0]},
    ]
    lists: list[Json] = [{}, {"scope": "all"}, {"status": "failure"}]
    return [
        *((EXPLAIN, one) for one in explains),
        *(("list_batches", one) for one in lists),
        *(("get_batch", {"batch_id": one}) for one in batch_ids[:4]),
    ]


class Load:
    """Callers that call without a pause until the time is over."""

    def __init__(self, server: Process, made: list[tuple[str, Json]]) -> None:
        self.server = server
        self.calls = made
        self.reference: dict[int, str] = {}
        self.outcomes: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = {"list_batches": [], "get_batch": [], EXPLAIN: []}
        self.wrong: list[str] = []
        self.memory: list[float] = []
        self.descriptors: list[int] = []

    async def run(self, callers: int, seconds: float) -> None:
        async with httpx.AsyncClient(timeout=120, limits=LIMITS) as client:
            for number in range(len(self.calls)):
                self.reference[number] = essence(await self._post(client, number))
            end = perf_counter() + seconds
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(end))
                for caller in range(callers):
                    tasks.create_task(self._call_until(end, client, Random(caller)))

    async def _call_until(self, end: float, client: httpx.AsyncClient, random: Random) -> None:
        while perf_counter() < end:
            number = random.randrange(len(self.calls))
            start = perf_counter()
            message = await self._post(client, number)
            outcome = self._judge(number, message)
            self.outcomes[outcome] += 1
            if outcome == "answered":
                self.seconds[self.calls[number][0]].append(perf_counter() - start)
            else:
                await asyncio.sleep(0.25)  # as a host waits before it tries again

    def _judge(self, number: int, message: Json) -> str:
        result = message.get("result")
        if result is None:
            return f"failed: {json.dumps(message)[:100]}"
        if result.get("isError"):
            text = result["content"][0]["text"]
            return "busy" if "busy" in text.casefold() else f"error: {text[:100]}"
        if (found := essence(message)) != self.reference[number]:
            lines = zip_longest(self.reference[number].splitlines(), found.splitlines())
            self.wrong.append(f"{self.calls[number]}: {[(was, now) for was, now in lines if was != now][:4]}")
            return "wrong"
        return "answered"

    async def _post(self, client: httpx.AsyncClient, number: int) -> Json:
        tool, arguments = self.calls[number]
        headers, body = request(tool, arguments, number=number)
        try:
            return result_of(await client.post(self.server.url, headers=headers, content=body))
        except (httpx.HTTPError, json.JSONDecodeError, IndexError) as error:
            return {"error": repr(error)}

    async def _watch(self, end: float) -> None:
        while perf_counter() < end:
            self.memory.append(self.server.memory)
            self.descriptors.append(self.server.descriptors)
            await asyncio.sleep(1)

    def report(self, seconds: float) -> None:
        total = sum(self.outcomes.values())
        rows = [[outcome, count, f"{count / seconds:.1f}/s"] for outcome, count in self.outcomes.most_common()]
        print_table(("outcome", "calls", "rate"), [*rows, ["all", total, f"{total / seconds:.1f}/s"]])
        latencies = [
            [tool, len(found), f"{1000 * middle(found):.0f} ms", f"{1000 * p99(found):.0f} ms"]
            for tool, found in self.seconds.items()
            if found
        ]
        print_table(("tool", "answers", "p50", "p99"), latencies)
        third = len(self.memory) // 3
        print_table(
            ("server process", "after a third", "at the end", "most"),
            [
                ["memory", *(f"{value:.0f} MB" for value in (self.memory[third], self.memory[-1], max(self.memory)))],
                ["descriptors", self.descriptors[third], self.descriptors[-1], max(self.descriptors)],
            ],
        )
        for one in self.wrong[:3]:
            print(one)


def essence(message: Json) -> str:
    """The part of an answer that does not change with the time."""
    result = message.get("result") or {}
    return json.dumps(
        _without_times(result.get("structuredContent") or result.get("content")), sort_keys=True, indent=0
    )


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_times(one) for name, one in value.items() if name not in TIMED}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


async def healthz_while_explaining(server: Process) -> tuple[float, list[float]]:
    """Seconds that an explain of everything takes, and latencies of /healthz meanwhile."""
    headers, body = request(EXPLAIN, {"fresh": True})
    latencies = []
    async with httpx.AsyncClient(timeout=300) as client, httpx.AsyncClient(timeout=60) as prober:
        await prober.get(f"{server.base}/healthz")
        start = perf_counter()
        explaining = asyncio.create_task(client.post(server.url, headers=headers, content=body))
        while not explaining.done():
            begin = perf_counter()
            (await prober.get(f"{server.base}/healthz")).raise_for_status()
            latencies.append(perf_counter() - begin)
            await asyncio.sleep(0.02)
        result = result_of(await explaining)
        if result.get("result", {}).get("isError", True):
            raise RuntimeError(json.dumps(result)[:500])
        return perf_counter() - start, latencies


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rows", type=int, default=3_000, help="pending resources of the tenant under load")
    parser.add_argument(
        "--large", type=int, default=200_000, help="of the one explained while /healthz is timed; 0: none"
    )
    options = parser.parse_args()
    # Answers are whole: at the usual limit, the words on a snapshot's age can cost a list its last item.
    with running_api(rows=options.rows) as api, running_server(api, REACH_MCP_ANSWER_BYTES="24000") as server:
        newest = httpx.get(f"{api}{BATCHES}", params={"onlyBatchesWithPendingResources": "true"}).json()
        load = Load(server, calls([batch["batchId"] for batch in newest["data"]["results"]]))
        asyncio.run(load.run(options.callers, options.seconds))
        load.report(options.seconds)
    if options.large:
        with running_api(rows=options.large) as api, running_server(api) as server:
            asyncio.run(healthz_while_explaining(server))
            seconds, latencies = asyncio.run(healthz_while_explaining(server))
            row = [f"{options.large:,}", f"{seconds:.1f} s", len(latencies)]
            row += [f"{1000 * value:.0f} ms" for value in (middle(latencies), p99(latencies), max(latencies))]
            columns = ("rows explained", "takes", "probes of /healthz", "p50", "p99", "most", "peak memory")
            print_table(columns, [[*row, f"{server.peak:.0f} MB"]])
    return int(bool(load.wrong))


if __name__ == "__main__":
    sys.exit(main())
