"""Why a root blocker is missing: what other batches say about it, and which ids look like it.

Classes, of which several may hold: `failed` (another batch's `errors.details` names it), `deleted` (a DELETE batch's
own record names it), `similar` (an id of the same schema that was seen is nearly the same), and, where none of these
holds, `not_seen` in the batches read. Never "was never sent": that can't be known.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import isnan
from typing import Literal, NamedTuple

from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.times import parse_time
from reach_mcp.api.models import Batch

KEPT = 100_000
"""Most failed records that are kept while batches are read; beyond it the oldest batches' are left out, and said so."""

LONGEST = 64
"""Characters of the longest id that others one character off are looked for."""

DELETE = "PARTNER_RESOURCE_BATCH_DELETE"

Cause = Literal["failed", "deleted", "similar", "not_seen"]


class FailedRecord(NamedTuple):
    """What one batch says about one external id. `at` is when it finished or was created, in Unix seconds."""

    batch_id: str
    batch_type: str
    at: float
    error: str
    category: str


@dataclass(frozen=True)
class Similar:
    """An id that was seen, the rule by which it is nearly the same, and where it was seen."""

    external_id: str
    rule: Literal["case", "spaces", "leading_zeros", "prefix", "one_character"]
    seen: Literal["pending", "failed"]


@dataclass(frozen=True)
class Finding:
    """The causes found for one root blocker, newest failure first. Empty lists mean `not_seen`."""

    failures: tuple[FailedRecord, ...] = ()
    similar: tuple[Similar, ...] = ()

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The classes that hold, surest first."""
        deleted = any(record.batch_type == DELETE for record in self.failures)
        failed = any(record.batch_type != DELETE for record in self.failures)
        found: list[Cause] = []
        if failed:
            found.append("failed")
        if deleted:
            found.append("deleted")
        if self.similar:
            found.append("similar")
        return tuple(found) or ("not_seen",)


@dataclass
class EvidenceBuilder:
    """Collects what batches say about records, by schema (definition id and name) and external id."""

    batches: set[str] = field(default_factory=set)
    records: dict[str, dict[str, list[FailedRecord]]] = field(default_factory=dict)
    kept: int = 0
    dropped: int = 0

    def add(self, batch: Batch) -> None:
        """Take in one batch; the same batch read twice counts once."""
        if batch["batchId"] in self.batches:
            return
        self.batches.add(batch["batchId"])
        details = (batch.get("errors") or {}).get("details")
        if not details:
            return
        at = parse_time(batch.get("completedAt") or batch.get("startedAt") or batch.get("createdAt"))
        schema = batch.get("schemaDefinitionId") or (batch.get("schemaName") or "").casefold()
        known = self.records.setdefault(schema, {})
        for external, record in details.items():
            if self.kept == KEPT:
                self.dropped += 1
                continue
            self.kept += 1
            known.setdefault(external, []).append(
                FailedRecord(
                    batch_id=batch["batchId"],
                    batch_type=batch["batchType"],
                    at=at,
                    error=next(iter(record["errors"]), ""),
                    category=next(iter(record["categories"]), ""),
                )
            )

    def about(self, graph: DependencyGraph, keys: Sequence[int]) -> dict[int, Finding]:
        """What is known about each of some root blockers."""
        similar = self._find_similar(graph, keys)
        return {key: Finding(tuple(self._failures(graph, key)), tuple(similar[key])) for key in keys}

    def _failures(self, graph: DependencyGraph, key: int) -> list[FailedRecord]:
        external = graph.external_of[key]
        found = [self.records.get(schema, {}).get(external, []) for schema in _aliases(graph, key)]
        return sorted(
            chain.from_iterable(found), key=lambda record: (0.0 if isnan(record.at) else -record.at, record.batch_id)
        )

    def _find_similar(self, graph: DependencyGraph, keys: Sequence[int]) -> dict[int, list[Similar]]:
        """Ids nearly the same as those of some keys, among pending and failed records of the same schemas.

        One pass over the ids seen: only those that end like one of the keys are compared with it.
        """
        found: dict[int, dict[str, Similar]] = {key: {} for key in keys}
        by_schema: dict[str, dict[str, list[int]]] = {}
        for key in keys:
            definition, external = graph.key(key)
            by_schema.setdefault(definition, {}).setdefault(_end(external), []).append(key)
        for definition, by_end in by_schema.items():
            some = next(iter(by_end.values()))[0]
            for seen, where in self._ids_seen(graph, definition, _aliases(graph, some), tuple(by_end)):
                for key in by_end.get(_end(seen), ()):
                    rule = find_likeness(graph.external_of[key], seen)
                    if rule:
                        found[key].setdefault(seen, Similar(seen, rule, where))
            for key in chain.from_iterable(by_end.values()):
                for seen, where in self._one_off_seen(graph, key):
                    found[key].setdefault(seen, Similar(seen, "one_character", where))
        return {
            key: sorted(likely.values(), key=lambda similar: (similar.rule, similar.external_id))
            for key, likely in found.items()
        }

    def _one_off_seen(self, graph: DependencyGraph, key: int) -> Iterator[tuple[str, Literal["pending", "failed"]]]:
        """Ids one character off, which may end otherwise: looked up one by one instead of compared with all."""
        definition, wanted = graph.key(key)
        ids = graph.externals(definition)
        failed = [self.records.get(schema, {}) for schema in _aliases(graph, key)]
        for other in _one_off_forms(wanted):
            where: Literal["pending", "failed"] | None = None
            if other in ids and graph.is_pending[graph.number(definition, other)]:
                where = "pending"
            elif any(other in records for records in failed):
                where = "failed"
            if where and find_likeness(wanted, other) == "one_character":
                yield other, where

    def _ids_seen(
        self, graph: DependencyGraph, definition: str, aliases: Iterable[str], ends: tuple[str, ...]
    ) -> Iterator[tuple[str, Literal["pending", "failed"]]]:
        """Ids that may end so: what `_end` finds, at a tenth of its cost."""
        for external in _ending(graph.externals(definition), ends):
            if graph.is_pending[graph.number(definition, external)]:
                yield external, "pending"
        for schema in aliases:
            for external in _ending(self.records.get(schema, ()), ends):
                yield external, "failed"


def _ending(ids: Iterable[str], ends: tuple[str, ...]) -> list[str]:
    if "".join(ends).isdecimal():  # which knows no case
        return [one for one in ids if one.endswith(ends) or " " in one]
    return [one for one in ids if " " in one or one.casefold().endswith(ends)]


def _aliases(graph: DependencyGraph, key: int) -> tuple[str, ...]:
    """What batches may call a key's schema: its definition id, or its name."""
    return tuple(dict.fromkeys((graph.key(key)[0], graph.schema(key).casefold())))


