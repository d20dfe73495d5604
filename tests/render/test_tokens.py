"""The bound on tokens is never below what the real tokenizer counts, and close to it on our own answers."""

from __future__ import annotations

import base64
import json
from itertools import product
from string import ascii_lowercase, ascii_uppercase

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reach_mcp.render.tokens import COMMON, JOINTS, UNCOMMON, bound_tokens
from tests.contract.tokens import count_tokens
from tests.tools.harness import EXPLAIN, GET, LIST, Reply, ask, compact, serve_demo

LIMIT = 1.4
"""How far above the real count the bound may be on our own answers."""

ASCII = [chr(code) for code in range(128) if not chr(code).isalnum()]
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S")

words = st.sampled_from(sorted(COMMON | UNCOMMON | JOINTS))
ids = st.from_regex(r"(?:[a-z]{2,5}_)?[0-9a-f]{1,12}(?:-[0-9A-F]{4}){0,3}", fullmatch=True)
letters = st.text(st.characters(min_codepoint=65, max_codepoint=122), max_size=12)
steady = st.text(st.sampled_from("gkrjUOabest"), max_size=12)
wide = st.sampled_from(
    ("漢字", "é", "ñ", "ж", "ſ", "\u0301", "٣", "①", "𝟘", "\u3000", "\u200b", "👩🏽‍🚒", "…", "″", "\ufffd", "İ")
)
pieces = (
    words
    | ids
    | letters
    | steady
    | wide
    | st.text(max_size=4)
    | st.text(st.sampled_from(ASCII), max_size=6)
    | st.binary(max_size=20).map(lambda data: base64.b64encode(data).decode())
    | st.sampled_from(CONTRACTIONS)
    | st.integers(0, 10**9).map(str)
)
texts = st.lists(pieces, max_size=9).map("".join) | st.lists(pieces, max_size=9).map(" ".join)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(texts)
def test_no_text_has_more_tokens_than_its_bound(text: str) -> None:
    assert count_tokens(text) <= bound_tokens(text)


@settings(deadline=None)
@given(documents)
def test_no_json_has_more_tokens_than_its_bound(document: object) -> None:
    for text in (compact(document), json.dumps(document, indent=1)):
        assert count_tokens(text) <= bound_tokens(text)


def test_every_common_word_is_one_token() -> None:
    assert [word for word in COMMON if (count_tokens(word), count_tokens(f" {word}")) != (1, 1)] == []


@pytest.mark.parametrize("before", ["", "x", "1", " ", "..", "\n"])
def test_no_listed_word_splits_finer_behind_any_sign(before: str) -> None:
    """The tokenizer takes one sign and the word behind it together, and then may divide the word elsewhere."""
    found = [f"{before}{sign}{word}{end}" for word in COMMON | UNCOMMON for sign in ASCII for end in ("", "'s")]

    assert [text for text in found if count_tokens(text) > bound_tokens(text)] == []


def test_no_listed_joint_splits_finer_beside_anything() -> None:
    beside = [*ASCII, "", "x", "1", "\n\n", "é", "…", "\u0301", "٣"]
    found = [before + joint + behind for joint in JOINTS for before, behind in product(beside, beside)]

    assert [text for text in found if count_tokens(text) > bound_tokens(text)] == []


def test_any_two_steady_letters_are_one_token() -> None:
    """The bound on words that are not listed stands on this: no two tokens of one letter side by side."""
    lower = [letter for letter in ascii_lowercase if letter not in "qvwxz"]
    upper = [letter for letter in ascii_uppercase if letter not in "JQVWXYZ"]
    pairs = {a + b for case in (lower, upper) for a, b in product(case, case)}

    assert {pair for pair in pairs if count_tokens(pair) > 1} == {"gk", "rj", "UO"}


def test_up_to_three_digits_are_one_token() -> None:
    assert [
        digits
        for size in (1, 2, 3)
        for digits in map("".join, product("0123456789", repeat=size))
        if count_tokens(digits) > 1
    ] == []


async def _replies() -> list[Reply]:
    server = serve_demo()
    return [
        await ask(server, LIST),
        await ask(server, LIST, scope="all", response_format="detailed"),
        await ask(server, LIST, status="failure"),
        await ask(server, GET, batch_id="bat_cus_0912"),
        await ask(server, GET, batch_id="bat_txn_0921", response_format="detailed"),
        await ask(server, EXPLAIN),
        await ask(server, EXPLAIN, response_format="detailed"),
        await ask(server, EXPLAIN, focus="appointments:apt_5001"),
        await ask(server, EXPLAIN, assume_arrived=["locations:loc_harbor_12"]),
    ]


def test_bound_is_close_on_our_own_answers() -> None:
    """Each token too many in the bound is one that an answer can't use."""
    for reply in anyio.run(_replies):
        _, real = reply.tokens
        bound = bound_tokens(reply.text) + bound_tokens(compact(reply.content))
        assert real <= bound <= LIMIT * real, (reply.tool, bound, real)
        assert reply.meta["reach/cost"]["estimated_tokens"] == bound
