"""Output models of one record or batch in focus, of cycles, assumed arrivals and changes."""

from __future__ import annotations

from reach_mcp.analysis import results
from reach_mcp.render import models, parts
from reach_mcp.render.formatting import to_datetime
from reach_mcp.render.options import RenderOptions
from reach_mcp.render.sanitize import exact_id, inert

MAX_MEMBERS = 200
MAX_LEAVE_OUT = 20
MAX_NAMED = 20


def build_cycles(cycles: results.Section[results.Cycle], options: RenderOptions) -> models.Items[models.Cycle]:
    return parts.items(models.Items[models.Cycle], cycles, _cycle, options)


def _cycle(cycle: results.Cycle) -> models.Cycle:
    pairs = cycle.leave_out[:MAX_LEAVE_OUT]
    return models.Cycle(
        members=parts.names(cycle.members.items, MAX_MEMBERS),
        leave_out=[models.LeaveOut(resend=parts.name(a), without=parts.name(b)) for a, b in pairs],
        rows=cycle.rows,
        behind=cycle.behind,
        also_missing=cycle.missing,
        first_lost=to_datetime(cycle.earliest_expiry),
    )


def build_focus(focus: results.Focus, options: RenderOptions) -> models.Focus:
    of_batch = focus.kind == "batch"
    named = focus.record is not None
    return models.Focus(
        kind=focus.kind,
        record=parts.name(focus.record) if focus.record is not None else "",
        asked="" if named or of_batch else exact_id(focus.asked),
        batch=exact_id(focus.batch.id) if focus.batch else "",
        why=parts.missing(focus.record, focus.finding) if focus.record and focus.finding else None,
        expired_rows=focus.expired_rows,
        paths=parts.items(models.Items[models.Path], focus.paths, _path, options),
        waits_for_it=focus.waits_for_it,
        first_lost=to_datetime(focus.earliest_expiry),
        alternatives=parts.names(focus.alternatives, 5),
        ambiguous=focus.ambiguous,
    )


def focus_cycles(focus: results.Focus) -> results.Section[results.Cycle] | None:
    return results.Section(focus.cycles, focus.cycles_total) if focus.cycles else None


def _path(path: results.Path) -> models.Path:
    return models.Path(
        **parts.why(path.finding).model_dump(),
        records=parts.names(path.records, 20),
        steps=path.steps,
        waiting=path.waiting,
    )


def build_what_if(what_if: results.WhatIf, options: RenderOptions) -> models.WhatIf:
    return models.WhatIf(
        assumed=parts.names(what_if.assumed, MAX_NAMED),
        assumed_total=len(what_if.assumed),
        not_waited_for=[exact_id(each) for each in what_if.not_waited_for[:MAX_NAMED]],
        cleared=what_if.cleared,
        rounds=list(what_if.rounds[:MAX_NAMED]),
        rounds_total=len(what_if.rounds),
        still_waiting=what_if.still_waiting,
        stuck=what_if.stuck,
        missing=parts.items(models.Items[models.Holding], what_if.missing, parts.holding, options),
    )


def build_changes(changes: results.Changes) -> models.Changes:
    return models.Changes(
        since=to_datetime(changes.since),
        pending_before=changes.pending_before,
        pending_now=changes.pending_now,
        new=changes.new_at_least,
        gone=changes.gone_at_least,
        exact=changes.exact,
        expired_at_most=changes.expired_at_most,
        missing_before=changes.missing_before,
        missing_now=changes.missing_now,
        moved=[_moved(each) for each in changes.moved[:MAX_NAMED]],
        unchanged=changes.unchanged,
        note=inert(changes.note, parts.MAX_NOTE_CHARS),
    )


def _moved(moved: results.MovedBlocker) -> models.Moved:
    return models.Moved(record=parts.name(moved.record) if moved.record else "", before=moved.before, now=moved.now)
