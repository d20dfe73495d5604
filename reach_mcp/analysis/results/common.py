"""Types that all results share."""

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
