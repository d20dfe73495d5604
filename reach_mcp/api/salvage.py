"""Decodes an answer item by item, where it could not be decoded as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from reach_mcp.api.errors import (
    AnswerError,
    EmptyAnswer,
    NotJSON,
    Refused,
    TooManyUnreadable,
    TruncatedJSON,
    UnexpectedShape,
)
from reach_mcp.api.json_reader import BrokenJSON, JSONReader
from reach_mcp.api.models import Batch, Page, PendingResource

Shape = TypeVar("Shape")

UNREADABLE = (ValueError, OverflowError, RecursionError)
"""Raised by msgspec for broken JSON, another shape, and bytes that are not text."""

MAX_UNREADABLE = 1_000
"""Unreadable items of one answer; with more of them, it is no answer of this API."""
MAX_CONTAINERS = 2_000_000
"""Objects and lists of one malformed answer. A page of 32 MB has less than half of that; more would fill the memory."""
MAX_COUNTER = 2**53
"""The largest integer that JSON carries exactly everywhere."""

_OURS = ("unreadableResources", "unreadableCounters")
_COUNTERS = frozenset(
    ["totalRecords", "processedRecords", "successfulRecords", "pendingRecords", "failedRecords", "successRate"]
)


class Salvage:
    """One answer that is decoded item by item. Texts that UTF-8 cannot hold have U+FFFD in place of the bad part."""

    def __init__(self, body: bytes | bytearray) -> None:
        self._size = len(body)
        self._text = body.decode("utf-8", "replace").removeprefix("\ufeff")
        if self._text.count("{") + self._text.count("[") > MAX_CONTAINERS:
            raise TooManyUnreadable(f"The answer is malformed and has over {MAX_CONTAINERS:,} objects and lists.")
        self._reader = JSONReader(self._text)
        self._unreadable = 0
        self._page: Page | None = None
        self._batch: Batch | None = None

    def page(self) -> Page:
        """The page. Raises an AnswerError."""
        self._read(self._read_listing)
        if self._page is None:
            raise UnexpectedShape("The answer has no list of batches.")
        return self._page

    def batch(self) -> Batch:
        """The batch. Raises an AnswerError."""
        self._read(self._read_single)
        if self._batch is None:
            raise UnexpectedShape("The answer has no batch.")
        return self._batch

    def _read(self, read_data: Callable[[], None]) -> None:
        try:
            envelope = self._read_envelope(read_data)
        except BrokenJSON as error:
            raise _broken(self._text, truncated=error.truncated) from None
        if envelope.get("success", True) is not True:
            raise Refused(quotes=_texts(envelope))

    def _read_envelope(self, read_data: Callable[[], None]) -> dict[str, object]:
        envelope: dict[str, object] = {}
        if self._reader.peek() == "[":
            raise UnexpectedShape
        for name in self._reader.members():
            if name == "data" and self._reader.peek() == "{":
                read_data()
            else:
                envelope[name] = self._reader.value()
        self._reader.end()
        return envelope

    def _read_listing(self) -> None:
        page, pagination, listed = Page(size=self._size), None, False
        for name in self._reader.members():
            if name == "results" and self._reader.peek() == "[":
                listed = True
                self._read_batches(page)
            elif name == "pagination":
                pagination = self._reader.value()
            else:
                self._reader.value()
        if not listed or not isinstance(pagination, dict):
            return
        self._page = _paginate(page, pagination)

    def _read_batches(self, page: Page) -> None:
        for place, _ in enumerate(self._reader.elements(), start=1):
            batch, batch_id = self._read_batch()
            if batch is not None:
                page.batches.append(batch)
            else:
                page.unreadable.append(batch_id or f"batch {place} of the page")
                self._count()

    def _read_single(self) -> None:
        self._batch, _ = self._read_batch()

    def _read_batch(self) -> tuple[Batch | None, str]:
        """The next batch and its id; None where it is unreadable. Its unreadable pending resources are left out."""
        if self._reader.peek() != "{":
            self._reader.value()
            return None, ""
        raw: dict[str, object] = {}
        rows: list[PendingResource | None] | None = None
        for name in self._reader.members():
            if name == "pendingResources" and self._reader.peek() == "[":
                rows = list(self._read_rows())
            else:
                raw[name] = self._reader.value()
        unreadable = _drop_counters(raw)
        batch = _convert({name: value for name, value in raw.items() if name not in _OURS}, Batch)
        if batch is None:
            batch_id = raw.get("batchId")
            return None, str(_clean(batch_id)) if isinstance(batch_id, str) else ""
        batch.unreadable_counters = unreadable
        if rows is not None:
            batch.pending_resources = [row for row in rows if row is not None]
            batch.unreadable_resources = len(rows) - len(batch.pending_resources)
        return batch, batch.batch_id

    def _read_rows(self) -> Iterator[PendingResource | None]:
        for _ in self._reader.elements():
            row = _convert(self._reader.value(), PendingResource)
            if row is None:
                self._count()
            yield row

    def _count(self) -> None:
        self._unreadable += 1
        if self._unreadable > MAX_UNREADABLE:
            raise TooManyUnreadable(f"More than {MAX_UNREADABLE:,} items of one answer could not be decoded.")


def read_texts(body: bytes | bytearray) -> list[str]:
    """`message` and `errors` of an error envelope, as far as they are texts."""
    try:
        raw = JSONReader(body.decode("utf-8", "replace").removeprefix("\ufeff")).value()
    except BrokenJSON:
        return []
    return _texts(raw) if isinstance(raw, dict) else []


def is_sensible(count: float | None) -> bool:
    """Whether a counter can be a count: None, or neither negative nor absurdly large."""
    return count is None or 0 <= count <= MAX_COUNTER


def _texts(envelope: dict[str, object]) -> list[str]:
    errors = envelope.get("errors")
    texts = [envelope.get("message"), *(errors if isinstance(errors, list) else ())]
    return [str(_clean(text)) for text in texts if isinstance(text, str) and text]


def _paginate(page: Page, pagination: dict[str, object]) -> Page:
    """The page with its pagination. A total that can't be read counts as absent."""
    try:
        page.has_next = msgspec.convert(pagination.get("hasNextPage"), bool, strict=False)
        page.cursor = msgspec.convert(_clean(pagination.get("cursor")), str | None) or None
    except UNREADABLE:
        raise UnexpectedShape("The answer does not say whether there is a next page.") from None
    total = _number(pagination.get("total"))
    page.total = None if total is None else int(total)
    return page


