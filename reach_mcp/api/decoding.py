"""Decodes answers of the Reach API. One malformed batch or pending resource costs neither the page nor the reading.

msgspec decodes a well-formed answer at once. Any other answer is parsed as JSON and converted item by item: unreadable
items are counted and named, unreadable counters become None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Generic, TypeAlias, TypeVar

import msgspec

from reach_mcp.api.errors import NotJSON, ReachError, ServerFailed, UnexpectedAnswer
from reach_mcp.api.models import Batch, Count, Page, PendingResource, Progress

Json: TypeAlias = dict[str, object]
Shape = TypeVar("Shape")

MAX_UNREADABLE = 1_000
"""Unreadable items of one answer; with more of them, it is no answer of this API."""
MAX_VALUES = 2_000_000
"""Values and escapes of one malformed answer: a bound on its memory. A page of 32 MB has 1.3 million."""

_UNREADABLE = (ValueError, OverflowError, RecursionError)
"""Raised by msgspec for broken JSON, another shape, and bytes that are not text."""
_HALF_PAIR = re.compile(r"(\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)|\\u[dD][89a-fA-F]..")
"""Half of a surrogate pair, which no UTF-8 can hold; or, in group 1, an escaped backslash or a whole pair."""
_COUNTERS = {each.encode_name: each.type for each in msgspec.structs.fields(Progress)}


class _Pagination(msgspec.Struct, rename="camel"):
    has_next_page: bool
    cursor: str | None = None
    total: Count | None = None


class _Listing(msgspec.Struct):
    results: list[Batch]
    pagination: _Pagination


class _Answer(msgspec.Struct, Generic[Shape]):
    data: Shape
    success: bool = True


_LIST = msgspec.json.Decoder(_Answer[_Listing])
_BATCH = msgspec.json.Decoder(_Answer[Batch])


def decode_page(body: bytes) -> Page:
    """Decode an answer of `GET /api/batches`. Raises a ReachError that tells HTML, nothing and half a body apart."""
    with suppress(*_UNREADABLE):
        answer = _LIST.decode(body)
        if answer.success:
            data, found = answer.data, answer.data.pagination
            return Page(data.results, found.has_next_page, found.cursor or None, found.total, size=len(body))
    return _Salvage().page(_parse_data(body), len(body))


def decode_batch(body: bytes) -> Batch:
    """Decode an answer of `GET /api/batches/{batchId}`. Raises a ReachError."""
    with suppress(*_UNREADABLE):
        answer = _BATCH.decode(body)
        if answer.success:
            return answer.data
    batch = _Salvage().batch(_parse_data(body))
    if batch is None:
        raise UnexpectedAnswer("The answer has no batch.")
    return batch


def decode_error(body: bytes) -> list[str]:
    """`message` and `errors` of an error answer, as far as they are texts."""
    try:
        answer = parse_answer(body)
    except ReachError:
        return []
    errors = answer.get("errors")
    texts = [answer.get("message"), *(errors if isinstance(errors, list) else ())]
    return [text for text in texts if isinstance(text, str) and text]


class _Salvage:
    """Converts what can be converted of one malformed answer."""

    def __init__(self) -> None:
        self._unreadable = 0

    def page(self, data: Json, size: int) -> Page:
        results, pagination = data.get("results"), data.get("pagination")
        if not isinstance(results, list) or not isinstance(pagination, dict):
            raise UnexpectedAnswer("The answer has no list of batches.")
        found = self._convert(pagination, _Pagination) or self._convert(pagination | {"total": None}, _Pagination)
        if found is None:
            raise UnexpectedAnswer("The answer does not say whether there is a next page.")
        page = Page([], found.has_next_page, found.cursor or None, found.total, size=size)
        for place, raw in enumerate(results, start=1):
            batch = self.batch(raw)
            if batch is not None:
                page.batches.append(batch)
            else:
                batch_id = raw.get("batchId") if isinstance(raw, dict) else None
                page.unreadable.append(batch_id if isinstance(batch_id, str) else f"batch {place} of the page")
        return page

    def batch(self, raw: object) -> Batch | None:
        """The batch without its unreadable pending resources and counters; None where it is unreadable itself."""
        raw = raw if isinstance(raw, dict) else {}
        listed = raw.pop("pendingResources", None)
        counters = tuple(_drop_counters(raw))
        batch = self._convert(raw, Batch)
        if batch is not None and listed is not None:
            rows = [self._convert(row, PendingResource) for row in (listed if isinstance(listed, list) else [listed])]
            batch.pending_resources = [row for row in rows if row is not None]
            batch.unreadable_resources = len(rows) - len(batch.pending_resources)
        if batch is not None:
            batch.unreadable_counters = counters
        return batch

    def _convert(self, value: object, shape: type[Shape]) -> Shape | None:
        """A parsed value as a wire struct; None where it does not fit. Raises after too many of those."""
        try:
            return msgspec.convert(value, shape, strict=False)
        except _UNREADABLE:
            self._unreadable += 1
        if self._unreadable > MAX_UNREADABLE:
            raise UnexpectedAnswer(f"More than {MAX_UNREADABLE:,} items of one answer could not be decoded.")
        return None


def parse_answer(body: bytes) -> Json:
    """The object of an answer, whatever is in it. Numbers are floats, infinite where they are absurd.

    Raises NotJSON or UnexpectedAnswer.
    """
    text = body.decode("utf-8-sig", "replace").strip()
    if not text.startswith("{"):
        told = {"": "The answer is empty.", "<": "The answer is an HTML page, not JSON."}
        raise UnexpectedAnswer if text.startswith("[") else NotJSON(told.get(text[:1], ""))
    if sum(text.count(mark) for mark in "{[,\\") > MAX_VALUES:
        raise UnexpectedAnswer(f"The answer is malformed and has over {MAX_VALUES:,} values and escapes.")
    if "\\ud" in text or "\\uD" in text:
        text = _HALF_PAIR.sub(lambda found: found[1] or r"\ufffd", text)
    try:
        parsed: Json = json.loads(text, strict=False, parse_int=float)
    except (json.JSONDecodeError, RecursionError):
        raise NotJSON("The answer is cut short or no valid JSON.", advice="Try a smaller limit.") from None
    return parsed


def _parse_data(body: bytes) -> Json:
    """The `data` of an answer; empty where it has none. Raises ServerFailed where `success` is not true."""
    answer = parse_answer(body)
    if answer.get("success", True) is not True:
        raise ServerFailed("Reach answered 200 but said that the request failed.", quotes=decode_error(body))
    data = answer.get("data")
    return data if isinstance(data, dict) else {}


def _drop_counters(raw: Json) -> Iterator[str]:
    """Remove the counters of a raw batch that are no sensible numbers, and name them."""
    errors = raw.get("errors")
    summary = errors.get("summary") if isinstance(errors, dict) else None
    for counters, prefix in ((raw.get("progress"), ""), (summary, "errors.summary.")):
        if not isinstance(counters, dict):
            continue
        for name in list(counters):
            try:
                msgspec.convert(counters[name], Count if prefix else _COUNTERS.get(name, object), strict=False)
            except _UNREADABLE:
                del counters[name]
                yield prefix + name
