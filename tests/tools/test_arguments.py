"""Arguments are read forgivingly, and nothing that changes the meaning of a call is lost in silence."""

from __future__ import annotations

from typing import Any

import pytest

from reach_mcp.analysis.results import ACTION_OF, Cause
from reach_mcp.api.errors import InvalidArgument
from reach_mcp.render.glossary import CAUSES, action_of
from reach_mcp.tools.argument_reader import read_arguments
from reach_mcp.tools.arguments import ExplainArguments, GetBatchArguments, ListBatchesArguments, ToolArguments
from reach_mcp.tools.batch_filter import build_filter, read_moment
from reach_mcp.wrong_values import MAX_NAME_CHARS, suggest
from tests.builders import NOW_SECONDS

HOUR = 3600


def read(model: type[ToolArguments], **raw: Any) -> tuple[dict[str, Any], list[str]]:
    found, notes = read_arguments(model, raw)
    return dict(found.given()), notes


@pytest.mark.parametrize(
    ("model", "raw", "expected"),
    [
        (ListBatchesArguments, {"toolCallId": 1, "sessionId": "s", "action": "x", "chatInput": "y", "task_progress": "z"}, {}),  # noqa: E501
        (ListBatchesArguments, {"status": "null", "cursor": "", "tenant_id": None, "limit": "None"}, {}),
        (ListBatchesArguments, {"status": "FAILURE", "batch_type": "json_ingest"}, {"status": "failure", "batch_type": "PARTNER_RESOURCE_JSON_INGEST"}),  # noqa: E501
        (ListBatchesArguments, {"batchType": "delete", "sortBy": "completedat"}, {"batch_type": "PARTNER_RESOURCE_BATCH_DELETE", "sort_by": "completedAt"}),  # noqa: E501
        (ListBatchesArguments, {"batch_type": "Partner-Resource Batch_Patch"}, {"batch_type": "PARTNER_RESOURCE_BATCH_PATCH"}),  # noqa: E501
        (ListBatchesArguments, {"cursor": '{"after": 1}'}, {"cursor": '{"after": 1}'}),
        (ListBatchesArguments, {"since": "24h"}, {"created_after": "24h"}),
        (ListBatchesArguments, {"limit": "5", "offset": 2.0}, {"limit": 5, "offset": 2}),
        (ListBatchesArguments, {"include_pending_details": "true", "fresh": True}, {"include_pending_details": True}),
        (GetBatchArguments, {"batch_id": 912}, {"batch_id": "912"}),
        (GetBatchArguments, {"id": "b1"}, {"batch_id": "b1"}),
        (ExplainArguments, {"focus": 8841}, {"focus": "8841"}),
        (ExplainArguments, {"batch_id": "b1"}, {"focus": "b1"}),
        (ExplainArguments, {"external_id": "c1"}, {"focus": "c1"}),
        (ExplainArguments, {"assume_arrived": "customers:c1"}, {"assume_arrived": ["customers:c1"]}),
        (ExplainArguments, {"assume_arrived": '["a:1", 2, null]'}, {"assume_arrived": ["a:1", "2"]}),
        (ExplainArguments, {"assume_arrived": "[x"}, {"assume_arrived": ["[x"]}),
        (ExplainArguments, {"cause": "looks like another id", "view": "Missing records"}, {"cause": "looks_like", "view": "blockers"}),  # noqa: E501
        (ExplainArguments, {"cause": "not seen: send", "order": "soonest lost first"}, {"cause": "not_seen", "order": "expiry"}),  # noqa: E501
        (ExplainArguments, {"scope": "all", "only_batches_with_pending_resources": True}, {}),
    ],
)  # fmt: skip
def test_what_hosts_and_models_write_is_understood(
    model: type[ToolArguments], raw: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert read(model, **raw) == (expected, [])


@pytest.mark.parametrize("cause", list(CAUSES))
def test_every_label_that_answers_print_for_a_cause_is_understood(cause: Cause) -> None:
    labels = (CAUSES[cause], action_of(cause), f"{CAUSES[cause]}: {action_of(cause)}", ACTION_OF[cause])

    assert [read(ExplainArguments, cause=label)[0] for label in labels] == [{"cause": cause}] * 4


@pytest.mark.parametrize(
    ("model", "raw", "note"),
    [
        (ListBatchesArguments, {"limit": 0}, "limit was set to 1, its least value."),
        (ListBatchesArguments, {"limit": 5000}, "limit was set to 1000, its largest value."),
        (ListBatchesArguments, {"offset": 10**19}, "offset was set to 1000000, its largest value."),
        (ListBatchesArguments, {"limitt": 5}, "Ignored unknown arguments: 'limitt' (did you mean limit?)."),
        (ListBatchesArguments, {"zz": 1, "yy": 2, "xx": 3, "ww": 4}, "Ignored unknown arguments: 'zz', 'yy', 'xx' and 1 more."),  # noqa: E501
        (ExplainArguments, {"cursor": "c"}, "cursor has no effect here: every page is read."),
    ],
)  # fmt: skip
def test_harmless_change_is_a_note(model: type[ToolArguments], raw: dict[str, Any], note: str) -> None:
    assert read(model, **raw)[1] == [note]


@pytest.mark.parametrize(
    ("model", "raw", "error"),
    [
        (ListBatchesArguments, {"statuss": "failure"}, "Unknown argument 'statuss' (did you mean status?)."),
        (GetBatchArguments, {}, "Wrong argument: batch_id is missing: it must be text of up to 500 characters."),
        (GetBatchArguments, {"batch_id": "null"}, "batch_id is missing"),
        (GetBatchArguments, {"batch_id": ["b"]}, "batch_id is of a wrong type: it must be text of up to 500"),
        (GetBatchArguments, {"batch_id": True}, "batch_id is of a wrong type"),
        (GetBatchArguments, {"batch_id": "\ud800"}, "batch_id is not valid Unicode"),
        (GetBatchArguments, {"batch_id": "b", "tenant_id": "t" * 900_000}, "tenant_id is too long: it must be text of up to 500 characters"),  # noqa: E501
        (ListBatchesArguments, {"status": "broken"}, "status has an unknown value: it must be one of success, partial_success"),  # noqa: E501
        (ListBatchesArguments, {"status": 3}, "status has an unknown value: it must be one of"),
        (ListBatchesArguments, {"limit": "many"}, "limit can't be read: it must be a whole number from 1 to 1000"),
        (ListBatchesArguments, {"limit": 1.5, "offset": []}, "limit is not whole: it must be a whole number from 1 to 1000; offset is of a wrong type: it must be a whole number from 0 to 1000000"),  # noqa: E501
        (ListBatchesArguments, {"limit": float("nan")}, "limit is not finite: it must be a whole number from 1 to"),
        (ListBatchesArguments, {"limit": 1e300}, "it must be a whole number from 1 to 1000"),
        (ExplainArguments, {"limit": "1e400"}, "limit can't be read: it must be a whole number from 1 to 1000"),
        (ListBatchesArguments, {"fresh": "perhaps"}, "fresh can't be read: it must be true or false"),
        (ExplainArguments, {"assume_arrived": ["x"] * 201}, "assume_arrived has too many items: it must be a list of up to 200 texts"),  # noqa: E501
        (ExplainArguments, {"assume_arrived": ["x" * 501]}, "assume_arrived has an item that is too long: it must be a list of up to 200 texts of up to 500 characters"),  # noqa: E501
    ],
)  # fmt: skip
def test_wrong_argument_is_named_with_what_is_right(
    model: type[ToolArguments], raw: dict[str, Any], error: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read(model, **raw)

    assert error in caught.value.message
    assert len(caught.value.message) < 1000


def test_errors_are_bounded_whatever_they_are_about() -> None:
    many = {f"x{number}" * 300: number for number in range(75_000)}

    _, notes = read(ListBatchesArguments, **many)
    with pytest.raises(InvalidArgument) as caught:
        read(ListBatchesArguments, **{f"statu{'s' * number}_": 1 for number in range(10)})

    assert len(notes[0]) < 4 * MAX_NAME_CHARS
    assert len(str(caught.value)) < 8 * MAX_NAME_CHARS


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [("lst", ["list"], " (did you mean list?)"), ("zz", ["list"], " (known: list)"), ("zz", [], " (known: none)")],
)
def test_unknown_name_gets_a_hint(name: str, known: list[str], hint: str) -> None:
    assert suggest(name, known) == hint


@pytest.mark.parametrize(
    ("raw", "one_page"),
    [
        ({}, True), ({"batch_type": "patch", "cursor": "c"}, True), ({"scope": "all"}, False),
        ({"status": "failure"}, False), ({"offset": 20}, False), ({"status": "failure", "scope": "page"}, True),
    ],
)  # fmt: skip
def test_filters_read_every_page(raw: dict[str, Any], one_page: bool) -> None:
    assert read_arguments(ListBatchesArguments, raw)[0].one_page is one_page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None), ("24h", NOW_SECONDS - 24 * HOUR), (" 7 days ", NOW_SECONDS - 7 * 24 * HOUR),
        ("2026-11-23t10:00:00z", NOW_SECONDS - 2 * HOUR), ("2026-11-23T12:00:00+02:00", NOW_SECONDS - 2 * HOUR),
        ("2026-11-23", NOW_SECONDS - 12 * HOUR),
    ],
)  # fmt: skip
def test_times_are_rfc_3339_dates_or_ages(text: str | None, expected: float | None) -> None:
    assert read_moment("created_after", text, NOW_SECONDS) == expected


@pytest.mark.parametrize(
    ("raw", "advice"),
    [
        ({"created_after": "yesterday"}, "an age such as 24h"),
        ({"created_before": "2026-11-23T10:00:00"}, "End it with Z"),
        ({"created_after": "1h", "created_before": "2h"}, "created_after must be earlier than created_before"),
    ],
)
def test_unusable_time_says_what_is_right(raw: dict[str, Any], advice: str) -> None:
    arguments = read_arguments(ListBatchesArguments, raw)[0]

    with pytest.raises(InvalidArgument) as caught:
        build_filter(arguments, NOW_SECONDS)

    assert advice in str(caught.value)
