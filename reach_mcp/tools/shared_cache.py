"""Snapshots that replicas share in Redis or Valkey: one of them reads a tenant, the others take its reading.

The cache may be gone, slow, full or poisoned at any time: it then counts as empty, and each replica reads for itself.
Values are encrypted and authenticated, and each holds its own name, so that nobody who can write there may exchange
them.
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
    from cryptography.fernet import MultiFernet
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
"""The lock of a reader that died ends after so long. One that reads renews it."""
POLL_SECONDS = 0.1
MAX_VALUE_BYTES = 32_000_000
"""Largest value, compressed and encrypted: as much as a network brings within `OPERATION_SECONDS`."""
MAX_PACKED_BYTES = MAX_VALUE_BYTES * 7 // 10
"""The same before encryption, which makes 4 bytes of 3."""
MAX_SKEW_SECONDS = 60.0
"""The clocks of replicas may differ so far."""

URL_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
NEW_KEY = "python3 -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"

BROKEN = (ValueError, zlib.error)
"""Raised where a reading can't be opened."""

_PAGE = msgspec.msgpack.Decoder(list[Batch])


class Reading(msgspec.Struct, array_like=True):
    """All that one reading of a tenant brought."""

    name: str
    """The name that it is stored under."""
    stored: float
    """Unix seconds at which the reading ended, by the clock of the replica that read."""
    moment: float
    """Unix seconds of the reading, by the API's clock."""
    coverage: Coverage
    size: int
    """Bytes of all pages before compression."""
    pages: list[bytes]
    """Batches of each page as they were read: msgpack, compressed."""

    def batches(self) -> Iterator[Batch]:
        """All batches in the order of reading. Raises one of BROKEN where a page is not as it was."""
        left = self.size
        for page in self.pages:
            inflater = zlib.decompressobj()
            plain = inflater.decompress(page, left + 1)  # 0 would mean no limit
            left -= len(plain)
            if left < 0 or not inflater.eof:
                raise ValueError("a page is cut short, or larger than it was")
            yield from _PAGE.decode(plain)


_READING = msgspec.msgpack.Decoder(Reading)


class Pages:
    """Takes the pages of a reading, compressed. Call it in a worker thread."""

    def __init__(self) -> None:
        self.size = 0
        self.packed: list[bytes] = []

    def add(self, batches: Sequence[Batch]) -> None:
        plain = msgspec.msgpack.encode(batches)
        self.size += len(plain)
        self.packed.append(zlib.compress(plain, 1))


