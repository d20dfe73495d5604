"""Each acceptance question is answered by one call in every form, and the grader sees what is wrong with an answer."""

from __future__ import annotations

import pytest

from tests.builders import NOW
from tests.evals.grade import ARMS, MAX_BYTES, Arm, Question, Reply, compact, fact, grade, shown
from tests.evals.questions import TENANTS, questions
from tests.evals.run import detailed, follow, replies
from tests.evals.tenants import planted

every_tenant = pytest.mark.parametrize("tenant", TENANTS)
every_arm = pytest.mark.parametrize("arm", ARMS)


@every_tenant
@every_arm
def test_every_question_is_answered(tenant: str, arm: Arm) -> None:
    found = replies(tenant, arm)
    grades = [grade(question, arm, found[question.name]) for question in questions(tenant)]
    assert {one.question: one.problems for one in grades if one.problems} == {}


@every_tenant
@every_arm
def test_detailed_answers_state_the_same_facts(tenant: str, arm: Arm) -> None:
    found = detailed(tenant, arm)
    limit = MAX_BYTES["detailed"]
    grades = [grade(question, arm, found[question.name], limit=limit) for question in questions(tenant)]
    assert {one.question: one.problems for one in grades if one.problems} == {}


@every_arm
def test_an_arm_shows_its_form_alone(arm: Arm) -> None:
    reply = replies("clocks", arm)["what to resend"]
    assert (reply.content is None) == (arm == "text")
    assert reply.text.startswith("{") == (arm == "structured")


@every_tenant
def test_suggested_calls_work_as_they_stand(tenant: str) -> None:
    for suggestion, reply in follow(tenant):
        assert not reply.is_error, (suggestion, reply.text)
        limit = MAX_BYTES[suggestion.get("arguments", {}).get("response_format", "concise")]
        assert [size for _, size in shown("both", reply).values() if size > limit] == []


def test_text_suggests_the_same_calls() -> None:
    reply = replies("planted 1", "both")["ten missing records that block most"]
    for suggestion in (reply.content or {})["next"]:
        assert compact(suggestion["arguments"]) in reply.text.replace(", ", ",").replace(": ", ":")


QUESTION = Question("q", "t", {}, (fact("customers:cust_7", 5, "failed"),), never=(fact("cust_8"),))
LINE = "customers:cust_7 | 5 | failed"


def problems(text: str, question: Question = QUESTION) -> tuple[str, ...]:
    return grade(question, "text", Reply(text)).problems


@pytest.mark.parametrize(
    "text",
    [
        "customers:cust_77 | 5 | failed", "customers:cust_7 | 15 | failed", "customers:cust_7 | 5,000 | failed",
        "customers:cust_7 | 5\nfailed", f"{LINE}\ncust_8 waits", LINE + "\n" + "x" * 8_000,
    ],
)  # fmt: skip
def test_grader_refuses(text: str) -> None:
    assert problems(text)


@pytest.mark.parametrize("text", [LINE, "5 wait for `customers:cust_7`, which FAILED.", f"{LINE}\ncust_80 | 3 | sent"])
def test_grader_accepts(text: str) -> None:
    assert problems(text) == ()


def test_grader_reads_objects_apart() -> None:
    apart = {"rows": [{"record": "customers:cust_7", "waiting": 4}, {"record": "customers:cust_9", "waiting": 5}]}
    together = {"rows": [{"record": "customers:cust_7", "waiting": 5, "why": {"cause": "failed"}}]}
    assert grade(QUESTION, "structured", Reply("", apart)).stated == 0
    assert grade(QUESTION, "structured", Reply("", together)).problems == ()


def test_grader_reads_column_names_and_distances() -> None:
    units, _ = shown("text", Reply("record | still waiting\na | 5\nb | 6"))["text"]
    assert fact("a", "still waiting 5").stated_in(units)
    assert not fact("b", "still waiting 5").stated_in(units)
    assert not fact(5, "b", near=3).stated_in(["5 in the first place, then b"])
    assert fact(3_000, "12:00").stated_in(["3,000 at 2026-11-23t12:00z"])


def test_grader_wants_the_form_that_the_arm_shows() -> None:
    assert grade(QUESTION, "structured", Reply(LINE)).problems == ("nothing was shown",)
    assert grade(QUESTION, "both", Reply(LINE, {})).problems
    assert grade(QUESTION, "text", Reply(LINE, is_error=True)).problems


def test_planted_tenants_are_as_large_and_as_varied_as_they_should_be() -> None:
    for seed in (1, 2):
        one = planted(seed)
        assert len(one.tenant.batches) == 400
        assert len(one.oracle.live) + len(one.oracle.expired) == 3_000
        assert 850 <= len(one.oracle.roots) <= 950
        assert len(one.oracle.cycles) == 5
        assert {one.cause(key) for key in one.oracle.roots} == {
            "failed", "deleted", "looks_like", "expired", "in_progress", "not_seen"
        }  # fmt: skip
        assert one.tenant.now == NOW
