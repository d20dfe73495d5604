"""Metrics: counted for each call and request, on a port of their own, and as the docs list them."""

from __future__ import annotations

import logging
import re
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from prometheus_client.registry import CollectorRegistry
from redis.exceptions import ConnectionError, OutOfMemoryError

from reach_mcp.api.deadline import Deadline
from reach_mcp.server import ReachServer
from reach_mcp.settings import ConfigurationError
from reach_mcp.tools.cache import Loaded
from reach_mcp.transports.http import listen
from reach_mcp.transports.middleware import MAX_BODY_BYTES
from reach_mcp.transports.observing import build_metrics, observed
from tests.builders import batch, page, pending
from tests.fakes import ScriptedTransport
from tests.helpers import EXPLAIN, GET, LIST, TOKEN, api_of, call, http_client, rpc, serve, settings_of
from tests.processes import COMMAND, start, wait_for_address
from tests.tools.test_shared_cache import KEY, FakeRedis, replica

pytestmark = pytest.mark.anyio

JSON_TYPE = {"Content-Type": "application/json"}
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def measured(server: ReachServer) -> CollectorRegistry:
    """The registry of a server that counts."""
    server.context.metrics = metrics = build_metrics(server.context)
    return metrics.registry


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"reach_mcp_{name}", labels)


async def test_calls_are_counted_by_tool_outcome_and_kind() -> None:
    server = serve(api_of([batch("b1")]))
    registry = measured(server)

    answer = await call(server, GET, batch_id="b1")
    await call(server, GET, batch_id="b2")
    await call(server, LIST, limit="many")

    assert value(registry, "calls_total", tool=GET, outcome="ok", error="") == 1
    assert value(registry, "calls_total", tool=GET, outcome="error", error="batch_not_found") == 1
    assert value(registry, "calls_total", tool=LIST, outcome="error", error="invalid_argument") == 1
    assert value(registry, "call_seconds_count", tool=GET) == 2
    size = value(registry, "answer_bytes_sum", tool=GET)
    assert size is not None
    assert size > len(str(answer.content))


async def test_requests_are_counted_by_status_with_their_retries() -> None:
    again = {"retry-after": "0"}
    server = serve(
        ScriptedTransport(httpx.Response(429, headers=again), httpx.Response(503, headers=again), page(batch("b1")))
    )
    registry = measured(server)

    await call(server, LIST)

    statuses = {status: value(registry, "upstream_requests_total", status=status) for status in ("200", "429", "503")}
    assert statuses == {"200": 1, "429": 1, "503": 1}
    assert value(registry, "upstream_retries_total") == 2
    assert value(registry, "upstream_seconds_count") == 3


async def test_request_without_an_answer_is_counted() -> None:
    server = serve(ScriptedTransport(lambda _: httpx.ConnectError("no route")), deadline=0.1)
    registry = measured(server)

    await call(server, LIST)

    assert (value(registry, "upstream_requests_total", status="none") or 0) >= 1


async def test_snapshots_and_their_rows_are_counted() -> None:
    server = serve(api_of([batch("b1", pending("a:1", "b:2"))]))
    registry = measured(server)
    assert value(registry, "snapshot_rows") == 0

    await call(server, EXPLAIN)
    await call(server, EXPLAIN)

    assert value(registry, "snapshot_rows") == 1
    assert value(registry, "snapshot_lookups_total", result="hit") == 1
    assert value(registry, "snapshot_lookups_total", result="miss") == 1


async def test_snapshot_of_another_replica_is_counted_apart() -> None:
    server = serve(api_of([]))
    registry = measured(server)

    async def load() -> Loaded[Any]:
        return Loaded(None, 1, keep=False, age=3.0)

    await server.context.snapshots.get("key", load)

    assert value(registry, "snapshot_lookups_total", result="shared") == 1
    assert value(registry, "snapshot_lookups_total", result="miss") == 0


async def test_waits_and_failures_of_the_shared_cache_are_counted() -> None:
    redis = FakeRedis()
    server = replica(redis, api_of([]), deadline=1)
    registry = measured(server)
    assert server.context.shared is not None
    [name] = server.context.shared.names("http://reach.test", TOKEN, None, True)
    redis.locks[f"{name}:lock"], redis.values[name] = object(), b"garbage"
    redis.fails["set"] = OutOfMemoryError()

    await call(server, EXPLAIN)
    redis.fails["enter"] = ConnectionError()
    await call(server, LIST)

    reasons = ("unusable", "refused", "unreachable")
    assert [value(registry, "shared_cache_failures_total", reason=reason) for reason in reasons] == [1, 1, 1]
    assert value(registry, "shared_cache_waits_total") == 1
    assert value(registry, "upstream_wait_seconds_count") == 2


