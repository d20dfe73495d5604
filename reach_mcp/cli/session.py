"""One run of the command line: settings, clock, the reading of batches, and how it ends."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reach_mcp.settings import Settings, load_settings, unknown_variables

if TYPE_CHECKING:
    from reach_mcp.analysis.report import Analysis
    from reach_mcp.analysis.results import BatchSummary
    from reach_mcp.api.models import Batch
    from reach_mcp.tools.context import Call, Report
    from reach_mcp.tools.snapshot import KeptAnalysis

Command = TypeVar("Command", bound=Callable[..., Any])
OK, FINDINGS, USAGE, UNREACHABLE, CRASH, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 70, 130, 141
"""Exit codes."""
QUIET_SECONDS = 1
"""A reading that ends within this time shows no progress."""


@dataclass
class Session:
    """`demo` is set by `--demo`, before or after the command. `transport` replaces the network."""

    demo: bool = False
    flags: dict[str, str | int] = field(default_factory=dict)
    """Settings that options override."""
    transport: Any = None
    now: Callable[[], float] = time.time
    """Unix seconds."""
    sleep: Callable[[float], None] = time.sleep
    zone: tzinfo | None = None
    """Time zone of the reader; None is that of this machine."""
    kept: KeptAnalysis | None = None
    """The last reading: its analysis is emptied as soon as nothing refers to it."""

    @property
    def options(self) -> dict[str, Any]:
        """Settings that the command line gives."""
        return ({"demo": True} if self.demo else {}) | self.flags

    @cached_property
    def settings(self) -> Settings:
        return load_settings(**self.options)

    def configure_logging(self) -> None:
        """People read answers, not log lines: these are shown only where somebody asks for them."""
        from reach_mcp.logs import configure_logging

        level = self.settings.log_level if "REACH_MCP_LOG_LEVEL" in os.environ else "ERROR"
        configure_logging(self.settings.model_copy(update={"log_level": level}))

    async def read_all(self, tenant: str | None, *, details: bool) -> Analysis:
        """Read every batch of the tenant, with pending resources if `details`."""
        from reach_mcp.api.query import BatchQuery
        from reach_mcp.tools.snapshot import read

        async with self._call(tenant, build_progress(self.now, with_rows=details)) as call:
            self.kept = (await read(call, BatchQuery(include_pending_details=details or None))).value
            return self.kept.analysis

    async def read_one(self, batch_id: str, tenant: str | None) -> Batch:
        """Read one batch with its pending resources."""
        from reach_mcp.tools.get_batch import fetch_batch

        async with self._call(tenant) as call:
            return await fetch_batch(call, batch_id)

    @asynccontextmanager
    async def _call(self, tenant: str | None, progress: Report | None = None) -> AsyncIterator[Call]:
        """A call as a tool makes it, which shows its progress on a terminal."""
        from reach_mcp.api.client import build_client
        from reach_mcp.api.deadline import Deadline
        from reach_mcp.tools.context import CALLER, Call, Caller, ToolContext

        self.configure_logging()
        for name in unknown_variables(os.environ):
            click.echo(f"Warning: unknown setting, ignored: {name}", err=True)
        context = ToolContext(self.settings, partial(build_client, self.settings, self.transport), clock=self.now)
        CALLER.set(Caller(report=progress))
        try:
            yield Call(context, Deadline(self.settings.deadline), tenant=context.tenant(tenant))
        finally:
            show_line("")
            await context.close()


def build_progress(clock: Callable[[], float], *, with_rows: bool) -> Report:
    """Shows how many batches are read, of how many, and an estimate of the time left; `with_rows` also the message."""
    started = clock()

    async def show(batches: float, total: float | None, message: str | None) -> None:
        seconds = clock() - started
        of = f" of {total:,.0f}" if total else ""
        left = f", {seconds / batches * (total - batches):,.0f} s left" if total and 0 < batches < total else ""
        if seconds >= QUIET_SECONDS:
            show_line(f"Reading: {batches:,.0f}{of} batches{left}" + (f" ({message})" if with_rows else ""))

    return show


def show_line(text: str) -> None:
    """Rewrite the line on the terminal. A pipe or file gets nothing."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()


def needs_attention(batch: BatchSummary) -> bool:
    """True if records of the batch wait or failed. A status without counters counts as well."""
    return batch.status in ("failure", "partial_success") or any((batch.failed, batch.pending, batch.listed))


def exit_code(found: object, complete: bool = True) -> int:
    """`found` is true where something waits or failed, `complete` where everything was read."""
    return FINDINGS if found else OK if complete else UNREACHABLE


def demo_option(command: Command) -> Command:
    """`--demo`, before or after the command."""

    def switch_on(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.ensure_object(Session).demo |= value

    text = "Use the built-in demo tenant; no credential is needed and no request leaves this machine."
    option = click.option("--demo", is_flag=True, expose_value=False, is_eager=True, callback=switch_on, help=text)
    return option(command)
