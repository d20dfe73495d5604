"""Replicas that share readings: one reads for all, and a cache that fails in any way costs time alone."""

from __future__ import annotations

import base64
import sys
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio
import httpx
import msgspec
import pytest
from cryptography.fernet import Fernet
from redis.exceptions import ConnectionError, LockError, OutOfMemoryError

from reach_mcp.api.pagination import Coverage
from reach_mcp.cli.doctor.findings import Examination
from reach_mcp.cli.doctor.network import check_cache
from reach_mcp.cli.session import Session
from reach_mcp.server import ReachServer
from reach_mcp.settings import ConfigurationError
from reach_mcp.tools.shared_cache import FORMAT, MAX_VALUE_BYTES, Reading, SharedCache, build_shared_cache
from tests.builders import NOW_SECONDS, batch, page, pending
from tests.fakes import Answer, ScriptedTransport
from tests.helpers import EXPLAIN, LIST, TOKEN, api_of, ask, serve, settings_of

pytestmark = pytest.mark.anyio

KEY, OTHER_KEY = (base64.urlsafe_b64encode(bytes([fill] * 32)).decode() for fill in (1, 2))
BATCHES = [
    batch("b1", pending("transactions:t1", "customers:c1")),
    batch("b2", failed={"x": (["bad"], ["VALIDATION"])}),
]