class SharedCache:
    """Readings by name in Redis or Valkey. No method raises because of the cache."""

    def __init__(
        self,
        redis: Redis,
        keys: Sequence[str],
        *,
        seconds: float,
        max_bytes: int,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        self._redis = redis
        self._fernet = _build_fernet(keys)
        self._keys = [urlsafe_b64decode(key) for key in keys]
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._lock_seconds = lock_seconds
        self._rests_until = 0.0
        self._log = ThrottledLog()

    def names(self, *identity: object) -> list[str]:
        """The names of a reading, one for each key. They tell nothing about it to those who have no key."""
        told = json.dumps([FORMAT, __version__, *identity]).encode()
        digests = (hashlib.blake2b(told, key=key, digest_size=24, person=b"reach-mcp") for key in self._keys)
        return [f"reach-mcp:{digest.hexdigest()}" for digest in digests]

    def seal(self, names: Sequence[str], pages: Pages, coverage: Coverage, moment: float, now: float) -> bytes:
        """The value to store, empty where it is too large. Call it in a worker thread."""
        if pages.size > self._max_bytes or sum(map(len, pages.packed)) > MAX_PACKED_BYTES:
            return b""
        reading = Reading(names[0], now, moment, coverage, pages.size, pages.packed)
        return self._fernet.encrypt(msgspec.msgpack.encode(reading))

    def unseal(self, names: Sequence[str], value: bytes, now: float) -> Reading | None:
        """The reading in a value, None where it is none, or not this one. Call it in a worker thread."""
        from cryptography.fernet import InvalidToken

        try:
            reading = _READING.decode(self._fernet.decrypt(value))
        except (InvalidToken, ValueError):
            return None
        fresh = -MAX_SKEW_SECONDS <= now - reading.stored < self._seconds
        return reading if fresh and reading.name in names and reading.size <= self._max_bytes else None

    @asynccontextmanager
    async def turn(
        self, names: Sequence[str], accept: Callable[[bytes], Awaitable[T | None]], *, wait: float
    ) -> AsyncIterator[T | None]:
        """Yield the value that `accept` made of a stored one, else None: it is this replica's turn to read.

        While another replica reads, wait for it, for `wait` seconds at most. Meanwhile nobody else has its turn. A
        value that is not accepted is removed.
        """
        lock = self._redis.lock(f"{names[-1]}:lock", timeout=self._lock_seconds, thread_local=False)
        ends = time.monotonic() + wait
        renewal: asyncio.Task[None] | None = None
        try:
            while (found := await self._find(names, accept)) is None and renewal is None:
                locked = await self._ask(lock.acquire, blocking=False)
                if locked:
                    renewal = asyncio.create_task(self._renew(lock))  # then look once more: it may be there by now
                elif locked is None or time.monotonic() >= ends:
                    break
                else:
                    await anyio.sleep(POLL_SECONDS)
            yield found
        finally:
            if renewal is not None:
                renewal.cancel()
                with anyio.CancelScope(shield=True):
                    await self._ask(lock.release)

    async def store(self, names: Sequence[str], value: bytes) -> None:
        """Store a value for the others, unless it is empty."""
        if value:
            await self._ask(self._redis.set, names[0], value, px=int(self._seconds * 1000))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @property
    def _resting(self) -> bool:
        return time.monotonic() < self._rests_until

    async def _find(self, names: Sequence[str], accept: Callable[[bytes], Awaitable[T | None]]) -> T | None:
        for name in names:
            value = await self._ask(self._redis.getrange, name, 0, MAX_VALUE_BYTES)
            if value and isinstance(value, bytes):  # it is text where the URL says so
                found = await accept(value)
                if found is not None:
                    return found
                self._log.warning("shared snapshots: a value was not usable and is removed")
                await self._ask(self._redis.delete, name)
        return None

    async def _renew(self, lock: Lock) -> None:
        while True:
            await asyncio.sleep(self._lock_seconds / 3)
            await self._ask(lock.reacquire)

    async def _ask(self, operation: Callable[..., Awaitable[T]], *arguments: object, **options: object) -> T | None:
        """The result of an operation, None where the cache fails."""
        from redis.exceptions import LockError, RedisError, ResponseError

        if self._resting:
            return None
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                return await operation(*arguments, **options)
        except LockError:  # it took so long that another replica has the lock
            return None
        except (RedisError, OSError, TimeoutError) as error:
            if not isinstance(error, ResponseError):  # those come at once, such as when its memory is full
                self._rests_until = time.monotonic() + REST_SECONDS
            self._log.warning("shared snapshots: the cache failed", reason=type(error).__name__)
            return None


def _build_fernet(keys: Sequence[str]) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise ConfigurationError(
            f"REACH_MCP_CACHE_KEY takes Fernet keys, comma-separated and the same for all replicas. Make one: {NEW_KEY}"
        ) from None


def build_shared_cache(settings: Settings) -> SharedCache | None:
    """The cache that the settings name, None where they name none. Raises ConfigurationError. Nothing is sent yet."""
    if settings.cache_url is None or not settings.reuse_seconds:
        return None
    scheme, mark, rest = settings.cache_url.get_secret_value().strip().partition("://")
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        keys = split_list(settings.cache_key.get_secret_value() if settings.cache_key else "")
        # A connection that broke while it was idle is replaced at once.
        redis = Redis.from_url(
            f"{URL_SCHEMES[scheme]}{mark}{rest}",
            socket_timeout=OPERATION_SECONDS,
            socket_connect_timeout=OPERATION_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        return SharedCache(redis, keys, seconds=settings.reuse_seconds, max_bytes=2 * int(settings.reuse_mb * 1e6))
    except ImportError:
        raise ConfigurationError("REACH_MCP_CACHE_URL needs redis: pip install 'embedreach-mcp[service]'.") from None
    except (KeyError, ValueError):
        raise ConfigurationError(
            "REACH_MCP_CACHE_URL must be a URL such as redis://host:6379/0, rediss://, valkey:// or valkeys://."
        ) from None
