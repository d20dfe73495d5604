"""The answer of `explain_pending_dependencies`: what waits, what holds it up, why, what is lost when, what to send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from math import isinf
from typing import Any

from reach_mcp.analysis.chains import Circle
from reach_mcp.analysis.evidence import DELETE, Finding
from reach_mcp.analysis.expiry import Expiry
from reach_mcp.analysis.explanation import Explained, Explanation
from reach_mcp.analysis.focus import Focus, WhatIf
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.plan import Wave
from reach_mcp.analysis.times import rfc3339
from reach_mcp.api.walk import Coverage
from reach_mcp.render.answer import Document, Level
from reach_mcp.render.batches import write_next
from reach_mcp.render.clean import Fence, clean
from reach_mcp.render.coverage import build_coverage
from reach_mcp.render.phrases import coverage_line, join, plural, record, when

CONCISE_ROWS = 10
"""Most blockers, and keys of a wave, in a concise answer."""


@dataclass(frozen=True)
class Explanations:
    """What `explain_pending_dependencies` found; `evidence` is the coverage of the walk that looked for causes."""

    now: float
    result: Explanation
    coverage: Coverage
    evidence: Coverage | None
    arguments: Mapping[str, Any]
    focus: Focus | None = None
    what_if: WhatIf | None = None


def build_explanation(found: Explanations, level: Level, *, detailed: bool) -> Document:
    """The whole answer as structured content. A focus or a what-if takes the place of the general parts."""
    result = found.result
    graph = result.graph
    document: Document = {
        "as_of": rfc3339(found.now),
        "coverage": build_coverage(found.coverage) | {"rows": graph.rows},
        "pending": {
            "rows": result.rows,
            "batches": result.batches,
            "root_blockers": result.roots,
            "stuck": len(result.structure.stuck),
            "depths": {str(depth): rows for depth, rows in islice(result.structure.depths.items(), 12)},
        },
        "expiry": _build_expiry(result.expiry, level, detailed, hourly=found.focus is None and found.what_if is None),
    }
    if found.evidence is not None:
        document["coverage"]["evidence"] = build_coverage(found.evidence)
    if graph.unreadable_times:
        document["expiry"]["unreadable"] = len(graph.unreadable_times)
    if found.focus is not None:
        document["focus"] = _build_focus(graph, found.focus, level)
    elif found.what_if is not None:
        document["what_if"] = _build_what_if(graph, found.what_if)
    else:
        document |= _build_parts(result, level, detailed)
    document["next_calls"] = _next_calls(found, document)
    return document


def _build_parts(result: Explanation, level: Level, detailed: bool) -> Document:
    graph, few = result.graph, level.few
    shown = result.blockers[: level.rows if detailed else min(level.rows, CONCISE_ROWS)]
    parts: Document = {"blockers": [_build_blocker(graph, blocker, level) for blocker in shown]}
    if len(shown) < result.roots:
        parts["shown"] = f"{len(shown)} of {result.roots} from {result.first}"
    if result.chains:
        parts["chains"] = [_names(graph, chain.keys) for chain in result.chains[: min(few, 3)]]
    if result.structure.circles:
        parts["circles"] = [_build_circle(graph, circle, level) for circle in result.structure.circles[:few]]
        if len(result.structure.circles) > few:
            parts["more_circles"] = len(result.structure.circles) - few
    if result.plan.waves:
        parts["send_first"] = [_build_wave(graph, wave, level, detailed) for wave in result.plan.waves]
    if result.disagreements:
        parts["disagreements"] = [
            {"batch": one.batch_id, "counter": one.counter, "rows": one.rows} for one in result.disagreements[:few]
        ]
        if len(result.disagreements) > few:
            parts["more_disagreements"] = len(result.disagreements) - few
    return parts


def _build_blocker(graph: DependencyGraph, explained: Explained, level: Level) -> Document:
    blocker = explained.blocker
    document: Document = {
        "handle": explained.handle,
        "schema": graph.schema(blocker.key),
        "id": graph.external_of[blocker.key],
        "waiting": blocker.waiting,
        "direct": blocker.direct,
        "frees": blocker.frees,
        "batches": blocker.batches,
        "expires": _moment(explained.expiry.earliest),
        "expired": explained.expiry.expired,
        **_build_finding(explained.finding, level),
    }
    if level.samples > 1:
        document["examples"] = [graph.external_of[key] for key in explained.examples[: level.samples]]
    if explained.expiry.expired == blocker.waiting:
        document["causes"].append("expired")
    return {name: value for name, value in document.items() if value not in ("", []) and (name != "expired" or value)}


def _build_finding(finding: Finding, level: Level) -> Document:
    document: Document = {"causes": list(finding.causes)}
    if finding.failures:
        last = finding.failures[0]
        document["failed_in"] = {
            "batch": last.batch_id,
            "at": _moment(last.at),
            "category": clean(last.category, 60),
            "error": clean(last.error, level.length),
        }
        if last.batch_type == DELETE:
            document["failed_in"]["type"] = "BATCH_DELETE"
        if len(finding.failures) > 1:
            document["failed_in"]["more_batches"] = len(finding.failures) - 1
    if finding.similar:
        shown = finding.similar[: max(level.samples, 1)]
        document["similar"] = [{"id": one.external_id, "rule": one.rule, "seen": one.seen} for one in shown]
    return document


def _build_circle(graph: DependencyGraph, circle: Circle, level: Level) -> Document:
    longest = level.few + 2
    document: Document = {
        "members": len(circle.members),
        "path": _names(graph, circle.path[:longest]),
        "rows": circle.rows,
        "behind": circle.behind,
        "expires": _moment(circle.earliest),
    }
    if len(circle.path) > longest:
        document["more_in_path"] = len(circle.path) - longest
    return document


def _build_wave(graph: DependencyGraph, wave: Wave, level: Level, detailed: bool) -> Document:
    shown = wave.steps[: level.rows if detailed else min(level.rows, CONCISE_ROWS)]
    ids: dict[str, list[str]] = {}
    for step in shown:
        ids.setdefault(graph.schema(step.key), []).append(graph.external_of[step.key])
    document: Document = {
        "schemas": dict(islice(wave.schemas.items(), 8)),
        "keys": wave.keys,
        "frees": wave.adds,
        "total": wave.total,
        "batches": wave.batches,
        "first_expiry": _moment(wave.earliest),
        "ids": ids,
        "shown_frees": sum(step.adds for step in shown),
    }
    if len(shown) < wave.keys:
        document["more_keys"] = wave.keys - len(shown)
    return document


def _build_expiry(expiry: Expiry, level: Level, detailed: bool, *, hourly: bool) -> Document:
    document: Document = {
        "expired": expiry.expired,
        "within_hour": expiry.within_hour,
        "within_day": expiry.within_day,
        "later": expiry.later,
        "next": _moment(expiry.earliest),
    }
    if not hourly:
        return document
    hours = expiry.hours if detailed else expiry.hours[: level.few]
    document["hours"] = [
        {"from": rfc3339(hour.start), "rows": hour.rows, "schemas": dict(islice(hour.schemas.items(), 5))}
        for hour in hours
    ]
    if len(hours) < len(expiry.hours):
        document["more_hours"] = len(expiry.hours) - len(hours)
    return document


def _build_focus(graph: DependencyGraph, focus: Focus, level: Level) -> Document:
    document: Document = {"rows": len(focus.rows), "waiting_for_it": focus.above, "expires": _moment(focus.earliest)}
    if focus.key is None:
        document["batch"] = focus.batch_id
    else:
        document |= {"schema": graph.schema(focus.key), "id": graph.external_of[focus.key]}
        document["batches"] = graph.batches_of(focus.rows)[:5]
    if focus.finding is not None:
        document |= _build_finding(focus.finding, level)
    document["root_blockers"] = focus.roots
    document["paths"] = [
        {"path": _names(graph, path.keys), **_build_finding(path.finding, level)}
        for path in focus.paths[: max(level.few, 1)]
    ]
    if focus.circle is not None:
        document["circle"] = _build_circle(graph, focus.circle, level)
    return document


def _build_what_if(graph: DependencyGraph, what_if: WhatIf) -> Document:
    return {
        "assumed": _names(graph, what_if.assumed[:10]),
        "clears": sum(what_if.rounds),
        "rounds": list(what_if.rounds[:12]),
        "still_waiting": what_if.left,
        "stuck": what_if.stuck,
        "still_missing": [
            {"schema": graph.schema(key), "id": graph.external_of[key], "rows": rows} for key, rows in what_if.holders
        ],
    }


def _names(graph: DependencyGraph, keys: Iterable[int]) -> list[str]:
    return [f"{graph.schema(key)}:{graph.external_of[key]}" for key in keys]


def _moment(seconds: float) -> str:
    return "" if isinf(seconds) else rfc3339(seconds)


def _next_calls(found: Explanations, document: Document) -> list[Document]:
    arguments, calls = dict(found.arguments), []
    shown = len(document.get("blockers", ()))
    if "blockers" in document and found.result.first + shown < found.result.roots and shown:
        calls.append({**arguments, "offset": found.result.first + shown})
    if found.coverage.stop in ("deadline", "error", "bound") and found.coverage.cursor:
        calls.append({**arguments, "cursor": found.coverage.cursor})
    if document.get("blockers"):
        tenant = {"tenant_id": arguments["tenant_id"]} if "tenant_id" in arguments else {}
        calls.append({"focus": document["blockers"][0]["handle"], **tenant})
    return [{"tool": "explain_pending_dependencies", "arguments": call} for call in calls[:3]]


def write_explanation(document: Document, fence: Fence) -> str:
    """The answer as text, from its structured content."""
    as_of, pending = document["as_of"], document["pending"]
    lines = [f"Reach pending resources, {as_of}. {coverage_line(document['coverage'])}"]
    if not pending["rows"]:
        nothing = "Nothing waits." if document["coverage"]["complete"] else "Nothing waits in what was read."
        return "\n".join([*lines, nothing, *write_next(document, fence)])
    lines.append(
        f"{plural(pending['rows'], 'pending resource')} wait in {plural(pending['batches'], 'batch', 'batches')} for "
        f"{plural(pending['root_blockers'], 'root blocker')}; {pending['stuck']} stuck in or behind circles."
    )
    lines += _write_expiry(document["expiry"], as_of, fence)
    if "focus" in document:
        lines += _write_focus(document["focus"], document["coverage"], as_of, fence)
    if "what_if" in document:
        lines += _write_what_if(document["what_if"], fence)
    if "blockers" in document:
        lines += _write_blockers(document, as_of, fence)
    lines += [_write_chain(path, fence) for path in document.get("chains", ())]
    lines += [_write_circle(circle, as_of, fence) for circle in document.get("circles", ())]
    if "more_circles" in document:
        lines.append(f"And {plural(document['more_circles'], 'more circle')}.")
    if "send_first" in document:
        lines += _write_waves(document["send_first"], as_of, fence)
    if "disagreements" in document:
        lines.append(_write_disagreements(document, fence))
    return "\n".join([*lines, *write_next(document, fence)])


def _write_expiry(expiry: Document, as_of: str, fence: Fence) -> list[str]:
    parts = [
        f"{expiry['within_hour']} within the hour",
        f"{expiry['within_day']} within the day",
        f"{expiry['later']} later" if expiry["later"] else "",
        f"next {when(expiry['next'], as_of)}" if expiry["next"] else "",
    ]
    lines = [f"Deleted unless what they miss arrives: {join(parts, ', ')}."]
    if expiry["expired"]:
        lines.append(f"Already expired but still listed: {expiry['expired']}; send these records again.")
    if "unreadable" in expiry:
        lines.append(f"{expiry['unreadable']} have no readable expiry (no zone, or no time).")
    hours = [
        f"{hour['from'][11:16]} {hour['rows']} ({', '.join(f'{n} {fence(s, 40)}' for s, n in hour['schemas'].items())})"
        for hour in expiry.get("hours", ())
    ]
    if hours:
        more = f"; and {plural(expiry['more_hours'], 'more hour')}" if "more_hours" in expiry else ""
        lines.append(f"By hour from: {'; '.join(hours)}{more}.")
    return lines


def _write_blockers(document: Document, as_of: str, fence: Fence) -> list[str]:
    shown = document.get("shown", f"all {len(document['blockers'])}")
    lines = [
        f"Root blockers ({shown}), by how many wait; frees = clear if it alone arrives; "
        f"not seen = in none of the {_searched(document['coverage'])} batches read:"
    ]
    for blocker in document["blockers"]:
        facts = [
            f"{blocker['waiting']} wait ({blocker['direct']} direct), frees {blocker['frees']}, "
            f"{plural(blocker['batches'], 'batch', 'batches')}",
            f"first deleted {when(blocker['expires'], as_of)}" if "expires" in blocker else "",
            f"{blocker['expired']} expired" if "expired" in blocker else "",
            _write_finding(blocker, as_of, fence),
            f"e.g. {', '.join(fence(one, 60) for one in blocker['examples'])}" if "examples" in blocker else "",
        ]
        lines.append(f"- {record(blocker['schema'], blocker['id'], fence)} [{blocker['handle']}]: {join(facts)}")
    return lines


def _write_finding(finding: Document, as_of: str, fence: Fence) -> str:
    parts = []
    if "failed_in" in finding:
        failure = finding["failed_in"]
        what = "named in DELETE batch" if "type" in failure else "failed in batch"
        at = f" {when(failure['at'], as_of)}" if failure["at"] else ""
        said = join([fence(failure[name], 400) for name in ("category", "error") if failure[name]], " ")
        more = f" (and in {failure['more_batches']} more)" if "more_batches" in failure else ""
        parts.append(f"{what} {fence(failure['batch'], 80)}{at}: {said}{more}")
    for one in finding.get("similar", ()):
        parts.append(f"looks like {fence(one['id'], 80)}, seen {one['seen']} ({one['rule']})")
    if "not_seen" in finding.get("causes", ()):
        parts.append("not seen")
    return join(parts)


def _write_chain(path: list[str], fence: Fence) -> str:
    return f"Chain: {' waits for '.join(fence(name, 100) for name in path)}"


def _write_circle(circle: Document, as_of: str, fence: Fence) -> str:
    more = f" … {circle['more_in_path']} more" if "more_in_path" in circle else ""
    path = " -> ".join(fence(name, 100) for name in circle["path"])
    deadline = f"; first deleted {when(circle['expires'], as_of)}" if circle["expires"] else ""
    return (
        f"Circle of {circle['members']}, never clears by itself: {path}{more} -> back; {circle['rows']} rows in it, "
        f"{circle['behind']} behind it{deadline}. Send one member again without its reference, then complete it."
    )


def _write_waves(waves: list[Document], as_of: str, fence: Fence) -> list[str]:
    lines = ["Send first (greedy order, most freed first; not proven smallest):"]
    for number, wave in enumerate(waves, 1):
        ids = join(f"{fence(name, 40)}: {_list(some, fence)}" for name, some in wave["ids"].items())
        more = f" and {wave['more_keys']} more" if "more_keys" in wave else ""
        shown = f" (those shown {wave['shown_frees']})" if more else ""
        expiry = f", first expiry {when(wave['first_expiry'], as_of)}" if wave["first_expiry"] else ""
        lines.append(
            f"- wave {number}: {plural(wave['keys'], 'record')} free {wave['frees']}{shown}, {wave['total']} in all, "
            f"completing {plural(wave['batches'], 'batch', 'batches')}{expiry}: {ids}{more}"
        )
    return lines


def _list(ids: Iterable[str], fence: Fence) -> str:
    return ", ".join(fence(one, 60) for one in ids)


def _searched(coverage: Document) -> int:
    """How many batches were searched for what is missing."""
    return int(coverage.get("evidence", coverage)["batches"])


def _write_disagreements(document: Document, fence: Fence) -> str:
    some = ", ".join(
        f"{fence(one['batch'], 80)} says {one['counter']}, lists {one['rows']}" for one in document["disagreements"]
    )
    more = f", and {document['more_disagreements']} more" if "more_disagreements" in document else ""
    return f"Counter and rows differ: {some}{more}."


def _write_focus(focus: Document, coverage: Document, as_of: str, fence: Fence) -> list[str]:
    what = f"batch {fence(focus['batch'], 80)}" if "batch" in focus else record(focus["schema"], focus["id"], fence)
    if "batch" not in focus and not focus["rows"]:
        state = "is missing and not itself pending (a root blocker)"
    else:
        state = f"{plural(focus['rows'], 'pending resource')}"
        if focus.get("batches"):
            state += f" in {', '.join(fence(one, 80) for one in focus['batches'])}"
    deadline = f"; first deleted {when(focus['expires'], as_of)}" if focus["expires"] else ""
    lines = [f"Focus {what}: {state}; {focus['waiting_for_it']} wait for it{deadline}."]
    cause = _write_finding(focus, as_of, fence) if "causes" in focus else ""
    if cause:
        lines.append(f"Cause: {cause}.")
    if focus["paths"]:
        lines.append(
            f"Waits for {plural(focus['root_blockers'], 'root blocker')}, {len(focus['paths'])} shown; "
            f"not seen = in none of the {_searched(coverage)} batches read:"
        )
    for path in focus["paths"]:
        cause = _write_finding(path, as_of, fence)
        lines.append(f"- {' waits for '.join(fence(name, 100) for name in path['path'])}; {cause}")
    if "circle" in focus:
        lines.append(_write_circle(focus["circle"], as_of, fence))
    return lines


def _write_what_if(what_if: Document, fence: Fence) -> list[str]:
    assumed = ", ".join(fence(name, 100) for name in what_if["assumed"])
    rounds = " then ".join(map(str, what_if["rounds"])) or "nothing"
    holders = what_if["still_missing"]
    missing = ", ".join(f"{record(one['schema'], one['id'], fence)} ({one['rows']})" for one in holders)
    lines = [
        f"If {assumed} arrived: {what_if['clears']} clear ({rounds}), {what_if['still_waiting']} still wait, "
        f"{what_if['stuck']} of them in or behind circles."
    ]
    if missing:
        lines.append(f"Still missing, with how many list each: {missing}.")
    return lines
