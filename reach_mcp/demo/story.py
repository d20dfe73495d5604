"""The demo's tenants. `northwind` has a story; `healthy` has nothing that waits, `empty` has no batches.

Northwind, a field service firm, uploads five schemas: `customers`, `locations`, `transactions` and its own `invoices`
and `appointments`. Transactions refer to customers and locations, and may name the invoice that they pay. Invoices
refer to customers and transactions, appointments to customers, locations and invoices. Every night it runs a backfill
of eleven batches, for ten nights. Records wait for 24 hours. These things went wrong since yesterday:

- **A hub that was never uploaded**: 426 rows list location `loc_harbor_12` (`bat_txn_0921`, `bat_txn_0933`,
  `bat_apt_0919`), ten invoices wait for some of those (`bat_inv_0931`), and 12 of its rows miss a customer as well.
- **Parents that failed**: customers `cust_2201` to `cust_2212` in `bat_cus_0912`. 80 rows wait for them
  (`bat_txn_0922`, `bat_inv_0923`). A later PATCH (`bat_cus_0938`) did not find two of them either.
- **Chains of three**: `apt_5001` waits for `inv_3001`, that for `txn_7001`, that for customer `cust_4417`, which no
  batch has. There are twelve such chains (`bat_apt_0932`, `bat_inv_0931`, `bat_txn_0930`). The first three
  transactions were sent again and wait twice (`bat_txn_0939`).
- **A cycle**: `inv_9001` -> `txn_9002` -> `inv_9002` -> `txn_9003` -> `inv_9003` -> `txn_9001` -> `inv_9001`
  (`bat_inv_0940`, `bat_txn_0941`), with `apt_9101` to `apt_9105` stuck behind it (`bat_apt_0942`).
- **Ids that nearly match**: missing are `8841`, `LOC_PIER_03`, `cust_6120 ` (with a trailing space), `0007731` and
  `INV-00412` (`bat_txn_0945`, `bat_apt_0946`). Seen were `cust_8841`, `cust_6120` and `7731` (failed in
  `bat_cus_0912`), `loc_pier_03` (failed in `bat_loc_0907`) and `INV-412` (waits in `bat_inv_0923`).
- **Expired**: all 34 rows of `bat_txn_0898`, and 4 of the 7 that `bat_inv_0901` still lists while its counter says 18.
- **About to expire**: the other 3 of `bat_inv_0901` and the 26 of `bat_apt_0904`, within the hour. All others later.
- **A whole batch that failed**: `bat_cus_0918`, with a message and no details.
- **Deleted**: `bat_loc_0936` deleted `loc_quay_04` and `loc_quay_05`, reports that resources which refer to them were
  left, and refused to delete two others. 17 rows wait for the deleted ones (`bat_txn_0937`, status `success`).
- **Processing**: `bat_inv_0951` has done 640 of 1000 records. `bat_cus_0952` has not started.
- **Fields that the API leaves out**: `bat_apt_0943` and its rows have no schema names, `bat_cus_0947` no schema at
  all, `bat_loc_0948` no completedAt, `bat_txn_0944` no errors though 5 records failed.
- **The latest**: `bat_cus_0950` succeeded, `bat_loc_0949` in part.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from random import Random

from reach_mcp.demo.wire import DELETE, PATCH, Batch, Fault, Key, Upload, Waiting

DEFAULT_TENANT = "northwind"
HOUR = 60
DAY = 24 * HOUR

HUB = ("locations", "loc_harbor_12")
FAILED_PARENTS = [f"cust_{number}" for number in range(2201, 2213)]

BAD_EMAIL = ("VALIDATION_ERROR", "email is not a valid address")
BAD_PHONE = ("VALIDATION_ERROR", "phone must be in E.164 format")
BAD_AMOUNT = ("VALIDATION_ERROR", "amount must be a number greater than 0")
BAD_ZIP = ("VALIDATION_ERROR", "address.postalCode does not match the country")
NO_NAME = ("MISSING_REQUIRED_FIELD", "lastName is required")
NO_DATE = ("MISSING_REQUIRED_FIELD", "transactionDate is required")
NO_ADDRESS = ("MISSING_REQUIRED_FIELD", "address is required")
DUPLICATE = ("DUPLICATE_EXTERNAL_ID", "externalId occurs more than once in this batch")
NOT_FOUND = ("RESOURCE_NOT_FOUND", "no resource with this externalId exists")
STILL_USED = ("REFERENCED_RESOURCE", "location was not deleted: 6 appointments still refer to it")
LEFT_BEHIND = ("REFERENCED_RESOURCE", "location was deleted without cascade: resources that refer to it were left")

NIGHT = ["customers", "locations", *["transactions"] * 5, *["invoices"] * 2, *["appointments"] * 2]
SHORT = {"customers": "cus", "locations": "loc", "transactions": "txn", "invoices": "inv", "appointments": "apt"}
USUAL_FAULTS = {
    "customers": [BAD_EMAIL, BAD_PHONE, NO_NAME, DUPLICATE],
    "locations": [BAD_ZIP, NO_ADDRESS],
    "transactions": [BAD_AMOUNT, NO_DATE, DUPLICATE],
    "invoices": [BAD_AMOUNT, DUPLICATE],
    "appointments": [("VALIDATION_ERROR", "endsAt must be after startsAt"), DUPLICATE],
}


def build_story(now: datetime) -> dict[str, list[Batch]]:
    """Every tenant's batches in JSON form. Two calls differ only by the shift of their times."""
    now = now.replace(microsecond=0)
    tenants = {DEFAULT_TENANT: northwind(), "healthy": healthy(), "empty": []}
    return {tenant: [upload.to_wire(now) for upload in uploads] for tenant, uploads in tenants.items()}


