"""A tenant that is read from both its ends, and breaks off in the middle: the next call reads what lies between."""

from __future__ import annotations

import anyio
import httpx
import pytest

from reach_mcp.demo.api import build_demo_api
from tests.builders import batch, pending
from tests.tools.harness import EXPLAIN, LIST, ask, serve

pytestmark = pytest.mark.anyio

MANY = [batch(f"b{place:03}", pending(f"t/{place}", f"c/{place}"), created=-float(place)) for place in range(400)]


@pytest.mark.parametrize("tool", [LIST, EXPLAIN])
async def test_walk_that_broke_off_between_its_ends_is_gone_on_with_there(tool: str) -> None:
    """The cursor and the time are all that it takes, so any replica can; what was read is not read again."""
    api = httpx.ASGITransport(app=build_demo_api({"tests": MANY}, default_tenant="tests"))
    broken, back_has_begun = True, anyio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        pending_walk = tool == LIST or "onlyBatchesWithPendingResources" in params
        back = params.get("sortDirection") == "asc"
        if back and "cursor" in params:
            back_has_begun.set()
            await anyio.sleep_forever()
        if broken and pending_walk and not back and "cursor" in params:
            await back_has_begun.wait()
            await anyio.wait_all_tasks_blocked()
            return httpx.Response(403, stream=httpx.ByteStream(b""))
        found = await api.handle_async_request(request)
        return httpx.Response(200, stream=httpx.ByteStream(await found.aread()))

    server = serve(handler=answer)
    scope = {"scope": "all", "offset": 195} if tool == LIST else {}  # the last rows name what comes after them
    first = await ask(server, tool, **scope)
    assert first.content["coverage"]["complete"] is False
    assert "the newest and the oldest were read, what is missing lies between them" in first.text
    read = first.content["coverage"]["batches"]
    assert read == 200

    broken = False
    [call] = [call for call in first.content["next_calls"] if "cursor" in call["arguments"]]
    assert call["arguments"]["created_after"].endswith("Z")
    rest = await ask(server, tool, **call["arguments"])
    matched = rest.content["matched"] if tool == LIST else rest.content["pending"]["batches"]
    assert matched in (400 - read, 400 - read + 1)  # the batch at the very moment is read once more
