"""Servers in processes of their own, and a Reach API that answers when it is told to."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from tests.builders import batch, page
from tests.helpers import LIST, request_of

ROOT = Path(__file__).parents[1]
COMMAND = (sys.executable, "-m", "reach_mcp")
ENDS_WITHIN = 30.0


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without any setting of ours, and these over it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REACH_")}
    return inherited | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"} | settings


@dataclass
class SlowApi:
    """A Reach API whose answers wait for `release`; `asked` is set at the first request."""

    url: str = ""
    asked: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of a server that runs in a process of its own."""

    def answer(self, body: object, status: int = 200, **headers: str) -> None:
        """Answer with bytes, or with a value as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None: ...


@contextmanager
def http_server(handler: type[Handler]) -> Iterator[str]:
    """The URL of a server on loopback while the block runs."""
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def slow_api() -> Iterator[SlowApi]:
    api = SlowApi()

    class Answer(Handler):
        def do_GET(self) -> None:
            api.asked.set()
            api.release.wait(ENDS_WITHIN)
            self.answer(page(batch("b1")))

    with http_server(Answer) as api.url:
        try:
            yield api
        finally:
            api.release.set()


@contextmanager
def start(
    *arguments: str, stdin: bool = False, command: tuple[str, ...] = COMMAND, **settings: str
) -> Iterator[subprocess.Popen[str]]:
    """Start the command. It is ended by its id, whatever happens."""
    process = subprocess.Popen(
        [*command, *arguments],
        env=environment(**settings),
        cwd=ROOT,
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if stdin else subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def wait_for_address(process: subprocess.Popen[str]) -> tuple[str, str]:
    """The address that a server over HTTP announces, and the lines up to there."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if found := re.search(r"listening on (http://[^\s\"]+)", line):
            return found[1], said
    raise AssertionError(f"the server ended before it was ready:\n{said}")


def call_list(
    address: str, era: str = "legacy", *, meta: dict[str, str] | None = None, **headers: str
) -> httpx.Response:
    """One call of list_batches over HTTP."""
    params = {"name": LIST, "arguments": {"limit": 3}} | ({"_meta": meta} if meta else {})
    body, sent = request_of(era, "tools/call", params)
    with httpx.Client(trust_env=False, timeout=ENDS_WITHIN) as client:
        return client.post(address, json=body, headers=sent | headers)