_END = re.compile(r"0*([0-9]+)\Z|([^\W\d_]+)\Z")


def _end(external: str) -> str:
    """The last number or word of an id, which every rule of likeness keeps, but for one character in it."""
    match = _END.search("".join(external.split()).casefold()[-100:])  # the search is quadratic in its text
    return match[1] or match[2] if match else ""


_PREFIX = re.compile(r"^[^\W\d_]+[-_:./#]+")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")

Rule = Literal["case", "spaces", "leading_zeros", "prefix", "one_character"]


def find_likeness(wanted: str, seen: str) -> Rule | None:
    """The first rule by which two different ids are nearly the same; None when none is.

    A digit for another digit is no likeness: neighbours of a numbered series differ by just that.
    """
    if wanted == seen or abs(len(wanted) - len(seen)) > 12:
        return None
    a, b = wanted.strip(), seen.strip()
    if a == b or "".join(a.split()) == "".join(b.split()):
        return "spaces"
    a, b = a.casefold(), b.casefold()
    if a == b:
        return "case"
    if a[-1:] != b[-1:] and len(a) != len(b):
        return None  # the rules below, but for one character more at the end, keep the last character
    if _ZEROS.sub("", a) == _ZEROS.sub("", b):
        return "leading_zeros"
    if _PREFIX.sub("", a) == _PREFIX.sub("", b) and (_PREFIX.match(a) is None) != (_PREFIX.match(b) is None):
        return "prefix"
    return "one_character" if _one_off(a, b) else None


_ALPHABET = string.ascii_letters + string.digits + "_-."


def _one_off_forms(wanted: str) -> Iterator[str]:
    """Texts among which are all that `_one_off` finds like another, as far as they are written in ASCII."""
    if 5 <= len(wanted) <= LONGEST:
        for place, char in enumerate(wanted):
            head, tail = wanted[:place], wanted[place + 1 :]
            yield from (head + other + tail for other in _ALPHABET)
            yield head + tail[:1] + char + tail[1:]


def _one_off(a: str, b: str) -> bool:
    """One character replaced, or two neighbours swapped, digits for digits apart; in ids of five or more."""
    if len(a) != len(b) or len(a) < 5:
        return False
    places = [place for place in range(len(a)) if a[place] != b[place]]
    if len(places) == 1:
        return not (a[places[0]].isdigit() and b[places[0]].isdigit())
    return (
        len(places) == 2
        and places[1] == places[0] + 1
        and a[places[0]] == b[places[1]]
        and a[places[1]] == b[places[0]]
        and not (a[places[0]].isdigit() and a[places[1]].isdigit())
    )
