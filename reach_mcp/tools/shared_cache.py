"""Snapshots that replicas share in Redis or Valkey: one of them reads a tenant, the others take its reading.

The cache may be gone, slow, full or poisoned at any time: it then counts as empty, and each replica reads for itself.
Values are encrypted and authenticated. Each holds its own name, so that whoever can write there can't exchange them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import zlib
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import anyio
import msgspec

from reach_mcp import __version__
from reach_mcp.api.models import Batch
from reach_mcp.api.pagination import Coverage
from reach_mcp.logs import ThrottledLog
from reach_mcp.settings import ConfigurationError, Settings, split_list

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.lock import Lock

T = TypeVar("T")

FORMAT = 1
"""Changes with the layout of `Reading`. Replicas of different versions share nothing."""
OPERATION_SECONDS = 0.5
"""No operation waits longer for the cache."""
REST_SECONDS = 5.0
"""The cache is left alone for so long after it could not be reached or did not answer in time."""
LOCK_SECONDS = 5.0
ABSENT = -2
"""What Redis says of the time left of a key that is not there."""
"""The lock of a reader that died ends after so long. One that reads renews it."""
POLL_SECONDS = 0.1
MAX_VALUE_BYTES = 32_000_000
"""Largest value: as much as a network brings within `OPERATION_SECONDS`. Encryption makes 4 bytes of 3."""
MAX_GROWTH = 4
"""A reading takes at most so many times the bytes that Reach sent."""
MAX_SKEW_SECONDS = 60.0
"""The clocks of replicas may differ so far."""
BROKEN = (ValueError, zlib.error)
"""Raised where a reading can't be opened."""

URL_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
NEW_KEY = "python3 -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"


class Reading(msgspec.Struct, array_like=True):
    """All that one reading of a tenant brought."""

    name: str
    """The name that it is stored under."""
    stored: float
    """Unix seconds at which the reading ended, by the clock of the replica that read."""
    moment: float
    """Unix seconds of the reading, by the API's clock."""
    coverage: Coverage
    pages: list[bytes]
    """`pack_page` of each page."""

    def batches(self, max_bytes: int) -> Iterator[Batch]:
        """All batches in the order of reading. Raises one of BROKEN."""
        for page in self.pages:
            inflater = zlib.decompressobj()
            plain = inflater.decompress(page, max_bytes + 1)  # 0 would mean no limit
            max_bytes -= len(plain)
            if max_bytes < 0 or not inflater.eof:
                raise ValueError("too large or cut short")
            yield from msgspec.msgpack.decode(plain, type=list[Batch])


def pack_page(batches: Sequence[Batch]) -> bytes:
    """The batches of a page, compressed. Call it in a worker thread, as `seal` and `unseal`."""
    return zlib.compress(msgspec.msgpack.encode(batches), 1)


