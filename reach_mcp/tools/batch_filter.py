"""Turns filter arguments into the filter of the analysis; times may be RFC 3339, dates or ages."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.api.errors import InvalidArgument
from reach_mcp.tools.arguments import ExplainArguments, ListBatchesArguments

_AGE = re.compile(r"(\d{1,6})\s*(s|sec|m|min|h|hours?|d|days?|w|weeks?)", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DATE_CHARS = len("2026-11-23")


def build_filter(arguments: ListBatchesArguments | ExplainArguments, now: float) -> BatchFilter:
    """The filter that a call asks for. Raises InvalidArgument for a time that can't be read or can't match."""
    after = read_moment("created_after", arguments.created_after, now)
    before = read_moment("created_before", arguments.created_before, now)
    if after is not None and before is not None and after >= before:
        raise InvalidArgument("created_after must be earlier than created_before.")
    if after is not None and after > now:
        seen = datetime.fromtimestamp(now, UTC)
        raise InvalidArgument(
            "created_after is in the future, so no batch can match.",
            advice=f"It is {seen:%Y-%m-%dT%H:%MZ} now: give an earlier time, or an age such as 24h or 7d.",
        )
    return BatchFilter(
        status=arguments.status or "",
        batch_type=arguments.batch_type or "",
        schema=arguments.schema_ or "",
        created_after=after,
        created_before=before,
        only_pending=isinstance(arguments, ListBatchesArguments) and arguments.only_batches_with_pending_resources,
    )


def read_moment(name: str, text: str | None, now: float) -> float | None:
    """Unix seconds of an RFC 3339 time, a date (UTC) or an age before now. Raises InvalidArgument."""
    if text is None:
        return None
    text = text.strip()
    age = _AGE.fullmatch(text)
    if age:
        return now - int(age[1]) * _SECONDS[age[2][0].lower()]
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise InvalidArgument(
            f"{name} is not a time.",
            advice="Use RFC 3339 (2026-11-23T08:00:00Z), a date (2026-11-23), or an age such as 24h or 7d.",
        ) from None
    if moment.tzinfo is None and len(text) > _DATE_CHARS:
        raise InvalidArgument(f"{name} has no time zone.", advice="End it with Z or an offset such as +02:00.")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
