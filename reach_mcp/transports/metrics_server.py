"""Serves metrics on a port of their own."""

from __future__ import annotations

import socket
from http.server import ThreadingHTTPServer

import prometheus_client
from prometheus_client.registry import CollectorRegistry


class MetricsServer(ThreadingHTTPServer):
    """Serves a registry at `/metrics`."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _MetricsHandler.factory(registry))


class _MetricsHandler(prometheus_client.MetricsHandler):
    timeout = 10.0

    def do_GET(self) -> None:  # noqa: N802 - the library's
        if self.path.partition("?")[0] not in ("/", "/metrics"):
            return self.send_error(404, "Metrics are at /metrics.")
        del self.headers["Accept"]  # plain text, whatever is asked for: prometheus-client 0.26 fails on odd ones
        return super().do_GET()
