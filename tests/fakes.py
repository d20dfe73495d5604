"""The scripted Reach API: an httpx transport that answers from a script and records the requests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import httpx

Json: TypeAlias = "dict[str, object] | list[object]"
Answer: TypeAlias = "httpx.Response | Exception | Json | bytes | str | int"
"""A response, an error to raise, a JSON body, a raw body, or an empty body with that status."""
Handler: TypeAlias = "Callable[[httpx.Request], Answer | Awaitable[Answer]]"


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Answers requests in order, or by a function of the request. Requests without an answer fail the test.

    >>> ScriptedTransport(page(batch("b1")), 503, httpx.ConnectError("no route"))
    >>> ScriptedTransport(lambda request: page(cursor=request.url.params.get("cursor")))
    """

    def __init__(self, *script: Answer | Handler) -> None:
        self._script = list(script)
        self._always = script[0] if len(script) == 1 and callable(script[0]) else None
        self.requests: list[httpx.Request] = []
        self.tokens: list[str] = []
        """The bearer token of each request, as it was sent."""

    @property
    def queries(self) -> list[dict[str, str]]:
        """The query parameters of each request."""
        return [dict(request.url.params) for request in self.requests]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.tokens.append(request.headers.get("authorization", "").removeprefix("Bearer "))
        assert self._always is not None or self._script, f"no answer is left for {request.method} {request.url}"
        scripted = self._always if self._always is not None else self._script.pop(0)
        answer = scripted(request) if callable(scripted) else scripted
        return respond(await answer if isinstance(answer, Awaitable) else answer)


def respond(answer: Answer) -> httpx.Response:
    """The response that an answer stands for. Raises the answer if it is an exception."""
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, httpx.Response):
        return answer
    if isinstance(answer, int):
        return httpx.Response(answer)
    if isinstance(answer, dict | list):
        return httpx.Response(200, content=json.dumps(answer).encode())
    return httpx.Response(200, content=answer)
