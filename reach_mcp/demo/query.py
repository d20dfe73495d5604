"""Query parameters of the demo API, and the 400 for each that is wrong."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from starlette.exceptions import HTTPException

DEFAULT_LIMIT = "20"
MAX_PAGE_SIZE = 100
BOOLEAN = ("true", "false")
ENUMS = {
    "batchType": ("PARTNER_RESOURCE_JSON_INGEST", "PARTNER_RESOURCE_BATCH_DELETE", "PARTNER_RESOURCE_BATCH_PATCH"),
    "sortBy": ("createdAt", "startedAt", "completedAt"),
    "sortDirection": ("asc", "desc"),
    "includePendingDetails": BOOLEAN,
    "onlyBatchesWithPendingResources": BOOLEAN,
}


class Refusal(HTTPException):
    """A response other than 200. `errors` is the list that a 400 may carry."""

    def __init__(self, status_code: int, message: str, errors: Sequence[str] = ()) -> None:
        super().__init__(status_code, message)
        self.errors = list(errors)


class Cursor(NamedTuple):
    """The order of a list and the offset of a page in it."""

    sort_by: str
    sort_direction: str
    offset: int

    def encode(self) -> str:
        return base64.urlsafe_b64encode(f"{self.sort_by}:{self.sort_direction}:{self.offset}".encode()).decode()

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Raises ValueError unless `text` is exactly what `encode` returns for some page."""
        sort_by, direction, offset = base64.urlsafe_b64decode(text).decode().split(":")
        cursor = cls(sort_by, direction, int(offset))
        known = sort_by in ENUMS["sortBy"] and direction in ENUMS["sortDirection"] and cursor.offset > 0
        if not known or cursor.encode() != text:
            raise ValueError("not a cursor of this API")
        return cursor


def read_page_query(params: Mapping[str, str]) -> tuple[int, Cursor]:
    """The page size and cursor asked for. Raises a Refusal that names every wrong parameter."""
    errors = find_wrong_enums(params, ENUMS)
    limit = params.get("limit", DEFAULT_LIMIT)
    if not re.fullmatch("0*[1-9][0-9]{0,8}", limit):
        errors.append("limit: must be a positive integer")
    cursor = Cursor(params.get("sortBy", "createdAt"), params.get("sortDirection", "desc"), 0)
    try:
        cursor = Cursor.decode(params["cursor"]) if "cursor" in params else cursor
    except ValueError:
        errors.append("cursor: is not valid")
    refuse_if(errors)
    return min(int(limit), MAX_PAGE_SIZE), cursor


def find_wrong_enums(params: Mapping[str, str], names: Iterable[str]) -> list[str]:
    wrong = [name for name in names if name in params and params[name] not in ENUMS[name]]
    return [f"{name}: must be one of {', '.join(ENUMS[name])}" for name in wrong]


def refuse_if(errors: Sequence[str]) -> None:
    if errors:
        raise Refusal(400, "Validation failed", errors)
