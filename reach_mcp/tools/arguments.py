"""The arguments of the tools: the endpoint's parameters in snake case, and those that are ours."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from reach_mcp.analysis.results import ACTION_OF, Cause, Order, View
from reach_mcp.api.query import BatchType, SortBy, SortDirection

Status = Literal["success", "partial_success", "failure", "processing"]
Scope = Literal["page", "all"]
ResponseFormat = Literal["concise", "detailed"]

MAX_LIMIT = 1000
MAX_OFFSET = 1_000_000
MAX_TEXT_CHARS = 500
MAX_LIST_ITEMS = 200

SYNONYMS = {
    "ascending": "asc",
    "descending": "desc",
    "failed": "failure",
    "succeeded": "success",
    "running": "processing",
    "missingrecords": "blockers",
    "dothisinthisorder": "plan",
    "expirybyclockhour": "expiry",
    "expiredbybatch": "expired",
    "recordstoresend": "expired",
    "firstlost": "expiry",
}
"""Other words for enum values, without separators: headings that answers print, and words that people use."""

MIN_PART_CHARS = 4
"""Characters of a beginning or end that stand for an enum value: `patch`, `created`, `partial`."""


@cache
def _labels() -> dict[str, str]:
    """Causes and orders by the labels that answers print for them: cause, action, and both as in `not seen: send`."""
    from reach_mcp.render.glossary import ACTIONS, CAUSES, ORDERS, PLAN_ORDERS

    found = {label: order or "waiting" for labels in (PLAN_ORDERS, ORDERS) for order, label in labels.items()}
    for cause, action in ACTION_OF.items():
        label, deed = CAUSES[cause], ACTIONS[action]
        found |= dict.fromkeys((label, action, deed, f"{label}: {deed}"), cause)
    return {_plain(label): value for label, value in found.items()}


def _clamp(low: int, high: int) -> AfterValidator:
    """Bounds a number, with a note in the validation context."""

    def clamp(value: int, info: ValidationInfo) -> int:
        number, notes = min(max(value, low), high), info.context
        if number != value and notes is not None:
            bound = "least" if number == low else "largest"
            notes.append(f"{info.field_name} was set to {number}, its {bound} value.")
        return number

    return AfterValidator(clamp)


def _range(low: int, high: int) -> Any:
    """Bounds for the words of an error. They are not published: a number outside is set to the nearest bound."""
    return Field(json_schema_extra={"minimum": low, "maximum": high})


Limit = Annotated[int, _clamp(1, MAX_LIMIT), _range(1, MAX_LIMIT)]
Offset = Annotated[int, _clamp(0, MAX_OFFSET), _range(0, MAX_OFFSET), Field(description="Rows to skip")]
Fresh = Annotated[bool, Field(description="Read again, not from a recent snapshot")]
TenantId = Annotated[str | None, Field(description="Tenant (reach-tenant-id header)")]
StatusFilter = Annotated[Status | None, Field(description="Only batches in this state")]
TypeFilter = Annotated[BatchType | None, Field(description="Only batches of this type")]
CreatedAfter = Annotated[str | None, Field(description="RFC 3339, date, or age: 24h, 7d")]
CreatedBefore = Annotated[str | None, Field(description="As created_after")]


class ToolArguments(BaseModel):
    """Arguments of one tool, as a model gives them and hosts pass them on.

    Values are forgiving: numbers for text, enum values in any case or by another word, one text for a list.
    """

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True, str_max_length=MAX_TEXT_CHARS)

    ALIASES: ClassVar[dict[str, str]] = {}
    """Other names for arguments."""

    NO_EFFECT: ClassVar[dict[str, str]] = {}
    """Parameters of the endpoint that are accepted and change nothing, with the reason."""

    response_format: Annotated[ResponseFormat, Field(description="detailed: up to 3 times as long")] = "concise"

    @field_validator("*", mode="before")
    @classmethod
    def _forgive(cls, value: object, info: ValidationInfo) -> object:
        annotation = cls.model_fields[str(info.field_name)].annotation
        if get_origin(annotation) is list:
            return _as_list(value)
        return _spell(value, _choices(annotation)) if isinstance(value, str) else value

    @property
    def detailed(self) -> bool:
        return self.response_format == "detailed"

    @property
    def one_request(self) -> bool:
        """Whether the answer rests on one request to Reach, so that identical calls at the same time can share it."""
        return False

    def given(self) -> dict[str, str | int | bool | list[str]]:
        """The arguments that differ from their defaults, for the next calls to repeat."""
        return self.model_dump(by_alias=True, exclude_defaults=True, exclude={"fresh"})


def _choices(annotation: object) -> list[str]:
    """The values of an enum, also where it is optional; none for other types."""
    parts = get_args(annotation)
    return list(parts) if get_origin(annotation) is Literal else [one for part in parts for one in _choices(part)]


def _spell(value: str, choices: list[str]) -> str:
    """An enum value in any case, with any separator, by its beginning or end, or by another word for it.

    Unknown and ambiguous values stay as they are.
    """
    if not choices or value in choices:
        return value
    word, known = _plain(value[:MAX_TEXT_CHARS]), {_plain(one): one for one in choices}
    others = (known.get(word), SYNONYMS.get(word), _labels().get(word))
    parts = [one for text, one in known.items() if text.startswith(word) or text.endswith(word)]
    meant = parts[0] if len(parts) == 1 and len(word) >= MIN_PART_CHARS else value
    return next((one for one in choices if one in others), meant)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()


def _as_list(value: object) -> object:
    """A list without blank items. One text is a list of one, and a JSON array in a text is a list."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    return [one for one in (value if isinstance(value, list) else [value]) if not is_blank(one)]


