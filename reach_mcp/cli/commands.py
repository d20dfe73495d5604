"""`list`, `batch` and `explain`: the answers of the three tools, for people and for files."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, get_args

import anyio
import click

from reach_mcp.analysis.batch_stats import census, describe_batch, group_all_errors
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.report import Question, explain
from reach_mcp.analysis.results import BatchListing, Cause, Order, Section, View
from reach_mcp.analysis.times import parse_time
from reach_mcp.cli.exit_codes import code_of_detail, code_of_explanation, code_of_listing
from reach_mcp.cli.output import Clock, Format, write
from reach_mcp.cli.session import Command, Session, demo_option
from reach_mcp.cli.tables import report_detail, report_explanation, report_listing

EVERYTHING = 1_000_000_000
"""A limit that no list reaches: the command line has no budget."""
SUMMARY_ROWS = 10
TYPES = {
    "ingest": "PARTNER_RESOURCE_JSON_INGEST",
    "delete": "PARTNER_RESOURCE_BATCH_DELETE",
    "patch": "PARTNER_RESOURCE_BATCH_PATCH",
}
STATUSES = ("success", "partial_success", "failure", "processing")
CAUSES, ORDERS, VIEWS, FORMATS = get_args(Cause), get_args(Order), get_args(View), get_args(Format)


class BatchType(click.Choice[str]):
    """`ingest`, `delete` or `patch`; the API's own names are accepted as well."""

    def __init__(self) -> None:
        super().__init__([*TYPES], case_sensitive=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = {long: short for short, long in TYPES.items()} | {"json_ingest": "ingest"}
        return TYPES[super().convert(known.get(str(value).upper(), known.get(str(value).lower(), value)), param, ctx)]


class Moment(click.ParamType[float]):
    """A time in RFC 3339, a date, or a length of time before now such as `24h` or `7d`. Unix seconds."""

    name = "time"
    _SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}  # noqa: RUF012 - a constant

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        if text[:-1].isdigit() and text[-1:] in self._SECONDS and ctx:
            return ctx.ensure_object(Session).now() - int(text[:-1]) * self._SECONDS[text[-1]]
        at = parse_time(text if "T" in text.upper() else f"{text}T00:00:00Z")
        if at != at:
            self.fail(f"{value!r} is no time. Use 24h, 7d, 2026-01-31 or 2026-01-31T08:00:00Z.", param, ctx)
        return at


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


def filter_options(command: Command) -> Command:
    """Options that make a `BatchFilter`; the command gets them as keyword arguments for `build_filter`."""
    return apply_options(
        command,
        click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only batches in this state."),
        click.option("--batch-type", type=BatchType(), help="Only batches of this type."),
        click.option("--schema", help="Only this schema, by name or definition id."),
        click.option("--created-after", type=Moment(), help="Only batches created since: 24h, 7d, a date or a time."),
        click.option("--created-before", type=Moment(), help="Only batches created before."),
    )


def build_filter(arguments: dict[str, Any], *, only_pending: bool = False) -> BatchFilter:
    """Take the filter's options out of a command's arguments."""
    names = ("status", "batch_type", "schema", "created_after", "created_before")
    given = {name: value for name in names if (value := arguments.pop(name)) is not None}
    return BatchFilter(only_pending=only_pending, **given)


@click.command("list")
@filter_options
@click.option("--only-pending", is_flag=True, help="Only batches with pending records.")
@click.option("--limit", type=click.IntRange(1), help="Rows to show, newest batch first.  [default: all]")
@reading_options
@click.pass_context
def list_command(
    ctx: click.Context, /, output: Format, tenant_id: str | None, limit: int | None, only_pending: bool, **filters: Any
) -> None:
    """Count the batches that match and show a row for each.

    \b
    Example:
      embedreach-mcp list --demo --status failure --created-after 24h
    """
    session = ctx.ensure_object(Session)
    chosen = build_filter(filters, only_pending=only_pending)
    analysis = anyio.run(lambda: session.read_all(tenant_id, details=False))
    snapshot, selection = analysis.snapshot, chosen.apply(analysis.snapshot)
    chosen_batches = {number: snapshot.batches[number] for number in selection.batches}
    batches, details = [*chosen_batches.values()], snapshot.error_details
    errors = group_all_errors((chosen_batches[at].schema, each) for at, each in details if at in chosen_batches)
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
@reading_options
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