def northwind() -> list[Upload]:
    chapters = [hub(), failures(), chains(), cycle(), near_misses(), expiry(), changes()]
    return [*backfills(), *(upload for chapter in [*chapters, in_progress(), left_out()] for upload in chapter)]


def healthy() -> list[Upload]:
    """A dozen uploads that all succeeded."""
    return [
        Upload(id=f"bat_ok_{number:04d}", schema=NIGHT[number % len(NIGHT)], age=number * 7 * HOUR + 25, total=120)
        for number in range(12)
    ]


def backfills() -> list[Upload]:
    """Ten nights of eleven batches. In some a few records failed, for which nothing waits."""
    random = Random(20)
    return [
        backfill(random, schema, number=night * len(NIGHT) + index, age=night * DAY + 10 * HOUR + 4 * index)
        for night in range(10)
        for index, schema in enumerate(NIGHT)
    ]


def backfill(random: Random, schema: str, *, number: int, age: int) -> Upload:
    faulty = random.randint(1, 9) if random.random() < 0.12 else 0
    failed = {f"{schema[:3]}_n{number:03d}_{row}": [random.choice(USUAL_FAULTS[schema])] for row in range(faulty)}
    total, minutes = random.randint(180, 1000), random.randint(1, 9)
    name = f"bat_{SHORT[schema]}_{889 - number:04d}"
    return Upload(id=name, schema=schema, age=age, total=total, minutes=minutes, failed=failed)


def waiting(prefix: str, numbers: Iterable[int], *needs: Key) -> list[Waiting]:
    return [Waiting(f"{prefix}{number}", needs) for number in numbers]


def paired(prefix: str, first: int, needs: Iterable[Key]) -> list[Waiting]:
    return [Waiting(f"{prefix}{number}", (need,)) for number, need in enumerate(needs, first)]


