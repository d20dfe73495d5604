"""Traces: a caller's goes on to each request to Reach. Real processes, a real collector, both eras."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reach_mcp.transports.observing import TRACE_VARIABLES, build_provider
from tests.builders import batch, page
from tests.helpers import ERAS, LIST, read_events
from tests.processes import ENDS_WITHIN, Handler, call_list, http_server, start, wait_for_address

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@dataclass
class Peer:
    """A Reach API that fails once, and a collector of traces."""

    url: str = ""
    reach: list[str | None] = field(default_factory=list)
    """The header `traceparent` of each request to Reach."""
    exports: list[ExportTraceServiceRequest] = field(default_factory=list)

    def spans(self) -> dict[str, list[Span]]:
        found: dict[str, list[Span]] = {}
        for export in self.exports:
            for group in export.resource_spans:
                for span in (span for scope in group.scope_spans for span in scope.spans):
                    found.setdefault(span.name, []).append(span)
        return found


@contextmanager
def peer() -> Iterator[Peer]:
    found = Peer()

    class Answer(Handler):
        def do_GET(self) -> None:
            found.reach.append(self.headers["traceparent"])
            self.answer(page(batch("b1")), 200 if found.reach[1:] else 503, Retry_After="0")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.exports.append(ExportTraceServiceRequest.FromString(body))
            self.answer(b"")

    with http_server(Answer) as found.url:
        yield found


def attributes(span: Span) -> dict[str, str | int]:
    return {
        each.key: each.value.string_value or each.value.int_value
        for each in span.attributes
        if each.value.WhichOneof("value") in ("string_value", "int_value")
    }


@pytest.mark.parametrize("era", ERAS)
def test_trace_of_a_caller_reaches_each_request_to_reach(era: str) -> None:
    modern = era == "modern"
    carried = {"meta": {"traceparent": TRACEPARENT}} if modern else {"traceparent": TRACEPARENT}
    with (
        peer() as other,
        start("serve", "--http", "--port", "0", REACH_API_URL=other.url, REACH_API_TOKEN="x" * 20,
              REACH_MCP_LOG_FORMAT="json", REACH_MCP_SHUTDOWN_SECONDS="30", REACH_MCP_SEND_TRACE=str(modern).lower(),
              OTEL_EXPORTER_OTLP_ENDPOINT=other.url) as process,
    ):  # fmt: skip
        address, _ = wait_for_address(process)
        answer = call_list(address, era, **carried)
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_WITHIN) == 0
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
        logged = next(line for line in lines if line["message"] == "call")
        spans = other.spans()

    assert "b1" in str(read_events(answer)["result"])
    (called,) = spans[f"tools/call {LIST}"]
    first, *_, last = spans["GET"]
    assert (called.trace_id.hex(), called.parent_span_id.hex()) == (TRACE, PARENT)
    assert {(span.trace_id.hex(), span.parent_span_id) for span in spans["GET"]} == {(TRACE, called.span_id)}
    assert all(span.kind == Span.SPAN_KIND_CLIENT for span in spans["GET"])
    wanted = {"http.request.method": "GET", "server.address": "127.0.0.1", "url.full": f"{other.url}/api/batches"}
    wanted_first = wanted | {"http.response.status_code": 503, "error.type": "503"}
    wanted_last = wanted | {"http.response.status_code": 200, "http.request.resend_count": 1}
    assert attributes(first).items() >= wanted_first.items()
    assert attributes(last).items() >= wanted_last.items()
    assert logged["trace_id"] == TRACE
    sent = [f"00-{TRACE}-{span.span_id.hex()}-01" for span in (first, last)]
    assert other.reach == (sent if modern else [None, None])
    resource = {each.key: each.value.string_value for each in other.exports[0].resource_spans[0].resource.attributes}
    assert resource["service.name"] == "embedreach-mcp"


def test_collector_that_is_gone_delays_neither_calls_nor_the_end() -> None:
    with start(
        "serve", "--http", "--demo", "--port", "0",
        REACH_MCP_SHUTDOWN_SECONDS="30", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
    ) as process:  # fmt: skip
        address, _ = wait_for_address(process)
        answer = call_list(address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_WITHIN) == 0

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("variables", "built"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "console"}, False),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, False),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SERVICE_NAME": "support"}, True),
    ],
)
def test_variables_of_opentelemetry_decide(
    variables: dict[str, str], built: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in TRACE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)

    provider = build_provider()

    assert (provider is not None) == built
    if provider is not None:
        assert provider.resource.attributes["service.name"] == "support"
        provider.shutdown()


def test_missing_sdk_is_a_warning(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    assert build_provider() is None
    assert "embedreach-mcp[otel]" in caplog.text
