"""Records, batches and schemas found from texts, as people and language models write them."""

from __future__ import annotations

import pytest

from reach_mcp.analysis.errors import QuestionError
from reach_mcp.analysis.lookup import RecordLookup, Resolution, resolve_schema
from reach_mcp.analysis.snapshot import Snapshot
from tests.analysis.graphs import read
from tests.builders import Ref, batch, pending

GID = "gid://shopify/Customer/1"
UUID_BATCH = "5be864ca-1234-4abc-9def-0123456789ab"

TENANT = read(
    batch(
        "bat_1",
        pending("transactions:t1", "customers:c1", f"customers:{GID}", "app:orders:o:1", "locations:ab cd", "app:x"),
        pending("transactions:both", "customers:both", "locations:[7]", "customers:cust_8841", 'locations:say "hi"'),
        pending("transactions:t2", Ref("sd_x", "q", "dup"), Ref("sd_y", "q", "Dup"), Ref("sd_y", "r", "Dup")),
        pending("transactions:invoices c1x", Ref("app:orders", "o2", "app:orders"), Ref("sd_only_id", "n1")),
    ),
    batch("b/2", schema="invoices", failed=["inv_1", "inv:2"]),
    batch(UUID_BATCH, schema="Plain", schema_id=None, failed=["p1"]),
    batch("b 4", schema="dup", schema_id=None, failed=["q", "failed_only"]),
    batch("b:5", schema=None, failed=["c1", "nobody"]),
    batch("B 4", schema="customers", failed=["c1"]),
)


def resolve_record(text: str, snapshot: Snapshot) -> Resolution:
    return RecordLookup(snapshot).resolve(text)


def named(found: Resolution) -> list[str]:
    """`definition:external_id` of the records that were found, else of near misses."""
    return [f"{one.schema_id}:{one.external_id}" for one in found.records or found.near_misses]


@pytest.mark.parametrize(
    "text",
    [
        "customers:c1", "CUSTOMERS:c1", "sd_customers:c1", " customers:c1 \n", "`customers:c1`", "```customers:c1```",
        '"customers:c1"', "'customers:c1'", "“customers:c1”", "(customers:c1).", "[customers:c1]", "<customers:c1>",
        "['customers:c1']", 'k72"customers:c1"', 'k72"customers" k72"c1"', 'k72"customers":k72"c1"',
        'customers:k72"c1"', '`k72"customers:c1"`', "customers c1", "customers   c1", "customers/c1", "Customers, c1",
        "customers | c1", "customers = c1", "customers=c1", "customers: c1", "customers -> c1".replace("-", ""),
        "customers:'c1'", "c1", " `c1` ",
    ],
)  # fmt: skip
def test_every_way_to_write_a_record_finds_it(text: str) -> None:
    found = resolve_record(text, TENANT)
    assert (found.batch, named(found)) == (None, ["sd_customers:c1"])


@pytest.mark.parametrize(
    ("text", "record"),
    [
        (f"customers:{GID}", f"sd_customers:{GID}"), (f"customers {GID}", f"sd_customers:{GID}"),
        (f"customers/{GID}", f"sd_customers:{GID}"), (GID, f"sd_customers:{GID}"),
        (f"<{GID}>", f"sd_customers:{GID}"), ("app:orders:o:1", "sd_app:orders:o:1"),
        ("orders:o:1", "sd_app:orders:o:1"), ("app:orders:o2", "app:orders:o2"), ("APP:ORDERS o2", "app:orders:o2"),
        ("app:x", "sd_app:x"), ("sd_only_id:n1", "sd_only_id:n1"), ("locations:ab cd", "sd_locations:ab cd"),
        ('locations:k72"ab cd"', "sd_locations:ab cd"), ("ab cd", "sd_locations:ab cd"),
        ("locations:[7]", "sd_locations:[7]"), ("[7]", "sd_locations:[7]"),
        ('locations:say "hi"', 'sd_locations:say "hi"'), ("invoices c1x", "sd_transactions:invoices c1x"),
        ("dup:r", "sd_y:r"), ("sd_x:q", "sd_x:q"), ("sd_y q", "sd_y:q"),
    ],
)  # fmt: skip
def test_an_exact_spelling_wins_and_an_id_may_contain_separators(text: str, record: str) -> None:
    assert named(resolve_record(text, TENANT)) == [record]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("invoices:inv_1", "invoices:inv_1"), ("invoices:inv:2", "invoices:inv:2"), ("inv_1", "invoices:inv_1"),
        ("INVOICES inv_1", "invoices:inv_1"), ("plain:p1", "Plain:p1"), ("p1", "Plain:p1"),
        ("dup:failed_only", "dup:failed_only"),
    ],
)  # fmt: skip
def test_a_record_that_only_errors_name_is_found(text: str, name: str) -> None:
    assert [one.name for one in resolve_record(text, TENANT).records] == [name]


