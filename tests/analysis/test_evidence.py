"""Why something is missing: what other batches say, and which ids look like it."""

from __future__ import annotations

from math import nan

import pytest

from reach_mcp.analysis.evidence import (
    DELETE,
    KEPT,
    EvidenceBuilder,
    FailedRecord,
    Finding,
    Similar,
    find_likeness,
)
from reach_mcp.analysis.graph import DependencyGraph
from tests.analysis.graphs import MOMENT, build_evidence, build_graph, number
from tests.builders import Failures, Json, Time, batch, pending

BAD: tuple[list[str], list[str]] = (["Email is invalid", "Name is empty"], ["VALIDATION_ERROR", "MISSING_FIELD"])


def failed(batch_id: str, *externals: str, schema: str | None = "customers", done: Time = -1.0, **more: str) -> Json:
    """A batch in which these records failed."""
    failures: Failures = dict.fromkeys(externals, BAD)
    return batch(batch_id, schema=schema, failed=failures, completed=done, **more)  # type: ignore[arg-type] # status


def about(evidence: EvidenceBuilder, graph: DependencyGraph, key: str) -> Finding:
    wanted = number(graph, key)
    return evidence.about(graph, [wanted])[wanted]


def alike(graph: DependencyGraph, key: str, *batches: Json) -> list[tuple[str, str, str]]:
    found = about(build_evidence(*batches), graph, key).similar
    return [(one.external_id, one.rule, one.seen) for one in found]


ONE = build_graph(pending("transactions/1", "customers/c1"))


def test_failure_is_told_with_its_batch_time_and_first_error() -> None:
    """The one fact that ends a search: it was sent, there, then, and this is what was wrong with it."""
    found = about(build_evidence(failed("b9", "c1", done=-2.0)), ONE, "customers/c1")

    assert found == Finding(
        failures=(
            FailedRecord(
                batch_id="b9",
                batch_type="PARTNER_RESOURCE_JSON_INGEST",
                at=MOMENT - 7200,
                error="Email is invalid",
                category="VALIDATION_ERROR",
            ),
        )
    )
    assert found.causes == ("failed",)


def test_failure_without_words_is_a_failure() -> None:
    """`errors` and `categories` may both be empty."""
    evidence = build_evidence(batch("b9", schema="customers", failed={"c1": ([], [])}))

    assert [(one.error, one.category) for one in about(evidence, ONE, "customers/c1").failures] == [("", "")]


def test_newest_failure_comes_first() -> None:
    """What was wrong yesterday may be mended; what can't be dated comes last, and equal times by batch."""
    evidence = build_evidence(
        failed("b1", "c1", done=-5.0),
        failed("b4", "c1", done="yesterday"),
        failed("b3", "c1", done=-1.0),
        failed("b2", "c1", done=-1.0),
    )

    assert [one.batch_id for one in about(evidence, ONE, "customers/c1").failures] == ["b2", "b3", "b1", "b4"]


def test_batch_that_is_not_done_is_dated_by_what_it_says() -> None:
    """completedAt, else startedAt, else createdAt, else not at all."""
    times = [
        failed("b1", "c1", done=None),
        batch("b2", schema="customers", failed={"c1": BAD}, completed=None, started=None, created=-3.0),
        batch("b3", schema="customers", failed={"c1": BAD}, completed=None, started=None, created=None),
    ]
    found = about(build_evidence(*times), ONE, "customers/c1").failures

    assert [(one.batch_id, one.at) for one in found[:2]] == [("b1", MOMENT - 3600), ("b2", MOMENT - 3 * 3600)]
    assert str(found[2].at) == str(nan)


def test_record_of_a_delete_batch_is_called_deleted() -> None:
    """Only a DELETE batch's own record shows a deletion; both classes hold when both happened."""
    deleted = failed("b8", "c1", type=DELETE)

    assert about(build_evidence(deleted), ONE, "customers/c1").causes == ("deleted",)
    assert about(build_evidence(deleted, failed("b9", "c1")), ONE, "customers/c1").causes == ("failed", "deleted")
    assert about(build_evidence(failed("b8", "c2", type=DELETE)), ONE, "customers/c1").causes == ("not_seen",)


def test_what_no_batch_names_was_not_seen() -> None:
    """In the batches that were read, that is: their number stands beside."""
    evidence = build_evidence(failed("b1", "other"), batch("b2", schema="customers"), batch("b3"))

    assert about(evidence, ONE, "customers/c1") == Finding()
    assert Finding().causes == ("not_seen",)
    assert len(evidence.batches) == 3


def test_failure_of_another_schema_is_none() -> None:
    """Location c1 is not customer c1."""
    assert about(build_evidence(failed("b1", "c1", schema="locations")), ONE, "customers/c1") == Finding()


def test_failure_is_found_by_the_name_of_a_schema_in_any_case() -> None:
    """A batch may bear the name of its schema alone; the page says that names are looked up in any case."""
    named = failed("b1", "c1", schema="Customers")
    del named["schemaDefinitionId"]

    assert [one.batch_id for one in about(build_evidence(named), ONE, "customers/c1").failures] == ["b1"]


def test_batch_without_a_schema_is_evidence_for_nothing() -> None:
    """Whose record failed can't be told from an external id alone."""
    assert about(build_evidence(failed("b1", "c1", schema=None)), ONE, "customers/c1") == Finding()


def test_failure_counts_once_where_the_schema_has_no_name() -> None:
    """Without a name the definition id stands for it; one batch must not be told as two."""
    nameless = build_graph(pending("transactions/1", "customers/c1", names=False))

    assert len(about(build_evidence(failed("b1", "c1")), nameless, "customers/c1").failures) == 1


