"""The arguments of the tools: the endpoint's parameters in snake case, and those that are ours."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from reach_mcp.tools.coercion import TEXT, TEXTS, choice, count

BatchType = Literal["PARTNER_RESOURCE_JSON_INGEST", "PARTNER_RESOURCE_BATCH_DELETE", "PARTNER_RESOURCE_BATCH_PATCH"]
SortBy = Literal["createdAt", "startedAt", "completedAt"]
SortDirection = Literal["asc", "desc"]
Status = Literal["success", "partial_success", "failure", "processing"]
View = Literal["summary", "blockers", "plan", "expiry", "expired", "cycles", "resources", "counters"]
Cause = Literal["failed", "deleted", "looks_like", "expired", "in_progress", "not_seen", "cycle"]
Order = Literal["waiting", "frees", "expiry"]
Scope = Literal["page", "all"]
ResponseFormat = Literal["concise", "detailed"]

MAX_LIMIT = 1000
MAX_OFFSET = 1_000_000

TenantId = Annotated[str | None, TEXT, Field(description="Tenant (reach-tenant-id header)")]
StatusFilter = Annotated[Status | None, choice(Status), Field(description="Only batches in this state")]
TypeFilter = Annotated[BatchType | None, choice(BatchType), Field(description="Only batches of this type")]
CreatedAfter = Annotated[str | None, TEXT, Field(description="RFC 3339, date, or age: 24h, 7d")]
CreatedBefore = Annotated[str | None, TEXT, Field(description="As created_after")]
Format = Annotated[ResponseFormat, choice(ResponseFormat), Field(description="detailed: up to 3 times as long")]
Offset = Annotated[int, count("offset", 0, MAX_OFFSET), Field(description="Rows to skip")]
Fresh = Annotated[bool, Field(description="Read again, not from a recent snapshot")]


class ToolArguments(BaseModel):
    """Arguments of one tool, as a model gives them and hosts pass them on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ALIASES: ClassVar[dict[str, str]] = {}
    """Other names for arguments."""

    NO_EFFECT: ClassVar[dict[str, str]] = {}
    """Parameters of the endpoint that are accepted and change nothing, with the reason."""

    response_format: Format = "concise"

    @property
    def detailed(self) -> bool:
        return self.response_format == "detailed"

    def given(self) -> dict[str, str | int | bool | list[str]]:
        """The arguments that differ from their defaults, for the next calls to repeat."""
        return self.model_dump(by_alias=True, exclude_defaults=True, exclude={"fresh"})


class ListBatchesArguments(ToolArguments):
    """Arguments of `list_batches`."""

    ALIASES: ClassVar[dict[str, str]] = {"since": "created_after"}

    cursor: Annotated[str | None, TEXT, Field(description="Next page of the API's list, from an earlier answer")] = None
    limit: Annotated[int, count("limit", 1, MAX_LIMIT), Field(description="Rows to show")] = 20
    batch_type: TypeFilter = None
    sort_by: Annotated[SortBy, choice(SortBy), Field(description="Date to sort by")] = "createdAt"
    sort_direction: Annotated[SortDirection, choice(SortDirection), Field(description="desc: newest first")] = "desc"
    include_pending_details: Annotated[bool, Field(description="Also read the pending resources")] = False
    only_batches_with_pending_resources: Annotated[bool, Field(description="Only batches with pendingRecords > 0")] = (
        False
    )
    tenant_id: TenantId = None
    status: StatusFilter = None
    schema_: Annotated[
        str | None, TEXT, Field(alias="schema", description="Only batches of this schema (name or definition id)")
    ] = None
    created_after: CreatedAfter = None
    created_before: CreatedBefore = None
    scope: Annotated[
        Scope | None,
        choice(Scope),
        Field(description="page: one page of the API; all: every batch (implied by filters)"),
    ] = None
    offset: Offset = 0
    fresh: Fresh = False

    @property
    def one_page(self) -> bool:
        """Whether the call mirrors one page of the endpoint: no filter of ours, no other scope asked for."""
        ours = (self.status, self.schema_, self.created_after, self.created_before)
        return self.scope == "page" or not (self.scope == "all" or self.offset or any(ours))


class GetBatchArguments(ToolArguments):
    """Arguments of `get_batch`."""

    ALIASES: ClassVar[dict[str, str]] = {"id": "batch_id", "focus": "batch_id", "batch": "batch_id"}

    batch_id: Annotated[str, TEXT, Field(description="Id of the batch, from list_batches")]
    tenant_id: TenantId = None
    include_pending_details: Annotated[bool, Field(description="List its pending resources one by one")] = False
    limit: Annotated[int, count("limit", 1, MAX_LIMIT), Field(description="Rows to show per list")] = 20
    offset: Offset = 0


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
        str | None, TEXT, Field(alias="schema", description="Only pending resources of this schema (name or id)")
    ] = None
    created_after: CreatedAfter = None
    created_before: CreatedBefore = None
    tenant_id: TenantId = None
    view: Annotated[
        View,
        choice(View),
        Field(
            description="One part in full: blockers (missing records), plan (what to send, best first), "
            "expiry (by hour), expired (which records to resend), cycles, resources (pending rows), counters"
        ),
    ] = "summary"
    cause: Annotated[Cause | None, choice(Cause), Field(description="Only missing records with this cause")] = None
    order: Annotated[
        Order, choice(Order), Field(description="Most waiting, frees most alone, or expiry: soonest lost first")
    ] = "waiting"
    limit: Annotated[int | None, count("limit", 1, MAX_LIMIT), Field(description="Rows to show (summary: 10)")] = None
    offset: Offset = 0
    focus: Annotated[
        str | None, TEXT, Field(description="Why one thing waits: a record (schema:external_id) or a batch id")
    ] = None
    assume_arrived: Annotated[
        list[str], TEXTS, Field(description="What clears if these records (schema:external_id) arrive")
    ] = []
    since: Annotated[
        str | None, TEXT, Field(description='"start" returns a token; the token later returns what changed')
    ] = None
    fresh: Fresh = False


def flatten_schema(schema: Any) -> Any:
    """A JSON schema without titles, null and unions: some hosts drop `anyOf` and `$ref`, and absence means null."""
    if isinstance(schema, list):
        return [flatten_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "anyOf" in schema:
        kept = next(option for option in schema["anyOf"] if option.get("type") != "null")
        schema = {**{name: value for name, value in schema.items() if name != "anyOf"}, **kept}
    found = {
        name: flatten_schema(value) for name, value in schema.items() if name != "title" or isinstance(value, dict)
    }
    if found.get("default", "none") in (None, [], False):
        del found["default"]
    return found


def input_schema(model: type[ToolArguments]) -> dict[str, Any]:
    """The published input schema of a tool."""
    schema = flatten_schema(model.model_json_schema(by_alias=True))
    del schema["description"]
    first = schema["properties"].pop("response_format")
    schema["properties"]["response_format"] = first
    return schema  # type: ignore[no-any-return]
