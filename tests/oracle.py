"""What the pages mean, worked out the slow way: each definition written down as it reads, and nothing indexed.

The oracle imports nothing from the package. It simulates where the package computes: to learn what a key frees, it lets
the key arrive and watches rows clear, round by round. It is meant for tenants of some hundreds of rows.

    row      an entry of pendingResources, told apart by its id
    key      (schemaDefinitionId, externalId)
    arrival  a row clears in the round after the last key that it lists has arrived; a key arrives as soon as one of its
             rows clears, and keys that are sent arrive at round 0. A row that lists nothing clears in round 1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeAlias

Key: TypeAlias = tuple[str, str]

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A pending resource as one batch shows it."""

    id: str
    key: Key
    lists: frozenset[Key]
    expires: datetime | None
    """None when the API's string is no ISO 8601 time, or bears no zone."""
    batch_id: str


def union_by_id(batches: Iterable[dict[str, Any]]) -> dict[str, Row]:
    """The rows of batches in the order they were read, each id once.

    The later reading of a batch replaces the earlier one whole. An id that turns up again, in another batch or in
    the same one, takes the later row.
    """
    latest: dict[str, dict[str, Any]] = {}
    for batch in batches:
        latest.pop(batch["batchId"], None)
        latest[batch["batchId"]] = batch
    return {row.id: row for batch in latest.values() for row in _rows(batch)}


def _rows(batch: dict[str, Any]) -> Iterator[Row]:
    for row in batch.get("pendingResources") or []:
        yield Row(
            id=row["id"],
            key=(row["schemaDefinitionId"], row["resourceExternalId"]),
            lists=frozenset((d["schemaDefinitionId"], d["externalId"]) for d in row["missingDependencies"]),
            expires=_moment(row.get("expiresAt")),
            batch_id=batch["batchId"],
        )


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


