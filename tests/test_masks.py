"""Masks: stable, different for each tenant, and blind to nothing that they promise to find."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reach_mcp.masks import CLEAR, Mask
from tests.builders import as_read, batch, pending

KEY = "a key of the tests"


def test_same_id_has_the_same_mask_on_every_replica_and_another_one_for_another_tenant_or_key() -> None:
    mask = Mask(KEY, "acme").id("cust_8841")

    assert mask == Mask(KEY, "acme").id("cust_8841")
    assert len({mask, Mask(KEY, "globex").id("cust_8841"), Mask("another key", "acme").id("cust_8841")}) == 3


def test_mask_of_an_id_is_short_and_readable() -> None:
    assert Mask(KEY, None).id("cust_8841") == "id-ne6c3mvb"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Email jo@acme.example is taken", "Email text-X is taken"),
        ("Call +49 (30) 123-4567 first", "Call text-X first"),
        ("'John Smith' is not known", "'text-X' is not known"),
        ("“Jo” is not known", "“text-X” is not known"),
        ("owner John Smith left", "owner text-X left"),
        ("owner Smith, John left", "owner text-X left"),
        ("John Smith owes Jane Roe money", "text-X owes text-X money"),
        ("see order INV-20.", "see order text-X."),
        ("cust_abc failed", "id-X failed"),
        ("needs cust_abc, Müller Ödön or more", "needs id-X, text-X or more"),
        ("phone is required", "phone is required"),
        ("Email is required. Phone is not", "Email is required. Phone is not"),
        ("id-aaaaaaaa stays", "id-aaaaaaaa stays"),
        ("it's what don't", "it's what don't"),
    ],
)
def test_free_text_loses_what_looks_personal_and_keeps_the_rest(text: str, masked: str) -> None:
    mask = Mask(KEY, "acme")
    mask.learn(batch("b", failed={"cust_abc": ([], [])}))

    shown = mask.text(text)

    for kind in ("id", "text"):
        head, *tails = shown.split(f"{kind}-") if "X" in masked else [shown]
        shown = head + "".join(f"{kind}-X{tail[8:]}" for tail in tails)
    assert shown == masked


def test_id_has_the_same_mask_in_text_as_in_its_field() -> None:
    mask = Mask(KEY, "acme")
    mask.learn(as_read(batch("b", pending("transactions/t", "customers/Jo Doe"))))

    assert mask.text("No customer Jo Doe: 'Jo Doe'") == f"No customer {mask.id('Jo Doe')}: '{mask.id('Jo Doe')}'"


def test_id_that_ends_like_a_sentence_has_its_mask_in_quotes_as_well() -> None:
    mask = Mask(KEY, "acme")
    mask.learn(as_read(batch("b", pending("transactions/t", "customers/Acme Inc."))))

    assert mask.text("No customer 'Acme Inc.'.") == f"No customer '{mask.id('Acme Inc.')}'."


def test_ids_of_under_three_characters_are_not_looked_for_in_text() -> None:
    """They would hit every other word."""
    mask = Mask(KEY, "acme")
    mask.learn(batch("b", failed={"is": ([], [])}))

    assert mask.text("that is missing") == "that is missing"


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    mask = Mask(KEY, "acme")

    once = mask.text(text)

    assert mask.text(once) == once


@given(st.text(alphabet="ab1@ '\"AB,.+-()é\n", max_size=60), st.text(min_size=1))
def test_any_text_can_be_masked(text: str, known: str) -> None:
    mask = Mask(KEY, "acme")
    mask.learn(batch("b", failed={known: ([], [])}))

    assert "jo@acme.example" not in mask.text(f"{text} jo@acme.example {known}")


def test_argument_is_repeated_masked_when_it_names_what_was_read() -> None:
    mask = Mask(KEY, "acme")
    mask.learn(batch("b", failed={"cust_abc": ([], [])}))
    masked = mask.id("cust_abc")

    assert mask.argument("customers:cust_abc") == f"customers:{masked}"
    assert mask.argument("cust_abc") == masked
    assert mask.argument("customers:else") == "customers:else"


def test_token_is_sealed_and_opens_for_the_same_tenant_alone() -> None:
    """It holds hashes of ids that could be guessed."""
    mask = Mask(KEY, "acme")

    sealed = mask.token("AQAB")

    assert "AQAB" not in sealed
    assert mask.open_token(sealed) == "AQAB"
    assert Mask(KEY, "globex").open_token(sealed) != "AQAB"
    assert mask.open_token("not a token!") == ""


def test_without_a_key_nothing_is_masked() -> None:
    CLEAR.learn(batch("b"))

    assert CLEAR.id("a") + CLEAR.text("jo@acme.example") + CLEAR.handle("b-x") == "ajo@acme.exampleb-x"
    assert CLEAR.token("t") + CLEAR.open_token("t") + CLEAR.argument("x:y") == "ttx:y"
