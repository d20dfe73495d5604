"""`report`: one page for the person who looks after a tenant and for the customer, as Markdown or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import click

from reach_mcp.analysis import results
from reach_mcp.analysis.report import Analysis, Question, explain
from reach_mcp.analysis.results import Order, View
from reach_mcp.cli import report_chapters as chapter
from reach_mcp.cli.document import Document, Part, code, to_markdown
from reach_mcp.cli.output import Clock, Time
from reach_mcp.cli.report_html import to_html
from reach_mcp.cli.report_message import describe_losses, write_date, write_message
from reach_mcp.cli.session import Session, demo_option, exit_code, needs_attention
from reach_mcp.cli.tables import sentences
from reach_mcp.render.formatting import batches, plural
from reach_mcp.render.glossary import LEGEND
from reach_mcp.render.options import RenderOptions
from reach_mcp.render.pending_report import build_report

_VIEW = re.compile(r" \(view=\w+\)")
"""Where a tool or a command lists more. The page's readers have neither."""


class ZonedClock(Clock):
    """Writes a date and the name of the reader's zone: a file is read on other days and in other places."""

    def format(self, time: Time) -> str:
        """Such as `26 Nov 14:42 CET`, with the year if it is not that of the reading."""
        moment, now = datetime.fromtimestamp(time.at, UTC), datetime.fromtimestamp(self.now, UTC)
        with suppress(OverflowError):  # a local time after the last year of the calendar
            moment = moment.astimezone(self.zone)
        year = f" {moment.year}" if moment.year != now.year else ""
        return f"{moment.day} {moment:%b}{year} {moment:%H:%M %Z}"


ENDINGS = {".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html"}
"""Of files, with the format that each stands for."""


@click.command("report")
@click.option(
    "--format", "form", type=click.Choice(["markdown", "html"]), help="[default: by the ending of FILE, else markdown]"
)
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file: .md, .markdown, .html or .htm.",
)
@click.option("--tenant-id", help="The tenant, where the credential may read several and REACH_TENANT_ID names none.")
@demo_option
@click.pass_context
def report_command(ctx: click.Context, form: str | None, file: Path | None, tenant_id: str | None) -> None:
    """Write one page: what waits and why, what is lost next, what to do, and a message to the customer.

    \b
    Examples:
      embedreach-mcp report --demo
      embedreach-mcp report --demo -o report.html
    """
    session, ending = ctx.ensure_object(Session), file.suffix.lower() if file and not form else ""
    if file and not form and ending not in ENDINGS:
        raise click.UsageError(f"{file}: name a file that ends in .md, .markdown, .html or .htm, or add --format.")
    analysis = anyio.run(lambda: session.read_all(tenant_id, details=True))
    settings, clock = session.settings, ZonedClock(analysis.as_of, session.zone)
    tenant = tenant_id or settings.tenant_id or (settings.demo_tenant if settings.demo else "")
    document = build_document(analysis, clock, tenant)
    as_html = (form or ENDINGS.get(ending)) == "html"
    text = (to_html if as_html else to_markdown)(document, clock)
    if file is None:
        click.echo(text)
    else:
        wrote = "Replaced" if file.exists() else "Wrote"
        try:
            file.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise click.UsageError(f"{file} can't be written: {error.strerror}") from error
        click.echo(f"{wrote} {file}.", err=True)
    found = any(map(needs_attention, analysis.snapshot.batches))
    ctx.exit(exit_code(found, analysis.snapshot.coverage.complete))


def build_document(analysis: Analysis, clock: Clock, tenant: str) -> Document:
    """The chapters, from the answers to the questions that `explain` and `list` answer. `tenant` may be empty."""

    def ask(view: View, order: Order = "waiting") -> results.Explanation:
        return explain(analysis, Question(view=view, order=order, limit=chapter.MAX_ROWS))

    found, urgent = ask("summary"), ask("blockers", "expiry").blockers
    found = replace(found, plan=ask("plan").plan, expiry=ask("expiry").expiry, expired=ask("expired").expired)
    hours, lost = found.expiry and found.expiry.hours, found.expired and found.expired.records
    steps = found.plan and found.plan.steps
    chapters: dict[str, Iterable[Part]] = {
        "What is lost next": chapter.describe_hours(hours) if hours and hours.items else (),
        "What is lost already": chapter.list_lost(lost) if lost and lost.items else (),
        "What to do, best first": chapter.list_steps(found, steps, clock) if steps else (),
        "Which records are missing, and why": chapter.list_missing(found, clock),
        "Cycles and the longest chain": chapter.draw_cycles_and_chain(found, analysis, clock),
        "Batches that failed": chapter.list_failed(analysis),
        "Message to the customer": write_message(found, urgent.items if urgent else (), clock),
        "What this report does not know": _limits(found),
    }
    shown = [(title, parts) for title, each in chapters.items() if (parts := [*each])]
    title = f"Records that wait in tenant {code(tenant)}" if tenant else "Records that wait"
    return Document(title, _verdict(found, clock), shown)


def _verdict(found: results.Explanation, clock: Clock) -> str:
    """Two sentences: as of when, how much was read and what waits; then what is lost."""
    counts, read = found.counts, found.coverage
    waits = plural(counts.pending, "record waits", "records wait") if counts.pending else "no record waits"
    missing = f" for {plural(counts.missing_records, 'missing record')}" if counts.missing_records else ""
    source = f"all {batches(read.batches)}" if read.complete else f"{batches(read.batches)}, but not from all"
    lost = f"{plural(counts.expired, 'record is', 'records are')} lost already" if counts.expired else ""
    soon = f"If nothing is sent, {losses}" if (losses := describe_losses(found.expiry, clock)) else ""
    rest = "; ".join(filter(None, (soon, lost))) or "None is lost within 24 hours"
    return f"As of {write_date(found.as_of, clock)}, {waits}{missing} (read from {source}). {rest}."


def _limits(found: results.Explanation) -> Iterator[Part]:
    answer = build_report(found, RenderOptions())
    read = answer.coverage
    part = f"{read.batches:,} of {batches(read.of)}" if read.of else batches(read.batches)
    whole = f"All {batches(read.batches)} were read." if read.batches else "There are no batches."
    yield whole if read.complete else f"Not everything was read: {part}; {read.why}."
    yield from (line for line in sentences(_VIEW.sub("", answer.verdict)) if line.startswith("The batches' counters"))
    yield from (" ".join(sentences(_VIEW.sub("", note))) for note in answer.notes)
    yield (
        "Records are counted as Reach lists them: one that was sent twice may wait twice. A list shows at most "
        f"{chapter.MAX_ROWS} records, a drawing {chapter.MAX_NODES} boxes. {LEGEND['']}"
    )