class SharedCache:
    """Readings by name in Redis or Valkey. No method raises because of the cache."""

    lock_seconds = LOCK_SECONDS

    def __init__(self, redis: Redis, keys: Sequence[str], *, seconds: float, max_bytes: int) -> None:
        from cryptography.fernet import Fernet, MultiFernet

        self.redis = redis
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._keys = [urlsafe_b64decode(key) for key in keys]
        self._seconds = seconds
        self.max_bytes = max_bytes
        self.waits = 0
        """Readings that waited for another replica."""
        self.failures = {"unreachable": 0, "refused": 0, "unusable": 0}
        self._rests_until = 0.0
        self._log = ThrottledLog()

    def names(self, *identity: object) -> list[str]:
        """The names of a reading, one for each key. They tell nothing about it to those who have no key."""
        told = json.dumps([FORMAT, __version__, *identity]).encode()
        return [f"reach-mcp:{hashlib.blake2b(told, key=key, digest_size=24).hexdigest()}" for key in self._keys]

    def seal(self, reading: Reading) -> bytes:
        """The value to store, empty where it is too large or its reading ended with an error."""
        if reading.coverage.error is not None or reading.coverage.size > self.max_bytes:
            return b""
        if sum(map(len, reading.pages)) > MAX_VALUE_BYTES * 0.7:
            return b""
        return self._fernet.encrypt(msgspec.msgpack.encode(reading))

    def unseal(self, names: Sequence[str], value: bytes, now: float) -> Reading | None:
        """The reading in a value, None where it is none, or not one of these names."""
        from cryptography.fernet import InvalidToken

        try:
            reading = msgspec.msgpack.decode(self._fernet.decrypt(value), type=Reading)
        except (InvalidToken, ValueError):
            return None
        fresh = -MAX_SKEW_SECONDS <= now - reading.stored < self._seconds
        return reading if fresh and reading.name in names else None

    @asynccontextmanager
    async def turn(
        self, names: Sequence[str], accept: Callable[[bytes], Awaitable[T | None]], *, wait: float
    ) -> AsyncIterator[T | None]:
        """Yield the value that `accept` made of a stored one, else None: it is this replica's turn to read.

        While another replica reads, wait for it, for `wait` seconds at most. A value that is not accepted is removed.
        """
        lock = self.redis.lock(f"{names[-1]}:lock", timeout=self.lock_seconds, thread_local=False)
        ends, renewal, waited = time.monotonic() + wait, None, False
        try:
            while (found := await self._find(names, accept)) is None and renewal is None:
                locked = await self.ask(lock.acquire, blocking=False)
                if locked:  # look once more: it may have been stored meanwhile
                    renewal = asyncio.create_task(self.renew(lock.reacquire))
                elif locked is None or time.monotonic() >= ends or not await self._ends_in_time(lock):
                    break
                else:
                    waited = True
                    await anyio.sleep(POLL_SECONDS)
            self.waits += waited
            yield found
        finally:
            if renewal is not None:
                renewal.cancel()
                with anyio.CancelScope(shield=True):
                    await self.ask(lock.release)

    async def _ends_in_time(self, lock: Lock) -> bool:
        """Whether a lock of another replica ends, as those of replicas do."""
        left = await self.ask(self.redis.pttl, lock.name)
        return left is None or left == ABSENT or 0 <= left <= 1000 * self.lock_seconds

    async def store(self, names: Sequence[str], value: bytes) -> None:
        """Store a value for the others, unless it is empty."""
        if value:
            await self.ask(self.redis.set, names[0], value, px=int(self._seconds * 1000))

    async def renew(self, operation: Callable[[], Awaitable[object]]) -> None:
        """Repeat an operation until cancelled, often enough that what it renews does not end."""
        while True:
            await asyncio.sleep(self.lock_seconds / 3)
            await self.ask(operation)

    async def check(self) -> str:
        """The reason why the cache does not answer, empty where it does."""
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                await self.redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose()

    async def _find(self, names: Sequence[str], accept: Callable[[bytes], Awaitable[T | None]]) -> T | None:
        for name in names:
            value = await self.ask(self.redis.getrange, name, 0, MAX_VALUE_BYTES)
            if value and isinstance(value, bytes):  # it is text where the URL says so
                found = await accept(value)
                if found is not None:
                    return found
                self.failures["unusable"] += 1
                self._log.warning("shared cache: a value was not usable and is removed")
                await self.ask(self.redis.delete, name)
        return None

    async def ask(self, operation: Callable[..., Awaitable[T]], *arguments: object, **options: object) -> T | None:
        """The result of an operation, None where the cache fails."""
        from redis.exceptions import LockError, RedisError, ResponseError

        if time.monotonic() < self._rests_until:
            return None
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                return await operation(*arguments, **options)
        except LockError:  # it took so long that another replica has the lock
            return None
        except (RedisError, OSError, TimeoutError) as error:
            refused = isinstance(error, ResponseError)  # at once, such as when its memory is full
            self.failures["refused" if refused else "unreachable"] += 1
            if not refused:
                self._rests_until = time.monotonic() + REST_SECONDS
            self._log.warning("shared cache failed", reason=type(error).__name__)
            return None


def build_shared_cache(settings: Settings) -> SharedCache | None:
    """The cache that the settings name, None where they name none. Raises ConfigurationError. Nothing is sent yet."""
    if settings.cache_url is None or not settings.reuse_seconds:
        return None
    scheme, mark, rest = settings.cache_url.get_secret_value().strip().partition("://")
    keys = split_list(settings.cache_key.get_secret_value() if settings.cache_key else "")
    wrong = "REACH_MCP_CACHE_URL must be a URL such as redis://host:6379/0, rediss://, valkey:// or valkeys://."
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        retry, seconds = Retry(NoBackoff(), 1), OPERATION_SECONDS  # a connection that broke while idle is replaced
        url = f"{URL_SCHEMES[scheme]}{mark}{rest}"
        redis = Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=retry)
        wrong = (
            f"REACH_MCP_CACHE_KEY takes Fernet keys, comma-separated, the same for all replicas. Make one: {NEW_KEY}"
        )
        return SharedCache(redis, keys, seconds=settings.reuse_seconds, max_bytes=int(settings.reuse_mb * 1e6))
    except ImportError:
        raise ConfigurationError("REACH_MCP_CACHE_URL needs redis: pip install 'embedreach-mcp[service]'.") from None
    except (KeyError, ValueError):
        raise ConfigurationError(wrong) from None
