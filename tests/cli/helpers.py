"""Run the command line in this process, on the demo tenant or on batches of the test's own, at a fixed time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from click.testing import CliRunner, Result

from reach_mcp.api.transport import asgi_transport
from reach_mcp.cli.main import cli
from reach_mcp.cli.session import Session
from reach_mcp.demo.api import build_demo_api
from reach_mcp.demo.story import build_story

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=1))
STORY = build_story(NOW)


def demo_transport(batches: list[dict[str, Any]] | None = None) -> Any:
    """A Reach API with these batches, by default those of the demo."""
    tenants = {"acme": STORY["northwind"] if batches is None else batches}
    return asgi_transport(build_demo_api(tenants, default_tenant="acme"))


def run(*arguments: str, transport: Any = None, **environment: str) -> Result:
    """The result of `embedreach-mcp` with these arguments, as in a wide pipe."""
    session = Session(transport=transport or demo_transport(), now=NOW.timestamp, zone=BERLIN)
    known = {"REACH_API_TOKEN": "demo", "COLUMNS": "400"}
    return CliRunner().invoke(cli, arguments, obj=session, env=known | environment, prog_name="embedreach-mcp")
