"""Wire models: all that the API's page documents, tolerant of what it does not.

Read by msgspec: a page costs a third of what `json.loads` takes, a fifth of what pydantic takes, since fields that are
not asked for are never made into objects. Rows, of which there may be 200,000, are structs that the garbage collector
need not look at; what stands around them are TypedDicts. Unknown enum values pass, unknown fields are dropped, optional
fields may be absent or null. A page is read in one go; only when that fails is it read piece by piece, so that one
malformed batch or row costs neither the page nor the walk: it is counted and named. What no encoding can hold (half a
surrogate pair, bytes that are not UTF-8) is read as U+FFFD.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired, TypeVar

import msgspec
from pydantic_core import from_json
from typing_extensions import TypedDict

from reach_mcp.api.errors import AnswerError, EmptyAnswer, NotJSON, Refused, TruncatedJSON, UnexpectedShape

Shape = TypeVar("Shape")

Body = bytes | bytearray

Number = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
"""A finite number: what is larger, or no number at all, makes its batch malformed."""


class MissingDependency(msgspec.Struct, gc=False, rename="camel"):
    schema_definition_id: str
    external_id: str
    schema_name: str | None = None


class PendingResource(msgspec.Struct, gc=False, rename="camel"):
    id: str
    resource_external_id: str
    schema_definition_id: str
    missing_dependencies: list[MissingDependency]
    expires_at: str
    created_at: str
    schema_name: str | None = None


class Progress(TypedDict, total=False):
    totalRecords: Number | None
    processedRecords: Number | None
    successfulRecords: Number | None
    pendingRecords: Number | None
    failedRecords: Number | None
    successRate: Number | None


class RecordErrors(TypedDict):
    errors: list[str]
    categories: list[str]


class BatchErrors(TypedDict, total=False):
    summary: dict[str, Number] | None
    details: dict[str, RecordErrors] | None
    message: str | None


class Batch(TypedDict):
    batchId: str
    status: str
    batchType: str
    progress: Progress
    completedAt: NotRequired[str | None]
    startedAt: NotRequired[str | None]
    createdAt: NotRequired[str | None]
    schemaName: NotRequired[str | None]
    schemaDefinitionId: NotRequired[str | None]
    errors: NotRequired[BatchErrors | None]
    pendingResources: NotRequired[list[PendingResource] | None]


class Pagination(TypedDict):
    hasNextPage: bool
    cursor: NotRequired[str | None]
    total: NotRequired[Number | None]


class Listing(TypedDict):
    results: list[Batch]
    pagination: Pagination


class ListEnvelope(TypedDict):
    """The 200 answer of `GET /api/batches`. `data` is optional in the contract: without it the list is empty."""

    success: bool
    message: NotRequired[str | None]
    data: NotRequired[Listing | None]


class BatchEnvelope(TypedDict):
    """The 200 answer of `GET /api/batches/{batchId}`."""

    success: bool
    message: NotRequired[str | None]
    data: NotRequired[Batch | None]


class ErrorEnvelope(TypedDict, total=False):
    """The 400 answer; other error statuses are read the same way where they can be."""

    success: bool
    message: str
    errors: list[str] | None


@dataclass
class Page:
    """One page of batches as read.

    `malformed` names what could not be read: a batch by its id or place, a row as "batch: row".
    """

    batches: list[Batch] = field(default_factory=list)
    has_next: bool = False
    cursor: str | None = None
    total: int | None = None
    malformed: list[str] = field(default_factory=list)
    lost: int = 0
    """How many batches of the page could not be read at all."""

    size: int = 0


_LIST = msgspec.json.Decoder(ListEnvelope)
_ONE = msgspec.json.Decoder(BatchEnvelope)
_ERROR = msgspec.json.Decoder(ErrorEnvelope)

_UNREADABLE = (ValueError, OverflowError, RecursionError)
"""What msgspec and from_json raise for what they can't read: broken JSON, another shape, bytes that are no text."""

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""One escape of a JSON string, a surrogate pair as one; the group holds half a pair."""


def parse_page(body: Body) -> Page:
    """Read a list answer. Raises an AnswerError that tells HTML, nothing, half a body and a wrong shape apart."""
    try:
        envelope = _LIST.decode(body)
    except _UNREADABLE:
        mended = _mend(body)
        return _salvage(body) if mended == body else parse_page(mended)
    _check_success(envelope["success"], envelope.get("message"))
    data = envelope.get("data")
    if data is None:
        return Page(size=len(body))
    return _page(data["results"], data["pagination"], [], len(body))


def parse_batch(body: Body) -> tuple[Batch, list[str]]:
    """Read the answer for one batch, with the names of its malformed rows."""
    try:
        envelope = _ONE.decode(body)
    except _UNREADABLE:
        mended = _mend(body)
        if mended != body:
            return parse_batch(mended)
        raw = _raw_data(body)
        malformed: list[str] = []
        batches = list(_read_batches([raw], malformed))
        if not batches:
            raise UnexpectedShape from None
        return batches[0], malformed
    _check_success(envelope["success"], envelope.get("message"))
    data = envelope.get("data")
    if data is None:
        raise UnexpectedShape("The answer holds no batch.")
    return data, []


def parse_error(body: Body) -> list[str]:
    """The API's own words in an error answer; nothing where it is not the documented envelope."""
    try:
        envelope = _ERROR.decode(body)
    except _UNREADABLE:
        return _salvage_words(body)
    return [text for text in (envelope.get("message"), *(envelope.get("errors") or ())) if text]


