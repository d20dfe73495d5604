"""Types that all results share, and why records are missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
U = TypeVar("U")

Cause = Literal["failed", "deleted", "looks_like", "expired", "in_progress", "not_seen", "cycle"]
Action = Literal["correct_and_resend", "restore", "fix_reference", "resend", "wait", "send", "break_cycle"]
View = Literal["summary", "blockers", "plan", "expiry", "expired", "cycles", "resources", "counters"]
Order = Literal["waiting", "frees", "expiry"]
MatchedBy = Literal["definition", "name", "other_definition", "no_schema", "id_only"]

ACTION_OF: dict[Cause, Action] = {
    "failed": "correct_and_resend",
    "deleted": "restore",
    "looks_like": "fix_reference",
    "expired": "resend",
    "in_progress": "wait",
    "not_seen": "send",
    "cycle": "break_cycle",
}


@dataclass(frozen=True, slots=True)
class Section(Generic[T]):
    """A part of a list: `items` are those from `offset` on; `total` is the length of the whole list."""

    items: tuple[T, ...]
    total: int
    offset: int = 0

    @classmethod
    def of(cls, found: Sequence[T], offset: int, limit: int) -> Section[T]:
        """The items from `offset` on, at most `limit`. Beyond the end: no items, and the total."""
        start = min(offset, len(found))
        return cls(tuple(found[start : start + limit]), len(found), offset)

    def map(self, describe: Callable[[T], U]) -> Section[U]:
        """The same part of the list with each item described."""
        return Section(tuple(map(describe, self.items)), self.total, self.offset)


@dataclass(frozen=True, slots=True)
class Record:
    """A record by its identity (schema_id, external_id).

    `schema` is what people call it: the schema's name, or the definition id where no name is known or where one name
    stands for several definitions. `schema:external_id` names the record everywhere.
    """

    schema: str
    external_id: str
    schema_id: str

    @property
    def name(self) -> str:
        return f"{self.schema}:{self.external_id}"


@dataclass(frozen=True, slots=True)
class Failure:
    """What one batch says about one missing record."""

    batch_id: str
    batch_type: str
    batch_status: str
    at: float | None
    """When the batch completed, else started, else was created."""
    category: str
    message: str
    matched_by: MatchedBy
    """How the batch was matched to the schema of the record.

    definition: by definition id. name: by schema name. other_definition: by name though the definition ids differ.
    no_schema: the batch has no schema at all. id_only: the batch has a name alone and the reference a definition id
    alone, so that they can't be compared. In the last two only the external id matches.
    """


@dataclass(frozen=True, slots=True)
class Lookalike:
    """An id that was seen and is nearly the same as the missing one."""

    record: Record
    rule: str
    """In plain words: 'differs in letter case', 'leading zeros', 'has the prefix cust_', ..."""
    seen: Literal["pending", "failed"]
    difference: str = ""
    """Makes an invisible difference visible: 'seen id ends with U+000D (carriage return)'; empty where it shows."""
    batch_id: str = ""
    """The latest batch in which it is pending, or failed."""


@dataclass(frozen=True, slots=True)
class FailedBatch:
    """An ingest batch that failed as a whole and names no records: the missing one may have been in it."""

    batch_id: str
    at: float | None
    """When the batch completed, else started, else was created."""
    message: str
    """Empty where the API gave none."""
    records: int | None
    """Records in the batch; None where the API does not say."""


@dataclass(frozen=True, slots=True)
class ExpiredIn:
    """An expired pending resource of the missing record itself."""

    batch_id: str
    expired_at: float
    missed: tuple[Record, ...]
    """Records that it still missed, in the API's order; at most three."""
    missed_total: int


@dataclass(frozen=True, slots=True)
class RunningBatch:
    """An ingest batch that is still processing, and how far it is. Counters are None where the API gives none."""

    batch_id: str
    started: float | None
    processed: int | None
    total: int | None


@dataclass(frozen=True, slots=True)
class CauseFinding:
    """Why one missing record is missing, with all evidence. `cause` is the surest that holds."""

    cause: Cause
    action: Action
    failures: tuple[Failure, ...] = ()
    """Ingest errors first (latest first), then later symptoms (PATCH, DELETE)."""
    failures_total: int = 0
    lookalikes: tuple[Lookalike, ...] = ()
    lookalikes_total: int = 0
    in_progress: tuple[str, ...] = ()
    """Ids of batches of its schema that are still processing."""
    expired_rows: int = 0
    """Expired pending resources of this very record."""
    later_batches: int = 0
    """Ingest batches of its schema that completed after the latest failure; they do not list their successes."""
    running: tuple[RunningBatch, ...] = ()
    """The batches of `in_progress`, in the same order."""
    failed_batches: tuple[FailedBatch, ...] = ()
    """Batches of its schema that failed as a whole, latest first, at most three. Not where the record was named."""
    failed_batches_total: int = 0
    expired_in: tuple[ExpiredIn, ...] = ()
    """For expired: its expired pending resources, the latest first, at most three. `expired_rows` counts them all."""


@dataclass(frozen=True, slots=True)
class ActionTally:
    """How many missing records have a cause, and how many live pending resources wait for at least one of them."""

    cause: Cause
    action: Action
    records: int
    waiting: int
