"""`list`, `batch`, `explain` and `demo`: the answers of the three tools, for people and for files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any, get_args

import anyio
import click

from reach_mcp.analysis.batch_stats import describe_batch
from reach_mcp.analysis.report import Question, explain
from reach_mcp.analysis.results import BatchListing, Cause, Explanation, Order, Section, View
from reach_mcp.api.query import BatchType
from reach_mcp.cli.hosts import to_type
from reach_mcp.cli.layout import fit
from reach_mcp.cli.output import Clock, Format, terminal_width, to_text, write
from reach_mcp.cli.session import UNREACHABLE, USAGE, Command, Session, demo_option, exit_code, needs_attention
from reach_mcp.cli.tables import report_detail, report_explanation, report_listing
from reach_mcp.cli.watch import WatchedBatches, WatchedExplanation, repeat, watch_option
from reach_mcp.render.glossary import LEGEND
from reach_mcp.tools.arguments import SYNONYMS, ExplainArguments, ListBatchesArguments, Status
from reach_mcp.tools.batch_filter import build_filter
from reach_mcp.tools.list_batches import select

EVERYTHING = 1_000_000_000
"""A limit that no list reaches: the command line has no budget."""
SUMMARY_ROWS = 10
TYPES = ("ingest", "delete", "patch", "json_ingest", *get_args(BatchType))
PENDING = "only_batches_with_pending_resources"
NOT_NAMED = [LEGEND['"kind":"not_pending"'], "Name a record as schema:external_id, and a batch by its id."]
ERRORS_IN = "The batch has errors too: see --format table or json."
FILTERS = ("status", "batch_type", "schema", "created_after", "created_before")
STATUSES, CAUSES, ORDERS, VIEWS, FORMATS = map(get_args, (Status, Cause, Order, View, Format))


def apply_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    return reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


def reading_options(command: Command) -> Command:
    """Options of every command that reads batches."""
    tenant = "The tenant, where the credential may read several and REACH_TENANT_ID names none."
    form = "Tables for people, or whole results for programs and files."
    kinds = click.Choice(FORMATS)
    return apply_options(
        demo_option(command),
        click.option("--tenant-id", help=tenant),
        click.option("--format", "output", type=kinds, default="table", show_default=True, help=form),
        click.option("--json", "output", flag_value="json", help="Short for --format json."),
    )


class StatusChoice(click.Choice[str]):
    """Also takes the words that the tools take, such as `failed`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert(SYNONYMS.get(str(value).lower(), value), param, ctx)


def filter_options(command: Command) -> Command:
    """Options that make a `BatchFilter`, named as the arguments of the tools."""
    statuses, types = StatusChoice(STATUSES, case_sensitive=False), click.Choice(TYPES, case_sensitive=False)
    return apply_options(
        command,
        click.option("--status", type=statuses, help="Only batches in this state."),
        click.option("--batch-type", type=types, metavar="[ingest|delete|patch]", help="Only batches of this type."),
        click.option("--schema", help="Only this schema, by name or definition id."),
        click.option("--created-after", metavar="TIME", help="Only batches created since: 24h, 7d, a date or a time."),
        click.option("--created-before", metavar="TIME", help="Only batches created before."),
    )


@click.command("list")
@filter_options
@click.option("--only-pending", PENDING, is_flag=True, help="Only batches with pending records.")
@click.option("--limit", type=click.IntRange(1), help="Rows to show, newest batch first.  [default: all]")
@click.option("--scope", type=click.Choice(["all"]), hidden=True, expose_value=False, help="Always all batches.")
@watch_option
@reading_options
@click.pass_context
def list_command(
    ctx: click.Context, /, output: Format, tenant_id: str | None, limit: int | None, watch: int | None, **filters: Any
) -> None:
    """Count the batches that match and show a row for each.

    \b
    Examples:
      embedreach-mcp list --demo --status failure --created-after 24h
      embedreach-mcp list --demo --status processing --watch 30
    """
    session = ctx.ensure_object(Session)
    arguments = ListBatchesArguments(scope="all", **filters)
    everything = arguments.model_copy(update={"limit": EVERYTHING})

    def read() -> BatchListing:
        conditions = build_filter(arguments, session.now())
        analysis = anyio.run(lambda: session.read_all(tenant_id, details=False))
        return select(analysis.snapshot, everything, conditions, error_groups=EVERYTHING)

    if watch:
        repeat(session, watch, WatchedBatches(read, limit or EVERYTHING), output)
    listing = read()
    shown = replace(listing, batches=Section.of(listing.batches.items, 0, limit or EVERYTHING))
    write(report_listing(shown), shown, output, Clock(listing.as_of, session.zone))
    ctx.exit(exit_code(any(map(needs_attention, listing.batches.items)), listing.coverage.complete))


@click.command("batch")
@click.argument("batch_id")
@reading_options
@click.pass_context
def batch_command(ctx: click.Context, batch_id: str, output: Format, tenant_id: str | None) -> None:
    """Show the state, the errors and the pending records of one batch.

    \b
    Example:
      embedreach-mcp batch --demo bat_cus_0912
    """
    session = ctx.ensure_object(Session)
    batch = anyio.run(lambda: session.read_one(batch_id, tenant_id))
    detail = describe_batch(batch, session.now(), limit=EVERYTHING, with_resources=True)
    write(report_detail(detail), detail, output, Clock(detail.as_of, session.zone))
    if output == "csv" and detail.error_groups.total:
        click.echo(f"CSV lists pending records, here {detail.pending}. {ERRORS_IN}", err=True)
    ctx.exit(exit_code(needs_attention(detail.batch) or detail.pending or detail.expired))


