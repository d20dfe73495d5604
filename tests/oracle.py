"""A slow, plain reference for the facts about pending resources, worked out from wire JSON.

It shares no code with `reach_mcp` and follows the definitions in `docs/design.md`, "What is counted": sets of rows, one
search per missing record, no shortcuts. A key is (schema definition id, external id).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import combinations
from math import inf
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class OracleRow:
    id: str
    key: Key
    lists: frozenset[Key]
    expires: float
    """Unix seconds; infinite where unreadable."""
    batch_id: str


class Oracle:
    """Everything that can be said about the live and the expired rows of some batches at `now` (Unix seconds)."""

    def __init__(self, batches: Iterable[Json], now: float) -> None:
        rows = [_row(row, batch["batchId"]) for batch in batches for row in batch.get("pendingResources") or ()]
        self.now = now
        self.live = [row for row in rows if row.expires > now]
        self.expired = [row for row in rows if row.expires <= now]
        self.keys = {row.key for row in self.live}
        self.listed_by: dict[Key, set[int]] = defaultdict(set)
        for number, row in enumerate(self.live):
            for key in row.lists:
                self.listed_by[key].add(number)

    @cached_property
    def roots(self) -> list[Key]:
        """Missing records: live rows list them, no live row has them."""
        return sorted(key for key in self.listed_by if key not in self.keys)

    def waiting(self, key: Key) -> set[int]:
        """Rows that wait for a key, directly or through others."""
        found: set[int] = set()
        unseen, seen = [key], {key}
        while unseen:
            for number in self.listed_by.get(unseen.pop(), ()):
                found.add(number)
                if (parent := self.live[number].key) not in seen:
                    seen.add(parent)
                    unseen.append(parent)
        return found

    def cleared_by(self, arrived: Iterable[Key]) -> set[int]:
        """Rows that list something and clear, in turn, when these keys arrive.

        A row that lists nothing clears whatever arrives, so its record is there for those that wait for it.
        """
        there = set(arrived) | {row.key for row in self.live if not row.lists}
        cleared: set[int] = set()
        fresh = list(there)
        while fresh:
            touched = {number for key in fresh for number in self.listed_by.get(key, ())} - cleared
            clearing = {number for number in touched if self.live[number].lists <= there}
            cleared |= clearing
            fresh = list({self.live[number].key for number in clearing} - there)
            there.update(fresh)
        return cleared

    def frees(self, arrived: Iterable[Key]) -> set[int]:
        """Rows that clear when these keys arrive, and not without them."""
        return self.cleared_by(arrived) - self.cleared_by(())

    @cached_property
    def stuck(self) -> set[int]:
        """Rows that list something and do not clear when every missing record arrives."""
        listing = {number for number, row in enumerate(self.live) if row.lists}
        return listing - self.cleared_by(self.roots)

    @cached_property
    def stuck_keys(self) -> set[Key]:
        """Keys that never arrive: all of their rows are stuck."""
        return self.keys - {row.key for number, row in enumerate(self.live) if number not in self.stuck}

    def behind(self, members: Iterable[Key]) -> set[int]:
        """Stuck rows that wait for one of these stuck keys, directly or through other stuck keys, members left out."""
        below = set(members)
        found: set[int] = set()
        while grown := {number for number in self.stuck - found if self.live[number].lists & below}:
            found |= grown
            below |= {self.live[number].key for number in grown} & self.stuck_keys
        return {number for number in found if self.live[number].key not in set(members)}

    @cached_property
    def cycles(self) -> list[frozenset[Key]]:
        """Groups of stuck keys that wait for each other, or one that waits for itself; largest first."""
        needs: dict[Key, set[Key]] = defaultdict(set)
        for number in self.stuck:
            if self.live[number].key in self.stuck_keys:
                needs[self.live[number].key] |= self.live[number].lists
        below = {key: self._reachable(key, needs) for key in needs}
        groups = {frozenset(k for k in below[key] if key in below.get(k, ())) for key in needs if key in below[key]}
        return sorted(groups, key=lambda group: (-len(group), sorted(group)))

    @staticmethod
    def _reachable(key: Key, needs: dict[Key, set[Key]]) -> set[Key]:
        seen: set[Key] = set()
        unseen = [key]
        while unseen:
            for other in needs.get(unseen.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    unseen.append(other)
        return seen

    def ranked(self) -> list[tuple[Key, int, int]]:
        """Missing records with waiting and direct counts, most waiting first, in the documented order."""
        found = []
        for key in self.roots:
            waiting = self.waiting(key)
            earliest = min(self.live[number].expires for number in waiting)
            found.append(((-len(waiting), -len(self.listed_by[key]), earliest, key), len(waiting)))
        return [(order[3], waiting, -order[1]) for order, waiting in sorted(found)]

    def earliest_expiry(self, key: Key) -> float:
        return min((self.live[number].expires for number in self.waiting(key)), default=inf)

    def expiring_by_hour(self) -> Counter[int]:
        """Live rows by the clock hour (Unix seconds of its start) in which they expire."""
        return Counter(int(row.expires // 3600) * 3600 for row in self.live if row.expires < inf)

    def best(self, count: int) -> int:
        """Rows that the best `count` missing records free together. Exponential: for small instances alone."""
        chosen = combinations(self.roots, min(count, len(self.roots)))
        return max((len(self.frees(keys)) for keys in chosen), default=0)


def _row(row: Json, batch_id: str) -> OracleRow:
    return OracleRow(
        id=row["id"],
        key=(row["schemaDefinitionId"], row["resourceExternalId"]),
        lists=frozenset((one["schemaDefinitionId"], one["externalId"]) for one in row["missingDependencies"]),
        expires=_seconds(row["expiresAt"]),
        batch_id=batch_id,
    )


def _seconds(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return inf
    return moment.timestamp() if moment.tzinfo else inf
