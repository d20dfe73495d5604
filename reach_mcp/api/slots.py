"""Slots for requests towards Reach, shared by tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import anyio


class RequestSlots:
    """Bounds the requests in flight. A tenant that a call names gets at most half of them.

    So a tenant whose requests stall leaves slots for the others. Slots are granted in the order of asking; a request
    that waits for a retry holds none.
    """

    def __init__(self, slots: int) -> None:
        self._all = anyio.Semaphore(slots)
        self._per_tenant = max(1, slots // 2)
        self._tenants: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, tenant: str | None) -> AsyncIterator[None]:
        """Hold one slot for the block."""
        if tenant is None:
            async with self._all:
                yield
            return
        share = self._tenants.setdefault(tenant, anyio.Semaphore(self._per_tenant))
        async with share, self._all:
            yield
