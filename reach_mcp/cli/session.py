"""One run of the command line: settings, clock, the reading of batches, and how it ends."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reach_mcp.settings import Settings, load_settings, unknown_variables

if TYPE_CHECKING:
    from reach_mcp.analysis.report import Analysis
    from reach_mcp.analysis.results import BatchSummary
    from reach_mcp.api.client import ReachClient
    from reach_mcp.api.models import Batch

Command = TypeVar("Command", bound=Callable[..., Any])
OK, FINDINGS, USAGE, UNREACHABLE, CRASH, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 70, 130, 141
"""Exit codes."""


@dataclass
class Session:
    """`demo` is set by `--demo`, before or after the command. `transport` replaces the network."""

    demo: bool = False
    flags: dict[str, str | int] = field(default_factory=dict)
    """Settings that options override."""
    transport: Any = None
    now: Callable[[], float] = time.time
    """Unix seconds."""
    zone: tzinfo | None = None
    """Time zone of the reader; None is that of this machine."""

    @cached_property
    def settings(self) -> Settings:
        return load_settings(**({"demo": True} if self.demo else {}), **self.flags)

    async def read_all(self, tenant: str | None, *, details: bool) -> Analysis:
        """Read every batch of the tenant, with pending resources if `details`."""
        from reach_mcp.analysis.report import Analysis
        from reach_mcp.analysis.snapshot import SnapshotBuilder
        from reach_mcp.api.deadline import Deadline
        from reach_mcp.api.pagination import BatchReader
        from reach_mcp.api.query import BatchQuery
        from reach_mcp.tools.snapshot import DETAILED_PAGE_SIZES, PAGE_SIZES

        builder, deadline, read_at = SnapshotBuilder(with_details=details), Deadline(self.settings.deadline), self.now()
        query = BatchQuery(include_pending_details=details or None)
        sizes = DETAILED_PAGE_SIZES if details else PAGE_SIZES
        async with self._client() as client:
            reader = BatchReader(client, query, tenant=tenant, deadline=deadline, page_sizes=sizes)
            async for page in reader.pages():
                for batch in page.batches:
                    builder.add(self._censor(batch))
                show_progress(reader.coverage.batches, reader.coverage.total)
        show_progress(None, None)
        coverage = reader.coverage
        return Analysis(builder.build(coverage, float(int(read_at + coverage.clock_skew))))

    async def read_one(self, batch_id: str, tenant: str | None) -> Batch:
        """Read one batch with its pending resources."""
        from reach_mcp.api.deadline import Deadline

        async with self._client() as client:
            return self._censor(
                await client.get_batch(batch_id, tenant=tenant, deadline=Deadline(self.settings.deadline))
            )

    def _censor(self, batch: Batch) -> Batch:
        """The batch without free text of the API, where the settings say so."""
        from reach_mcp.tools.answers import without_messages

        return batch if self.settings.error_messages else without_messages(batch)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[ReachClient]:
        from reach_mcp.api.client import build_client
        from reach_mcp.logs import configure_logging

        # People read answers, not log lines: these are shown only where somebody asks for them.
        level = self.settings.log_level if "REACH_MCP_LOG_LEVEL" in os.environ else "ERROR"
        configure_logging(self.settings.model_copy(update={"log_level": level}))
        for name in unknown_variables(os.environ):
            click.echo(f"Warning: unknown setting, ignored: {name}", err=True)
        async with build_client(self.settings, self.transport) as client:
            yield client


def needs_attention(batch: BatchSummary) -> bool:
    """True if records of the batch wait or failed. A status without counters counts as well."""
    return batch.status in ("failure", "partial_success") or any((batch.failed, batch.pending, batch.listed))


def exit_code(found: object, complete: bool = True) -> int:
    """`found` is true where something waits or failed, `complete` where everything was read."""
    return FINDINGS if found else OK if complete else UNREACHABLE


def show_progress(batches: int | None, total: int | None) -> None:
    """Rewrite a line on the terminal; None clears it. A pipe or file gets nothing."""
    if sys.stderr.isatty():
        text = "" if batches is None else f"Reading: {batches}{f' of {total}' if total else ''} batches"
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def demo_option(command: Command) -> Command:
    """`--demo`, before or after the command."""

    def switch_on(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.ensure_object(Session).demo |= value

    text = "Use the built-in demo tenant; no credential is needed and no request leaves this machine."
    option = click.option("--demo", is_flag=True, expose_value=False, is_eager=True, callback=switch_on, help=text)
    return option(command)