def hub() -> list[Upload]:
    misses_two = [Waiting(f"txn_21{parent[-4:]}", (HUB, ("customers", parent))) for parent in FAILED_PARENTS]
    first = waiting("txn_", range(20001, 20247), HUB)
    second = [*misses_two, *waiting("txn_", range(21001, 21085), HUB)]
    visits = waiting("apt_", range(20001, 20085), HUB)
    return [
        Upload(id="bat_txn_0921", schema="transactions", age=14 * HOUR, total=1000, minutes=9, waiting=first),
        Upload(id="bat_txn_0933", schema="transactions", age=6 * HOUR, total=410, waiting=second),
        Upload(id="bat_apt_0919", schema="appointments", age=13 * HOUR, total=260, waiting=visits),
    ]


def failures() -> list[Upload]:
    faults: list[list[Fault]] = [[BAD_EMAIL]] * 6 + [[BAD_EMAIL, NO_NAME]] + [[NO_NAME]] * 3 + [[DUPLICATE]] * 2
    looked_for = {"cust_8841": [BAD_PHONE], "cust_6120": [BAD_EMAIL], "7731": [NO_NAME]}
    failed = dict(zip(FAILED_PARENTS, faults, strict=True)) | looked_for
    parents = [("customers", parent) for parent in FAILED_PARENTS]
    sales = paired("txn_", 30001, (parents * 5)[:58])
    bills = [Waiting("INV-412", (parents[0],)), *paired("inv_", 2001, (parents * 2)[:21])]
    broken = "Payload could not be read: unexpected end of input at byte 181402"
    return [
        Upload(id="bat_cus_0912", schema="customers", age=15 * HOUR, total=500, failed=failed),
        Upload(id="bat_txn_0922", schema="transactions", age=14 * HOUR - 10, total=640, waiting=sales),
        Upload(id="bat_inv_0923", schema="invoices", age=14 * HOUR - 20, total=205, waiting=bills),
        Upload(id="bat_cus_0918", schema="customers", age=12 * HOUR, total=320, minutes=1, message=broken),
    ]


def chains() -> list[Upload]:
    sales = waiting("txn_", range(7001, 7013), ("customers", "cust_4417"))
    on_chain = paired("inv_", 3001, [("transactions", sale.external_id) for sale in sales])
    on_hub = paired("inv_", 3101, [("transactions", f"txn_{number}") for number in range(20001, 20011)])
    visits = paired("apt_", 5001, [("invoices", bill.external_id) for bill in on_chain])
    return [
        Upload(id="bat_txn_0930", schema="transactions", age=9 * HOUR, total=212, waiting=sales),
        Upload(id="bat_inv_0931", schema="invoices", age=9 * HOUR - 6, total=180, waiting=[*on_chain, *on_hub]),
        Upload(id="bat_apt_0932", schema="appointments", age=9 * HOUR - 12, total=96, waiting=visits),
        Upload(id="bat_txn_0939", schema="transactions", age=5 * HOUR, total=3, waiting=sales[:3]),
    ]


def cycle() -> list[Upload]:
    bills = paired("inv_", 9001, [("transactions", f"txn_{number}") for number in (9002, 9003, 9001)])
    sales = paired("txn_", 9001, [("invoices", bill.external_id) for bill in bills])
    behind = paired("apt_", 9101, [("invoices", f"inv_{number}") for number in (9001, 9001, 9001, 9002, 9003)])
    return [
        Upload(id="bat_inv_0940", schema="invoices", age=7 * HOUR, total=60, waiting=bills),
        Upload(id="bat_txn_0941", schema="transactions", age=7 * HOUR - 5, total=75, waiting=sales),
        Upload(id="bat_apt_0942", schema="appointments", age=7 * HOUR - 11, total=41, waiting=behind),
    ]


def near_misses() -> list[Upload]:
    places: dict[str, list[Fault]] = {"loc_pier_03": [BAD_ZIP], "loc_shed_21": [NO_ADDRESS]}
    sales = [
        *waiting("txn_", range(40001, 40010), ("customers", "8841")),
        *waiting("txn_", range(40010, 40016), ("locations", "LOC_PIER_03")),
        *waiting("txn_", range(40016, 40020), ("customers", "cust_6120 ")),
        *waiting("txn_", range(40020, 40023), ("customers", "0007731")),
    ]
    visits = waiting("apt_", range(4001, 4007), ("invoices", "INV-00412"))
    return [
        Upload(id="bat_loc_0907", schema="locations", age=16 * HOUR, total=150, failed=places),
        Upload(id="bat_txn_0945", schema="transactions", age=4 * HOUR, total=333, waiting=sales),
        Upload(id="bat_apt_0946", schema="appointments", age=4 * HOUR - 7, total=48, waiting=visits),
    ]


