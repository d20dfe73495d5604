"""Bounds on the requests in flight to Reach that all replicas share, in the Redis or Valkey of their snapshots.

redis-py has locks and no semaphore, and no library of semaphores is kept well enough to depend on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from uuid import uuid4

import anyio

from reach_mcp.tools.shared_cache import SharedCache

WAIT_SECONDS = 10.0
"""A request that has waited for so long goes on by the bounds of its replica: the queue may hold anything."""
POLL_SECONDS = 0.02

ENTER = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ends = string.format('%.0f', now + ARGV[2] * 1000)
redis.call('ZADD', KEYS[1], ends, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. ends, '+inf')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for i = 2, #KEYS do
    redis.call('ZADD', KEYS[i], 'NX', now, ARGV[1])
    redis.call('ZINTERSTORE', KEYS[i], 2, KEYS[i], KEYS[1], 'WEIGHTS', 1, 0)
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
    if redis.call('ZRANK', KEYS[i], ARGV[1]) >= tonumber(ARGV[i + 1]) then return 0 end
end
return 1
"""
"""Enter one queue after the other, each as soon as there is a slot in the one before; 1 with a slot in all of them.

KEYS[1] has the end of each lease, by the clock of Redis, and the other keys have its arrival in each queue: the first
ones have the slots. A lease that has ended, or ends later than any can, leaves all queues. ARGV: the lease, its
milliseconds, the slots of each queue.
"""


class SharedRequests:
    """Slots for requests to one API. Where the cache fails, every request has one at once."""

    wait_seconds = WAIT_SECONDS

    def __init__(self, cache: SharedCache, api_url: str) -> None:
        self._cache = cache
        self._api_url = api_url
        self._enter = cache.redis.register_script(ENTER)

    @asynccontextmanager
    async def slot(self, bounds: Mapping[str, int]) -> AsyncIterator[None]:
        """Hold a slot in each queue while the block runs. `bounds` has the slots of each, in the order of entering."""
        lease, cache, ends = uuid4().hex, self._cache, time.monotonic() + self.wait_seconds
        keys = [f"{cache.names(self._api_url, queue)[-1]}:requests" for queue in ("", *bounds)]
        enter = partial(self._enter, keys=keys, args=[lease, int(cache.lock_seconds * 1000), *bounds.values()])
        renewal = asyncio.create_task(cache.renew(enter))
        try:
            while time.monotonic() < ends:
                if await cache.ask(enter) != 0:
                    break
                await anyio.sleep(POLL_SECONDS)
            yield
        finally:
            renewal.cancel()
            with anyio.CancelScope(shield=True):
                await cache.ask(cache.redis.zrem, keys[0], lease)
