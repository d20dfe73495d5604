"""What a request to the demo API may ask, and the 400 for all that it may not."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from starlette.exceptions import HTTPException

DEFAULT_LIMIT = "20"
LARGEST_PAGE = 100
BOOLEAN = ("true", "false")
ENUMS = {
    "batchType": ("PARTNER_RESOURCE_JSON_INGEST", "PARTNER_RESOURCE_BATCH_DELETE", "PARTNER_RESOURCE_BATCH_PATCH"),
    "sortBy": ("createdAt", "startedAt", "completedAt"),
    "sortDirection": ("asc", "desc"),
    "includePendingDetails": BOOLEAN,
    "onlyBatchesWithPendingResources": BOOLEAN,
}


class Refusal(HTTPException):
    """An answer other than 200; `errors` is the list that a 400 may carry."""

    def __init__(self, status_code: int, message: str, errors: Sequence[str] = ()) -> None:
        super().__init__(status_code, message)
        self.errors = list(errors)


class Place(NamedTuple):
    """Where a page starts, in which order: what a cursor stands for."""

    sort_by: str
    sort_direction: str
    offset: int

    def to_cursor(self) -> str:
        return base64.urlsafe_b64encode(f"{self.sort_by}:{self.sort_direction}:{self.offset}".encode()).decode()

    @classmethod
    def from_cursor(cls, cursor: str) -> Place:
        """Read a cursor back; ValueError unless it is, to the letter, one that `to_cursor` writes."""
        sort_by, direction, offset = base64.urlsafe_b64decode(cursor).decode().split(":")
        place = cls(sort_by, direction, int(offset))
        known = sort_by in ENUMS["sortBy"] and direction in ENUMS["sortDirection"] and place.offset > 0
        if not known or place.to_cursor() != cursor:
            raise ValueError("not a cursor of this API")
        return place


def read_page_query(params: Mapping[str, str]) -> tuple[int, Place]:
    """The page size and place asked for; a Refusal that names every parameter that is wrong."""
    errors = find_wrong_enums(params, ENUMS)
    limit = params.get("limit", DEFAULT_LIMIT)
    if not re.fullmatch("0*[1-9][0-9]{0,8}", limit):
        errors.append("limit: must be a positive integer")
    place = Place(params.get("sortBy", "createdAt"), params.get("sortDirection", "desc"), 0)
    try:
        place = Place.from_cursor(params["cursor"]) if "cursor" in params else place
    except ValueError:
        errors.append("cursor: is not valid")
    refuse_if(errors)
    return min(int(limit), LARGEST_PAGE), place


def find_wrong_enums(params: Mapping[str, str], names: Iterable[str]) -> list[str]:
    wrong = [name for name in names if name in params and params[name] not in ENUMS[name]]
    return [f"{name}: must be one of {', '.join(ENUMS[name])}" for name in wrong]


def refuse_if(errors: Sequence[str]) -> None:
    if errors:
        raise Refusal(400, "Validation failed", errors)
