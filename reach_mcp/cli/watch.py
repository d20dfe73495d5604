"""`--watch`: reads again and again. A terminal shows the whole answer each time, a pipe what changed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, NoReturn

import click

from reach_mcp.analysis import results
from reach_mcp.analysis.results import Section
from reach_mcp.analysis.times import to_utc
from reach_mcp.api.errors import Forbidden, ReachError, Unauthorized
from reach_mcp.api.transport import asgi_transport
from reach_mcp.cli.errors import translate
from reach_mcp.cli.output import Clock, Report, terminal_width, to_text
from reach_mcp.cli.session import USAGE, Command, Session
from reach_mcp.cli.tables import BATCHES, MOVED, report_explanation, report_listing
from reach_mcp.render.formatting import listing

_CHANGED = replace(BATCHES, title="Batches that are new or changed")


class Look(NamedTuple):
    """One reading. `changes` is None if nothing changed, and the whole report at the first reading."""

    whole: Report
    changes: Report | None
    as_of: float


def watch_option(command: Command) -> Command:
    text = "Read again every so many seconds (by default 60) and show what changed. Ctrl-C ends it."
    seconds = click.IntRange(10)
    return click.option("--watch", type=seconds, is_flag=False, flag_value=60, metavar="[SECONDS]", help=text)(command)


def repeat(session: Session, seconds: int, look: Callable[[], Look], output: str, since: str = "") -> NoReturn:
    """Look again and again until an interrupt. A reading that fails is told, and the next one tried.

    Raises QuestionError and ConfigurationError, and of ReachError those that a next reading would raise again.
    """
    if output != "table" or since:
        raise click.UsageError("--watch shows tables and makes its own tokens: leave --format, --json and --since out.")
    if session.settings.demo and session.transport is None:
        from reach_mcp.demo.api import build_demo_api
        from reach_mcp.demo.story import DEFAULT_TENANT, build_story

        # One for all readings: each client alone would have one whose times start with it.
        demo = build_demo_api(build_story(to_utc(session.now())), default_tenant=DEFAULT_TENANT)
        session.transport = asgi_transport(demo)
    changed, terminal = "", sys.stdout.isatty()
    while True:
        try:
            seen = look()
            changed = _moment(session) if seen.changes else changed
            head = f"Every {seconds} s. Read {_moment(session)}, unchanged since {changed}.\n"
            if report := seen.whole if terminal else seen.changes:
                click.clear()  # does nothing in a pipe
                text = to_text(report, Clock(seen.as_of, session.zone), terminal_width())
                click.echo(f"{click.style(head, bold=True)}\n{text}" if terminal else f"{changed}\n{text}\n")
        except ReachError as error:
            failure = translate(error)
            if getattr(failure, "exit_code", USAGE) == USAGE and not isinstance(error, Unauthorized | Forbidden):
                raise
            click.echo(f"{_moment(session)}: {failure} The next reading is in {seconds} s.", err=True)
        session.sleep(seconds)


def _moment(session: Session) -> str:
    """Such as `2026-11-23 13:00:00+01:00`"""
    return to_utc(session.now()).astimezone(session.zone).isoformat(sep=" ", timespec="seconds")


@dataclass
class WatchedExplanation:
    """Each look compares with the last complete one by its `since` token. `ask` answers with a token."""

    ask: Callable[[str], results.Explanation]
    token: str = ""

    def __call__(self) -> Look:
        found = self.ask(self.token or "start")
        complete, changes = found.coverage.complete, found.changes
        self.token = found.token
        whole = report_explanation(found)
        if changes is None:
            return Look(whole, whole, found.as_of)
        if changes.gone_at_least and changes.expired_at_most:
            whole.lines.append(f"Of those gone at most {changes.expired_at_most} can have expired.")
        changed = not changes.unchanged and (complete or changes.new_at_least or changes.gone_at_least)
        moved = MOVED.table(Section(changes.moved, len(changes.moved)))
        return Look(whole, Report(whole.lines, moved, notes=whole.notes) if changed else None, found.as_of)


@dataclass
class WatchedBatches:
    """Each look compares the batches with those seen before. `read` gives all that match, `limit` is for the table."""

    read: Callable[[], results.BatchListing]
    limit: int
    before: dict[str, results.BatchSummary] | None = None

    def __call__(self) -> Look:
        found, before = self.read(), self.before
        now = {batch.id: batch for batch in found.batches.items}
        self.before = now if found.coverage.complete else (before or {}) | now
        whole = report_listing(replace(found, batches=Section.of(found.batches.items, 0, self.limit)))
        if before is None:
            return Look(whole, whole, found.as_of)
        touched = tuple(batch for batch in now.values() if before.get(batch.id) != batch)
        gone, new = [name for name in before if name not in self.before], sum(one.id not in before for one in touched)
        missing = f" Gone: {listing(gone)}." if gone else ""
        whole.lines.append(
            f"Since the last reading: {new} new, {len(touched) - new} changed, {len(gone)} gone.{missing}"
        )
        changes = Report(whole.lines, _CHANGED.table(Section(touched, len(touched))))
        return Look(whole, changes if touched or gone else None, found.as_of)
