"""Output schemas: the shape of each answer's structured content.

Written by hand, since schemas made from classes carry titles and references that cost more tokens than the facts. The
tests hold every answer against them. Vocabularies of the API (status, category) stay open.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer"}


def _object(required: str = "", /, **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return schema | {"required": required.split()} if required else schema


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _said(schema: Schema, description: str) -> Schema:
    return schema | {"description": description}


COUNTS: Schema = {"type": "object", "additionalProperties": COUNT}
OBJECT: Schema = {"type": "object"}
TIME = _said(TEXT, "RFC 3339 UTC")

_COVERAGE = _said(
    _object(
        "pages batches complete",
        pages=COUNT,
        batches=COUNT,
        of=COUNT,
        complete={"type": "boolean"},
        age_s=COUNT,
        note=TEXT,
    ),
    "What was read, of what matches",
)
_BATCH = _object(
    "id status type",
    id=TEXT,
    status=TEXT,
    type=TEXT,
    schema=TEXT,
    created=TEXT,
    records=COUNT,
    failed=COUNT,
    pending=COUNT,
    errors=COUNTS,
    message=TEXT,
)
_NEXT = _list(_object("tool arguments", tool=TEXT, arguments=OBJECT))

OUTPUT: dict[str, Schema] = {
    "list_batches": _object(
        "as_of",
        as_of=TIME,
        coverage=_COVERAGE,
        matched=COUNT,
        census=_object(status=COUNTS, type=COUNTS, schema=COUNTS, records=COUNTS, errors=COUNTS, most_pending=COUNTS),
        batches=_list(_BATCH),
        shown=TEXT,
        next_calls=_NEXT,
    ),
    "get_batch": _object(
        "as_of",
        as_of=TIME,
        batch=_BATCH,
        categories=COUNTS,
        error_groups=_list(_object(category=TEXT, text=TEXT, records=COUNT, examples=_list(TEXT))),
        waiting=_object(rows=COUNT, missing=COUNT, expired=COUNT, within_hour=COUNT, next_expiry=TEXT),
        next_calls=_NEXT,
    ),
    "explain_pending_dependencies": _object(
        "as_of",
        as_of=TIME,
        coverage=_COVERAGE,
        pending=_object(
            rows=COUNT,
            batches=COUNT,
            root_blockers=COUNT,
            stuck=_said(COUNT, "rows in or behind circles"),
            depths=_said(COUNTS, "rows by chain depth"),
        ),
        expiry=_object(expired=COUNT, within_hour=COUNT, within_day=COUNT, later=COUNT, next=TEXT, hours=_list(OBJECT)),
        blockers=_list(
            _object(
                handle=TEXT,
                schema=TEXT,
                id=TEXT,
                waiting=_said(COUNT, "rows that wait for it, also through others"),
                direct=_said(COUNT, "rows that list it"),
                frees=_said(COUNT, "rows that clear if it alone arrives"),
                expires=TEXT,
                causes=_said(_list(TEXT), "failed, deleted, similar, not_seen"),
                failed_in=OBJECT,
                similar=_list(OBJECT),
            )
        ),
        shown=TEXT,
        more=_said(COUNTS, "left out, by part"),
        chains=_list(_list(TEXT)),
        circles=_list(_object(members=COUNT, path=_list(TEXT), rows=COUNT, behind=COUNT)),
        send_first=_said(
            _list(_object(place=COUNT, keys=COUNT, frees=COUNT, total=COUNT, batches=COUNT, ids=OBJECT)),
            "waves, in order",
        ),
        disagreements=_list(_object(batch=TEXT, counter=COUNT, rows=COUNT)),
        focus=OBJECT,
        what_if=OBJECT,
        next_calls=_NEXT,
    ),
}
