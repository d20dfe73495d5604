"""Every question is answered as its rubric asks, and the grader sees each way in which an answer can be wrong."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.builders import Json
from tests.evals.__main__ import as_rubric
from tests.evals.grade import MOST_TEXT, Fact, Question, grade, objects
from tests.evals.questions import INJECTED, NOT_OURS, QUESTIONS
from tests.evals.run import answer, evaluate, offered
from tests.tools.harness import Reply

EACH = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
ANSWERED = [question for question in QUESTIONS if not question.refused]


@EACH
def test_question_is_answered(question: Question) -> None:
    assert evaluate(question)[1] == []


def test_questions_are_many_and_of_each_kind() -> None:
    assert len({question.name for question in QUESTIONS}) == len(QUESTIONS) >= 40
    assert len(NOT_OURS) >= 5
    assert all(question.attempts and question.forbidden for question in NOT_OURS)
    assert len(INJECTED) >= 8
    assert all(question.foreign for question in INJECTED)


@cache
def answered(name: str) -> Reply:
    return answer(next(question for question in QUESTIONS if question.name == name))


@EACH
def test_grader_sees_a_fact_that_left_the_text(question: Question) -> None:
    """For each fact: the lines that state it go, and the answer no longer passes."""
    reply = answered(question.name)
    for fact in question.facts:
        kept = [line for line in reply.text.splitlines() if not fact.in_text(line)]

        found = grade(question, replace(reply, text="\n".join(kept)))

        assert f"text does not state together: {fact.words}" in found


@pytest.mark.parametrize("question", ANSWERED, ids=lambda question: question.name)
def test_grader_sees_each_value_that_changed_in_the_content(question: Question) -> None:
    reply = answered(question.name)
    for fact in question.facts:
        for name in fact.held or ():
            found = grade(question, replace(reply, content=without(reply.content, fact, name)))

            assert f"content does not hold together: {fact.held}" in found


def without(content: Json, fact: Fact, name: str) -> Json:
    """The content with one field spoilt wherever the fact is held."""
    content = deepcopy(content)
    for one in [one for one in objects(content) if Fact((), fact.held).in_content({"": one}) and name in one]:
        one[name] = "spoilt"
    return content


@EACH
def test_grader_sees_words_of_one_fact_on_two_lines(question: Question) -> None:
    """The right id and the right count prove nothing when they belong to two different things."""
    reply = answered(question.name)
    for fact in [fact for fact in question.facts if len(fact.words) > 1]:
        apart = "\n".join(fact.words)

        found = grade(question, replace(reply, text=apart))

        assert f"text does not state together: {fact.words}" in found


@EACH
def test_grader_sees_what_is_false(question: Question) -> None:
    reply = answered(question.name)
    for fact in question.never:
        told = replace(reply, text=f"{reply.text}\n- {', '.join(fact.words)}")
        held = replace(reply, content={**reply.content, "planted": dict(fact.held or {})})

        assert not fact.words or f"text states what is false: {fact.words}" in grade(question, told)
        assert fact.held is None or f"content holds what is false: {fact.held}" in grade(question, held)


@EACH
def test_grader_sees_an_answer_that_costs_too_much(question: Question) -> None:
    reply = answered(question.name)
    padded: Json = {**reply.content, "padding": "word " * question.most}

    assert any("costs" in one for one in grade(question, replace(reply, content=padded)))
    assert any("costs" in one for one in grade(question, replace(reply, text=reply.text + " word" * MOST_TEXT)))


@pytest.mark.parametrize("question", INJECTED, ids=lambda question: question.name)
def test_grader_sees_foreign_words_outside_of_their_fence(question: Question) -> None:
    reply = answered(question.name)
    for words in question.foreign:
        told = replace(reply, text=f"{reply.text}\n{words}")
        posed = replace(reply, content={**reply.content, "note": words})

        assert any("outside of its fence" in one for one in grade(question, told))
        assert any("place of our own words" in one for one in grade(question, posed))


def test_grader_sees_a_blamed_id_swapped_for_its_neighbour() -> None:
    question = next(one for one in QUESTIONS if one.name == "which failure is the cause, of several")
    reply = answered(question.name)

    swapped = replace(reply, text=reply.text.replace("bat_new", "bat_old"), content=swap(reply.content))

    assert grade(replace(question, states=()), swapped) == [
        "text states what is false: ('\"cust_77\"', 'failed in batch \"bat_old\"')",
        "content holds what is false: {'id': 'cust_77', 'failed_in': {'batch': 'bat_old'}}",
    ]


def swap(content: Any) -> Any:
    content = deepcopy(content)
    for one in objects(content):
        if one.get("batch") == "bat_new":
            one["batch"] = "bat_old"
    return content


def test_grader_sees_a_claim_that_something_was_never_sent() -> None:
    question = QUESTIONS[0]
    reply = answered(question.name)

    assert grade(question, replace(reply, text=f"{reply.text}\nIt was never sent."))


@pytest.mark.parametrize("question", NOT_OURS, ids=lambda question: question.name)
def test_grader_sees_a_tool_and_an_argument_that_change_something(question: Question) -> None:
    word = question.forbidden[0]

    assert list(offered(question, [(f"do_{word}", [])])) == [f"do_{word} offers do_{word}"]
    assert list(offered(question, [("get_batch", [word])])) == [f"get_batch offers {word}"]


def test_count_within_a_longer_number_is_not_stated() -> None:
    assert not Fact(("5 wait", '"a"')).in_text('- k72"a": 35 wait')
    assert not Fact(("cust_7",)).in_text("cust_77")
    assert Fact(("5 wait", '"a"')).in_text('- k72"a": 5 wait')


def test_rubric_names_what_starts_its_tenant() -> None:
    rubric = [as_rubric(question) for question in QUESTIONS]

    assert {one["start"][-1] for one in rubric} == {question.tenant for question in QUESTIONS}
    assert all(one["must_state"] for one in rubric)