class Oracle:
    """Every count and every set, from batches in the order they were read. Sets of rows are sets of row ids."""

    def __init__(self, batches: Iterable[dict[str, Any]]) -> None:
        self.by_id = union_by_id(batches)
        self.rows: list[Row] = list(self.by_id.values())

    # What is there

    @cached_property
    def pending_keys(self) -> set[Key]:
        """Keys of rows."""
        return {row.key for row in self.rows}

    @cached_property
    def listed_keys(self) -> set[Key]:
        """Keys that a row lists as missing."""
        return {key for row in self.rows for key in row.lists}

    @cached_property
    def root_blockers(self) -> set[Key]:
        """Keys that rows list as missing and that are not themselves the key of a row."""
        return self.listed_keys - self.pending_keys

    # Who waits

    def direct(self, key: Key) -> set[str]:
        """Rows that list the key."""
        return {row.id for row in self.rows if key in row.lists}

    def waiting(self, key: Key) -> set[str]:
        """Rows that wait for the key directly or through other pending resources."""
        waiting = self.direct(key)
        while True:
            keys = {self.by_id[id].key for id in waiting}
            grown = waiting | {row.id for row in self.rows if row.lists & keys}
            if grown == waiting:
                return waiting
            waiting = grown

    # What clears

    def clears(self, keys: Iterable[Key] = ()) -> tuple[set[str], list[set[str]]]:
        """Rows that clear, in turn, when these keys arrive together: all of them, and round by round."""
        arrived = set(keys)
        left = self.rows
        rounds: list[set[str]] = []
        while clear := [row for row in left if row.lists <= arrived]:
            rounds.append({row.id for row in clear})
            left = [row for row in left if not row.lists <= arrived]
            arrived |= {row.key for row in clear}
        return set().union(*rounds), rounds

    def frees(self, key: Key, *, sent: Collection[Key] = ()) -> set[str]:
        """Rows that clear if the key arrives on top of what was `sent`, and that would not clear without it.

        The second half matters for rows that list nothing, and for what waits for them alone: they clear whoever
        arrives, so no key frees them, and what a key frees is always a part of what waits for it.
        """
        return self.clears({*sent, key})[0] - self.clears(sent)[0]

    def best_next(self, sent: Collection[Key] = ()) -> set[Key]:
        """Root blockers not yet sent that free most in addition to what was sent: all that tie, even at nothing."""
        gains = {key: len(self.frees(key, sent=sent)) for key in self.root_blockers - set(sent)}
        most = max(gains.values(), default=0)
        return {key for key, gain in gains.items() if gain == most}

    # What never clears

    @cached_property
    def _cleared_by_all(self) -> tuple[set[str], list[set[str]]]:
        return self.clears(self.root_blockers)

    def stuck(self) -> set[str]:
        """Rows that don't clear even when every root blocker arrives."""
        return set(self.by_id) - self._cleared_by_all[0]

    def stuck_keys(self) -> set[Key]:
        """Keys of rows that don't arrive even when every root blocker does: every row of theirs is stuck.

        A key with one stuck row and one that clears does arrive, and nobody waits for it in vain.
        """
        return self.pending_keys - {self.by_id[id].key for id in self._cleared_by_all[0]}

    def circles(self) -> set[frozenset[Key]]:
        """Groups of two or more stuck keys that wait for one another, and stuck keys that wait for themselves."""
        waits_for = {key: self._stuck_keys_below(key) for key in self.stuck_keys()}
        return {
            frozenset(other for other in below if key in waits_for[other])
            for key, below in waits_for.items()
            if key in below
        }

    def _stuck_keys_below(self, key: Key) -> set[Key]:
        """Stuck keys that the key waits for, directly or through others; itself among them if it waits for itself."""
        stuck = self.stuck_keys()
        below: set[Key] = set()
        step = {key}
        while step:
            step = {listed for row in self.rows if row.key in step for listed in row.lists & stuck} - below
            below |= step
        return below

    # How deep

    def chain_depth(self, id: str) -> int | None:
        """Pending resources on the way from the row down to a root blocker, the row included; None when it is stuck.

        At each step the way takes the dependency that arrives last, so the depth is the round in which the row clears
        when every root blocker arrives: 1 for a row that lists root blockers alone, or nothing.
        """
        for number, cleared in enumerate(self._cleared_by_all[1], start=1):
            if id in cleared:
                return number
        return None

    def arrival(self, key: Key) -> int | None:
        """The round in which the key arrives when every root blocker arrives at round 0; None when it never does."""
        if key in self.root_blockers:
            return 0
        depths = [self.chain_depth(row.id) for row in self.rows if row.key == key]
        return min((depth for depth in depths if depth is not None), default=None)

    # When it is lost

    def expired(self, now: datetime) -> set[str]:
        """Rows whose time is over: before `now`. A row that expires at this very moment is the first hour's."""
        return {row.id for row in self.rows if row.expires is not None and row.expires < now}

    def by_hour(self, now: datetime, hours: int = 24) -> list[set[str]]:
        """Rows that expire in each coming hour: from its first moment up to, not including, the next hour's."""
        starts = [now + timedelta(hours=hour) for hour in range(hours)]
        return [self._expire_between(start, start + timedelta(hours=1)) for start in starts]

    def later(self, now: datetime, hours: int = 24) -> set[str]:
        """Rows that expire after the hours that `by_hour` tells apart."""
        return self._expire_between(now + timedelta(hours=hours), NEVER)

    def without_time(self) -> set[str]:
        """Rows whose expiry can't be read, or bears no zone: neither expired nor in any hour."""
        return {row.id for row in self.rows if row.expires is None}

    def _expire_between(self, start: datetime, end: datetime) -> set[str]:
        return {row.id for row in self.rows if row.expires is not None and start <= row.expires < end}

    # In which order

    def earliest_expiry(self, ids: Iterable[str]) -> datetime | None:
        """The first expiry among rows, past ones included; None when none of them has a time that can be read."""
        times = [expires for id in ids if (expires := self.by_id[id].expires) is not None]
        return min(times, default=None)

    def ranking(self) -> list[Key]:
        """Root blockers by `waiting`, then `direct`, both largest first, then earliest expiry of what waits, then key.

        A blocker for which no time can be read comes after those with one.
        """
        return sorted(self.root_blockers, key=self._rank)

    def _rank(self, key: Key) -> tuple[int, int, datetime, Key]:
        waiting = self.waiting(key)
        return (-len(waiting), -len(self.direct(key)), self.earliest_expiry(waiting) or NEVER, key)