def is_blank(value: object) -> bool:
    """Return True for values that mean that an argument is absent."""
    return value is None or (isinstance(value, str) and value.strip().lower() in ("", "null", "none", "undefined"))


class ListBatchesArguments(ToolArguments):
    """Arguments of `list_batches`."""

    ALIASES: ClassVar[dict[str, str]] = {"since": "created_after"}

    cursor: Annotated[str | None, Field(description="Next page of the API's list, from an earlier answer")] = None
    limit: Annotated[Limit, Field(description="Rows to show")] = 20
    batch_type: TypeFilter = None
    sort_by: Annotated[SortBy, Field(description="Date to sort by")] = "createdAt"
    sort_direction: Annotated[SortDirection, Field(description="desc: newest first")] = "desc"
    include_pending_details: Annotated[
        bool, Field(description="Also read pending resources; scope=all always does")
    ] = False
    only_batches_with_pending_resources: Annotated[
        bool, Field(description="Only batches with pendingRecords > 0 or live pending resources")
    ] = False
    tenant_id: TenantId = None
    status: StatusFilter = None
    schema_: Annotated[
        str | None, Field(alias="schema", description="Only batches of this schema (name or definition id)")
    ] = None
    created_after: CreatedAfter = None
    created_before: CreatedBefore = None
    scope: Annotated[
        Scope | None,
        Field(description="page: one page of the API; all: every batch, implied by any filter (Only …) without cursor"),
    ] = None
    offset: Offset = 0
    fresh: Fresh = False

    @property
    def one_page(self) -> bool:
        """Whether one page of the endpoint is read: on request, after a cursor, or where nothing narrows the list."""
        ours = (self.offset, self.status, self.schema_, self.batch_type, self.created_after, self.created_before)
        narrowed = any(ours) or self.only_batches_with_pending_resources
        return self.scope == "page" or (self.scope is None and (bool(self.cursor) or not narrowed))

    @property
    def one_request(self) -> bool:
        return self.one_page and not self.fresh

    @property
    def ordered(self) -> bool:
        """Whether another order than the API's default is asked for."""
        return (self.sort_by, self.sort_direction) != ("createdAt", "desc")


class GetBatchArguments(ToolArguments):
    """Arguments of `get_batch`."""

    ALIASES: ClassVar[dict[str, str]] = {"id": "batch_id", "focus": "batch_id", "batch": "batch_id"}

    batch_id: Annotated[str, Field(description="Id of the batch, from list_batches")]
    tenant_id: TenantId = None
    include_pending_details: Annotated[bool, Field(description="List its pending resources one by one")] = False
    limit: Annotated[Limit, Field(description="Rows to show per list")] = 20
    offset: Offset = 0

    @property
    def one_request(self) -> bool:
        return True


class ExplainArguments(ToolArguments):
    """Arguments of `explain_pending_dependencies`."""

    ALIASES: ClassVar[dict[str, str]] = {
        "batch_id": "focus",
        "external_id": "focus",
        "record": "focus",
        "assume": "assume_arrived",
        "order_by": "order",
    }
    NO_EFFECT: ClassVar[dict[str, str]] = {
        "cursor": "every page is read",
        "sort_by": "rows are ordered by `order`",
        "sort_direction": "rows are ordered by `order`",
        "include_pending_details": "",
        "only_batches_with_pending_resources": "",
        "scope": "",
    }

    batch_type: TypeFilter = None
    status: StatusFilter = None
    schema_: Annotated[
        str | None,
        Field(
            alias="schema",
            description="Only batches of this schema (name or id); of batches without one, resources of this schema",
        ),
    ] = None
    created_after: CreatedAfter = None
    created_before: CreatedBefore = None
    tenant_id: TenantId = None
    view: Annotated[
        View,
        Field(
            description="One part in full: blockers (missing records), plan (what to send, best first), "
            "expiry (by hour), expired (which records to resend), cycles, resources (pending rows), counters"
        ),
    ] = "summary"
    cause: Annotated[Cause | None, Field(description="Only missing records with this cause")] = None
    order: Annotated[Order, Field(description="Most waiting, frees most alone, or expiry: soonest lost first")] = (
        "waiting"
    )
    limit: Annotated[Limit | None, Field(description="Rows to show (summary: 10)")] = None
    offset: Offset = 0
    focus: Annotated[
        str | None, Field(description="Why one thing waits: a record (schema:external_id) or a batch id")
    ] = None
    assume_arrived: Annotated[
        list[str],
        Field(max_length=MAX_LIST_ITEMS, description="What clears if these records (schema:external_id) arrive"),
    ] = []
    since: Annotated[str | None, Field(description='"start" returns a token; the token later returns what changed')] = (
        None
    )
    fresh: Fresh = False
