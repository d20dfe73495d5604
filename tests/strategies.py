"""Tenants for hypothesis: batches in which rows really do wait for one another, collide and repeat.

Ids come from a small alphabet, so that chains, circles and equal ids in different schemas turn up in most examples.
Every example is wire JSON that the API could send; what hypothesis shrinks to can be pasted into a test.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain, pairwise
from typing import Any, TypeAlias

from hypothesis import strategies as st

from tests.builders import Json, batch, pending

Edges: TypeAlias = list[tuple[str, tuple[str, ...]]]
"""What becomes rows: a key beside the keys that it lists as missing."""

SCHEMAS = ("customers", "orders", "transactions")
PLAIN_IDS = ("1", "2", "3", "01", "cust_1", "CUST_1")
ODD_IDS = (
    "",
    " ",
    " 1",
    "1/2",
    "a:b",
    "\u202e1",  # right-to-left override
    "\u200b1",  # zero-width space
    "\u00e9",
    "e\u0301",  # looks like the one before, is another id
    "\u0661",  # Arabic-Indic digit one
    "\U000e0031",  # tag character
    "\U0001f9fe",
    "\x00",
    "\n",
    "null",
    "\uff11",  # full-width digit one
    "\u0130",  # grows in length when lower-cased
)

EXPIRIES = (
    -26.0,
    -0.5,
    0.0,
    0.3,
    1.0,
    6.0,
    23.999,
    24.0,
    30.0,
    "2026-11-23T15:30:00+02:00",
    "2026-11-23T12:30:00",
    "2026-11-23",
    "soon",
    "",
)

external_ids = st.sampled_from(PLAIN_IDS) | st.sampled_from(ODD_IDS)
keys = st.builds("{}/{}".format, st.sampled_from(SCHEMAS), external_ids)
expiries: st.SearchStrategy[Any] = st.sampled_from(EXPIRIES)


def _chain(path: list[str]) -> Edges:
    """a waits for b, b for c: the last one is nobody's row."""
    return [(key, (below,)) for key, below in pairwise(path)]


def _circle(path: list[str]) -> Edges:
    """a waits for b, b for a. A path of one waits for itself."""
    return [(key, (path[(place + 1) % len(path)],)) for place, key in enumerate(path)]


def _hub(path: list[str]) -> Edges:
    """Everyone waits for the first."""
    return [(key, (path[0],)) for key in path[1:]]


def _gather(path: list[str]) -> Edges:
    """The first waits for everyone else."""
    return [(path[0], tuple(path[1:]))] if path[1:] else []


def _ladder(path: list[str]) -> Edges:
    """Each waits for all that come after it: many ways lead to the last."""
    return [(key, tuple(path[place + 1 :])) for place, key in enumerate(path[:-1])]


SHAPES: tuple[Callable[[list[str]], Edges], ...] = (_chain, _circle, _hub, _gather, _ladder)


@st.composite
def edges(draw: st.DrawFn) -> Edges:
    """Shapes laid over one another on the same few keys, and rows that list any of them, repeated or none at all.

    Some keys are kept out of the shapes, so that there is nearly always something outside to wait for.
    """
    few = draw(st.lists(keys, min_size=4, max_size=10, unique=True))
    inside = few[draw(st.integers(0, 3)) :]
    paths = st.lists(st.sampled_from(inside), min_size=1, max_size=6, unique=True)
    shapes = st.lists(st.one_of(*(paths.map(shape) for shape in SHAPES)), min_size=1, max_size=4)
    least = draw(st.sampled_from((1, 1, 1, 0)))
    missing = st.lists(st.sampled_from(few), min_size=least, max_size=4).map(tuple)
    rows = st.lists(st.tuples(st.sampled_from(inside), missing), min_size=2, max_size=7)
    return [*chain.from_iterable(draw(shapes)), *draw(rows)]


failures = st.dictionaries(
    external_ids,
    st.tuples(
        st.lists(st.sampled_from(("Email is invalid", "\u202eIgnore this")), max_size=2),
        st.lists(st.sampled_from(("VALIDATION_ERROR", "DUPLICATE")), max_size=2),
    ),
    max_size=2,
)


counters: st.SearchStrategy[dict[str, Any]] = st.sampled_from(({}, {}, {"pendingRecords": 0}, {"pendingRecords": 7}))


@st.composite
def tenants(draw: st.DrawFn, *, conflicts: bool = True) -> list[Json]:
    """Batches in the order they were read, with anything that the API's page allows in them.

    With `conflicts`, a batch may be read again with other rows in it, and a row's id may turn up in other batches with
    other contents, so the order of reading matters. Without, a batch is only ever read again as it was and a row
    stands in one batch: every order of batches and of rows must then give the same answer.
    """
    found = draw(edges()) if draw(st.integers(0, 19)) > 0 else []
    rows = [_row(draw, number, edge, conflicts=conflicts) for number, edge in enumerate(found)]
    batches = [_batch(draw, f"b{number}", part) for number, part in enumerate(_parts(draw, rows))]
    if conflicts:
        batches += [_batch(draw, read["batchId"], _some(draw, rows)) for read in _some(draw, batches)]
    batches += copy.deepcopy(_some(draw, batches))
    return draw(st.permutations(batches)) if conflicts else batches


@st.composite
def reordered(draw: st.DrawFn, batches: list[Json]) -> list[Json]:
    """The same batches and rows, in another order."""
    return [
        read | {"pendingResources": draw(st.permutations(read["pendingResources"]))}
        for read in draw(st.permutations(batches))
    ]


def _row(draw: st.DrawFn, number: int, edge: tuple[str, tuple[str, ...]], *, conflicts: bool) -> Json:
    key, missing = edge
    ids = st.integers(0, 5) if conflicts and draw(st.integers(0, 5)) == 5 else st.just(number)
    row = pending(key, *missing, id=f"pr_{draw(ids)}", expires=draw(expiries), names=draw(st.integers(0, 3)) > 0)
    return row | ({"schemaName": None} if draw(st.integers(0, 9)) == 9 else {})


def _parts(draw: st.DrawFn, rows: list[Json]) -> list[list[Json]]:
    """The rows dealt out to up to four batches, some of which may stay empty; no batch at all is possible too."""
    parts = draw(st.integers(1 if rows else 0, 4))
    places = [draw(st.integers(0, parts - 1)) for _ in rows]
    return [[row for row, place in zip(rows, places, strict=True) if place == part] for part in range(parts)]


def _batch(draw: st.DrawFn, batch_id: str, rows: list[Json]) -> Json:
    return batch(
        batch_id,
        *copy.deepcopy(rows),
        status=draw(st.sampled_from(("success", "partial_success", "failure", "processing", "paused"))),
        type=draw(st.sampled_from(("PARTNER_RESOURCE_JSON_INGEST", "PARTNER_RESOURCE_BATCH_PATCH", "OTHER"))),
        schema=draw(st.sampled_from((*SCHEMAS, None))),
        failed=draw(failures),
        created=draw(st.sampled_from((-30.0, -2.0, -1.0, "yesterday", None))),
        **draw(counters),
    )


def _some(draw: st.DrawFn, values: list[Json]) -> list[Json]:
    """None of them as a rule, now and then up to three."""
    if not values or draw(st.integers(0, 2)) < 2:
        return []
    return draw(st.lists(st.sampled_from(values), max_size=3))
