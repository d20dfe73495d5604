"""Audit records: one for each call by any method, bounded and without secrets; never a reason for a call to fail."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp_types import ResourceTemplateReference

from reach_mcp.server import BATCH_URI, ReachServer
from reach_mcp.settings import ConfigurationError
from reach_mcp.tools.audit import MAX_ARGUMENT_CHARS, MAX_DEPTH, open_audit
from tests.builders import batch, page
from tests.fakes import ScriptedTransport
from tests.helpers import GET, LIST, TOKEN, api_of, call, serve, settings_of

pytestmark = pytest.mark.anyio

JWT = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.c2ln"
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full and file size limits")


@contextmanager
def audited(path: Path) -> Iterator[ReachServer]:
    server = serve(api_of([batch("b1")]))
    server.context.audit = open_audit(settings_of(audit=str(path)), over_http=False)
    yield server


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _depth(value: object) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(_depth, parts), default=0)


async def test_every_method_that_reads_reach_leaves_a_record(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with audited(path) as server:
        async with Client(server) as client:
            await client.call_tool(LIST, {"limit": 5, "tenant_id": "acme"})
            await client.read_resource("reach://batches/b1")
            await client.complete(ResourceTemplateReference(uri=BATCH_URI), {"name": "batch_id", "value": "b"})
            await client.call_tool(GET, {"batch_id": "unknown"})

    records = read(path)
    assert [(one["method"], one["tool"], one["outcome"], one.get("error")) for one in records] == [
        ("tools/call", LIST, "ok", None),
        ("resources/read", GET, "ok", None),
        ("completion/complete", "completion/complete", "ok", None),
        ("tools/call", GET, "error", "batch_not_found"),
    ]
    assert [one["tenant"] for one in records] == ["acme", "default", "default", "default"]
    assert [one["requests"] for one in records] == [1, 1, 1, 1]
    assert [one["answer_bytes"] > 0 for one in records] == [True, True, False, True]
    assert records[0]["arguments"] == {"limit": 5, "tenant_id": "acme"}
    assert records[0]["time"].endswith("+00:00")
    assert {"caller", "request", "ms"} <= records[0].keys()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_arguments_are_bounded_and_without_secrets(tmp_path: Path) -> None:
    path, deep = tmp_path / "audit.jsonl", json.loads("[" * 50 + "]" * 50)
    with audited(path) as server:
        await call(server, GET, batch_id=f"b1\n{JWT} {TOKEN}", **{JWT: None, "deep": deep})
        await call(server, GET, batch_id="x" * 5_000)

    first, second = read(path)
    assert JWT not in path.read_text()
    assert TOKEN not in path.read_text()
    assert _depth(first["arguments"]) == MAX_DEPTH
    assert first["arguments"]["batch_id"].startswith("b1\n")
    assert len(second["arguments"]) == MAX_ARGUMENT_CHARS


async def test_record_on_stdout_names_the_request_of_reach(capfd: pytest.CaptureFixture[str]) -> None:
    server = serve(ScriptedTransport(httpx.Response(200, headers={"x-request-id": "rq-1"}, json=page())))
    server.context.audit = open_audit(settings_of(audit="-"), over_http=True)

    await call(server, LIST)

    assert json.loads(capfd.readouterr().out)["reach_request"] == "rq-1"


async def test_file_that_was_renamed_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with audited(path) as server:
        await call(server, LIST)
        path.rename(tmp_path / "audit.jsonl.1")
        await call(server, LIST)

    assert [len(read(tmp_path / name)) for name in ("audit.jsonl.1", "audit.jsonl")] == [1, 1]


@on_linux
async def test_full_disk_is_logged_once_and_fails_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "audit.jsonl"
    path.symlink_to("/dev/full")
    with audited(path) as server:
        answers = [await call(server, LIST) for _ in range(3)]
        path.unlink()
        answers.append(await call(server, LIST))

    assert not any(answer.is_error for answer in answers)
    assert len(read(path)) == 1
    said = [(record.levelname, record.message) for record in caplog.records if "audit" in record.message]
    assert said == [("ERROR", "audit records are lost"), ("WARNING", "audit records are written again")]
    assert caplog.records[-1].facts == {"lost": 3}  # type: ignore[attr-defined]


@on_linux
def test_torn_record_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "audit.jsonl"
    audit = open_audit(settings_of(audit=str(path)), over_http=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        audit.write(0, {}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    audit.write(1, {}, {})

    torn, whole = path.read_text().splitlines()
    assert len(torn) == 20
    assert json.loads(whole) == {"time": "1970-01-01T00:00:01.000+00:00", "arguments": {}}


@pytest.mark.parametrize(("name", "words"), [("-", "stdout carries MCP"), (os.devnull + "/x", "can't be written")])
def test_audit_that_cannot_be_written_ends_the_start(name: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        open_audit(settings_of(audit=name), over_http=False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="can't be written"):
        open_audit(settings_of(audit=str(tmp_path / "pipe")), over_http=False)


async def test_without_a_setting_there_is_no_audit() -> None:
    server = serve(api_of([]))
    server.context.audit = open_audit(settings_of(), over_http=False)

    assert not (await call(server, LIST)).is_error
