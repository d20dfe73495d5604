"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.results import Cause, Order, View
from reach_mcp.analysis.times import parse_time
from reach_mcp.cli.output import Format
from reach_mcp.cli.session import Session
from reach_mcp.cli.words import TYPES

Command = TypeVar("Command", bound=Callable[..., Any])
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


def output_options(command: Command) -> Command:
    """`--format`, and `--json` for short."""
    command = click.option("--json", "output", flag_value="json", help="Short for --format json.")(command)
    text = "Tables for people, or whole results for programs and files."
    return click.option(
        "--format", "output", type=click.Choice(FORMATS), default="table", show_default=True, help=text
    )(command)


def tenant_option(command: Command) -> Command:
    text = "The tenant, where the credential may read several and REACH_TENANT_ID names none."
    return click.option("--tenant-id", help=text)(command)


def filter_options(command: Command) -> Command:
    """Options that make a `BatchFilter`; the command gets them as keyword arguments for `build_filter`."""
    options = [
        click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only batches in this state."),
        click.option("--batch-type", type=BatchType(), help="Only batches of this type."),
        click.option("--schema", help="Only this schema, by name or definition id."),
        click.option("--created-after", type=Moment(), help="Only batches created since: 24h, 7d, a date or a time."),
        click.option("--created-before", type=Moment(), help="Only batches created before."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def build_filter(arguments: dict[str, Any], *, only_pending: bool = False) -> BatchFilter:
    """Take the filter's options out of a command's arguments."""
    names = ("status", "batch_type", "schema", "created_after", "created_before")
    values = {name: arguments.pop(name) for name in names}
    return BatchFilter(
        only_pending=only_pending, **{name: value for name, value in values.items() if value is not None}
    )
