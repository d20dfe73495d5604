"""The arguments of the tools: the endpoint's own parameters in snake case, and what users ask for beyond them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from typing import Annotated, Any, Literal

from pydantic import Field

from reach_mcp.analysis.overview import Filter
from reach_mcp.analysis.times import parse_time
from reach_mcp.api.client import BatchType as ApiBatchType
from reach_mcp.api.client import SortBy as ApiSortBy
from reach_mcp.api.client import SortDirection as ApiSortDirection
from reach_mcp.api.errors import InvalidArgument
from reach_mcp.api.models import Page

_Status = Literal["success", "partial_success", "failure", "processing"]

TenantId = Annotated[str | None, Field(description="Sent as reach-tenant-id; needed with a partner credential")]
Cursor = Annotated[str | None, Field(description="From an earlier answer, same filters")]
Limit = Annotated[
    int | None, Field(ge=1, le=1000, description="Batches per API page (default 20; walks take what fits)")
]
BatchType = Annotated[ApiBatchType | None, Field()]
SortBy = Annotated[ApiSortBy, Field()]
SortDirection = Annotated[ApiSortDirection, Field()]
Status = Annotated[_Status | None, Field()]
Schema = Annotated[str | None, Field(max_length=200, description="Name (any case) or definition id")]
CreatedAfter = Annotated[str | None, Field(max_length=40, description="RFC 3339, date, or age: 24h, 7d")]
CreatedBefore = Annotated[str | None, Field(max_length=40)]
PendingDetails = Annotated[bool, Field(description="Also read the pending rows")]
OnlyPending = Annotated[bool, Field()]
Scope = Annotated[
    Literal["page", "all"] | None, Field(description="all: every page (implied by status, schema, times)")
]
Offset = Annotated[int, Field(ge=0, description="Rows to skip")]
Fresh = Annotated[bool, Field(description="Read anew")]
Format = Annotated[Literal["concise", "detailed"], Field()]

_AGE = re.compile(r"(\d{1,6})\s*(min|m|h|d|w)\Z")
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def build_filter(
    *, status: str | None, schema: str | None, created_after: str | None, created_before: str | None, now: float
) -> Filter:
    """What the API can't filter itself. Raises InvalidArgument for a time that can't be read."""
    after = float("-inf") if created_after is None else _moment("created_after", created_after, now)
    before = float("inf") if created_before is None else _moment("created_before", created_before, now)
    if after >= before:
        raise InvalidArgument("created_after must be earlier than created_before.")
    return Filter(status=status, schema=schema, after=after, before=before)


def _moment(name: str, text: str, now: float) -> float:
    """Unix seconds of an RFC 3339 time, a date (UTC) or an age before now."""
    text = text.strip()
    age = _AGE.match(text)
    if age:
        return now - int(age[1]) * _SECONDS[age[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(
            f"{name} can't be read as a time. Use RFC 3339 (2026-11-23T08:00:00Z), a date, or an age such as 24h or 7d."
        ) from None
    if moment.tzinfo is None and len(text) > len("2026-11-23"):
        raise InvalidArgument(f"{name} bears no time zone. End it with Z or an offset such as +02:00.")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_DEFAULTS = {"sort_by": "createdAt", "sort_direction": "desc", "response_format": "concise", "part": "all"}


def given(arguments: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """The arguments of a call that differ from their defaults: what a next call has to repeat."""
    usual = _DEFAULTS | defaults
    return {
        name: value
        for name, value in arguments.items()
        if name not in ("app", "fresh") and (value != usual[name] if name in usual else value)
    }


def past(wanted: Filter) -> Callable[[Page], bool] | None:
    """Whether a page, newest first, lies wholly before the time asked for: no later page can match then."""
    if wanted.after == -inf:
        return None
    return lambda page: (
        bool(page.batches) and all(parse_time(batch.get("createdAt")) < wanted.after for batch in page.batches)
    )
