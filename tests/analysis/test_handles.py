"""Short names for keys."""

from __future__ import annotations

import re

from reach_mcp.analysis.handles import build_handles, digest, find_handle
from tests.analysis.graphs import build_graph, number
from tests.builders import pending

# Found by trying: the names of customers 143 and 289 share their first five characters.
HANDLE = "b-h6ndc"
"""Of customers 1."""

TWINS = ("customers/143", "customers/289")


def test_handle_is_the_same_everywhere() -> None:
    """Any replica must understand what another said last week: the letters are part of the contract."""
    graph = build_graph(pending("t/1", "customers/1"), pending("t/2", "customers/\ud800"))
    keys = [number(graph, "customers/1"), number(graph, "customers/\ud800")]

    assert list(build_handles(graph, keys).values()) == [HANDLE, "b-" + digest(("sd_customers", "\ud800"))[:5]]
    assert re.fullmatch("[a-z2-7]{26}", digest(("sd_customers", "1")))


def test_collision_is_lengthened() -> None:
    """One character more than what both share; everyone else keeps the short one."""
    graph = build_graph(*[pending(f"t/{place}", key) for place, key in enumerate((*TWINS, "customers/1"))])
    keys = [number(graph, key) for key in (*TWINS, "customers/1")]
    handles = list(build_handles(graph, keys).values())

    assert digest(("sd_customers", "143"))[:5] == digest(("sd_customers", "289"))[:5]
    assert [len(handle) for handle in handles] == [8, 8, 7]
    assert [find_handle(graph, handle) for handle in handles] == [[key] for key in keys]


def test_handle_of_a_smaller_tenant_is_still_found() -> None:
    """A short handle that was given before its twin came names both, so that nobody is sent the wrong way."""
    alone = build_graph(pending("t/1", TWINS[0]))
    (handle,) = build_handles(alone, alone.roots).values()
    both = build_graph(pending("t/1", *TWINS))

    assert find_handle(alone, handle) == alone.roots
    assert sorted(find_handle(both, handle)) == sorted(number(both, key) for key in TWINS)


def test_handle_is_read_in_any_case_and_any_length() -> None:
    """Models shorten and shout; the whole name works as well as its beginning."""
    graph = build_graph(pending("t/1", "customers/1"))
    key = number(graph, "customers/1")
    whole = digest(("sd_customers", "1"))

    assert [find_handle(graph, handle) for handle in (HANDLE.upper().replace("B-", "b-"), whole, whole[:4])] == [
        [key]
    ] * 3
    assert find_handle(graph, "b-22222") == []


def test_handle_of_a_pending_key_is_found_where_no_root_blocker_has_it() -> None:
    """A blocker that came to wait itself since the last call keeps its handle."""
    before = build_graph(pending("t/1", "customers/1"))
    (handle,) = build_handles(before, before.roots).values()
    after = build_graph(pending("t/1", "customers/1"), pending("customers/1", "locations/1"))

    assert find_handle(after, handle) == [number(after, "customers/1")]


def test_nothing_asked_for_costs_nothing() -> None:
    """No blocker is shown, so no name is made."""
    assert build_handles(build_graph(pending("t/1", "customers/1")), []) == {}
