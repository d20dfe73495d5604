"""Facts that qualify an answer, as whole sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reach_mcp.analysis.batch_stats import counted_without_rows
from reach_mcp.analysis.results import Counts
from reach_mcp.analysis.snapshot import Snapshot

MAX_NAMED = 3
"""Names in one sentence."""

_PLAIN = re.compile(r"[\w.:@/+-]{1,80}", re.ASCII)
"""A name that cannot carry markup or a sentence. Others are counted and not named."""


def write_notes(snapshot: Snapshot, counts: Counts, batches: Sequence[int]) -> Iterator[str]:
    """Qualify the counts of the batches selected."""
    yield from _about_rows(snapshot, counts)
    yield from _about_counters(snapshot, batches)
    yield from _about_names(snapshot)


def _about_rows(snapshot: Snapshot, counts: Counts) -> Iterator[str]:
    if nothing := counts.lists_nothing:
        lists = _agree(nothing, "lists nothing missing and is", "list nothing missing and are")
        yield f"{_resources(nothing)} {lists} still pending."
    if unreadable := counts.unreadable_expiry:
        has = _agree(unreadable, "has no readable expiry and counts", "have no readable expiry and count")
        yield f"{_resources(unreadable)} {has} as live{_name_some(snapshot.unreadable_times)}."
    if shared := counts.duplicates:
        shares = _agree(shared, "shares an id with another one", "share an id with another one")
        yield f"{_resources(shared)} {shares}: equal ones count once, different ones are kept apart."


def _about_counters(snapshot: Snapshot, batches: Sequence[int]) -> Iterator[str]:
    selected = [snapshot.batches[number] for number in batches]
    if empty := counted_without_rows(selected):
        total = sum(batch.pending or 0 for batch in empty)
        where = f"{_batches(len(empty))}{_name_some([batch.id for batch in empty])}"
        yield f"{total:,} pending by counter, no rows listed, in {where}: they are in no other number."
    if silent := [batch.id for batch in selected if batch.listed and not batch.pending]:
        lists = _agree(len(silent), "lists", "list")
        counter = _agree(len(silent), "its counter is", "their counters are")
        yield f"{_batches(len(silent))} {lists} pending resources although {counter} 0 or absent{_name_some(silent)}."


def _about_names(snapshot: Snapshot) -> Iterator[str]:
    names = snapshot.names
    shared = {name for one in names.schema_ids if names.display(one) == one for name in names.names(one)}
    if shared:
        stands = "One schema name stands" if len(shared) == 1 else f"{len(shared)} schema names stand"
        yield (
            f"{stands} for several definitions{_name_some(sorted(shared))}: "
            "their records are shown with the definition id instead."
        )


def _name_some(names: Sequence[str]) -> str:
    plain = [name for name in names if _PLAIN.fullmatch(name)][:MAX_NAMED]
    more = ", ..." if plain and len(plain) < len(names) else ""
    return f" ({', '.join(plain)}{more})" if plain else ""


def _resources(number: int) -> str:
    return f"{number:,} pending {_agree(number, 'resource', 'resources')}"


def _batches(number: int) -> str:
    return f"{number:,} {_agree(number, 'batch', 'batches')}"


def _agree(number: int, one: str, many: str) -> str:
    return one if number == 1 else many