def _page(batches: list[Batch], pagination: Pagination, malformed: list[str], size: int) -> Page:
    total = pagination.get("total")
    return Page(
        batches=batches,
        has_next=pagination["hasNextPage"],
        cursor=pagination.get("cursor") or None,
        total=None if total is None else int(total),
        malformed=malformed,
        size=size,
    )


def _salvage(body: Body) -> Page:
    data = _raw_data(body)
    malformed: list[str] = []
    pagination, results = _read_pagination(data.get("pagination")), data.get("results")
    if not isinstance(results, list):
        raise UnexpectedShape
    page = _page(list(_read_batches(results, malformed)), pagination, malformed, len(body))
    page.lost = len(results) - len(page.batches)
    return page


def _read_pagination(raw: Any) -> Pagination:
    """How to go on. A total that can't be read counts as absent: nothing depends on it."""
    try:
        return _convert(raw, Pagination)
    except _UNREADABLE:
        if not isinstance(raw, dict) or "total" not in raw:
            raise UnexpectedShape from None
    return _read_pagination({name: value for name, value in raw.items() if name != "total"})


def _salvage_words(body: Body) -> list[str]:
    try:
        raw = from_json(_mend(body))
    except ValueError:
        return []
    if not isinstance(raw, dict):
        return []
    errors = raw.get("errors")
    texts = [raw.get("message"), *(errors if isinstance(errors, list) else ())]
    return [text for text in texts if isinstance(text, str) and text]


def _mend(body: Body) -> bytes:
    """The body with U+FFFD for what can't be text; one that can all be text stays as it is."""
    text = body.decode("utf-8", "replace").encode()
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], text)


def _raw_data(body: Body) -> dict[str, Any]:
    """`data` of an answer that is JSON but did not validate; an AnswerError when it is not even that."""
    try:
        raw = from_json(body)
    except ValueError as error:
        raise _broken_json(body, str(error)) from None
    if not isinstance(raw, dict) or not isinstance(raw.get("success", True), bool):
        raise UnexpectedShape from None
    message = raw.get("message")
    _check_success(raw.get("success", True), message if isinstance(message, str) else None)
    data = raw.get("data")
    if not isinstance(data, dict):
        raise UnexpectedShape from None
    return data


def _broken_json(body: Body, reason: str) -> AnswerError:
    text = body.strip()
    if not text:
        return EmptyAnswer()
    if text[:1] not in b"{[":
        return NotJSON("The answer is an HTML page, not JSON." if text[:1] == b"<" else "")
    if "EOF" in reason or "recursion" in reason:
        return TruncatedJSON()
    return NotJSON("The answer starts like JSON but is not valid.")


def _check_success(success: bool, message: str | None) -> None:
    if not success:
        raise Refused(quotes=[message] if message else [])


def _read_batches(raw: list[Any], malformed: list[str]) -> Any:
    for place, item in enumerate(raw):
        batch = _read_batch(item, place, malformed)
        if batch is not None:
            yield batch


def _read_batch(item: Any, place: int, malformed: list[str]) -> Batch | None:
    """One batch, without those of its rows that can't be read; None when the batch itself can't."""
    name = f"batch {place + 1} of the page"
    if isinstance(item, dict):
        name = str(item.get("batchId") or name)
        rows = item.get("pendingResources")
        if isinstance(rows, list):
            item = {**item, "pendingResources": [row for row in rows if _readable(row, name, malformed)]}
    try:
        return _convert(item, Batch)
    except _UNREADABLE:
        malformed.append(name)
        return None


def _readable(row: Any, batch: str, malformed: list[str]) -> bool:
    try:
        _convert(row, PendingResource)
    except _UNREADABLE:
        malformed.append(f"{batch}: {(isinstance(row, dict) and row.get('id')) or 'a row'}")
        return False
    return True


def _convert(raw: Any, kind: type[Shape]) -> Shape:
    """What was read as plain JSON as a wire model; numbers may stand in quotes."""
    return msgspec.convert(raw, kind, strict=False)