@pytest.mark.parametrize(
    ("text", "batch_id"),
    [
        ("bat_1", "bat_1"), (" bat_1 ", "bat_1"), ("`bat_1`", "bat_1"), ('k72"bat_1"', "bat_1"), ("BAT_1", "bat_1"),
        (UUID_BATCH.upper(), UUID_BATCH), ("b/2", "b/2"), ("reach://batches/b%2F2", "b/2"),
        ("<reach://batches/bat_1>", "bat_1"), ("reach://batches/b%204/", "b 4"), ("b 4", "b 4"), ("B 4", "B 4"),
        ("b:5", "b:5"),
    ],
)  # fmt: skip
def test_a_batch_is_found_by_its_id_and_by_its_resource_uri(text: str, batch_id: str) -> None:
    found = resolve_record(text, TENANT)
    assert found.records == ()
    assert found.batch is not None
    assert TENANT.batches[found.batch].id == batch_id


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("dup:q", ["sd_x:q", "sd_y:q"]),
        ("DUP q", ["sd_x:q", "sd_y:q"]),
        ("both", ["sd_customers:both", "sd_transactions:both"]),
    ],
)
def test_a_text_that_means_several_records_is_ambiguous(text: str, records: list[str]) -> None:
    found = resolve_record(text, TENANT)
    assert (found.near_misses, named(found)) == ((), records)
    for one in found.records:
        assert resolve_record(one.name, TENANT).records == (one,)


@pytest.mark.parametrize(
    ("text", "near_misses"),
    [
        ("customers:8841", ["sd_customers:cust_8841"]), ("customers:CUST-8841", ["sd_customers:cust_8841"]),
        ("customers:cust_8814", ["sd_customers:cust_8841"]), ("customers:cust_884", ["sd_customers:cust_8841"]),
        ("cust_88411", ["sd_customers:cust_8841"]), ("custmers:c1", ["sd_customers:c1"]),
        ("locations:c1", ["sd_customers:c1"]), ("locations:cust_8841", ["sd_customers:cust_8841"]),
        ("plain:p1_", ["::p1"]), ("nobody", []), ("customers:zzzzzz", []), ("customers:", []), ("", []), ("   ", []),
        ('k72""', []), ('""', []), ("x" * 70, []), ("schema=" + " " * 100_000, []),
        ("[" * 100_000 + "]" * 100_000, []),
    ],
)  # fmt: skip
def test_an_unknown_record_is_never_made_up(text: str, near_misses: list[str]) -> None:
    found = resolve_record(text, TENANT)
    assert (found.batch, found.records) == (None, ())
    assert [one.replace("::", ":") for one in named(found)] == [one.replace("::", ":") for one in near_misses]
    assert RecordLookup(TENANT).resolve(text, suggest=False) == Resolution()


def test_a_typing_error_is_found_among_many_records() -> None:
    rows = [pending(f"transactions:txn_{number}", f"customers:cust_{number}") for number in range(3000, 4000)]
    found = resolve_record("customers:cutsomer_3001", read(batch("b1", *rows)))
    assert found.near_misses == ()
    found = resolve_record("customers:csut_3001", read(batch("b1", *rows)))
    assert [one.name for one in found.near_misses] == ["customers:cust_3001"]


@pytest.mark.parametrize(
    ("text", "schema_ids"),
    [
        ("customers", {"sd_customers"}), (" CUSTOMERS ", {"sd_customers"}), ("sd_customers", {"sd_customers"}),
        ('k72"customers"', {"sd_customers"}), ("`customers`", {"sd_customers"}), ("dup", {"sd_x", "sd_y"}),
        ("sd_x", {"sd_x"}), ("app:orders", {"app:orders"}), ("sd_only_id", {"sd_only_id"}), ("plain", set()),
        ("", set()), ("   ", set()),
    ],
)  # fmt: skip
def test_a_schema_is_found_by_name_and_by_definition_id(text: str, schema_ids: set[str]) -> None:
    assert resolve_schema(text, TENANT) == schema_ids


def test_the_name_of_a_schema_may_stand_in_another_batch_than_its_definition_id() -> None:
    unnamed = batch("b1", pending(Ref("sd_1", "o1"), Ref("sd_2", "c1")), schema=None, schema_id="sd_1")
    naming = batch("b2", pending(Ref("sd_9", "x"), Ref("sd_1", "o7", "orders")), schema=None, schema_id="sd_9")
    assert resolve_schema("Orders", read(unnamed, naming)) == {"sd_1"}


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("custmer", "Did you mean customers? Known schemas: "),
        ("Invoice", "Did you mean invoices? Known schemas: "),
        ("PLANE", "Did you mean Plain? Known schemas: "),
        ("zzz", "Known schemas: Plain, app, app:orders, "),
    ],
)
def test_an_unknown_schema_is_an_error_with_the_known_names(text: str, advice: str) -> None:
    with pytest.raises(QuestionError) as caught:
        resolve_schema(f" {text} ", TENANT)
    assert caught.value.message == f"No schema is named '{text}'."
    assert caught.value.advice.startswith(advice)


def test_the_known_schemas_of_a_message_are_bounded() -> None:
    snapshot = read(*(batch(f"b{number}", schema=f"schema_{number:02}") for number in range(25)))
    with pytest.raises(QuestionError) as caught:
        resolve_schema("zzz", snapshot)
    assert caught.value.advice.endswith("schema_19 and 5 more.")


def test_a_tenant_without_schemas_knows_none() -> None:
    with pytest.raises(QuestionError) as caught:
        resolve_schema("customers", read())
    assert caught.value.advice == "The batches read have no schemas."