async def test_requests_with_an_http_error_are_counted_by_status() -> None:
    server = serve(api_of([]), auth_token="token-of-a-caller")
    registry = measured(server)
    async with http_client(server, auth_token="token-of-a-caller") as client:
        known = {"Authorization": "Bearer token-of-a-caller"}
        await client.get("/metrics")
        await client.post("/mcp", json={})
        await client.post("/mcp", json={}, headers={"Host": "other.example.com"})
        await client.post("/mcp", content=bytes(MAX_BODY_BYTES + 1), headers=known | JSON_TYPE)
        answered = await client.post("/mcp", json=rpc("tools/list"), headers=known)
        await client.get("/healthz")

    assert answered.status_code == 200
    statuses = ("200", "401", "404", "413", "421")
    assert [value(registry, "http_errors_total", status=status) for status in statuses] == [None, 1, 1, 1, 1]


async def test_calls_at_work_and_in_the_queue_are_shown() -> None:
    server = serve(api_of([]), max_calls=1)
    registry, limiter = measured(server), server.context.limiter

    async def hold() -> None:
        async with limiter.slot("", Deadline(60)):
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold)
        tasks.start_soon(hold)
        await anyio.wait_all_tasks_blocked()
        found = (value(registry, "calls_active"), value(registry, "calls_waiting"))
        tasks.cancel_scope.cancel()

    assert found == (1, 1)
    assert (value(registry, "calls_active"), value(registry, "calls_waiting")) == (0, 0)


async def test_metrics_have_a_port_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server, settings = serve(api_of([])), settings_of(metrics_port=0)
    with observed(server, settings, over_http=True):
        await call(server, LIST)
        port = next(record for record in caplog.records if record.message == "metrics").facts["port"]  # type: ignore[attr-defined]
        async with httpx.AsyncClient(trust_env=False) as client:
            odd = {"Accept": "application/openmetrics-text; version=abc"}
            response = await client.get(f"http://127.0.0.1:{port}/metrics", headers=odd)
            other = await client.get(f"http://127.0.0.1:{port}/secret")
        async with http_client(server) as client:
            main = await client.get("/metrics")

    assert 'reach_mcp_calls_total{error="",outcome="ok",tool="list_batches"} 1.0' in response.text
    assert "_created" not in response.text
    assert (main.status_code, other.status_code) == (404, 404)


def test_connections_too_many_are_counted() -> None:
    settings = {"REACH_MCP_MAX_CONNECTIONS": "8", "REACH_MCP_METRICS_PORT": "0"}
    serving = start("serve", "--demo", "--http", "--port", "0", stdin=False, command=COMMAND, **settings)
    with serving as process, ExitStack() as held:
        address, said = wait_for_address(process)
        port = re.search(r" metrics .*port=(\d+)", said)
        assert port is not None
        for _ in range(9):
            last = held.enter_context(socket.create_connection(("127.0.0.1", int(address.split(":")[2].split("/")[0]))))
        assert last.recv(1) == b""  # it was closed
        text = httpx.get(f"http://127.0.0.1:{port[1]}/metrics", trust_env=False).text

    assert 'reach_mcp_http_errors_total{status="none"} 1.0' in text


@pytest.mark.parametrize("over_http", [True, False])
async def test_without_a_port_nothing_is_served(over_http: bool) -> None:
    server = serve(api_of([]))
    default = server.context.metrics
    with observed(server, settings_of(**({} if over_http else {"metrics_port": 0})), over_http=over_http):
        assert server.context.metrics is default


def test_port_that_is_taken_ends_the_start() -> None:
    listener, address = listen("127.0.0.1", 0)
    settings = settings_of(metrics_port=int(address.rpartition(":")[2]))
    with (
        listener,
        pytest.raises(ConfigurationError, match="for metrics"),
        observed(serve(api_of([])), settings, over_http=True),
    ):
        pass


def test_missing_library_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with (
        pytest.raises(ConfigurationError, match=r"embedreach-mcp\[service\]"),
        observed(serve(api_of([])), settings_of(metrics_port=0), over_http=True),
    ):
        pass


def test_docs_list_every_metric_with_its_labels() -> None:
    cache = {"cache_url": "redis://cache", "cache_key": KEY}
    metrics = build_metrics(serve(api_of([]), **cache).context)
    metrics.count_call("", outcome="", error="", seconds=0, answer_bytes=0)
    metrics.count_request("", seconds=0, retried=False)
    metrics.count_http_error("")
    found = {}
    for metric in metrics.registry.collect():
        if metric.name.startswith("reach_mcp_"):
            labels = {label for sample in metric.samples for label in sample.labels} - {"le"}
            name = metric.name + ("_total" if metric.type == "counter" else "")
            found[name] = (metric.type, labels, metric.documentation)
    rows = re.findall(r"^\| `(reach_mcp_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", OPERATIONS.read_text(), re.MULTILINE)

    assert {name: (kind, set(re.findall(r"`(\w+)`", labels)), text) for name, kind, labels, text in rows} == found
    assert not {"tenant", "caller"} & {label for _, labels, _ in found.values() for label in labels}
