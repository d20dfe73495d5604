"""Ask `explain` about small tenants written with `tests.builders`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.report import Analysis, Question, explain
from reach_mcp.analysis.results import Explanation, Record
from reach_mcp.analysis.snapshot import SnapshotBuilder
from reach_mcp.analysis.tokens import TokenBinding
from reach_mcp.api.models import Batch
from reach_mcp.api.pagination import Coverage
from tests.builders import NOW_SECONDS, Json, decode

HOUR = 3600
T = TypeVar("T")


def analyse(*batches: Json | Batch, at: float = 0.0, coverage: Coverage | None = None) -> Analysis:
    """The analysis of some batches, read `at` hours after `NOW`."""
    builder = SnapshotBuilder()
    for one in batches:
        builder.add(one if isinstance(one, Batch) else decode(one))
    read = coverage or Coverage(pages=1, batches=len(batches), total=len(batches))
    return Analysis(builder.build(read, NOW_SECONDS + at * HOUR))


def ask(*batches: Json | Batch, at: float = 0.0, coverage: Coverage | None = None, **question: Any) -> Explanation:
    """The answer to a question about some batches; fields of the filter are given like those of the question."""
    return put(analyse(*batches, at=at, coverage=coverage), **question)


def put(analysis: Analysis, *, binding: TokenBinding = TokenBinding(), **question: Any) -> Explanation:  # noqa: B008
    """Put a question to an analysis."""
    conditions = {name: question.pop(name) for name in BatchFilter.__slots__ if name in question}
    return explain(analysis, Question(filter=BatchFilter(**conditions), **question), binding=binding)


def names(records: Iterable[Record]) -> list[str]:
    return [record.name for record in records]


def some(part: T | None) -> T:
    """A part that the answer has to have."""
    assert part is not None
    return part
