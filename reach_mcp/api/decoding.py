"""Decodes answers of the Reach API. One malformed batch or pending resource costs neither the page nor the reading.

msgspec decodes a well-formed answer at once. Any other answer is decoded again item by item (`salvage.py`): unreadable
items are counted and named, unreadable counters become None.
"""

from __future__ import annotations

import msgspec

from reach_mcp.api.models import Batch, Page
from reach_mcp.api.salvage import UNREADABLE, Salvage, is_sensible, read_texts

Body = bytes | bytearray


class _Pagination(msgspec.Struct, rename="camel"):
    has_next_page: bool
    cursor: str | None = None
    total: int | None = None


class _Listing(msgspec.Struct):
    results: list[Batch]
    pagination: _Pagination


class _ListAnswer(msgspec.Struct):
    success: bool
    data: _Listing


class _BatchAnswer(msgspec.Struct):
    success: bool
    data: Batch


_LIST = msgspec.json.Decoder(_ListAnswer)
_BATCH = msgspec.json.Decoder(_BatchAnswer)


def decode_page(body: Body) -> Page:
    """Decode an answer of `GET /api/batches`. Raises an AnswerError that tells HTML, nothing and half a body apart."""
    try:
        answer = _LIST.decode(body)
    except UNREADABLE:
        return Salvage(body).page()
    pagination, batches = answer.data.pagination, answer.data.results
    if not answer.success or not is_sensible(pagination.total) or not all(map(_is_sound, batches)):
        return Salvage(body).page()
    return Page(batches, pagination.has_next_page, pagination.cursor or None, pagination.total, size=len(body))


def decode_batch(body: Body) -> Batch:
    """Decode an answer of `GET /api/batches/{batchId}`. Raises an AnswerError."""
    try:
        answer = _BATCH.decode(body)
    except UNREADABLE:
        return Salvage(body).batch()
    return answer.data if answer.success and _is_sound(answer.data) else Salvage(body).batch()


def decode_error(body: Body) -> list[str]:
    """The API's messages in an error answer; empty where it is not the documented envelope."""
    return read_texts(body)


def _is_sound(batch: Batch) -> bool:
    """Whether all counters are sensible, and the API did not send the two fields that are ours."""
    progress = batch.progress
    counters = (
        progress.total_records,
        progress.processed_records,
        progress.successful_records,
        progress.pending_records,
        progress.failed_records,
        progress.success_rate,
        *((batch.errors and batch.errors.summary) or {}).values(),
    )
    return all(map(is_sensible, counters)) and not batch.unreadable_resources and not batch.unreadable_counters
