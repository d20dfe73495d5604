"""Foreign text can neither hide, nor spread over lines, nor leave its fence, whatever it is."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reach_mcp.render.clean import LONGEST, LOOKED_AT, Fence, clean, draw_mark

anything = st.text(st.characters(codec=None, exclude_categories=()))
"""All of unicode, surrogates and what is not assigned included."""

spiteful = st.lists(
    anything
    | st.sampled_from(
        (
            '"',
            '" k72"',
            'k72"',
            "\\n",
            "\n# Heading\n",
            "\u2028",
            "\x1b[2J",
            "\u202e",
            "\u200b\ufe0f\u200b",
            "\U000e0041",
            "\ufe0f",
            "\u3164",
            "…(+",
            "…(+7 characters)",
            "…(+99999999999999999999 characters)",
            "x" * 170,
            " " * 200,
            "\ud800",
        )
    ),
    max_size=8,
).map("".join)
lengths = st.integers(0, 500)
NOTE = len("…(+999999999 characters)")
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
SELECTORS = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0xE0000, 0xE0080), 0x34F, 0x3164, 0x115F}


@settings(deadline=None)
@given(spiteful, lengths)
def test_cleaned_text_is_one_bounded_line_without_anything_hidden(text: str, longest: int) -> None:
    shown = clean(text, longest)

    assert len(shown) <= longest + NOTE
    assert {unicodedata.category(char) for char in shown} & HIDDEN == set()
    assert {ord(char) for char in shown} & SELECTORS == set()
    assert len(shown.splitlines()) <= 1
    assert "  " not in shown


@settings(deadline=None)
@given(spiteful, lengths)
def test_cleaning_twice_changes_nothing(text: str, longest: int) -> None:
    once = clean(text, longest)

    assert clean(once, longest) == once


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=900), lengths, lengths)
def test_text_cut_in_two_steps_reads_as_if_cut_in_one(text: str, first: int, then: int) -> None:
    """What structured content cut once is cut again for the text: the number behind it stays true."""
    assert clean(clean(text, first), then) == clean(text, min(first, then))


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=LONGEST))
def test_plain_ids_stay_as_they_are(text: str) -> None:
    if "  " not in text:
        assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cust_\u202e1488\u202c", "cust_\ufffd1488\ufffd"),
        ("a\u200b\u200c\ufe0f\u200db", "a\ufffdb"),
        ("first\r\nsecond\u2028third\ttab", "first second third tab"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("\u2764\ufe0f", "\u2764"),
        ("x" * 170, "x" * 160 + "…(+10 characters)"),
        ("\x00" * 9 + "x" * LOOKED_AT, "\ufffd" + "x" * 159 + "…(+3841 characters)"),
        ("\x00" * LOOKED_AT + "x", "\ufffd…(+1 characters)"),
        ("顧客 42", "顧客 42"),
    ],
)
def test_what_was_hidden_shows_that_it_was_there(text: str, shown: str) -> None:
    assert clean(text) == shown


@settings(deadline=None)
@given(spiteful, lengths)
def test_no_data_can_close_its_fence_or_open_one(text: str, longest: int) -> None:
    """Whatever stands between the quotes, these are the only two, and the mark stands before the first."""
    fenced = Fence("k72")(text, longest)

    assert fenced.count('"') == 2
    assert re.fullmatch('k72"[^"\\n]*"', fenced)


def test_marks_are_short_and_differ() -> None:
    """A mark that can be guessed can be forged."""
    marks = {draw_mark() for _ in range(60)}

    assert len(marks) > 30
    assert all(re.fullmatch("[a-z][0-9]{2}", mark) for mark in marks)
