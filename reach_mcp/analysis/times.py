"""Times as the API sends them: strings without a documented format."""

from __future__ import annotations

from datetime import UTC, datetime
from math import nan


def parse_time(text: str | None) -> float:
    """Unix seconds of an ISO 8601 time that bears a zone; NaN for anything else: a zone is never guessed."""
    if not text:
        return nan
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return nan
    return nan if moment.tzinfo is None else moment.timestamp()


def rfc3339(seconds: float) -> str:
    """UTC to the second, as `2026-11-23T12:30:00Z`; empty for NaN."""
    if seconds != seconds:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
