"""The query of `GET /api/batches`."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Literal

from pydantic.alias_generators import to_camel

BatchType = Literal["PARTNER_RESOURCE_JSON_INGEST", "PARTNER_RESOURCE_BATCH_DELETE", "PARTNER_RESOURCE_BATCH_PATCH"]
SortBy = Literal["createdAt", "startedAt", "completedAt"]
SortDirection = Literal["asc", "desc"]


@dataclass(frozen=True)
class BatchQuery:
    """Query parameters of `GET /api/batches`. A parameter that is None is not sent."""

    cursor: str | None = None
    limit: int | None = None
    batch_type: BatchType | None = None
    sort_by: SortBy | None = None
    sort_direction: SortDirection | None = None
    include_pending_details: bool | None = None
    only_batches_with_pending_resources: bool | None = None

    def params(self) -> dict[str, str]:
        """The parameters by their names on the wire; numbers and booleans as strings, as documented."""
        values = {to_camel(field.name): getattr(self, field.name) for field in fields(self)}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
        return {name: text for name, text in texts.items() if values[name] is not None}
