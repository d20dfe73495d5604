"""`list`, `batch` and `explain`: the answers of the three tools, for people and for files."""

from __future__ import annotations

from typing import Any

import anyio
import click

from reach_mcp.analysis.batch_stats import census, describe_batch, group_all_errors
from reach_mcp.analysis.report import Question, explain
from reach_mcp.analysis.results import BatchListing, Section
from reach_mcp.cli.batch_tables import report_detail, report_listing
from reach_mcp.cli.demo_option import demo_option
from reach_mcp.cli.exit_codes import code_of_detail, code_of_explanation, code_of_listing
from reach_mcp.cli.explain_tables import report_explanation
from reach_mcp.cli.options import CAUSES, ORDERS, VIEWS, build_filter, filter_options, output_options, tenant_option
from reach_mcp.cli.output import Format, write
from reach_mcp.cli.session import Session
from reach_mcp.cli.times import Clock

EVERYTHING = 1_000_000_000
"""A limit that no list reaches: the command line has no budget."""
SUMMARY_ROWS = 10


@click.command("list")
@filter_options
@click.option("--only-pending", is_flag=True, help="Only batches with pending records.")
@click.option("--limit", type=click.IntRange(1), help="Rows to show, newest batch first.  [default: all]")
@tenant_option
@output_options
@demo_option
@click.pass_context
def list_command(
    ctx: click.Context,
    /,
    output: Format,
    tenant_id: str | None,
    limit: int | None,
    only_pending: bool,
    **arguments: Any,
) -> None:
    """Count the batches that match and show a row for each.

    \b
    Example:
      embedreach-mcp list --demo --status failure --created-after 24h
    """
    session = ctx.ensure_object(Session)
    chosen = build_filter(arguments, only_pending=only_pending)
    analysis = anyio.run(lambda: session.read_all(tenant_id, details=False))
    selection = chosen.apply(analysis.snapshot)
    snapshot, numbers = analysis.snapshot, set(selection.batches)
    batches = [snapshot.batches[number] for number in selection.batches]
    errors = group_all_errors(
        (snapshot.batches[number].schema, details) for number, details in snapshot.error_details if number in numbers
    )
    listing = BatchListing(
        as_of=analysis.as_of,
        coverage=snapshot.coverage,
        filter=selection.report,
        census=census(batches),
        scope="all",
        batches=Section(tuple(batches[: limit or EVERYTHING]), len(batches)),
        error_groups=Section(errors, len(errors)),
    )
    write(report_listing(listing), listing, output, Clock(analysis.as_of, session.zone))
    ctx.exit(code_of_listing(listing, batches))


@click.command("batch")
@click.argument("batch_id")
@tenant_option
@output_options
@demo_option
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
    ctx.exit(code_of_detail(detail))


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
@filter_options
@tenant_option
@output_options
@demo_option
@click.pass_context
def explain_command(
    ctx: click.Context, /, output: Format, tenant_id: str | None, view: str | None, limit: int | None, **arguments: Any
) -> None:
    """Explain why records wait: what is missing, why, what is lost first and what to send.

    \b
    Examples:
      embedreach-mcp explain --demo
      embedreach-mcp explain --demo --focus appointments:apt_5001
      embedreach-mcp explain --demo --view plan --format csv
      embedreach-mcp explain --demo --view expired --format csv
    """
    session, chosen = ctx.ensure_object(Session), build_filter(arguments)
    view = view or ("blockers" if output == "csv" else "summary")
    in_brief = view == "summary" and not (arguments["focus"] or arguments["assume_arrived"])
    rows = limit or (SUMMARY_ROWS if in_brief else EVERYTHING)
    analysis = anyio.run(lambda: session.read_all(tenant_id, details=True))
    explanation = explain(analysis, Question(view=view, limit=rows, filter=chosen, **arguments))  # type: ignore[arg-type]
    write(report_explanation(explanation), explanation, output, Clock(explanation.as_of, session.zone))
    if explanation.token and output != "json":
        click.echo(f"Token for --since: {explanation.token}", err=True)
    ctx.exit(code_of_explanation(explanation))
