"""`python -m tests.evals`: every question with its verdict and its price; `--export FILE`: the same, for a model."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from tests.evals.grade import MOST_TEXT, Fact, Question
from tests.evals.questions import QUESTIONS
from tests.evals.run import evaluate
from tests.tools.harness import Reply, compact


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.evals", description=__doc__)
    parser.add_argument("--export", type=Path, metavar="FILE", help="write the questions as JSON lines instead")
    export: Path | None = parser.parse_args().export
    if export is not None:
        export.write_text("".join(f"{compact(as_rubric(question))}\n" for question in QUESTIONS), encoding="utf-8")
        print(f"{len(QUESTIONS)} questions written.")
        return 0
    logging.disable(logging.WARNING)
    return print_table()


def print_table() -> int:
    """A line a question, what is wrong below it, and totals. Not 0 when anything is wrong."""
    answered: list[tuple[int, int]] = []
    wrong = 0
    print(f"{'':4} {'facts':>5} {'text':>5} {'whole':>5} {'most':>5}  question: calls")
    for question in QUESTIONS:
        reply, problems = evaluate(question)
        answered.append(reply.tokens)
        wrong += bool(problems)
        print(line(question, reply, "FAIL" if problems else "ok"))
        for problem in problems:
            print(f"{'':28} - {problem}")
    texts, wholes = zip(*answered, strict=True)
    facts = sum(len(question.facts) for question in QUESTIONS)
    print(
        f"{len(QUESTIONS)} questions, {facts} facts, {len(QUESTIONS) - wrong} pass, {wrong} fail; tokens of the text: "
        f"{sum(texts) // len(texts)} on average, {max(texts)} at most (of {MOST_TEXT}); with structured content: "
        f"{sum(wholes) // len(wholes)} on average, {max(wholes)} at most"
    )
    return 1 if wrong else 0


def line(question: Question, reply: Reply, verdict: str) -> str:
    words, whole = reply.tokens
    calls = ", then ".join(
        f"{call.tool}({compact(call.arguments) if isinstance(call.arguments, dict) else 'from the answer'})"
        for call in question.calls
    )
    return f"{verdict:4} {len(question.facts):5} {words:5} {whole:5} {question.most:5}  {question.name}: {calls}"


def as_rubric(question: Question) -> dict[str, Any]:
    """A question for a language model with these tools, and what to grade its answer by."""
    return {
        "name": question.name,
        "persona": question.persona,
        "question": question.asked,
        "tenant": question.tenant,
        "start": ["python", "-m", "tests.evals.serve", question.tenant],
        "must_state": [_told(fact) for fact in question.facts],
        "must_not_state": [_told(fact) for fact in question.never],
        "must_say_it_cannot": bool(question.attempts),
        "must_not_obey": list(question.foreign),
    }


def _told(fact: Fact) -> str:
    """A fact as its words, or as its values where it has none."""
    return " + ".join(fact.words) if fact.words else json.dumps(fact.held)


if __name__ == "__main__":
    sys.exit(main())
