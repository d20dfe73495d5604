"""Two real replicas behind a real nginx with a real Redis: whatever fails, no answer is wrong and none is lost."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast

import anyio
import httpx
import pytest
from anyio import to_thread
from cryptography.fernet import Fernet
from redis import Redis

from reach_mcp.tools.shared_cache import SharedCache
from tests.builders import batch, page, pending
from tests.cli.helpers import run
from tests.helpers import EXPLAIN, LIST, read_events, rpc
from tests.processes import ENDS_WITHIN, ROOT, Handler, free_port, http_server, start, wait_for_address

PATH = os.environ.get("PATH", "") + ":/usr/sbin"
REDIS = shutil.which("redis-server", path=PATH) or shutil.which("valkey-server", path=PATH)
PROXY = shutil.which("nginx", path=PATH)
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.instrument,
    pytest.mark.skipif(not (REDIS and PROXY), reason="apt-get install nginx redis-server"),
]

ROWS = {"acme": 110, "globex": 120, "initech": 130, "umbrella": 140}
TENANTS = tuple(ROWS)
CALLERS = 32
MAX_REQUESTS = 4
OF_ONE_CALLER = MAX_REQUESTS // 2
LOAD_SECONDS = 2.5
SENT = {"accept": "application/json, text/event-stream"}
EXPIRES = datetime.now(UTC) + timedelta(hours=6)

NGINX = """
pid nginx.pid; error_log error.log; daemon off; master_process off;
events {{ worker_connections 256; }}
http {{
    log_format replica $upstream_addr; access_log access.log replica;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    upstream embedreach_mcp {{ {replicas} keepalive 32; }}
    server {{ listen 127.0.0.1:{port}; set $embedreach_mcp embedreach_mcp; include {root}/deploy/nginx/location.conf; }}
}}
"""


class Reach(Handler):
    """A Reach API whose records name their tenant. It counts its requests, and those at the same time."""

    requests: ClassVar[Counter[str]] = Counter()
    active: ClassVar[list[object]] = []
    most: ClassVar[list[int]] = []
    go_on: ClassVar[threading.Event] = threading.Event()
    go_on.set()

    def do_GET(self) -> None:
        self.active.append(self)
        self.most.append(len(self.active))
        self.go_on.wait(ENDS_WITHIN)
        time.sleep(0.05)
        self.active.remove(self)
        tenant = self.headers["reach-tenant-id"]
        self.requests[tenant] += 1
        record = f"{{}}:{tenant}-{{}}".format
        rows = [pending(record("orders", n), record("customers", n % 7), expires=EXPIRES) for n in range(ROWS[tenant])]
        self.answer(page(batch("b1", *rows, schema="orders"), batch("b2"), total=2))


def wait_for_port(port: int) -> None:
    ends = time.monotonic() + ENDS_WITHIN
    while True:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        assert time.monotonic() < ends
        time.sleep(0.02)


@dataclass
class Stack:
    """Everything that runs. Each part can be ended and started again on its port."""

    folder: Path
    api: str
    running: ExitStack
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in ("redis", "nginx", "a", "b")})
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    key: str = field(default_factory=lambda: Fernet.generate_key().decode())

    def start(self, name: str) -> None:
        port = self.ports[name]
        if name == "redis":
            options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder))
            process = start(*options, command=(REDIS or "",), stdin=True)
        elif name == "nginx":
            replicas = " ".join(
                f"server 127.0.0.1:{self.ports[one]} max_fails=1 fail_timeout=1s;" for one in ("a", "b")
            )
            config = self.folder / "nginx.conf"
            config.write_text(NGINX.format(replicas=replicas, port=port, root=ROOT))
            process = start("-p", str(self.folder), "-c", str(config), command=(PROXY or "",), stdin=True)
        else:
            process = start(
                "serve", "--http", "--port", str(port), REACH_API_URL=self.api, REACH_API_TOKEN="x" * 20,
                REACH_MCP_CACHE_URL=f"redis://127.0.0.1:{self.ports['redis']}", REACH_MCP_CACHE_KEY=self.key,
                REACH_MCP_REUSE_SECONDS="1", REACH_MCP_LOG_LEVEL="WARNING", REACH_MCP_MAX_CALLS=str(CALLERS),
                REACH_MCP_AUTH="none", REACH_MCP_MAX_REQUESTS=str(MAX_REQUESTS),
                REACH_MCP_ALLOWED_HOSTS=f"127.0.0.1:{self.ports['nginx']}",
            )  # fmt: skip
        self.processes[name] = self.running.enter_context(process)
        wait_for_port(port)

    def end(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    @property
    def redis(self) -> Redis:
        return Redis(port=self.ports["redis"])

    def url_of(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}/mcp"

    def asked(self) -> list[str]:
        """The replica of each call."""
        return (self.folder / "access.log").read_text().split()

    @property
    def url(self) -> str:
        return self.url_of("nginx")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with http_server(Reach) as api, ExitStack() as running:
        found = Stack(tmp_path_factory.mktemp("stack"), api, running)
        for name in found.ports:
            found.start(name)
        yield found


@dataclass
class Client:
    """Asks one replica or the other, again where nothing came back, and counts."""

    url: str
    http: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=20, headers=SENT)
    )
    answers: int = 0
    retried: int = 0
    wrong: list[str] = field(default_factory=list)

    async def ask(self, tenant: str, **arguments: Any) -> None:
        """One answer, which has to be about all of this tenant and about no other one."""
        named = {"name": EXPLAIN, "arguments": {"tenant_id": tenant, **arguments}}
        ends = time.monotonic() + 20
        while True:
            try:
                response = await self.http.post(self.url, json=rpc("tools/call", named))
                result = read_events(response)["result"]
                if not result["isError"]:
                    break
            except (httpx.HTTPError, ValueError, KeyError) as error:
                result = {"content": repr(error)}
            self.retried += 1
            assert time.monotonic() < ends, result
            await anyio.sleep(0.1)
        self.answers += 1
        text = result["content"][0]["text"]
        tenants = set(re.findall("|".join(TENANTS), text))
        if tenants != {tenant} or f"{ROWS[tenant]} live pending resources in 1 batch wait for 7 missing" not in text:
            self.wrong.append(text)


async def test_one_reading_serves_both_replicas_in_turn(stack: Stack) -> None:
    caller = Client(stack.url)
    async with caller.http:
        for tenant in ("globex", "acme"):  # the first calls import much
            before = Counter(stack.asked())
            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(caller.ask, tenant)

    assert caller.wrong == []
    assert Reach.requests["acme"] == 1
    assert Counter(stack.asked()) - before == {f"127.0.0.1:{stack.ports[name]}": 2 for name in ("a", "b")}


def kill_a_replica(stack: Stack) -> None:
    stack.end("a")
    time.sleep(1)
    stack.start("a")


def stop_redis(stack: Stack) -> None:
    stack.end("redis")
    time.sleep(1)
    stack.start("redis")


def hang_redis(stack: Stack) -> None:
    os.kill(stack.processes["redis"].pid, signal.SIGSTOP)
    time.sleep(1)
    os.kill(stack.processes["redis"].pid, signal.SIGCONT)


def fill_redis(stack: Stack) -> None:
    with stack.redis as redis:
        redis.config_set("maxmemory", "1")
        time.sleep(1)
        redis.config_set("maxmemory", "0")


def corrupt_redis(stack: Stack) -> None:
    with stack.redis as redis:
        for _ in range(50):
            for name in redis.scan_iter("reach-mcp:*:requests", _type="zset"):
                redis.set(name, b"garbage", px=20)
            names = redis.scan_iter("reach-mcp:*", _type="string")
            values = {name: redis.get(name) for name in names if not name.endswith((b":lock", b":requests"))}
            for name, other in zip(values, [*values][1:] + [*values][:1], strict=True):
                redis.set(name, values[other] or b"garbage", px=1000)  # the reading of another tenant
                redis.setrange(other, 40, b"garbage")
            time.sleep(0.02)


@pytest.mark.parametrize("break_it", [kill_a_replica, stop_redis, hang_redis, fill_redis, corrupt_redis])
async def test_no_answer_is_wrong_or_lost(stack: Stack, break_it: Callable[[Stack], None]) -> None:
    caller, ends = Client(stack.url), time.monotonic() + LOAD_SECONDS
    Reach.most.clear()

    async def call(number: int) -> None:
        while time.monotonic() < ends:
            await caller.ask(TENANTS[number % len(TENANTS)], fresh=number == 0)

    async with caller.http, anyio.create_task_group() as tasks:
        for number in range(CALLERS):
            tasks.start_soon(call, number)
        await anyio.sleep(LOAD_SECONDS / 5)
        await to_thread.run_sync(break_it, stack)

    assert caller.wrong == []
    assert caller.answers >= CALLERS
    assert caller.retried == 0 or break_it is kill_a_replica
    assert max(Reach.most) <= 2 * OF_ONE_CALLER  # all come from one address: the bounds of both replicas


async def list_batches(url: str, number: int) -> None:
    """One call that shares no request, since no other has its limit. Callers are told apart by their address."""
    network = httpx.AsyncHTTPTransport(local_address=f"127.0.0.{1 + number % len(TENANTS)}")
    async with httpx.AsyncClient(transport=network, trust_env=False, timeout=20, headers=SENT) as client:
        named = {"name": LIST, "arguments": {"tenant_id": TENANTS[number % len(TENANTS)], "limit": 1 + number}}
        result = read_events(await client.post(url, json=rpc("tools/call", named)))["result"]
        assert not result["isError"], result


async def test_replicas_share_the_bound_on_requests(stack: Stack) -> None:
    Reach.most.clear()
    async with anyio.create_task_group() as tasks:
        for number in range(16):
            tasks.start_soon(list_batches, stack.url_of("ab"[number % 2]), number)

    assert len(Reach.most) == 16
    assert max(Reach.most) == MAX_REQUESTS


async def wait_for_active(count: int) -> None:
    """Wait until so many requests are at work in the API."""
    with anyio.fail_after(ENDS_WITHIN):
        while True:
            if len(Reach.active) == count:
                return
            await anyio.sleep(0.02)


async def test_slots_of_a_killed_replica_are_free_when_its_leases_have_ended(stack: Stack) -> None:
    async def ask_and_be_lost(number: int) -> None:
        with suppress(httpx.HTTPError):
            await list_batches(stack.url_of("a"), number)

    Reach.go_on.clear()
    try:
        async with anyio.create_task_group() as tasks:
            for number in range(MAX_REQUESTS):
                tasks.start_soon(ask_and_be_lost, number)
            await wait_for_active(MAX_REQUESTS)
            stack.end("a")
        Reach.go_on.set()
        await wait_for_active(0)
        Reach.go_on.clear()
        async with anyio.create_task_group() as tasks:
            for number in range(MAX_REQUESTS):
                tasks.start_soon(list_batches, stack.url_of("b"), number)
            await wait_for_active(MAX_REQUESTS)
            with stack.redis as redis:
                leases = [redis.zcard(name) for name in redis.scan_iter("reach-mcp:*:requests")]
            Reach.go_on.set()
    finally:
        Reach.go_on.set()
        stack.start("a")

    assert max(leases) == MAX_REQUESTS  # those of the living replica alone


async def test_leases_of_a_stranger_hold_no_slots(stack: Stack) -> None:
    cache = SharedCache(cast(Any, None), [stack.key], seconds=1, max_bytes=1)
    leases, queue = (f"{cache.names(stack.api, name)[-1]}:requests" for name in ("", "all"))
    with stack.redis as redis:
        for number in range(MAX_REQUESTS):
            redis.zadd(leases, {f"stranger {number}": "inf"})
            redis.zadd(queue, {f"stranger {number}": 0})
        await list_batches(stack.url_of("a"), 0)

        assert redis.zscore(leases, "stranger 0") is None


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)])
def test_workers_share_a_port_and_one_that_dies_is_replaced(number: int, code: int) -> None:
    with start("serve", "--demo", "--http", "--port", "0", "--workers", "2") as process:
        addresses = {wait_for_address(process)[0] for _ in range(2)}
        before = children(process)
        os.kill(before[0], signal.SIGKILL)
        address, said = wait_for_address(process)
        health = httpx.get(address.removesuffix("/mcp") + "/healthz", trust_env=False).status_code
        after = children(process)
        process.send_signal(number)

        assert process.wait(ENDS_WITHIN) == code
    assert {address} == addresses
    assert 'replaced codes="[-9]"' in said
    assert health == 200
    assert len(after) == 2
    assert before[1] in after


def test_workers_end_when_their_parent_is_killed() -> None:
    with start("serve", "--demo", "--http", "--port", "0", "--workers", "2") as process:
        address, *_ = [wait_for_address(process)[0] for _ in range(2)]
        workers = children(process)
        process.kill()
        process.wait(ENDS_WITHIN)
        deadline = time.monotonic() + ENDS_WITHIN
        while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
            time.sleep(0.05)

        with pytest.raises(httpx.ConnectError):
            httpx.get(address, trust_env=False)


def test_workers_with_wrong_settings_are_not_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with start(
            "serve", "--demo", "--http", "--port", "0", "--workers", "2", REACH_MCP_METRICS_PORT=port
        ) as process:
            assert process.wait(ENDS_WITHIN) == 2


def test_workers_need_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")

    assert "can fork a process" in run("serve", "--demo", "--http", "--workers", "2").output
