"""Hypothesis strategies: tenants in which rows wait for each other, collide and repeat.

Ids come from a small alphabet, so chains, cycles and equal ids in different schemas are in most examples. Every example
is wire JSON that the API could send: what Hypothesis shrinks to can be pasted into a test.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, combinations, pairwise
from typing import TypeAlias

from hypothesis import strategies as st

from tests.builders import Json, Time, batch, pending

Edges: TypeAlias = list[tuple[str, tuple[str, ...]]]
"""Rows: a record with the records that it lists as missing."""

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
    "\x00",
    "\n",
    "null",
    "\uff11",  # full-width digit one
    "\u0130",  # grows in length when lower-cased
)
EXPIRIES: tuple[Time, ...] = (
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
    "2026-11-23t15:30:00z",
    "2026-11-23T12:30:00",
    "soon",
    "",
)

external_ids = st.sampled_from(PLAIN_IDS) | st.sampled_from(ODD_IDS)
records = st.builds("{}:{}".format, st.sampled_from(SCHEMAS), external_ids)
expiries: st.SearchStrategy[Time] = st.sampled_from(EXPIRIES)


def _chain(path: list[str]) -> Edges:
    """a waits for b, b for c; the last one is no row."""
    return [(key, (below,)) for key, below in pairwise(path)]


def _cycle(path: list[str]) -> Edges:
    """a waits for b, b for a. A path of one waits for itself."""
    return [(key, (path[(place + 1) % len(path)],)) for place, key in enumerate(path)]


def _two_way(path: list[str]) -> Edges:
    """Each waits for both of its neighbours."""
    return [
        (key, tuple(path[other] for other in (place - 1, place + 1) if 0 <= other < len(path)))
        for place, key in enumerate(path)
    ]


def _hub(path: list[str]) -> Edges:
    """All wait for the first."""
    return [(key, (path[0],)) for key in path[1:]]


def _gather(path: list[str]) -> Edges:
    """The first waits for all others."""
    return [(path[0], tuple(path[1:]))] if path[1:] else []


def _ladder(path: list[str]) -> Edges:
    """Each waits for all that come after it: many ways lead to the last."""
    return [(key, tuple(path[place + 1 :])) for place, key in enumerate(path[:-1])]


def _links_over_one(path: list[str]) -> Edges:
    """The first waits for many links, and each of those for the last: the ways meet again in one blocker."""
    first, *links, last = path if len(path) > 2 else (*path, "orders:meet", "orders:end")
    return [(first, tuple(links)), *((link, (last,)) for link in links)]


def _pairs(path: list[str]) -> Edges:
    """One row for each pair: it clears when both arrive."""
    return [(f"transactions:{one}+{two}", (one, two)) for one, two in combinations(path[:4], 2)]


SHAPES: tuple[Callable[[list[str]], Edges], ...] = (
    _chain,
    _cycle,
    _two_way,
    _hub,
    _gather,
    _ladder,
    _links_over_one,
    _pairs,
)


@st.composite
def edges(draw: st.DrawFn) -> Edges:
    """Shapes over the same few records, and rows that list any of them, repeated or none at all.

    Some records are kept out of the shapes, so that there is nearly always something to send.
    """
    few = draw(st.lists(records, min_size=4, max_size=10, unique=True))
    inside = few[draw(st.integers(0, 3)) :]
    paths = st.lists(st.sampled_from(inside), min_size=1, max_size=6, unique=True)
    shapes = st.lists(st.one_of(*(paths.map(shape) for shape in SHAPES)), min_size=1, max_size=4)
    least = draw(st.sampled_from((1, 1, 1, 0)))
    missing = st.lists(st.sampled_from(few), min_size=least, max_size=4).map(tuple)
    rows = st.lists(st.tuples(st.sampled_from(inside), missing), min_size=0, max_size=7)
    return [*chain.from_iterable(draw(shapes)), *draw(rows)]


@st.composite
def tenants(draw: st.DrawFn) -> list[Json]:
    """Batches with distinct ids, whose rows have distinct ids; some rows leave out schema names."""
    found = draw(edges())
    rows = [
        pending(key, *missing, id=f"pr_{number}", expires=draw(expiries), names=draw(st.booleans()))
        for number, (key, missing) in enumerate(found)
    ]
    return _deal(draw, rows)


def _deal(draw: st.DrawFn, rows: list[Json]) -> list[Json]:
    """The rows in up to three batches, some of which may be empty."""
    parts = draw(st.integers(1, 3))
    places = [draw(st.integers(0, parts - 1)) for _ in rows]
    return [
        batch(f"b{part}", *(row for row, place in zip(rows, places, strict=True) if place == part))
        for part in range(parts)
    ]


@st.composite
def reordered(draw: st.DrawFn, batches: list[Json]) -> list[Json]:
    """The same batches and rows, in another order."""
    return [
        read | {"pendingResources": draw(st.permutations(read["pendingResources"]))}
        for read in draw(st.permutations(batches))
    ]


@st.composite
def plan_instances(draw: st.DrawFn) -> list[Json]:
    """One batch over few missing records in which rows need one, two or three of them, some through others."""
    roots = [f"customers:{number}" for number in range(draw(st.integers(2, 8)))]
    needs = st.lists(st.sampled_from(roots), min_size=1, max_size=3, unique=True)
    links = {f"orders:{number}": needed for number, needed in enumerate(draw(st.lists(needs, max_size=3)))}
    listed = st.lists(st.sampled_from([*roots, *links]), min_size=1, max_size=3, unique=True)
    groups = draw(st.lists(st.tuples(listed, st.integers(1, 6)), min_size=1, max_size=12))
    rows = [pending(link, *needed, id=f"link_{link}") for link, needed in links.items()]
    for group, (needed, copies) in enumerate(groups):
        rows += [pending(f"transactions:{group}_{copy}", *needed) for copy in range(copies)]
    if draw(st.booleans()) and links:
        rows.append(pending(next(iter(links)), draw(st.sampled_from([*roots, *links])), id="again"))
    return [batch("b1", *rows)]
