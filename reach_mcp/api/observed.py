"""Measures each request to Reach: a metric, and a client span by OpenTelemetry's conventions for HTTP."""

from __future__ import annotations

import time

import httpx
from opentelemetry.trace import SpanKind, Status, StatusCode, get_tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from reach_mcp.metrics import Metrics

RESENT = "reach_mcp.resent"
"""How often a request was sent before, in its extensions: a retry sends the same request object."""

_tracer = get_tracer("reach_mcp")  # a proxy: the SDK may be installed later
_propagator = TraceContextTextMapPropagator()


class ObservedTransport(httpx.AsyncBaseTransport):
    """Sends requests by another transport. Spans have no query, which may name what a caller searches for.

    Without the SDK of OpenTelemetry spans are not recorded. `send_context` sends `traceparent` along.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, metrics: Metrics, *, send_context: bool = False) -> None:
        self._inner = inner
        self._metrics = metrics
        self._send_context = send_context

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        resent = request.extensions.get(RESENT, 0)
        request.extensions[RESENT] = resent + 1
        started, status = time.monotonic(), "none"
        with _tracer.start_as_current_span(
            request.method, kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            if span.is_recording():
                span.set_attributes(_attributes(request, resent))
            if self._send_context:
                _propagator.inject(request.headers)
            try:
                response = await self._inner.handle_async_request(request)
                status = str(response.status_code)
                span.set_attribute("http.response.status_code", response.status_code)
                if response.status_code >= 400:
                    span.set_attribute("error.type", status)
                    span.set_status(Status(StatusCode.ERROR))
                return response
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise
            finally:
                self._metrics.count_request(status, seconds=time.monotonic() - started, retried=resent > 0)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _attributes(request: httpx.Request, resent: int) -> dict[str, str | int]:
    url = request.url
    found: dict[str, str | int] = {
        "http.request.method": request.method,
        "url.full": str(url.copy_with(query=None)),
        "server.address": url.host,
        "server.port": url.port or {"http": 80}.get(url.scheme, 443),
    }
    return found | ({"http.request.resend_count": resent} if resent else {})