@click.command("explain")
@click.option("--view", type=click.Choice(VIEWS), help="One part of the answer, whole.  [default: summary]")
@click.option(
    "--order", type=click.Choice(ORDERS), default="waiting", show_default=True, help="Order of missing records."
)
@click.option("--cause", type=click.Choice(CAUSES), help="Only missing records with this cause.")
@click.option("--focus", default="", help="One record (schema:external_id) or batch: why it waits, and what for.")
@click.option(
    "--assume-arrived", multiple=True, help="A record (schema:external_id) that is assumed to have arrived. Repeatable."
)
@click.option("--since", default="", help="'start' prints a token; with that token: what changed since.")
@click.option("--limit", type=click.IntRange(1), help="Rows of the view.  [default: 10 in the summary, else all]")
@watch_option
@filter_options
@reading_options
@click.pass_context
def explain_command(
    ctx: click.Context, /, output: Format, tenant_id: str | None, limit: int | None, watch: int | None, **arguments: Any
) -> None:
    """Explain why records wait: what is missing, why, what is lost first and what to send.

    \b
    Examples:
      embedreach-mcp explain --demo
      embedreach-mcp explain --demo --focus appointments:apt_5001
      embedreach-mcp explain --demo --view plan --format csv
      embedreach-mcp explain --demo --view expired --format csv
      embedreach-mcp explain --demo --watch 30
    """
    session = ctx.ensure_object(Session)
    filters = {name: arguments.pop(name) for name in FILTERS}
    view, since = arguments.pop("view") or ("blockers" if output == "csv" else "summary"), arguments.pop("since")
    in_brief = view == "summary" and not (arguments["focus"] or arguments["assume_arrived"])
    rows = limit or (SUMMARY_ROWS if in_brief else EVERYTHING)

    def ask(token: str) -> Explanation:
        chosen = build_filter(ExplainArguments(**filters), session.now())
        analysis = anyio.run(lambda: session.read_all(tenant_id, details=True))
        return explain(analysis, Question(view=view, limit=rows, filter=chosen, since=token, **arguments))  # type: ignore[arg-type]

    if watch:
        repeat(session, watch, WatchedExplanation(ask), output, since)
    explanation = ask(since)
    report, focus, complete = report_explanation(explanation), explanation.focus, explanation.coverage.complete
    unknown = focus is not None and focus.kind == "not_pending" and focus.record is None
    report.lines.extend(NOT_NAMED if unknown else [])
    write(report, explanation, output, Clock(explanation.as_of, session.zone))
    if explanation.token and output != "json":
        click.echo(f"Token for --since: {explanation.token}", err=True)
    if unknown:
        ctx.exit(USAGE if complete else UNREACHABLE)
    counts = explanation.counts
    found = counts.pending or counts.expired or counts.unreadable_resources or counts.batches_with_counter_but_no_rows
    ctx.exit(exit_code(found, complete))


SITUATION = """\
Northwind, a field service firm, uploads customers, locations, invoices and appointments to Reach every night.
Today hundreds of its records are stuck: they wait for records that are missing, and after 24 hours they are deleted."""

QUESTION = "Why are our records stuck, what do we lose first, and what should we send?"
NEXT = """\
Try next:
  embedreach-mcp explain --demo --focus appointments:apt_5001   why one record waits, down to the root
  embedreach-mcp explain --demo --view plan                     everything to send, best first
  embedreach-mcp explain --demo --view cycles                   records that wait for each other
  embedreach-mcp batch --demo bat_cus_0912                      one batch and its errors
  embedreach-mcp list --demo --status failure                   batches that failed"""


@click.command("demo")
@demo_option
@click.pass_context
def demo_command(ctx: click.Context) -> None:
    """Show one question and its answer on the built-in demo tenant, and how to connect a host.

    \b
    Example:
      embedreach-mcp demo
    """
    session = ctx.ensure_object(Session)
    session.demo = True
    analysis = anyio.run(lambda: session.read_all(None, details=True))
    explanation = explain(analysis, Question(limit=5))
    brief = replace(report_explanation(explanation), after=[])
    width = terminal_width()
    answer = to_text(brief, Clock(explanation.as_of, session.zone), width)
    calls = "The model calls: explain_pending_dependencies {}"
    asked = f'Somebody asks: "{QUESTION}"\n{calls}\nThe answer, as a person reads it:'
    following = NEXT.replace("embedreach-mcp", to_type())
    shown = [fit(text, width) for text in (SITUATION, asked, following, how_to_connect())]
    click.echo("\n\n".join([*shown[:2], answer, *shown[2:]]))


def how_to_connect() -> str:
    """Commands that add this server to a host, as they work on this machine."""
    hosts = "\n".join(
        f"  {to_type(['install', host, '--demo'])}" for host in ("claude-desktop", "claude-code", "vscode")
    )
    return f"""\
Connect a host (each shows its change and asks before it makes it; also cursor, codex and gemini):
{hosts}
For your own data leave --demo out. More in docs/install.md."""
