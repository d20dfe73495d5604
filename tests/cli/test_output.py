"""Times, table layout and formats of the command line, without a tenant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from reach_mcp.analysis.results import BatchSummary, CauseFinding, Record
from reach_mcp.api.errors import NoConnection
from reach_mcp.api.pagination import Coverage
from reach_mcp.cli.layout import lay_out, text_width
from reach_mcp.cli.output import Clock, Report, Table, Time, to_csv, to_json, to_markdown, to_text
from reach_mcp.cli.session import needs_attention
from reach_mcp.cli.tables import evidence, sentences
from tests.cli.helpers import BERLIN, NOW

CLOCK = Clock(NOW.timestamp(), BERLIN)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW + timedelta(minutes=38), "13:38 (12:38Z), in 38 min"),
        (NOW - timedelta(hours=3), "10:00 (09:00Z), 3 h ago"),
        (datetime(2026, 11, 24, 5, 30, tzinfo=UTC), "Nov 24 06:30 (05:30Z), in 17 h"),
        (datetime(2026, 11, 23, 23, 30, tzinfo=UTC), "Nov 24 00:30 (Nov 23 23:30Z), in 11 h"),
        (datetime(2028, 11, 22, 12, 0, tzinfo=UTC), "Nov 22 2028 13:00 (12:00Z), in 730 days"),
        (datetime(9999, 12, 31, 23, 30, tzinfo=UTC), "Dec 31 9999 23:30Z, in 2912116 days"),
        (datetime(1969, 12, 31, 22, 30, tzinfo=UTC), "Dec 31 1969 23:30 (22:30Z), 20780 days ago"),
    ],
)
def test_a_time_is_local_with_utc_next_to_it(moment: datetime, text: str) -> None:
    assert CLOCK.format(Time(moment.timestamp(), relative=True)) == text


def test_a_time_in_utc_is_shown_once() -> None:
    assert Clock(NOW.timestamp(), UTC).format(Time(NOW.timestamp())) == "12:00Z"
    assert "Z" in Clock(NOW.timestamp()).format(Time(NOW.timestamp()))


COLUMNS = Table("", "$record | #waiting | lost | action | ~why", []).columns
ROWS = [
    ["customers:c1", "12", "13:00 (12:00Z)", "correct and resend", "failed in bat_1: email is not valid"],
    ["locations:l1", "3", "13:00 (12:00Z)", "send", ""],
]


def test_a_wide_terminal_shows_all_columns() -> None:
    assert lay_out(COLUMNS, ROWS, 200)[1:] == [
        "customers:c1       12  13:00 (12:00Z)  correct and resend  failed in bat_1: email is not valid",
        "locations:l1        3  13:00 (12:00Z)  send",
    ]


def test_a_narrow_terminal_puts_notes_below_their_row() -> None:
    assert lay_out(COLUMNS, ROWS, 66)[1:] == [
        "customers:c1       12  13:00 (12:00Z)  correct and resend",
        "      why: failed in bat_1: email is not valid",
        "locations:l1        3  13:00 (12:00Z)  send",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_no_width_loses_a_word(width: int) -> None:
    text = "\n".join(lay_out(COLUMNS, ROWS, width))

    assert all(word in text for row in ROWS for cell in row for word in cell.split())


def test_wide_and_combining_characters_are_counted_as_they_are_shown() -> None:
    assert [text_width(text) for text in ("abc", "顧客", "e\u0301")] == [3, 4, 1]


def report() -> Report:
    names = "$record | #n | t | flag | names | empty | text"
    record = Record("customers", "c\x1b[31m1", "sd_1")
    row = (record, 1234, Time(NOW.timestamp()), True, (record, record), None, "a|b")
    return Report(["One line."], Table("Title", names, [row]), notes=["A note."])


def test_formats_write_the_same_cells() -> None:
    text, markdown = to_text(report(), CLOCK, 200), to_markdown(report(), CLOCK)

    assert text.splitlines()[0] == "One line."
    assert text.splitlines()[-1] == "A note."
    assert "1,234" in text
    assert "yes" in text
    assert "empty" not in text
    assert "\x1b[31m" not in text
    assert "| 1,234 |" in markdown
    assert to_csv(report().main).splitlines()[0] == "schema,external_id,schema_id,n,t,flag,names,empty,text"
    assert "1234,2026-11-23T12:00:00Z,true" in to_csv(report().main)


def test_a_record_that_is_not_known_leaves_the_columns_in_place() -> None:
    assert to_csv(Table("", "$record | #now", [("gone", 1)])).splitlines()[1] == "gone,,,1"


def test_an_empty_table_is_left_out_but_its_csv_has_a_header() -> None:
    empty = Report(["Nothing."], Table("Title", "$batch | error", []))

    assert to_text(empty, CLOCK, 80) == "Nothing."
    assert to_csv(empty.main) == "batch,error\n"


def test_json_names_the_error_that_ended_the_reading() -> None:
    assert to_json(Coverage(stop="error", error=NoConnection()))["error"].startswith("The Reach API can't")  # type: ignore[index, union-attr, call-overload]


def test_a_verdict_takes_a_line_for_each_sentence_with_times_in_utc_and_views_as_options() -> None:
    text = "All 2 batches read. 1 expires, at 12:10 (in 10 min). 38 are lost (view=expired)."
    lines = ["All 2 batches read.", "1 expires, at 12:10Z (in 10 min).", "38 are lost (--view expired)."]

    assert sentences(text) == lines


def test_a_cause_without_evidence_shows_none() -> None:
    assert evidence(CauseFinding("failed", "correct_and_resend")) == ""


@pytest.mark.parametrize(
    ("status", "failed", "expected"),
    [("success", 0, False), ("success", 1, True), ("partial_success", None, True), ("processing", None, False)],
)
def test_a_batch_needs_attention_by_its_status_or_counters(status: str, failed: int | None, expected: bool) -> None:
    values = dict.fromkeys(BatchSummary.__dataclass_fields__)
    batch = BatchSummary(**(values | {"status": status, "failed": failed}))  # type: ignore[arg-type]

    assert needs_attention(batch) is expected


def test_a_zone_without_offset_shows_utc_once() -> None:
    assert Clock(NOW.timestamp(), timezone(timedelta(0))).format(Time(NOW.timestamp())) == "12:00Z"