def test_batch_that_is_read_twice_counts_once() -> None:
    """Batches move between pages while a walk runs."""
    evidence = build_evidence(failed("b1", "c1"), failed("b1", "c1"))

    assert (len(evidence.batches), evidence.kept) == (1, 1)
    assert len(about(evidence, ONE, "customers/c1").failures) == 1


def test_records_beyond_the_bound_are_counted() -> None:
    """Memory is bounded, and the answer says how many of the oldest were left out; nothing is dropped unsaid."""
    newest = failed("b1", *map(str, range(KEPT - 1)))
    evidence = build_evidence(newest, failed("b2", "c1", "c2", "c3"))

    assert (evidence.kept, evidence.dropped) == (KEPT, 2)
    assert [one.batch_id for one in about(evidence, ONE, "customers/c1").failures] == ["b2"]


@pytest.mark.parametrize(
    ("wanted", "seen", "rule"),
    [
        ("loc_1", "LOC_1", "case"),
        ("straße", "STRASSE", "case"),
        ("cust_1", " cust_1 ", "spaces"),
        ("cust 1", "cust1", "spaces"),
        ("", " ", "spaces"),
        ("7731", "0007731", "leading_zeros"),
        ("INV-412", "inv-00412", "leading_zeros"),
        ("a.007.b", "a.7.b", "leading_zeros"),
        ("8841", "cust_8841", "prefix"),
        ("8841", "CUST-8841", "prefix"),
        ("a/1", "1", "prefix"),
        ("cust_O841", "cust_0841", "one_character"),
        ("alpha", "alphu", "one_character"),
        ("harbor", "habror", "one_character"),
    ],
)
def test_ids_that_are_nearly_the_same(wanted: str, seen: str, rule: str) -> None:
    """Two systems write one id in two ways; the rule tells which, in either direction."""
    assert find_likeness(wanted, seen) == rule
    assert find_likeness(seen, wanted) == rule


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("8841", "8841", id="the same"),
        pytest.param("cust_8841", "cust_8842", id="neighbours in a series"),
        pytest.param("cust_12", "cust_21", id="digits swapped"),
        pytest.param("10", "100", id="a trailing zero counts"),
        pytest.param("1", "11", id="a digit more"),
        pytest.param("abcd", "abcx", id="one off, but short"),
        pytest.param("harbor", "hxrbxr", id="two off"),
        pytest.param("harbor", "hrabro", id="two swaps"),
        pytest.param("harbor", "haxyor", id="two neighbours off"),
        pytest.param("harbor", "haarrr", id="two neighbours, one of them copied"),
        pytest.param("harbor", "harbour", id="one more"),
        pytest.param("cust_1", "acct_1", id="two prefixes"),
        pytest.param("1_8841", "8841", id="a number is no prefix"),
        pytest.param("8841", "cust_8842", id="a prefix before another number"),
        pytest.param("8841", "a_very_long_prefix_8841", id="far longer"),
        pytest.param("\u00e9", "e\u0301", id="looks the same, is not"),
    ],
)
def test_ids_that_are_not_alike(one: str, other: str) -> None:
    """A wrong likeness sends people to rename records that are right."""
    assert find_likeness(one, other) is None
    assert find_likeness(other, one) is None


def test_likeness_is_looked_for_among_pending_and_failed_records() -> None:
    """Seen is what rows bear or batches name; what rows merely list as missing was not seen either."""
    graph = build_graph(
        pending("transactions/1", "customers/8841", "customers/cust-8841"),
        pending("customers/cust_8841", "locations/1"),
        pending("locations/x_8841", "locations/1"),
    )

    assert alike(graph, "customers/8841", failed("b1", "CUST_8841", "08841", "8842", "8841")) == [
        ("08841", "leading_zeros", "failed"),
        ("CUST_8841", "prefix", "failed"),
        ("cust_8841", "prefix", "pending"),
    ]


def test_likeness_that_was_seen_both_ways_is_told_once() -> None:
    """As pending: that record is there, and waits."""
    graph = build_graph(pending("transactions/1", "customers/1a"), pending("customers/1A", "locations/1"))
    evidence = build_evidence(failed("b1", "1A"))

    assert about(evidence, graph, "customers/1a") == Finding(similar=(Similar("1A", "case", "pending"),))
    assert about(evidence, graph, "customers/1a").causes == ("similar",)


def test_failure_and_likeness_may_both_hold() -> None:
    """Causes stand surest first."""
    assert about(build_evidence(failed("b1", "c1", "C1")), ONE, "customers/c1").causes == ("failed", "similar")


def test_each_key_has_its_own_findings() -> None:
    """One pass over what was seen serves all blockers of an answer."""
    graph = build_graph(pending("t/1", "customers/a1", "customers/b1", "locations/a1", "customers/none"))
    keys = [number(graph, key) for key in ("customers/a1", "customers/b1", "locations/a1", "customers/none")]
    found = build_evidence(failed("b1", "A1", "b1"), failed("b2", "A1", schema="locations")).about(graph, keys)

    assert [[one.external_id for one in found[key].similar] for key in keys] == [["A1"], [], ["A1"], []]
    assert [len(found[key].failures) for key in keys] == [0, 1, 0, 0]
    assert EvidenceBuilder().about(graph, []) == {}


def test_last_word_may_be_the_one_that_differs() -> None:
    """Ids are compared when they end alike, as most that look alike do; one character off may be the last."""
    graph = build_graph(pending("t/1", "customers/alpha-hq"), pending("customers/alpha-hg", "t/9"))

    assert alike(graph, "customers/alpha-hq", failed("b2", "alpha-hx")) == [
        ("alpha-hg", "one_character", "pending"),
        ("alpha-hx", "one_character", "failed"),
    ]
