"""Times as the API sends them: strings without a documented format."""

from __future__ import annotations

from datetime import UTC, datetime
from math import nan

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str | None) -> float:
    """Unix seconds of an ISO 8601 time that bears a zone; NaN for anything else: a zone is never guessed."""
    if not text:
        return nan
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return nan
    return nan if moment.tzinfo is None else moment.timestamp()


def parse_times(texts: list[str]) -> list[float]:
    """`parse_time` of each, in half the time where all can be read."""
    read = datetime.fromisoformat
    try:
        return [(read(text) - _EPOCH).total_seconds() for text in texts]
    except (ValueError, TypeError):  # a time without a zone has no distance to one that bears one
        return list(map(parse_time, texts))


def rfc3339(seconds: float) -> str:
    """UTC to the second, as `2026-11-23T12:30:00Z`; empty for NaN, and for what UTC's years 1 to 9999 don't hold."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):
        return ""
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
