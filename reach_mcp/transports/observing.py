"""Starts and stops what a server tells its operators beyond its log: metrics, traces, audit records.

Metrics have a port of their own. On the main port they would have to be kept from its callers, and the address of a
client does not tell them apart: behind a proxy on the same machine every caller comes from loopback.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from opentelemetry.context import attach, detach
from opentelemetry.trace import set_tracer_provider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reach_mcp import __version__
from reach_mcp.logs import ThrottledLog
from reach_mcp.metrics import PREFIX, PrometheusMetrics
from reach_mcp.settings import ConfigurationError, Settings
from reach_mcp.tools.audit import open_audit
from reach_mcp.tools.context import ToolContext

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from prometheus_client.metrics_core import Metric

    from reach_mcp.server import ReachServer
    from reach_mcp.transports.metrics_server import MetricsServer

logger = logging.getLogger(__name__)

_propagator = TraceContextTextMapPropagator()

SERVICE = "embedreach-mcp"
"""The name in traces, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES gives another."""

FLUSH_SECONDS = 2.0
"""Time for the last spans to leave. A collector that does not answer holds no server up."""

TRACE_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")


@contextmanager
def observed(server: ReachServer, settings: Settings, *, over_http: bool) -> Iterator[None]:
    """Observe a server while the block runs. Raises ConfigurationError where a setting can't be followed."""
    server.context.audit = open_audit(settings, over_http=over_http)
    with ExitStack() as stack:
        if settings.metrics_port is not None and over_http:
            listener = stack.enter_context(_serve_metrics(server.context, settings.host, settings.metrics_port))
            stack.callback(listener.shutdown)
        if provider := build_provider():
            set_tracer_provider(provider)
            stack.callback(_shut_down, provider)
        yield


def _serve_metrics(context: ToolContext, host: str, port: int) -> MetricsServer:
    """Serve metrics in a thread of their own, so that they show a blocked event loop too."""
    try:
        metrics = build_metrics(context)
        from prometheus_client import disable_created_metrics

        from reach_mcp.transports.metrics_server import MetricsServer

        listener = MetricsServer(host, port, metrics.registry)
    except ImportError:
        raise ConfigurationError(
            "REACH_MCP_METRICS_PORT needs prometheus-client: install embedreach-mcp[service]."
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"Can't listen on {host}, port {port}, for metrics: {error.strerror or error}."
        ) from None
    disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the number of series
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    context.metrics = metrics
    logger.info("metrics", extra={"facts": {"host": host, "port": listener.server_port, "path": "/metrics"}})
    return listener


def _shut_down(provider: TracerProvider) -> None:
    flush = threading.Thread(target=provider.shutdown, daemon=True)
    flush.start()
    flush.join(FLUSH_SECONDS)


def build_metrics(context: ToolContext) -> PrometheusMetrics:
    """The metrics of one server, those of its present state included. Raises ImportError."""
    metrics = PrometheusMetrics()
    metrics.registry.register(_StateCollector(context))
    return metrics


class _StateCollector:
    """Reads metrics off a server when they are asked for, in another thread than the event loop's."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        limiter, snapshots, shared = self._context.limiter, self._context.snapshots, self._context.shared
        rows = sum(len(kept.analysis.snapshot.rows) for kept in snapshots.values())
        yield GaugeMetricFamily(PREFIX + "calls_active", "Calls at work.", limiter.active)
        yield GaugeMetricFamily(PREFIX + "calls_waiting", "Calls in the queue.", limiter.waiting)
        yield GaugeMetricFamily(PREFIX + "snapshot_rows", "Pending resources in the snapshots kept.", rows)

        def counter(name: str, text: str, label: str, counts: Mapping[str, int]) -> CounterMetricFamily:
            family = CounterMetricFamily(PREFIX + name, text, labels=[label])
            for value, count in counts.items():
                family.add_metric([value], count)
            return family

        lookups = "Calls that need a snapshot, by whether it was there."
        yield counter("snapshot_lookups", lookups, "result", snapshots.lookups)
        if shared is not None:
            waited, failed = "Readings that waited for another replica.", "Failures of the shared cache, by reason."
            yield CounterMetricFamily(PREFIX + "shared_cache_waits", waited, shared.waits)
            yield counter("shared_cache_failures", failed, "reason", shared.failures)


def build_provider() -> TracerProvider | None:
    """The provider of spans that the variables describe, None where they ask for none or it can't be had."""
    named = os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower()
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or named == "none" or not any(map(os.environ.get, TRACE_VARIABLES)):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ImportError:
        logger.warning("traces need the extra otel: install embedreach-mcp[otel]")
        return None
    if named not in ("otlp", "console"):
        logger.warning("OTEL_TRACES_EXPORTER must be otlp, console or none: there are no traces")
        return None
    exporter = ConsoleSpanExporter(out=sys.stderr) if named == "console" else OTLPSpanExporter()
    resource = Resource.create({"service.version": __version__})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class RefusalMiddleware:
    """Counts the requests that are answered with an HTTP error, and logs them with the beginning of the answer.

    Those for another path or method are counted alone: clients that look for an event stream ask so at every start.
    """

    def __init__(self, app: ASGIApp, context: ToolContext) -> None:
        self._app = app
        self._context = context
        self._log = ThrottledLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, address = 200, str((scope.get("client") or ("",))[0])

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if status >= 400 and message["type"] == "http.response.start":
                self._context.metrics.count_http_error(str(status))
            elif status >= 400 and status not in (404, 405):
                reason = _reason(message.get("body", b""))
                self._log.warning("request refused", status=status, address=address, reason=reason)
            await send(message)

        await self._app(scope, receive, watch)


def _reason(body: bytes) -> str:
    """The reason that `refuse` gave. Errors of others may repeat arguments or texts of Reach: of these, the code."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if error["code"] >= 400 else f"JSON-RPC error {error['code']}")
    except (ValueError, LookupError, TypeError):
        return ""


class TraceMiddleware:
    """Continues the trace that the header `traceparent` names. The SDK prefers one in the request's `_meta`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = attach(_propagator.extract(dict(Headers(scope=scope))))
        try:
            await self._app(scope, receive, send)
        finally:
            detach(token)
