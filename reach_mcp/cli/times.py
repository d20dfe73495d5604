"""Times for people: local time with UTC next to it, and the distance from now. Times for files: RFC 3339."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from reach_mcp.cli.table import Time
from reach_mcp.render.formatting import until


def iso(at: float) -> str:
    """RFC 3339 in UTC, for files and programs."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Clock:
    """The time of the reading, and the zone of the reader (None: the zone of this machine)."""

    now: float
    zone: tzinfo | None = None

    def format(self, time: Time) -> str:
        """Such as `13:42 (12:42Z), in 38 min`. The date is left out if it is today's, the year if it is this one."""
        local, utc = self._local(time.at), datetime.fromtimestamp(time.at, UTC)
        text = self._day(local) + f"{local:%H:%M}"
        if local.utcoffset():
            text += f" ({'' if local.date() == utc.date() else f'{utc:%b} {utc.day} '}{utc:%H:%M}Z)"
        else:
            text += "Z"
        return f"{text}, {until(utc, datetime.fromtimestamp(self.now, UTC))}" if time.relative else text

    def _day(self, local: datetime) -> str:
        today = self._local(self.now)
        if local.date() == today.date():
            return ""
        return f"{local:%b} {local.day} " + ("" if local.year == today.year else f"{local.year} ")

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC).astimezone(self.zone)
