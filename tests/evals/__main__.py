"""`python -m tests.evals`: every question in every arm, with the facts stated, the bytes and what is wrong."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator

from tests.evals.grade import ARMS, Grade, grade
from tests.evals.questions import TENANTS, questions
from tests.evals.run import replies


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.evals", description=__doc__)
    parser.add_argument("--tenant", choices=TENANTS, help="only the questions about this tenant")
    parser.add_argument("--arm", choices=ARMS, help="only this form of the answers")
    parser.add_argument("--show", metavar="QUESTION", help="print the answers to this question as well")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    tenants = [options.tenant] if options.tenant else TENANTS
    arms = [options.arm] if options.arm else ARMS
    grades = []
    for tenant in tenants:
        print(f"\n{tenant}\n{'':4} {'arm':10} {'facts':>7} {'bytes':>13}  question")
        for one in grades_of(tenant, arms):
            grades.append(one)
            print(line(one))
            for problem in one.problems:
                print(f"{'':38} - {problem}")
        if options.show:
            show(tenant, arms[0], options.show)
    print(total(grades))
    return int(any(one.problems for one in grades))


def grades_of(tenant: str, arms: list[str] | tuple[str, ...]) -> Iterator[Grade]:
    """Grades of all questions about a tenant, arm by arm."""
    for question in questions(tenant):
        for arm in ARMS:
            if arm in arms:
                yield grade(question, arm, replies(tenant, arm)[question.name])


def line(one: Grade) -> str:
    facts, sizes = f"{one.stated}/{one.facts}", " + ".join(map(str, one.bytes))
    return f"{'FAIL' if one.problems else 'ok':4} {one.arm:10} {facts:>7} {sizes:>13}  {one.question}"


def total(grades: list[Grade]) -> str:
    passed = sum(not one.problems for one in grades)
    stated, facts = sum(one.stated for one in grades), sum(one.facts for one in grades)
    largest = max((size for one in grades for size in one.bytes), default=0)
    return f"\n{passed} of {len(grades)} answers pass, {stated} of {facts} facts stated; largest form {largest} bytes"


def show(tenant: str, arm: str, question: str) -> None:
    for name, reply in replies(tenant, arm).items():
        if question in name:
            print(f"\n{reply.text}\n\n{reply.content or ''}")


if __name__ == "__main__":
    sys.exit(main())
