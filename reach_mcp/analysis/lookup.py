"""Find the record, batch or schema that a text names.

Texts come from people and language models, often pasted from an answer: the exact spelling is tried first, then the
same without blanks, quotes, delimiters and brackets. A record that nothing read mentions is never made up: close ones
are offered as alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import islice, product
from urllib.parse import unquote

from reach_mcp.analysis.errors import QuestionError
from reach_mcp.analysis.evidence import Evidence, name_label
from reach_mcp.analysis.lookalikes import SimilarIds
from reach_mcp.analysis.results import Record
from reach_mcp.analysis.snapshot import Snapshot

MAX_NEAR_MISSES = 5
MAX_TEXT_CHARS = 1000
"""Longer texts are only looked up as they stand."""
MAX_COMPARED_IDS = 20_000
"""Ids with the same number that are searched for another spelling."""
MAX_TYPED_IDS = 5_000
"""Ids that are searched for a typing error."""
MAX_NAMES = 20
"""Schema names that a message lists."""

_BATCH_URI = re.compile(r"reach://batches/([^?#]+)", re.I)
_DELIMITED = re.compile(r'(?<![A-Za-z0-9])[a-z]\d\d"([^"]*)"')
_ENCLOSED = re.compile(
    r"""\s*(?:"(.*)"|'(.*)'|`+(.*?)`+|“(.*)”|‘(.*)’|«(.*)»|\[(.*)\]|\((.*)\)|\{(.*)\}|<(.*)>)[.,;]?\s*""", re.S
)
_COLON = re.compile(":")
_SPLITS = re.compile(r"\s*[:/=|,>\s]\s*")


@dataclass(frozen=True, slots=True)
class Resolution:
    """The batch or the records that a text names; neither where nothing that was read has that name."""

    records: tuple[Record, ...] = ()
    """Several where the text is ambiguous."""
    batch: int | None = None
    """Index of the batch."""
    near_misses: tuple[Record, ...] = ()
    """Records that a text that names nothing may mean."""


def spellings(text: str) -> Iterator[str]:
    """A text as it stands, then without outer blanks, delimiters, quotes and brackets; each once."""
    inner = _DELIMITED.sub(r"\1", text).strip()
    seen = dict.fromkeys((text, text.strip(), inner))
    yield from seen
    while len(text) <= MAX_TEXT_CHARS and (match := _ENCLOSED.fullmatch(inner)):
        inner = (match[match.lastindex or 0] or "").strip()
        if inner and inner not in seen:
            seen[inner] = None
            yield inner


def resolve_schema(text: str, snapshot: Snapshot) -> set[str]:
    """The definition ids that a schema's name (in any case) or definition id stands for.

    Empty where the text is blank, and where only batches without a definition id have the name.

    Raises:
        QuestionError: nothing that was read has this schema.
    """
    if not text.strip():
        return set()
    bare = {one.schema.strip().casefold() for one in snapshot.batches if one.schema}
    for form in spellings(text):
        found = snapshot.names.definitions(form)
        if found or form.casefold() in bare:
            return set(found)
    raise _unknown_schema(text.strip(), snapshot)


def _unknown_schema(asked: str, snapshot: Snapshot) -> QuestionError:
    schemas = snapshot.names
    known = sorted({*map(schemas.display, schemas.schema_ids), *_named_batches(snapshot)})
    if not known:
        return QuestionError(f"No schema is named '{asked}'.", "The batches read have no schemas.")
    names = {*known, *(name for schema_id in schemas.schema_ids for name in schemas.names(schema_id))}
    folded = {name.casefold(): name for name in sorted(names)}
    close = get_close_matches(asked.casefold(), folded, n=3, cutoff=0.6)
    more = f" and {len(known) - MAX_NAMES} more" if len(known) > MAX_NAMES else ""
    advice = f"Known schemas: {', '.join(known[:MAX_NAMES])}{more}."
    hint = f"Did you mean {' or '.join(folded[one] for one in close)}? " if close else ""
    return QuestionError(f"No schema is named '{asked}'.", hint + advice)


def _named_batches(snapshot: Snapshot) -> Iterable[str]:
    """The schemas of batches of which only a name is known."""
    return (one.schema for one in snapshot.batches if one.schema and not one.schema_id)


class RecordLookup:
    """Resolves many texts over one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._evidence = Evidence(snapshot)
        self._names = {name_label(name) for name in _named_batches(snapshot)}
        self._batches = {batch.id: number for number, batch in enumerate(snapshot.batches)}

    def resolve(self, text: str, *, suggest: bool = True) -> Resolution:
        """Find the batch or records that a text names; without `suggest`, no near misses are looked for."""
        forms, is_short = list(spellings(text)), len(text) <= MAX_TEXT_CHARS
        for forgiving, form in product((False, True) if is_short else (False,), forms):
            if found := self._find(form, forgiving=forgiving):
                return found
        return self._suggest(forms[-1]) if suggest and is_short else Resolution()

    def _find(self, form: str, *, forgiving: bool) -> Resolution | None:
        """Read a text as schema:external_id, as a batch id, and as an external id alone."""
        for schema_ids, external_id in self._splits(form, forgiving=forgiving):
            for spelling in spellings(external_id) if forgiving else (external_id,):
                if records := self._named(spelling, schema_ids):
                    return Resolution(records)
        batch = self._find_batch(form) if forgiving else self._batches.get(form)
        if batch is not None:
            return Resolution(batch=batch)
        records = self._named(form) if form else ()
        return Resolution(records) if records else None

    def _find_batch(self, form: str) -> int | None:
        """The batch that has an id in any case, or an MCP resource's URI."""
        uri = _BATCH_URI.fullmatch(form)
        batch_id = unquote(uri[1]).strip("/") if uri else form
        same = [number for known, number in self._batches.items() if known.casefold() == batch_id.casefold()]
        return self._batches.get(batch_id, same[0] if len(same) == 1 else None)

    def _splits(self, form: str, *, forgiving: bool) -> Iterator[tuple[list[str], str]]:
        """Every way to read a text as a known schema and an external id, the longest schema first.

        A colon divides; where forgiving, so does any of slash, equals sign, bar, comma and blanks.
        """
        for match in reversed([*(_SPLITS if forgiving else _COLON).finditer(form)]):
            schema_ids = self._definitions(form[: match.start()], forgiving=forgiving)
            if schema_ids and form[match.end() :]:
                yield schema_ids, form[match.end() :]

    def _definitions(self, label: str, *, forgiving: bool) -> list[str]:
        for spelling in spellings(label) if forgiving else (label,):
            label = name_label(spelling)
            found = self._snapshot.names.definitions(spelling) + [label] * (label in self._names)
            if found:
                return found
        return []

    def _named(self, external_id: str, schema_ids: list[str] | None = None) -> tuple[Record, ...]:
        """All known records with an external id, in some schemas or in all. Those that only errors name come last."""
        snapshot, index = self._snapshot, self._snapshot.key_index
        owners = snapshot.names.schema_ids if schema_ids is None else schema_ids
        found = [snapshot.record(index[owner, external_id]) for owner in owners if (owner, external_id) in index]
        known = {one.schema_id for one in found}
        failed = dict.fromkeys(self._evidence.failed_records(external_id))
        for record in sorted(failed, key=lambda one: not one.schema_id):
            new = record.schema_id not in known if record.schema_id else not found
            if new and (schema_ids is None or _label(record) in schema_ids):
                found.append(record)
        return tuple(found)

    # --- near misses -----------------------------------------------------------------------------------------------

    def _suggest(self, form: str) -> Resolution:
        readings = list(self._splits(form, forgiving=True)) or [([], form)]
        found: dict[Record, None] = {}
        for match in _SPLITS.finditer(form):
            found |= dict.fromkeys(self._named(form[match.end() :]))
        for schema_ids, external_id in readings:
            found |= dict.fromkeys(self._similar(external_id, set(schema_ids)))
        return Resolution(near_misses=tuple(found)[:MAX_NEAR_MISSES])

    def _similar(self, external_id: str, schema_ids: set[str]) -> Iterator[Record]:
        """Records whose id is spelled in another way, else those with a typing error."""
        core = max(re.findall(r"[1-9]\d*", external_id), key=len, default=external_id.strip().casefold())
        near = islice((one for one in self._ids if core in one.casefold()), MAX_COMPARED_IDS)
        ids = [external_id, *sorted(one.external_id for one in SimilarIds(near).find(external_id))]
        if len(ids) == 1:
            there = [one for owner, one in self._snapshot.keys if owner in schema_ids] if schema_ids else self._ids
            ids += get_close_matches(external_id, islice(there, MAX_TYPED_IDS), n=MAX_NEAR_MISSES, cutoff=0.8)
        records = (record for one in dict.fromkeys(ids) for record in self._named(one))
        return (record for record in records if not schema_ids or _label(record) in schema_ids)

    @cached_property
    def _ids(self) -> dict[str, None]:
        """All external ids that were read, those that only errors name included."""
        failed = (one for _, details in self._snapshot.error_details for one in details)
        return dict.fromkeys(external_id for _, external_id in self._snapshot.keys) | dict.fromkeys(failed)


def _label(record: Record) -> str:
    return record.schema_id or name_label(record.schema)
