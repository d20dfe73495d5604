"""Real processes: a signal lets open calls end, a second one does not; what is announced; what is not logged."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import httpx
import pytest

from tests.helpers import ERAS, read_events
from tests.processes import ENDS_WITHIN, SlowApi, call_list, slow_api, start, wait_for_address


def serving(api: SlowApi, grace: int) -> AbstractContextManager[subprocess.Popen[str]]:
    """A server whose calls wait for this API."""
    return start("serve", "--http", "--port", "0", REACH_API_URL=api.url, REACH_API_TOKEN="x" * 20,
                 REACH_MCP_SHUTDOWN_SECONDS=str(grace), REACH_MCP_LOG_FORMAT="json")  # fmt: skip


@contextmanager
def open_call(address: str, api: SlowApi, era: str = "legacy") -> Iterator[list[httpx.Response | httpx.HTTPError]]:
    """A call that has reached the API when the block begins. At its end, the list has the answer or the error."""
    found: list[httpx.Response | httpx.HTTPError] = []

    def call() -> None:
        try:
            found.append(call_list(address, era))
        except httpx.HTTPError as error:
            found.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    assert api.asked.wait(ENDS_WITHIN)
    yield found
    caller.join()


def wait_for_refusal(address: str) -> None:
    """Wait until the server has taken the signal and accepts no more connections."""
    with suppress(httpx.HTTPError), httpx.Client(trust_env=False, timeout=1) as client:
        while True:
            client.get(address.removesuffix("/mcp") + "/healthz", headers={"connection": "close"})


@pytest.mark.parametrize("era", ERAS)
def test_open_http_call_ends_within_the_grace(era: str) -> None:
    with slow_api() as api, serving(api, grace=20) as process:
        address, said = wait_for_address(process)
        with open_call(address, api, era) as found:
            process.send_signal(signal.SIGTERM)
            wait_for_refusal(address)
            api.release.set()
        assert process.wait(ENDS_WITHIN) == 0
        assert process.stderr is not None
        rest = process.stderr.read()

    assert isinstance(found[0], httpx.Response)
    assert "b1" in read_events(found[0])["result"]["content"][0]["text"]
    assert all(json.loads(line)["level"] == "INFO" for line in (said + rest).splitlines())


def test_a_credential_that_cannot_be_used_is_told_at_the_start() -> None:
    with start("serve", "--http", "--port", "0", REACH_API_TOKEN_FILE="/nonexistent") as process:
        address, said = wait_for_address(process)
        assert httpx.get(address.removesuffix("/mcp") + "/readyz", trust_env=False).status_code == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_WITHIN) == 0

    assert "WARNING reach_mcp.transports.http calls will fail reason=\"REACH_API_TOKEN_FILE can't be read" in said


def test_drained_server_is_not_ready_and_still_answers() -> None:
    with start("serve", "--http", "--demo", "--port", "0", REACH_MCP_DRAIN_SECONDS="300") as process:
        address, _ = wait_for_address(process)
        ready = address.removesuffix("/mcp") + "/readyz"
        with httpx.Client(trust_env=False, timeout=ENDS_WITHIN) as client:
            assert client.get(ready).status_code == 200
            process.send_signal(signal.SIGTERM)
            while client.get(ready).status_code == 200:  # until the signal has come
                pass
            reason = client.get(ready).json()["reason"]
            answer = call_list(address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_WITHIN) in (-signal.SIGTERM, 128 + signal.SIGTERM)

    assert reason == "This server is shutting down."
    assert not read_events(answer)["result"].get("isError")


def test_call_that_outlasts_the_grace_is_cut_and_logged_in_one_line() -> None:
    with slow_api() as api, serving(api, grace=0) as process:
        address, _ = wait_for_address(process)
        with open_call(address, api) as found:
            process.send_signal(signal.SIGTERM)
            process.wait(ENDS_WITHIN)
        assert process.stderr is not None
        said = process.stderr.read()

    assert isinstance(found[0], httpx.HTTPError)
    assert '"outcome": "cancelled"' in said
    assert "Traceback" not in said


def test_second_signal_ends_a_server_over_http_at_once() -> None:
    with slow_api() as api, serving(api, grace=300) as process:
        address, _ = wait_for_address(process)
        with open_call(address, api) as found:
            process.send_signal(signal.SIGTERM)
            wait_for_refusal(address)
            process.send_signal(signal.SIGTERM)
            assert process.wait(ENDS_WITHIN) in (-signal.SIGTERM, 128 + signal.SIGTERM)

    assert isinstance(found[0], httpx.HTTPError)


STUCK = """
import sys
import threading
import anyio
from reach_mcp.settings import Settings
from reach_mcp.transports.http import listen, serve_app

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"working", "more_body": True})
        threading.Event().wait()

listener, address = listen("127.0.0.1", 0)
print("listening on", address, file=sys.stderr, flush=True)
anyio.run(lambda: serve_app(app, listener, Settings.model_construct(shutdown_seconds=0)))
"""


def test_server_ends_after_the_grace_even_if_its_event_loop_is_blocked() -> None:
    with start("-c", STUCK, command=(sys.executable,)) as process:
        address, _ = wait_for_address(process)
        with httpx.Client(trust_env=False, timeout=ENDS_WITHIN) as client, client.stream("GET", address) as response:
            next(response.iter_bytes())
            process.send_signal(signal.SIGTERM)
            assert process.wait(ENDS_WITHIN) == 128 + signal.SIGTERM


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_demo_api_says_where_it_listens_and_ends(number: signal.Signals, code: int) -> None:
    with start("demo-api", "--port", "0") as process:
        address, _ = wait_for_address(process)
        with httpx.Client(trust_env=False, headers={"Authorization": "Bearer demo"}) as client:
            assert client.get(f"{address}/api/batches").status_code == 200
        process.send_signal(number)
        assert process.wait(ENDS_WITHIN) == code
