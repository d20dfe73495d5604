"""Prometheus metrics of one server. No label names a tenant or a caller: metrics are read by more people than answers.

`Metrics` counts nothing and is the default, so that counting needs no condition and stdio imports no library.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

PREFIX = "reach_mcp_"
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45, 90)
ANSWER_BYTES = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000)


class Metrics:
    """Counts nothing."""

    def count_call(self, tool: str, *, outcome: str, error: str, seconds: float, answer_bytes: int) -> None:
        """Count a call that has ended. `outcome` is `ok`, `error`, `cancelled` or `crash`."""

    def count_request(self, status: str, *, seconds: float, retried: bool) -> None:
        """Count a request to Reach. `status` is an HTTP status, or `none` where no answer came."""

    def count_wait(self, seconds: float) -> None:
        """Count the time that a request to Reach waited for its slot."""

    def count_http_error(self, status: str) -> None:
        """Count a request over HTTP that got a status of 400 or more. `status` is `none` for a connection too many."""


class PrometheusMetrics(Metrics):
    """Counts in a registry of its own. Raises ImportError where prometheus-client is missing."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

        self.registry: CollectorRegistry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        timer = partial(Histogram, registry=self.registry, buckets=SECONDS)
        sizes = partial(Histogram, registry=self.registry, buckets=ANSWER_BYTES)
        called, answered = "Calls by tool, outcome and kind of error.", "Size of an answer, both forms together."
        asked, again = "Requests to Reach by status; `none`: no answer came.", "Requests to Reach that repeat one."
        self._calls = counter(PREFIX + "calls", called, ["tool", "outcome", "error"])
        self._seconds = timer(PREFIX + "call_seconds", "Time of a call, waiting included.", ["tool"])
        self._bytes = sizes(PREFIX + "answer_bytes", answered, ["tool"])
        self._requests = counter(PREFIX + "upstream_requests", asked, ["status"])
        self._request_seconds = timer(PREFIX + "upstream_seconds", "Time of a request to Reach.")
        self._retries = counter(PREFIX + "upstream_retries", again)
        self._waits = timer(PREFIX + "upstream_wait_seconds", "Time that a request to Reach waits for its slot.")
        unserved = "Requests answered with an HTTP error, by status; `none`: a connection too many."
        self._http_errors = counter(PREFIX + "http_errors", unserved, ["status"])
        ProcessCollector(registry=self.registry)

    def count_call(self, tool: str, *, outcome: str, error: str, seconds: float, answer_bytes: int) -> None:
        self._calls.labels(tool, outcome, error).inc()
        self._seconds.labels(tool).observe(seconds)
        self._bytes.labels(tool).observe(answer_bytes)

    def count_request(self, status: str, *, seconds: float, retried: bool) -> None:
        self._requests.labels(status).inc()
        self._request_seconds.observe(seconds)
        self._retries.inc(retried)

    def count_wait(self, seconds: float) -> None:
        self._waits.observe(seconds)

    def count_http_error(self, status: str) -> None:
        self._http_errors.labels(status).inc()