class FakeRedis:
    """Values, locks and queues of one cache, which may fail."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.locks: dict[str, object] = {}
        self.queues: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.lock_ends = 20
        """Milliseconds until a lock ends; -1: never."""
        self.fails: dict[str, Exception | None] = {}
        """Errors by operation, None for one that does not answer."""

    async def answer(self, operation: str) -> None:
        self.asked.append(operation)
        failure = self.fails.get(operation)
        if failure is not None:
            raise failure
        if operation in self.fails:
            await anyio.sleep_forever()

    async def pttl(self, name: str) -> int:
        await self.answer("ttl")
        return self.lock_ends if name in self.locks else -2

    async def ping(self) -> None:
        await self.answer("ping")

    async def aclose(self) -> None: ...

    async def getrange(self, name: str, start: int, end: int) -> bytes:
        await self.answer("get")
        return self.values.get(name, b"")[start : end + 1]

    async def set(self, name: str, value: bytes, **_: object) -> None:
        await self.answer("set")
        self.values[name] = value

    async def delete(self, name: str) -> None:
        await self.answer("delete")
        self.values.pop(name, None)

    def lock(self, name: str, **_: object) -> FakeLock:
        return FakeLock(self, name)

    def register_script(self, _: str) -> Callable[..., Awaitable[int]]:
        return self.enter

    async def enter(self, keys: list[str], args: list[Any]) -> int:
        """Queues as the script keeps them, of leases that end by `zrem` alone."""
        await self.answer("enter")
        lease, _, *bounds = args
        leases = self.queues.setdefault(keys[0], [])
        leases += [lease] * (lease not in leases)
        for key, bound in zip(keys[1:], bounds, strict=True):
            queue = self.queues[key] = [one for one in self.queues.get(key, []) if one in leases]
            queue += [lease] * (lease not in queue)
            if queue.index(lease) >= bound:
                return 0
        return 1

    async def zrem(self, name: str, lease: str) -> None:
        await self.answer("leave")
        self.queues[name] = [one for one in self.queues.get(name, []) if one != lease]


class FakeLock:
    def __init__(self, redis: FakeRedis, name: str) -> None:
        self.redis, self.name = redis, name

    async def acquire(self, **_: object) -> bool:
        await self.redis.answer("lock")
        return self.redis.locks.setdefault(self.name, self) is self

    async def reacquire(self) -> None:
        await self.redis.answer("renew")

    async def release(self) -> None:
        await self.redis.answer("release")
        if self.redis.locks.pop(self.name, None) is not self:
            raise LockError


def replica(redis: FakeRedis, api: ScriptedTransport, *keys: str, **flags: Any) -> ReachServer:
    """A server that shares its readings in a cache."""
    server = serve(api, **flags)
    shared = server.context.shared = SharedCache(cast(Any, redis), keys or [KEY], seconds=30, max_bytes=10**5)
    shared.lock_seconds = 0.03
    return server


async def test_doctor_asks_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    redis = FakeRedis()
    cache = SharedCache(cast(Any, redis), [KEY], seconds=30, max_bytes=10**5)
    monkeypatch.setattr("reach_mcp.cli.doctor.network.build_shared_cache", lambda _: cache)
    examination = Examination(Session(demo=True), {})
    found = [await check_cache(examination)]
    redis.fails["ping"] = ConnectionError("no route")
    found.append(await check_cache(examination))

    assert [one.status for one in found] == ["ok", "warning"]
    assert "(ConnectionError: no route)" in found[1].seen


async def test_reading_of_one_replica_answers_for_the_other() -> None:
    redis, api = FakeRedis(), api_of(BATCHES)
    first, second = (replica(redis, api) for _ in range(2))

    answers = [await ask(server, EXPLAIN) for server in (first, second)]
    answers += [await ask(server, LIST, scope="all") for server in (first, second)]

    assert answers[0] == answers[1]
    assert answers[2] == answers[3]
    assert len(api.requests) == 1
    assert redis.locks == {}


async def test_stored_reading_tells_nothing_without_the_key() -> None:
    redis = FakeRedis()
    await ask(replica(redis, api_of(BATCHES)), EXPLAIN, tenant_id="acme")

    [(name, value)] = redis.values.items()
    assert value.startswith(b"gAAAA")
    assert not any(secret in name for secret in (TOKEN, "acme"))


@pytest.mark.parametrize(
    "flags",
    [{"api_token": "another-token-000222"}, {"tenant_id": "globex"}, {"error_messages": False},
     {"api_url": "http://staging.test"}],
    ids=["credential", "tenant", "error messages", "API"],
)  # fmt: skip
async def test_readings_are_kept_apart(flags: dict[str, Any]) -> None:
    redis, api = FakeRedis(), api_of(BATCHES)

    await ask(replica(redis, api), EXPLAIN)
    await ask(replica(redis, api, **flags), EXPLAIN)

    assert len(api.requests) == len(redis.values) == 2


async def test_fresh_call_reads_and_shares_its_reading() -> None:
    redis, api = FakeRedis(), api_of(BATCHES)
    first, second = (replica(redis, api) for _ in range(2))
    await ask(first, EXPLAIN)
    await ask(second, EXPLAIN)
    before = dict(redis.values)

    await ask(second, EXPLAIN, fresh=True)

    assert len(api.requests) == 2
    assert redis.values.keys() == before.keys()
    assert redis.values != before


async def test_replica_waits_for_the_reading_of_another() -> None:
    begun, go_on = anyio.Event(), anyio.Event()

    async def slow(_: httpx.Request) -> Answer:
        begun.set()
        await go_on.wait()
        return page(*BATCHES)

    redis, api = FakeRedis(), ScriptedTransport(slow)
    first, second = (replica(redis, api) for _ in range(2))
    answers: list[str] = []

    async def call(server: ReachServer) -> None:
        answers.append(await ask(server, EXPLAIN))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, first)
        await begun.wait()
        tasks.start_soon(call, second)
        while redis.asked.count("lock") < 3 or "renew" not in redis.asked:
            await anyio.lowlevel.checkpoint()
        go_on.set()

    assert answers[0] == answers[1]
    assert len(api.requests) == 1


@pytest.mark.parametrize(("lock_ends", "deadline"), [(20, 1), (-1, 600)], ids=["waited for too long", "never ends"])
async def test_replica_reads_for_itself_while_a_lock_stays(lock_ends: int, deadline: int) -> None:
    redis, api = FakeRedis(), api_of(BATCHES)
    redis.lock_ends = lock_ends
    server = replica(redis, api, deadline=deadline)
    assert server.context.shared is not None
    [name] = server.context.shared.names("http://reach.test", TOKEN, None, True)
    redis.locks[f"{name}:lock"] = object()

    await ask(server, EXPLAIN)

    assert len(api.requests) == 1
    assert len(redis.values) == 1


async def test_reading_that_ended_with_an_error_is_not_stored() -> None:
    redis, first = FakeRedis(), page(batch("b1"), cursor="2", total=2)
    api = ScriptedTransport(lambda request: 500 if "cursor" in request.url.params else first)

    assert "Incomplete" in await ask(replica(redis, api, deadline=0.5), EXPLAIN)
    assert redis.values == {}


def forge(**changes: Any) -> Callable[[bytes], bytes]:
    """A change of a reading by somebody who has the key."""

    def change(value: bytes) -> bytes:
        reading = msgspec.msgpack.decode(Fernet(KEY).decrypt(value), type=Reading)
        for name, change in changes.items():
            setattr(reading, name, change(getattr(reading, name)))
        return Fernet(KEY).encrypt(msgspec.msgpack.encode(reading))

    return change


POISON: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda _: b"\x00garbage",
    "another key": lambda value: Fernet(OTHER_KEY).encrypt(Fernet(KEY).decrypt(value)),
    "cut short": lambda value: value[:-8],
    "not msgpack": lambda _: Fernet(KEY).encrypt(b"\xc1"),
    "another shape": lambda _: Fernet(KEY).encrypt(msgspec.msgpack.encode([FORMAT, "b1"])),
    "another name": forge(name=lambda _: "reach-mcp:other"),
    "too old": forge(stored=lambda stored: stored - 31),
    "from the future": forge(stored=lambda stored: stored + 3600),
    "too large": forge(pages=lambda pages: [*pages, zlib.compress(bytes(10**7))]),
    "page cut short": forge(pages=lambda pages: [pages[0][:-1]]),
    "page garbage": forge(pages=lambda _: [b"garbage"]),
    "page of another shape": forge(pages=lambda _: [zlib.compress(msgspec.msgpack.encode([{"batchId": 1}]))]),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
async def test_poisoned_value_is_no_reading(poison: Callable[[bytes], bytes]) -> None:
    redis, api = FakeRedis(), api_of(BATCHES)
    right = await ask(replica(redis, api), EXPLAIN)
    for name, value in redis.values.items():
        redis.values[name] = poison(value)

    assert await ask(replica(redis, api), EXPLAIN) == right
    assert len(api.requests) == 2
    assert await ask(replica(redis, api), EXPLAIN) == right  # it was replaced by a good one
    assert len(api.requests) == 2


async def test_value_of_another_tenant_is_refused_under_the_name_of_this_one() -> None:
    redis, api = FakeRedis(), api_of(BATCHES)
    await ask(replica(redis, api), EXPLAIN, tenant_id="acme")
    [stolen] = redis.values.values()
    await ask(replica(redis, api), EXPLAIN, tenant_id="globex")
    redis.values = dict.fromkeys(redis.values, stolen)

    await ask(replica(redis, api), EXPLAIN, tenant_id="globex")

    assert [request.headers["reach-tenant-id"] for request in api.requests] == ["acme", "globex", "globex"]


@pytest.mark.parametrize(
    ("operation", "error", "rests"),
    [("enter", OutOfMemoryError(), False), ("leave", None, True),
     ("get", ConnectionError(), True), ("get", OSError(), True), ("get", None, True),
     ("lock", OutOfMemoryError(), False),
     ("set", OutOfMemoryError(), False), ("release", LockError(), False), ("set", ConnectionError(), True)],
    ids=["no queue", "lease kept",
         "gone", "network", "no answer", "full", "full at the end", "lock lost", "gone at the end"],
)  # fmt: skip
async def test_failing_cache_costs_no_answer(
    operation: str, error: Exception | None, rests: bool, caplog: pytest.LogCaptureFixture
) -> None:
    redis, api = FakeRedis(), api_of(BATCHES)
    redis.fails[operation] = error
    server = replica(redis, api)

    await ask(server, EXPLAIN)
    asked = len(redis.asked)
    await ask(server, EXPLAIN, tenant_id="another")

    assert len(api.requests) == 2
    assert (len(redis.asked) == asked) == rests
    assert caplog.text.count("shared cache failed") == (not isinstance(error, LockError))


async def test_reading_that_broke_off_or_is_too_large_is_not_shared() -> None:
    redis = FakeRedis()
    broken = ScriptedTransport(page(BATCHES[0], cursor="2", total=2), *[400] * 9)
    many = api_of([batch(f"b{number}", schema="long" * 10**4) for number in range(20)])

    await ask(replica(redis, broken), EXPLAIN)
    await ask(server := replica(redis, many), EXPLAIN)

    assert redis.values == {}
    assert server.context.shared is not None
    reading = Reading("name", NOW_SECONDS, NOW_SECONDS, Coverage(), [bytes(MAX_VALUE_BYTES)])
    assert server.context.shared.seal(reading) == b""  # no network brings it in time


async def test_keys_are_replaced_one_replica_after_the_other() -> None:
    redis, api = FakeRedis(), api_of(BATCHES)

    await ask(replica(redis, api, OTHER_KEY), EXPLAIN)
    await ask(replica(redis, api, KEY, OTHER_KEY), EXPLAIN)

    assert len(api.requests) == 1


async def test_age_of_a_shared_reading_counts_from_its_end() -> None:
    redis, api = FakeRedis(), api_of(BATCHES)
    await ask(replica(redis, api), EXPLAIN)
    redis.values = {name: forge(stored=lambda _: NOW_SECONDS - 29.9)(value) for name, value in redis.values.items()}
    second = replica(redis, api)

    await ask(second, EXPLAIN)

    assert len(api.requests) == 1
    [entry] = second.context.snapshots._entries.values()
    assert entry.ends - second.context.snapshots._clock() < 1
    assert 29 < entry.loaded.value.age_seconds < 31


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
async def test_cache_is_built_from_the_settings(scheme: str) -> None:
    server = serve(api_of(BATCHES), cache_url=f"{scheme}://127.0.0.1:1/0", cache_key=KEY)

    await ask(server, EXPLAIN)
    await server.context.close()

    assert server.context.shared is not None
    assert build_shared_cache(settings_of(cache_url="redis://localhost", cache_key=KEY, reuse_seconds=0)) is None


@pytest.mark.parametrize(
    ("url", "key", "says"),
    [("http://cache", KEY, "must be a URL"), ("redis://cache:port", KEY, "must be a URL"),
     ("redis://cache", None, "REACH_MCP_CACHE_KEY"), ("redis://cache", f"{KEY},short", "REACH_MCP_CACHE_KEY")],
)  # fmt: skip
def test_wrong_settings_are_named(url: str, key: str | None, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        serve(api_of(BATCHES), cache_url=url, cache_key=key)


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)

    with pytest.raises(ConfigurationError, match="embedreach-mcp"):
        serve(api_of(BATCHES), cache_url="redis://cache", cache_key=KEY)