def expiry() -> list[Upload]:
    expired = waiting("txn_", range(1001, 1035), ("locations", "loc_depot_07"))
    expiring = waiting("inv_", range(1001, 1008), ("customers", "cust_3307"))
    soon = waiting("apt_", range(1001, 1027), ("locations", "loc_annex_02"))
    return [
        Upload(id="bat_txn_0898", schema="transactions", age=DAY + 2 * HOUR, total=420, waiting=expired),
        Upload(
            id="bat_inv_0901", schema="invoices", age=DAY + 50, total=300, minutes=105, waiting=expiring, counted=18
        ),
        Upload(id="bat_apt_0904", schema="appointments", age=DAY - 42, total=90, waiting=soon),
    ]


def changes() -> list[Upload]:
    kept = dict.fromkeys(["loc_quay_01", "loc_quay_02"], (STILL_USED,))
    deleted = dict.fromkeys(["loc_quay_04", "loc_quay_05"], (LEFT_BEHIND,))
    quays = [("locations", name) for name in deleted]
    sales = paired("txn_", 60001, (quays * 9)[:17])
    unknown = dict.fromkeys(["cust_2203", "cust_2204"], (NOT_FOUND,))
    return [
        Upload(id="bat_loc_0936", schema="locations", age=9 * HOUR - 15, total=30, type=DELETE, failed=kept | deleted),
        Upload(id="bat_txn_0937", schema="transactions", age=8 * HOUR + 30, total=120, waiting=sales, status="success"),
        Upload(id="bat_cus_0938", schema="customers", age=8 * HOUR, total=40, type=PATCH, failed=unknown),
        Upload(id="bat_cus_0929", schema="customers", age=9 * HOUR + 5, total=25, type=PATCH),
    ]


def in_progress() -> list[Upload]:
    customers = [("customers", f"cust_{number}") for number in range(8001, 8020)]
    bills = paired("inv_", 80001, customers * 2)
    failed = {f"inv_{number}": [BAD_AMOUNT] for number in range(80101, 80113)}
    return [
        Upload(id="bat_inv_0951", schema="invoices", age=4, total=1000, processed=640, waiting=bills, failed=failed),
        Upload(id="bat_cus_0952", schema="customers", age=1, total=800, processed=0, omit=("startedAt",)),
    ]


def left_out() -> list[Upload]:
    visits = waiting("apt_", range(3001, 3015), ("customers", "cust_1199"))
    sales = {f"txn_{number}": [BAD_AMOUNT] for number in range(50001, 50006)}
    places: dict[str, list[Fault]] = {"loc_mill_01": [BAD_ZIP], "loc_mill_02": [BAD_ZIP], "loc_mill_05": [NO_ADDRESS]}
    nameless = ("schemaName", "schemaDefinitionId")
    unnamed = Upload(id="bat_apt_0943", schema="appointments", age=3 * HOUR, total=77, waiting=visits, unnamed=True)
    return [
        unnamed,
        Upload(id="bat_txn_0944", schema="transactions", age=3 * HOUR - 9, total=140, failed=sales, omit=("errors",)),
        Upload(id="bat_cus_0947", schema="customers", age=2 * HOUR, total=55, omit=nameless),
        Upload(id="bat_loc_0948", schema="locations", age=HOUR + 40, total=12, omit=("completedAt",)),
        Upload(id="bat_loc_0949", schema="locations", age=50, total=64, failed=places),
        Upload(id="bat_cus_0950", schema="customers", age=35, total=210),
    ]
