"""Serves metrics on a port of their own."""

from __future__ import annotations

import socket
import socketserver
from functools import partial
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from reach_mcp.metrics import PrometheusMetrics


class MetricsServer(socketserver.ThreadingMixIn, WSGIServer):
    """Serves metrics as plain text, whatever is asked for: prometheus-client 0.26 fails on odd Accept headers."""

    daemon_threads = True

    def __init__(self, host: str, port: int, metrics: PrometheusMetrics) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _MetricsHandler)
        self.set_app(partial(_serve_metrics, metrics))


class _MetricsHandler(WSGIRequestHandler):
    timeout = 10.0

    def log_message(self, *_: object) -> None:
        """Requests for metrics are no news."""


def _serve_metrics(metrics: PrometheusMetrics, environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    if environ["PATH_INFO"] not in ("/", "/metrics"):
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"Metrics are at /metrics.\n"]
    start("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
    return [generate_latest(metrics.registry)]