def _drop_counters(raw: dict[str, object]) -> tuple[str, ...]:
    """Replace the counters of a raw batch that are no sensible numbers by None, and name them."""
    progress, errors = raw.get("progress"), raw.get("errors")
    summary = errors.get("summary") if isinstance(errors, dict) else None
    dropped: list[str] = []
    if isinstance(progress, dict):
        whole = _COUNTERS - {"successRate"}
        for name in sorted(_COUNTERS & progress.keys()):
            progress[name] = _readable(progress[name], name, dropped, whole=name in whole)
    if isinstance(summary, dict):
        for name in list(summary):
            summary[name] = _readable(summary[name], f"errors.summary.{name}", dropped, whole=True)
            if summary[name] is None:
                del summary[name]
    return tuple(str(_clean(name)) for name in dropped)


def _readable(value: object, name: str, dropped: list[str], *, whole: bool) -> float | None:
    number = _number(value)
    if number is None or (whole and number != int(number)):
        if value is not None:
            dropped.append(name)
        return None
    return int(number) if whole else number


def _number(value: object) -> float | None:
    """A sensible number, which may be in quotes; else None."""
    try:
        number = msgspec.convert(value, float, strict=False)
    except UNREADABLE:
        return None
    return number if 0 <= number <= MAX_COUNTER else None


def _convert(value: object, shape: type[Shape]) -> Shape | None:
    """A decoded value as a wire struct; None where it does not fit. Only a value that fits is cleaned."""
    try:
        msgspec.convert(value, shape, strict=False)
        return msgspec.convert(_clean(value), shape, strict=False)
    except UNREADABLE:
        return None


def _clean(value: object) -> object:
    """The value with U+FFFD for halves of surrogate pairs."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(item) for name, item in value.items()}
    return value


def _broken(text: str, *, truncated: bool) -> AnswerError:
    start = text.lstrip()[:1]
    if not start:
        return EmptyAnswer()
    if start not in "{[":
        return NotJSON("The answer is an HTML page, not JSON." if start == "<" else "")
    return TruncatedJSON() if truncated else NotJSON("The answer starts like JSON but is not valid.")
