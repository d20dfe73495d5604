"""`explain_pending_dependencies`: what waits, what few missing things hold it up, why, and what to send."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated

import anyio
from mcp_types import CallToolResult
from pydantic import Field

from reach_mcp.analysis.changes import Snapshot, TokenRefused, read_token
from reach_mcp.analysis.evidence import EvidenceBuilder
from reach_mcp.analysis.explanation import Explanation, Part, explain
from reach_mcp.analysis.focus import Focus, WhatIf, focus_on_batch, focus_on_key, suggest_keys
from reach_mcp.analysis.focus import assume_arrived as assume
from reach_mcp.analysis.graph import DependencyGraph, GraphBuilder
from reach_mcp.analysis.handles import find_handle
from reach_mcp.analysis.overview import Filter
from reach_mcp.api.client import BatchQuery
from reach_mcp.api.errors import InvalidArgument, ReachError
from reach_mcp.api.models import Batch
from reach_mcp.api.walk import Coverage, walk
from reach_mcp.masks import CLEAR, Clear
from reach_mcp.render.answer import Answer
from reach_mcp.render.explanation import Explanations, build_explanation, write_explanation
from reach_mcp.tools import arguments as a
from reach_mcp.tools.app import App, Call, run
from reach_mcp.tools.readings import Progress, Reading

LIMITS = (100, 20, 5, 1)
"""Batches a page: with pending details one of 100 may exceed the limit on bodies; then the walk goes on in less."""

EVIDENCE_PAGES = 30
"""Pages of 100 batches, newest first, that are searched for the records that are missing."""

RANKED = {"concise": 10, "detailed": 60}
"""Most blockers ranked, and keys of a wave ordered, for one answer: more than fits it."""

PART = {"concise": 60, "detailed": 200}
"""The same where the answer has one part alone."""

HOURS = {"concise": 3, "detailed": 24}
"""Most hours of losses for which the blockers that hold the rows are worked out."""

PATHS = 24

Focused = Annotated[
    str | None, Field(max_length=500, description="Only this: schema:external_id, a blocker's handle, or a batch id")
]
Assumed = Annotated[
    list[str], Field(max_length=200, description="What if these arrived: schema:external_id or handles")
]

OnePart = Annotated[Part, Field(description="This part alone; offset pages it")]

Since = Annotated[
    str | None, Field(max_length=600, description="Token of an earlier answer with the same filters: only what changed")
]


async def explain_pending_dependencies(
    app: App,
    cursor: a.Cursor = None,
    limit: a.Limit = None,
    batch_type: a.BatchType = None,
    sort_by: a.SortBy = "createdAt",
    sort_direction: a.SortDirection = "desc",
    tenant_id: a.TenantId = None,
    status: a.Status = None,
    schema: a.Schema = None,
    created_after: a.CreatedAfter = None,
    created_before: a.CreatedBefore = None,
    focus: Focused = None,
    assume_arrived: Assumed = [],  # noqa: B006 - never changed; the SDK reads the default off the signature
    since: Since = None,
    part: OnePart = "all",
    offset: a.Offset = 0,
    response_format: a.Format = "concise",
    fresh: a.Fresh = False,
) -> CallToolResult:
    """Why Reach records wait: reads every page with pending details and ranks root blockers (missing, not themselves \
pending) by how many wait, with causes and evidence, chains, circles, what is deleted when, and what to send first."""
    arguments = a.given(locals())

    async def work(call: Call) -> Answer:
        wanted = a.build_filter(
            status=status, schema=schema, created_after=created_after, created_before=created_before, now=call.now
        )
        query = BatchQuery(
            cursor=cursor,
            limit=limit,
            batch_type=batch_type,
            sort_by=None if sort_by == "createdAt" else sort_by,
            sort_direction=None if sort_direction == "desc" else sort_direction,
            include_pending_details=True,
            only_batches_with_pending_resources=True,
        )
        if sum(map(bool, (focus, assume_arrived, since))) > 1:
            raise InvalidArgument("focus, assume_arrived and since exclude one another. Give one of them a call.")
        if part != "all" and (focus or assume_arrived or since):
            raise InvalidArgument("part belongs to the general answer. Leave out focus, assume_arrived and since.")
        tenant = call.tenant(tenant_id)
        question = json.dumps([tenant, cursor, batch_type, status, schema, created_after, created_before])
        before = None if since is None else _read_since(call.mask.open_token(since), question)
        walks = _Walks(call, query, tenant, wanted, before)
        # What changed since is asked again and again for news: it is always read anew, and lacks what others need.
        reading = await call.read(walks.run, "explain", query, question, fresh=fresh, shared=before is None)
        call.mask = reading.found.mask
        asked = _Asked(focus, assume_arrived, part, offset, response_format, question, before)
        detailed = response_format == "detailed"
        async with reading.lock:
            # A thread can't be called off: who is cancelled meanwhile keeps the lock, and the turn, until it has ended.
            found = await anyio.to_thread.run_sync(_work_out, reading.found, reading.at, asked)
            found = replace(found, arguments=arguments, age=call.age(reading))
            return call.fit(
                lambda level: build_explanation(found, level, detailed=detailed), write_explanation, detailed=detailed
            )

    return await run(app, work)


def _read_since(token: str, question: str) -> Snapshot:
    try:
        return read_token(token, question=question)
    except TokenRefused as error:
        raise InvalidArgument(str(error), advice="Take it from an answer to the same arguments.") from None


@dataclass(frozen=True)
class _Read:
    """What was read: what waits, and what is known about what is missing."""

    graph: DependencyGraph
    evidence: EvidenceBuilder
    coverage: Coverage
    evidence_coverage: Coverage
    mask: Clear
    """What hides personal data: it knows the ids that were read."""


@dataclass(frozen=True)
class _Asked:
    """What a call wants to know of what was read."""

    focus: str | None
    assumed: list[str]
    part: Part
    offset: int
    response_format: str
    question: str
    before: Snapshot | None


class _Walks:
    """Two walks side by side: every batch with pending rows, and the newest batches of all for evidence.

    What changed since a token needs no evidence, so that polling stays cheap.
    """

    def __init__(
        self, call: Call, query: BatchQuery, tenant: str | None, wanted: Filter, before: Snapshot | None
    ) -> None:
        self._call = call
        self._query = query
        self._tenant = tenant
        self._mask = call.mask
        self._wanted = wanted
        self._before = before
        self._graph = GraphBuilder() if before is None else GraphBuilder(since=before.newest)
        self._evidence = EvidenceBuilder()
        self._coverage = Coverage()
        self._evidence_coverage = Coverage()
        self._error: ReachError | None = None
        self._progress = Progress()

    async def run(self, progress: Progress) -> Reading:
        """Walk both; raises the error of the first."""
        self._progress = progress
        async with anyio.create_task_group() as tasks:
            if self._before is None:
                tasks.start_soon(self._read_evidence)
            await self._read_pending()
            if self._error is not None:
                tasks.cancel_scope.cancel()
        if self._error is not None:
            raise self._error
        graph = await anyio.to_thread.run_sync(self._graph.build)
        read = _Read(graph, self._evidence, self._coverage, self._evidence_coverage, self._mask)
        both = (self._coverage, self._evidence_coverage)
        size = sum(coverage.size for coverage in both)
        return Reading(read, self._call.now, size, keep=all(coverage.stop != "error" for coverage in both))

    async def _read_pending(self) -> None:
        """The walk that must succeed."""
        newest_first = self._query.sort_by is None and self._query.sort_direction is None
        try:
            self._coverage = await walk(
                self._call.app.client,
                self._query,
                tenant=self._tenant,
                deadline=self._call.deadline,
                fold=self._fold,
                enough=a.past(self._wanted) if newest_first else None,
                on_page=self._note,
                sizes=LIMITS,
                both_ends=True,
            )
        except ReachError as error:
            self._error = error

    async def _note(self, coverage: Coverage) -> None:
        self._progress.note(coverage, self._graph.rows)

    def _fold(self, batch: Batch) -> None:
        self._mask.learn(batch)
        if self._wanted.matches(batch):
            self._graph.add(batch)

    def _fold_evidence(self, batch: Batch) -> None:
        self._mask.learn(batch)
        self._evidence.add(batch)

    async def _read_evidence(self) -> None:
        """The walk that may fail: causes are then not looked up, and the answer says so."""
        try:
            self._evidence_coverage = await walk(
                self._call.app.client,
                BatchQuery(limit=100),
                tenant=self._tenant,
                deadline=self._call.deadline,
                fold=self._fold_evidence,
                pages=EVIDENCE_PAGES,
            )
        except ReachError as error:
            self._evidence_coverage = Coverage(stop="error", error=error)


def _work_out(read: _Read, now: float, asked: _Asked) -> Explanations:
    graph, focus, assumed = read.graph, asked.focus, asked.assumed
    general = focus is None and not assumed and asked.before is None
    count = (RANKED if asked.part == "all" else PART)[asked.response_format] if general else 0
    result = explain(
        graph,
        read.evidence,
        now=now,
        count=count,
        first=asked.offset,
        part=asked.part,
        hours=HOURS["detailed" if asked.part == "hours" else asked.response_format],
        question=asked.question,
        since=asked.before,
    )
    return Explanations(
        now=now,
        result=result,
        coverage=read.coverage,
        evidence=read.evidence_coverage,
        arguments={},
        focus=None if focus is None else _focus(read, result, asked, now),
        what_if=_what_if(read, result, asked) if assumed else None,
    )


def _focus(read: _Read, result: Explanation, asked: _Asked, now: float) -> Focus:
    graph, text, first = read.graph, asked.focus or "", asked.offset
    if any(facts.id == text for facts in graph.facts):
        return focus_on_batch(graph, result.structure, read.evidence, text, PATHS, first=first, now=now)
    key = find_key(graph, "focus", text, read.mask)
    return focus_on_key(graph, result.structure, read.evidence, key, PATHS, first=first, now=now)


def _what_if(read: _Read, result: Explanation, asked: _Asked) -> WhatIf:
    keys = [find_key(read.graph, "assume_arrived", text, read.mask) for text in asked.assumed]
    return assume(read.graph, result.structure, keys, holders=PATHS, first=asked.offset)


def find_key(graph: DependencyGraph, argument: str, text: str, mask: Clear = CLEAR) -> int:
    """The key that a handle, `schema:external_id` or a bare external id means.

    Raises InvalidArgument when it is none or not just one, with what may have been meant.
    """
    schema, _, external = text.partition(":")
    key = graph.find(schema, external) if external else None
    if key is not None:
        return key
    found = _find_masked(graph, schema, external, mask) if mask is not CLEAR else []
    if mask is CLEAR and text.startswith("b-") and len(text) >= len("b-") + 4:
        found = find_handle(graph, text)
    found = found or [graph.number(name, text) for name in graph.schemas if text in graph.externals(name)]
    if len(found) == 1:
        return found[0]
    likely = found or suggest_keys(graph, schema if external else "", external or text)
    raise InvalidArgument(
        f"{argument} names {'more than one thing' if found else 'nothing'} among the pending resources that were read.",
        advice="Use schema:external_id, a handle from an answer, or (focus only) a batch id.",
        quotes=[f"{graph.schema(key)}:{mask.id(graph.external_of[key])}" for key in likely[:3]],
    )


def _find_masked(graph: DependencyGraph, schema: str, external: str, mask: Clear) -> list[int]:
    """The keys that bear a mask as an answer shows it: `schema:id-…`, `id-…` alone, or a handle `b-…`."""
    if not external and schema.startswith("b-"):
        return [key for key in range(graph.keys) if mask.handle("", *graph.key(key)) == schema]
    wanted = external or schema
    if not wanted.startswith("id-"):
        return []
    names = graph.definitions(schema) if external else graph.schemas
    return [graph.number(name, id) for name in names for id in graph.externals(name) if mask.id(id) == wanted]
