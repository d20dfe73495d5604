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
from itertools import islice
from typing import Literal, NamedTuple
from urllib.parse import unquote

from reach_mcp.analysis.errors import QuestionError
from reach_mcp.analysis.evidence import Evidence, name_label
from reach_mcp.analysis.lookalikes import SimilarIds
from reach_mcp.analysis.multimap import Multimap
from reach_mcp.analysis.results import Record
from reach_mcp.analysis.snapshot import Snapshot

MAX_ALTERNATIVES = 5
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
_SPLITS = re.compile(r"\s*[:/=|,>\s]\s*")


class UnknownSchema(QuestionError):
    """No batch, pending resource or dependency has this schema."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a text names.

    `record` is set for kind record; `key` is its index in the snapshot, None where only errors name it. For kind
    ambiguous `alternatives` are the records that the text may mean. For kind unknown they are near misses.
    """

    kind: Literal["record", "batch", "ambiguous", "unknown"]
    record: Record | None = None
    key: int | None = None
    batch: int | None = None
    """Index of the batch."""
    alternatives: tuple[Record, ...] = ()

    @property
    def keys(self) -> tuple[int, ...]:
        """The key index of the record, where it has one."""
        return () if self.key is None else (self.key,)


class Named(NamedTuple):
    """A known record; `key` is None where only errors name it."""

    record: Record
    key: int | None


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
        UnknownSchema: nothing that was read has this schema.
    """
    if not text.strip():
        return set()
    bare = {one.schema.strip().casefold(): one.schema.strip() for one in snapshot.batches if one.schema}
    for form in spellings(text):
        found = snapshot.names.definitions(form)
        if found or form.casefold() in bare:
            return set(found)
    known = sorted({*snapshot.names.known, *_named_batches(snapshot)})
    names = {name for schema_id in snapshot.names.schema_ids for name in snapshot.names.names(schema_id)}
    raise _unknown_schema(text.strip(), known, {name.casefold(): name for name in sorted({*known, *names})})


def _named_batches(snapshot: Snapshot) -> Iterable[str]:
    return (one.schema for one in snapshot.batches if one.schema and not one.schema_id)


def _unknown_schema(asked: str, known: list[str], folded: dict[str, str]) -> UnknownSchema:
    if not known:
        return UnknownSchema(f"No schema is named '{asked}'.", "The batches read have no schemas.")
    close = get_close_matches(asked.casefold(), folded, n=3, cutoff=0.6)
    more = f" and {len(known) - MAX_NAMES} more" if len(known) > MAX_NAMES else ""
    advice = f"Known schemas: {', '.join(known[:MAX_NAMES])}{more}."
    hint = f"Did you mean {' or '.join(folded[one] for one in close)}? " if close else ""
    return UnknownSchema(f"No schema is named '{asked}'.", hint + advice)


class RecordLookup:
    """Resolves many texts over one snapshot. Indexes are built on first use."""

    def __init__(self, snapshot: Snapshot, evidence: Evidence | None = None) -> None:
        self._snapshot = snapshot
        self._evidence = evidence or Evidence(snapshot)
        self._names = {name_label(name) for name in _named_batches(snapshot)}
        self._batches = {batch.id: number for number, batch in enumerate(snapshot.batches)}

    def resolve(self, text: str, *, suggest: bool = True) -> Resolution:
        """Find the record or batch that a text names; without `suggest`, no near misses are looked for."""
        forms = list(spellings(text))
        for form in forms:
            found = self._resolve_exact(form)
            if found:
                return found
        if len(text) > MAX_TEXT_CHARS:
            return Resolution("unknown")
        for form in forms:
            found = self._resolve_forgiving(form)
            if found:
                return found
        return self._unknown(forms[-1]) if suggest else Resolution("unknown")

    def _resolve_exact(self, form: str) -> Resolution | None:
        """schema:external_id, then a batch id, then an external id alone."""
        for schema_ids, external_id in self._splits(form, ":"):
            found = _choose(self._named(external_id, schema_ids))
            if found:
                return found
        if form in self._batches:
            return Resolution("batch", batch=self._batches[form])
        return _choose(self._named(form)) if form else None

    def _resolve_forgiving(self, form: str) -> Resolution | None:
        uri = _BATCH_URI.fullmatch(form)
        batch_id = unquote(uri[1]).strip("/") if uri else form
        same = [number for known, number in self._batches.items() if known.casefold() == batch_id.casefold()]
        if len(same) == 1 or (same and batch_id in self._batches):
            return Resolution("batch", batch=self._batches.get(batch_id, same[0]))
        for schema_ids, external_id in self._splits(form, ""):
            for spelling in spellings(external_id):
                found = _choose(self._named(spelling, schema_ids))
                if found:
                    return found
        return None

    def _splits(self, form: str, separator: str) -> Iterator[tuple[list[str], str]]:
        """Every way to read a text as a known schema and an external id, the longest schema first.

        Without a separator, any of colon, slash, equals sign, bar, comma and blanks divides.
        """
        if separator:
            places = [(at, at + 1) for at, char in enumerate(form) if char == separator]
        else:
            places = [match.span() for match in _SPLITS.finditer(form)]
        for start, end in reversed(places):
            schema_ids = self._definitions(form[:start], forgiving=not separator)
            if schema_ids and form[end:]:
                yield schema_ids, form[end:]

    def _definitions(self, label: str, *, forgiving: bool) -> list[str]:
        for spelling in spellings(label) if forgiving else (label,):
            label = name_label(spelling)
            found = self._snapshot.names.definitions(spelling) + [label] * (label in self._names)
            if found:
                return found
        return []

    def _named(self, external_id: str, schema_ids: list[str] | None = None) -> list[Named]:
        """All known records with an external id, in some schemas or in all."""
        index = self._snapshot.key_index
        if schema_ids is None:
            numbers = self._keys_of.get(external_id)
        else:
            numbers = [index[key] for one in schema_ids if (key := (one, external_id)) in index]
        found = [Named(self._snapshot.record(number), number) for number in numbers]
        found.sort(key=lambda one: one.record.schema_id)
        known = {one.record.schema_id for one in found}
        failed = dict.fromkeys(self._evidence.failed_records(external_id))
        for record in sorted(failed, key=lambda one: not one.schema_id):
            new = record.schema_id not in known if record.schema_id else not found
            if new and (schema_ids is None or _label(record) in schema_ids):
                found.append(Named(record, None))
        return found

    # --- near misses -----------------------------------------------------------------------------------------------

    def _unknown(self, form: str) -> Resolution:
        readings = list(self._splits(form, "")) or [([], form)]
        found: dict[Record, None] = {}
        for place in [match.end() for match in _SPLITS.finditer(form)]:
            found |= dict.fromkeys(one.record for one in self._named(form[place:]))
        for schema_ids, external_id in readings:
            found |= dict.fromkeys(self._similar(external_id, set(schema_ids)))
        return Resolution("unknown", alternatives=tuple(found)[:MAX_ALTERNATIVES])

    def _similar(self, external_id: str, schema_ids: set[str]) -> Iterator[Record]:
        """Records whose id is spelled in another way, else those with a typing error."""
        core = max(re.findall(r"[1-9]\d*", external_id), key=len, default=external_id.strip().casefold())
        near = islice((one for one in self._ids if core in one.casefold()), MAX_COMPARED_IDS)
        ids = {
            external_id: None,
            **dict.fromkeys(sorted(one.external_id for one in SimilarIds(near).find(external_id))),
        }
        if len(ids) == 1:
            ids_there = [one for owner, one in self._snapshot.keys if owner in schema_ids] if schema_ids else self._ids
            known = list(islice(ids_there, MAX_TYPED_IDS))
            ids |= dict.fromkeys(get_close_matches(external_id, known, n=MAX_ALTERNATIVES, cutoff=0.8))
        records = (named.record for one in ids for named in self._named(one))
        return (record for record in records if not schema_ids or _label(record) in schema_ids)

    @cached_property
    def _keys_of(self) -> Multimap[str, int]:
        """External id to key indexes: several where several schemas have it."""
        return Multimap((external_id, number) for number, (_, external_id) in enumerate(self._snapshot.keys))

    @cached_property
    def _ids(self) -> dict[str, None]:
        """All external ids that were read, those that only errors name included."""
        failed = (one for _, details in self._snapshot.error_details for one in details)
        return dict.fromkeys(self._keys_of) | dict.fromkeys(failed)


def _label(record: Record) -> str:
    return record.schema_id or name_label(record.schema)


def _choose(found: list[Named]) -> Resolution | None:
    if not found:
        return None
    if len(found) == 1:
        return Resolution("record", record=found[0].record, key=found[0].key)
    return Resolution("ambiguous", alternatives=tuple([one.record for one in found]))
