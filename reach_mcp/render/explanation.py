"""The answer of `explain_pending_dependencies`: what waits, what holds it up, why, what is lost when, what to send."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import groupby, islice
from math import isinf
from typing import Any

from reach_mcp.analysis.chains import Circle
from reach_mcp.analysis.changes import Changes, Moved, write_token
from reach_mcp.analysis.evidence import DELETE, Finding
from reach_mcp.analysis.expiry import Expiry, Hour
from reach_mcp.analysis.explanation import Disagreement, Explained, Explanation
from reach_mcp.analysis.focus import Focus, WhatIf
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.plan import Wave
from reach_mcp.analysis.times import rfc3339
from reach_mcp.api.walk import Coverage
from reach_mcp.render.answer import Document, Level, keep_apart, keep_calls
from reach_mcp.render.batches import write_next
from reach_mcp.render.clean import Fence, clean
from reach_mcp.render.coverage import build_coverage, rest_of
from reach_mcp.render.phrases import counts, coverage_line, join, listed, places, plural, record, when

DEPTHS = 12
"""Most depths, and rounds of arrivals, that are counted one by one."""

CONCISE_ROWS = 10
"""Most blockers, and keys of a wave, in a concise answer."""


@dataclass(frozen=True)
class Explanations:
    """What `explain_pending_dependencies` found; `evidence` is the coverage of the walk that looked for causes."""

    now: float
    result: Explanation
    coverage: Coverage
    evidence: Coverage
    arguments: Mapping[str, Any]
    focus: Focus | None = None
    what_if: WhatIf | None = None
    age: int = 0
    """Seconds from the reading, which `now` is the moment of, to the call."""


def build_explanation(found: Explanations, level: Level, *, detailed: bool) -> Document:
    """The whole answer as structured content. A focus or a what-if takes the place of the general parts."""
    result = found.result
    graph, depths = result.graph, result.structure.depths
    document: Document = {
        "as_of": rfc3339(found.now),
        "coverage": build_coverage(found.coverage, level, found.age) | {"rows": graph.rows},
        "pending": {
            "rows": result.rows,
            "batches": result.batches,
            "root_blockers": result.roots,
            "stuck": len(result.structure.stuck),
        },
        "expiry": _build_expiry(result.expiry),
    }
    if result.changes is None:
        document["coverage"]["evidence"] = build_coverage(found.evidence, level)
    if result.evidence_dropped:
        document["coverage"]["evidence"]["failed_records_left_out"] = result.evidence_dropped
    if level.few:
        document["pending"]["depths"] = {str(depth): rows for depth, rows in islice(depths.items(), DEPTHS)}
    if level.few and len(depths) > DEPTHS:
        document["pending"]["deeper"] = sum(islice(depths.values(), DEPTHS, None))
    if graph.unreadable_times:
        document["expiry"] |= _build_unreadable(graph.unreadable_times, level)
    document["since"] = level.mask.token(write_token(result.snapshot))
    if result.changes is not None:
        document["changes"] = _build_changes(graph, result.changes, level)
    elif found.focus is not None:
        document["focus"] = _build_focus(graph, found.focus, level)
    elif found.what_if is not None:
        document["what_if"] = _build_what_if(graph, found.what_if, level)
    else:
        parts = _build_parts(result, level, detailed) if result.part == "all" else _build_part(result, level)
        document["expiry"] |= {"hours": parts.pop("hours")} if "hours" in parts else {}
        document |= parts
    return document | keep_calls(_next_calls(found, document, level), level)


def _build_parts(result: Explanation, level: Level, detailed: bool) -> Document:
    graph, few = result.graph, level.few
    rows = level.rows if detailed else min(level.rows, CONCISE_ROWS)
    shown = result.blockers[:rows]
    parts: Document = {"blockers": [_build_blocker(graph, blocker, level) for blocker in shown]}
    if len(shown) < result.roots:
        parts["shown"] = places(len(shown), result.roots, result.first)
    hours = result.expiry.hours[: 2 * few if detailed else few]
    waves = result.plan.waves[: level.kinds if few else 0]
    parts |= {
        "hours": [_build_hour(graph, hour, level) for hour in hours],
        "chains": [_path(graph, chain.keys, level) for chain in result.chains[: min(few, 3)]],
        "circles": [_build_circle(graph, circle, level) for circle in result.circles[:few]],
        "send_first": [_build_wave(graph, wave, level, rows) for wave in waves],
        "disagreements": [_build_disagreement(one, level) for one in result.disagreements[:few]],
    }
    more = {
        "hours": len(result.expiry.hours) - len(hours),
        "circles": len(result.structure.groups) - len(parts["circles"]),
        "plan": result.roots - sum(min(len(wave.steps), rows) for wave in waves),
        "counters": len(result.disagreements) - len(parts["disagreements"]),
    }
    if waves and len(waves) < len(result.plan.waves):
        parts["more_waves"] = len(result.plan.waves) - len(waves)
    parts["more"] = {name: count for name, count in more.items() if count}
    return {name: value for name, value in parts.items() if value or name == "blockers"}


def _build_part(result: Explanation, level: Level) -> Document:
    """One part alone, from its place `first` on: as much of it as there is room for."""
    graph, rows = result.graph, slice(result.first, result.first + level.rows)
    if result.part == "plan":
        waves, left = [], level.rows
        for wave in result.plan.waves:
            if wave.steps and left:
                waves.append(_build_steps(graph, wave, level, left))
                left -= min(left, len(wave.steps))
        return {"send_first": waves, "shown": places(level.rows - left, result.roots, result.first)}
    if result.part == "blockers":
        name, total = "blockers", result.roots
        found = [_build_blocker(graph, blocker, level) for blocker in result.blockers[: level.rows]]
    elif result.part == "circles":
        name, total = "circles", len(result.structure.groups)
        found = [_build_circle(graph, circle, level) for circle in result.circles[: level.rows]]
    elif result.part == "hours":
        name, total = "hours", len(result.expiry.hours)
        found = [_build_hour(graph, hour, level) for hour in result.expiry.hours[rows]]
    else:
        name, total = "disagreements", len(result.disagreements)
        found = [_build_disagreement(one, level) for one in result.disagreements[rows]]
    return {name: found, "shown": places(len(found), total, result.first)}


def _build_disagreement(one: Disagreement, level: Level) -> Document:
    return {"batch": level.name(one.batch_id), "counter": one.counter, "rows": one.rows}


def _build_unreadable(times: Mapping[str, str], level: Level) -> Document:
    """How many times can't be read, and what some rows say in their place."""
    some = nsmallest(max(level.samples, level.few and 1), times.items())  # by id: pages come in any order
    return {
        "unreadable": len(times),
        "unreadable_rows": [{"row": level.name(row), "says": level.text(text, 40)} for row, text in some],
    }


def _build_blocker(graph: DependencyGraph, explained: Explained, level: Level) -> Document:
    blocker = explained.blocker
    document: Document = {
        "handle": level.mask.handle(explained.handle, *graph.key(blocker.key)),
        "schema": level.name(graph.schema(blocker.key)),
        "id": level.id(graph.external_of[blocker.key]),
        "waiting": blocker.waiting,
        "direct": blocker.direct,
        "frees": blocker.frees,
        "batches": blocker.batches,
        "expires": _moment(explained.next),
        "expired": explained.expired,
        **_build_finding(explained.finding, level),
    }
    if level.samples > 1:
        document["examples"] = [level.id(graph.external_of[key]) for key in explained.examples[: level.samples]]
    if explained.expired == blocker.waiting:
        document["causes"].append("expired")
    empty = [name for name in ("expires", "expired", "examples") if not document.get(name, True)]
    return {name: value for name, value in document.items() if name not in empty}


def _build_finding(finding: Finding, level: Level) -> Document:
    document: Document = {"causes": list(finding.causes)}
    if finding.failures and not level.brief:
        last = finding.failures[0]
        document["failed_in"] = {
            "batch": level.name(last.batch_id),
            "at": _moment(last.at),
            "category": level.name(clean(last.category, 60)),
            "error": level.text(last.error),
        }
        if last.batch_type == DELETE:
            document["failed_in"]["type"] = "BATCH_DELETE"
        if len(finding.failures) > 1:
            document["failed_in"]["more_batches"] = len(finding.failures) - 1
    shown = () if level.brief else finding.similar[: max(level.samples, 1)]
    if shown:
        document["similar"] = [{"id": level.id(one.external_id), "rule": one.rule, "seen": one.seen} for one in shown]
    if len(finding.similar) > len(shown):
        document["more_similar"] = len(finding.similar) - len(shown)
    return document


def _build_circle(graph: DependencyGraph, circle: Circle, level: Level, *, walked: bool = True) -> Document:
    """A circle, and with `walked` the way around it, as far as there is room."""
    longest = level.few + 2 if walked else 0
    document: Document = {
        "members": len(circle.members),
        "path": _names(graph, circle.path[:longest], level),
        "rows": circle.rows,
        "behind": circle.behind,
        "expires": _moment(circle.earliest),
    }
    if len(circle.path) > longest:
        document["more_in_path"] = len(circle.path) - longest
    return document


def _build_totals(wave: Wave) -> Document:
    return {
        "keys": wave.keys,
        "frees": wave.adds,
        "total": wave.total,
        "batches": wave.batches,
        "first_expiry": _moment(wave.earliest),
        "place": wave.place,
    }


def _build_steps(graph: DependencyGraph, wave: Wave, level: Level, rows: int) -> Document:
    """A wave with some of its keys in order, by schema, each with what it frees in addition to all before it."""
    runs = groupby(wave.steps[:rows], key=lambda step: level.name(graph.schema(step.key)))
    steps = [
        {"schema": schema, "adds": keep_apart((level.id(graph.external_of[step.key]), step.adds) for step in run)}
        for schema, run in runs
    ]
    return {**_build_totals(wave), "steps": steps}


def _build_wave(graph: DependencyGraph, wave: Wave, level: Level, rows: int) -> Document:
    shown = wave.steps[:rows]
    ids: dict[str, list[str]] = {}
    for step in shown:
        ids.setdefault(level.name(graph.schema(step.key)), []).append(level.id(graph.external_of[step.key]))
    document: Document = {
        "schemas": level.first(wave.schemas, level.kinds),
        **_build_totals(wave),
        "ids": ids,
        "shown_frees": sum(step.adds for step in shown),
    }
    if len(shown) < wave.keys:
        document["more_keys"] = wave.keys - len(shown)
    return document


def _build_expiry(expiry: Expiry) -> Document:
    return {
        "expired": expiry.expired,
        "within_hour": expiry.within_hour,
        "within_day": expiry.within_day,
        "later": expiry.later,
        "next": _moment(expiry.earliest),
    }


def _build_hour(graph: DependencyGraph, hour: Hour, level: Level) -> Document:
    schemas = level.first(hour.schemas, min(level.kinds, 5))
    document: Document = {"from": rfc3339(hour.start), "rows": hour.rows, "schemas": schemas}
    if len(hour.schemas) > len(schemas):
        document["others"] = hour.rows - sum(schemas.values())
    if hour.held_by:
        holders = hour.held_by[: max(level.samples, 1)]
        document["held_by"] = keep_apart((_name(graph, key, level), rows) for key, rows in holders)
    return document


def _build_changes(graph: DependencyGraph, changes: Changes, level: Level) -> Document:
    document: Document = {"since": rfc3339(changes.since), "same_rows": changes.same, "now": changes.now}
    if changes.same:
        return document
    document |= {
        "before": changes.before,
        "new_at_least": changes.new,
        "gone_at_least": changes.gone,
        "expired_at_most": changes.expired_at_most,
        "blockers_before": changes.roots_before,
        "blockers_now": changes.roots_now,
        "named_unchanged": changes.unchanged,
        "moved": [_build_moved(graph, moved, level) for moved in changes.moved[: level.some]],
    }
    if len(changes.moved) > len(document["moved"]):
        document["more_moved"] = len(changes.moved) - len(document["moved"])
    return document


def _build_moved(graph: DependencyGraph, moved: Moved, level: Level) -> Document:
    if moved.key is None:
        return {"handle": level.mask.handle(moved.handle), "before": moved.before, "now": moved.now}
    return {
        "handle": level.mask.handle(moved.handle, *graph.key(moved.key)),
        "schema": level.name(graph.schema(moved.key)),
        "id": level.id(graph.external_of[moved.key]),
        "before": moved.before,
        "now": moved.now,
    }


def _build_focus(graph: DependencyGraph, focus: Focus, level: Level) -> Document:
    document: Document = {"rows": len(focus.rows), "waiting_for_it": focus.above, "expires": _moment(focus.earliest)}
    if focus.expired:
        document["expired"] = focus.expired
    if focus.key is None:
        document["batch"] = level.name(focus.batch_id)
    else:
        document |= {"schema": level.name(graph.schema(focus.key)), "id": level.id(graph.external_of[focus.key])}
        batches = graph.batches_of(focus.rows)
        document["batches"] = [level.name(batch) for batch in batches[: level.some]]
        if len(batches) > level.some:
            document["more_batches"] = len(batches) - level.some
    if focus.finding is not None:
        document |= _build_finding(focus.finding, level)
    document["root_blockers"] = focus.roots
    document["paths"] = [
        {"path": _path(graph, path.keys, level), **_build_finding(path.finding, level)}
        for path in focus.paths[: level.some]
    ]
    if len(document["paths"]) < focus.roots:
        document["shown"] = places(len(document["paths"]), focus.roots, focus.first)
    if focus.circle is not None:
        document["circle"] = _build_circle(graph, focus.circle, level, walked=not level.brief)
    return document


def _build_what_if(graph: DependencyGraph, what_if: WhatIf, level: Level) -> Document:
    document: Document = {
        "assumed": _names(graph, what_if.assumed[: max(3 * level.few, level.some)], level),
        "clears": sum(what_if.rounds),
        "rounds": list(what_if.rounds[:DEPTHS]),
        "still_waiting": what_if.left,
        "stuck": what_if.stuck,
        "still_missing": [
            {"schema": level.name(graph.schema(key)), "id": level.id(graph.external_of[key]), "rows": rows}
            for key, rows in what_if.holders[: level.some]
        ],
    }
    if len(document["still_missing"]) < what_if.missing:
        document["shown"] = places(len(document["still_missing"]), what_if.missing, what_if.first)
    if len(what_if.assumed) > len(document["assumed"]):
        document["more_assumed"] = len(what_if.assumed) - len(document["assumed"])
    if len(what_if.rounds) > DEPTHS:
        document["later_rounds"] = sum(what_if.rounds[DEPTHS:])
    return document


def _names(graph: DependencyGraph, keys: Iterable[int], level: Level) -> list[str]:
    return [_name(graph, key, level) for key in keys]


def _name(graph: DependencyGraph, key: int, level: Level) -> str:
    return f"{level.name(graph.schema(key))}:{level.id(graph.external_of[key])}"


def _path(graph: DependencyGraph, keys: Sequence[int], level: Level) -> list[str]:
    """A way down by its names; of a long one the middle is left out, and counted where it stood."""
    end = level.few + 1
    if len(keys) <= 2 * end + 1:
        return _names(graph, keys, level)
    return [
        *_names(graph, keys[:end], level),
        f"…(+{len(keys) - 2 * end} more)",
        *_names(graph, keys[-end:], level),
    ]


def _moment(seconds: float) -> str:
    return "" if isinf(seconds) else rfc3339(seconds)


def _next_calls(found: Explanations, document: Document, level: Level) -> list[Document]:
    arguments, calls = dict(found.arguments), []
    if "focus" in arguments:
        arguments["focus"] = level.mask.argument(arguments["focus"])
    if "assume_arrived" in arguments:
        arguments["assume_arrived"] = [level.mask.argument(text) for text in arguments["assume_arrived"]]
    paged = document.get("focus") or document.get("what_if") or document
    place = re.match(r"\d+-(\d+) of (\d+)", paged.get("shown", ""))
    if place and int(place[1]) < int(place[2]):
        calls.append({**arguments, "offset": int(place[1])})
    if (unread := rest_of(found.coverage, arguments)) is not None:
        calls.append(unread)
    if document.get("blockers"):
        tenant = {"tenant_id": arguments["tenant_id"]} if "tenant_id" in arguments else {}
        calls.append({"focus": document["blockers"][0]["handle"], **tenant})
    if "plan" in document.get("more", ()) and level.few:  # where every token counts, the text says it alone
        calls.append({**{name: value for name, value in arguments.items() if name != "offset"}, "part": "plan"})
    return [{"tool": "explain_pending_dependencies", "arguments": call} for call in calls]


def write_explanation(document: Document, fence: Fence) -> str:
    """The answer as text, from its structured content."""
    as_of, pending = document["as_of"], document["pending"]
    lines = [f"Reach pending resources, {as_of}. {coverage_line(document['coverage'], fence)}"]
    token = f"Since token: {document['since']}"
    if not pending["rows"] and "changes" not in document:
        nothing = "Nothing waits." if document["coverage"]["complete"] else "Nothing waits in what was read."
        return "\n".join([*lines, nothing, token, *write_next(document, fence)])
    lines.append(
        f"{plural(pending['rows'], 'pending resource')} wait in {plural(pending['batches'], 'batch', 'batches')} for "
        f"{plural(pending['root_blockers'], 'root blocker')}; {pending['stuck']} stuck in or behind circles."
    )
    if "evidence" in document["coverage"]:
        lines += _write_evidence(document["coverage"]["evidence"], fence)
    lines += _write_expiry(document, as_of, fence)
    if "changes" in document:
        lines += _write_changes(document["changes"], as_of, fence)
    if "focus" in document:
        lines += _write_focus(document, as_of, fence)
    if "what_if" in document:
        lines += _write_what_if(document["what_if"], fence)
    if "blockers" in document:
        lines += _write_blockers(document, as_of, fence)
    lines += [_write_chain(path, fence) for path in document.get("chains", ())]
    lines += _write_circles(document, as_of, fence)
    lines += _write_waves(document, as_of, fence)
    lines += _write_disagreements(document, fence)
    return "\n".join([*lines, token, *write_next(document, fence)])


def _write_evidence(evidence: Document, fence: Fence) -> list[str]:
    """What is to be known about the search for causes, unless it simply read all there is."""
    dropped = evidence.get("failed_records_left_out")
    left_out = f" Failed records of the oldest batches left out: {dropped}." if dropped else ""
    if evidence["complete"] and not left_out:
        return []
    return [f"Search for causes: {coverage_line(evidence, fence)}{left_out}"]


def _write_expiry(document: Document, as_of: str, fence: Fence) -> list[str]:
    expiry, more = document["expiry"], document.get("more", {})
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
        said = ", ".join(f"{fence(one['row'], 80)} says {fence(one['says'], 40)}" for one in expiry["unreadable_rows"])
        lines.append(f"{expiry['unreadable']} have no readable expiry (no zone, or no time){said and f': {said}'}.")
    hours = [
        f"{hour['from'][11:16]}Z {hour['rows']} rows ({_write_schemas(hour, fence)}{_write_holders(hour, fence)})"
        for hour in expiry.get("hours", ())
    ]
    if hours:
        others = f"; and {plural(more['hours'], 'more hour')} (part=hours)" if "hours" in more else ""
        lines.append(f"Deletions by hour{_place(document, 'blockers')}, each from: {'; '.join(hours)}{others}.")
    elif "hours" in more:
        lines.append(f"Hours of the next day with deletions: {more['hours']} (part=hours).")
    elif "hours" in expiry and "blockers" not in document:
        lines.append(f"Deletions by hour: {document['shown']}.")
    return lines


def _write_schemas(hour: Document, fence: Fence) -> str:
    others = plural(hour["others"], "other") if "others" in hour else ""
    return join([counts(hour["schemas"], lambda name: fence(name, 40)), others], ", ")


def _write_holders(hour: Document, fence: Fence) -> str:
    holders = ", ".join(f"{fence(name, 100)} ({rows})" for name, rows in hour.get("held_by", {}).items())
    return f"; held by {holders}" if holders else ""


def _write_blockers(document: Document, as_of: str, fence: Fence) -> list[str]:
    if not document["blockers"]:
        return [f"Root blockers: {document['shown']}."] if "shown" in document else []
    shown = document.get("shown", f"all {document['pending']['root_blockers']}")
    lines = [
        f"Root blockers ({shown}), by how many wait; frees = clear if it alone arrives"
        f"{_write_searched(document, document['blockers'])}:"
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
        parts.append(f"{what} {fence(failure['batch'], 80)}{at}{said and f': {said}'}{more}")
    for one in finding.get("similar", ()):
        parts.append(f"looks like {fence(one['id'], 80)}, seen {one['seen']} ({one['rule']})")
    if "more_similar" in finding:
        parts.append(f"{finding['more_similar']} {'more ' if 'similar' in finding else ''}alike")
    causes = finding.get("causes", ())
    parts += [words for cause, words in _CAUSES.items() if cause in causes and "failed_in" not in finding]
    return join(parts)


_CAUSES = {"failed": "failed", "deleted": "named in a DELETE batch", "not_seen": "not seen"}
"""How a cause is told without its evidence."""


def _place(document: Document, others: str) -> str:
    """Which places of a part are shown, where it stands alone: where nothing of the others is there."""
    return f" ({document['shown']})" if others not in document else ""


def _write_chain(path: list[str], fence: Fence) -> str:
    return f"Chain: {' waits for '.join(fence(name, 100) for name in path)}"


def _write_circle(circle: Document, as_of: str, fence: Fence) -> str:
    more = f" … {circle['more_in_path']} more" if "more_in_path" in circle else ""
    names = " -> ".join(fence(name, 100) for name in circle["path"])
    path = f": {names}{more} -> back" if names else ""
    deadline = f"; first deleted {when(circle['expires'], as_of)}" if circle["expires"] else ""
    return (
        f"Circle of {circle['members']}, never clears by itself{path}; {circle['rows']} rows in it, "
        f"{circle['behind']} behind it{deadline}. Send one member again without its reference, then complete it."
    )


def _write_circles(document: Document, as_of: str, fence: Fence) -> list[str]:
    lines = [_write_circle(circle, as_of, fence) for circle in document.get("circles", ())]
    left = document.get("more", {}).get("circles")
    if left:
        what = "More circles" if lines else "Circles, which never clear by themselves"
        lines.append(f"{what}: {left} (part=circles).")
    elif "circles" in document and "blockers" not in document:
        lines = [f"Circles: {document['shown']}.", *lines]
    return lines


def _write_waves(document: Document, as_of: str, fence: Fence) -> list[str]:
    waves = document.get("send_first", [])
    if not waves:
        left = document.get("more", {}).get("plan")
        alone = [f"To be sent: {document['shown']}."] if "send_first" in document else []
        return [f"To be sent: {plural(left, 'record')} (part=plan)."] if left else alone
    rest = "; all: part=plan" if "plan" in document.get("more", ()) else ""
    if "steps" in waves[0]:
        rest = "; far down a wave by how many list each; + what each frees in addition"
    lines = [f"Send first{_place(document, 'blockers')} (greedy order, most freed first; not proven smallest{rest}):"]
    for wave in waves:
        number = wave["place"]
        if "steps" in wave:
            some = [
                (run["schema"], (f"{fence(id, 60)} +{n}" for id, n in run["adds"].items())) for run in wave["steps"]
            ]
        else:
            some = [(name, (fence(id, 60) for id in ids)) for name, ids in wave["ids"].items()]
        ids = join(f"{fence(name, 40)}: {', '.join(ids)}" for name, ids in some)
        more = f" and {wave['more_keys']} more" if "more_keys" in wave else ""
        shown = f" (those shown {wave['shown_frees']})" if more else ""
        expiry = f", first expiry {when(wave['first_expiry'], as_of)}" if wave["first_expiry"] else ""
        so_far = f", {wave['total']} so far" if number > 1 else ""
        lines.append(
            f"- wave {number}: {plural(wave['keys'], 'record')} free {wave['frees']}{shown}{so_far}, "
            f"{plural(wave['batches'], 'batch', 'batches')} complete{expiry}: {ids}{more}"
        )
    if "more_waves" in document:
        lines.append(f"And {plural(document['more_waves'], 'more wave')}.")
    return lines


def _write_searched(document: Document, found: list[Document]) -> str:
    """Where what was not seen was looked for, if there is any."""
    if not any("not_seen" in one["causes"] for one in found):
        return ""
    return f"; not seen = in none of the {document['coverage']['evidence']['batches']} batches read"


def _write_disagreements(document: Document, fence: Fence) -> list[str]:
    some = [
        f"{fence(one['batch'], 80)} says {one['counter']}, lists {one['rows']}"
        for one in document.get("disagreements", ())
    ]
    more = document.get("more", {}).get("counters", 0)
    differing = listed(some, more, "batch", "batches")
    if "disagreements" in document and "blockers" not in document:
        return [f"Counter and rows differ ({document['shown']}): {differing or 'none'}."]
    return [f"Counter and rows differ: {differing}{' (part=counters)' if more else ''}."] if differing else []


def _write_changes(changes: Document, as_of: str, fence: Fence) -> list[str]:
    since = when(changes["since"], as_of)
    if changes["same_rows"]:
        return [f"Nothing moved since {since}: the same {plural(changes['now'], 'row')} wait."]
    lines = [
        f"Since {since}: {changes['before']} rows then, {changes['now']} now; at least {changes['new_at_least']} new, "
        f"at least {changes['gone_at_least']} gone (at most {changes['expired_at_most']} can have expired); "
        f"root blockers {changes['blockers_before']} then, {changes['blockers_now']} now."
    ]
    for moved in changes["moved"]:
        name = record(moved["schema"], moved["id"], fence) if "id" in moved else "one"
        state = f"{moved['now']} wait now" if "id" in moved else "blocks no more"
        lines.append(f"- {name} [{moved['handle']}]: {moved['before']} waited, {state}")
    more = f", and {changes['more_moved']} more moved" if "more_moved" in changes else ""
    lines.append(f"Of the blockers that the token names, {changes['named_unchanged']} are unchanged{more}.")
    return lines


def _write_focus(document: Document, as_of: str, fence: Fence) -> list[str]:
    focus = document["focus"]
    what = f"batch {fence(focus['batch'], 80)}" if "batch" in focus else record(focus["schema"], focus["id"], fence)
    if "batch" not in focus and not focus["rows"]:
        state = "is missing and not itself pending (a root blocker)"
    else:
        state = f"{plural(focus['rows'], 'pending resource')}"
        if "batches" in focus:
            batches = (fence(one, 80) for one in focus["batches"])
            state += f" in {listed(batches, focus.get('more_batches', 0), 'batch', 'batches')}"
    deadline = f"; first deleted {when(focus['expires'], as_of)}" if focus["expires"] else ""
    if "expired" in focus:
        deadline += f"; {focus['expired']} expired, send these records again"
    lines = [f"Focus {what}: {state}; {focus['waiting_for_it']} wait for it{deadline}."]
    cause = _write_finding(focus, as_of, fence) if "causes" in focus else ""
    if cause:
        searched = plural(document["coverage"]["evidence"]["batches"], "batch", "batches")
        lines.append(f"Cause: {cause}{f' in the {searched} read' if 'not_seen' in focus['causes'] else ''}.")
    if focus["root_blockers"]:
        shown = f" ({focus['shown']})" if "shown" in focus else ""
        lines.append(
            f"Waits for {plural(focus['root_blockers'], 'root blocker')}{shown}"
            f"{_write_searched(document, focus['paths'])}:"
        )
    for path in focus["paths"]:
        cause = _write_finding(path, as_of, fence)
        lines.append(f"- {' waits for '.join(fence(name, 100) for name in path['path'])}; {cause}")
    if "circle" in focus:
        lines.append(_write_circle(focus["circle"], as_of, fence))
    return lines


def _write_what_if(what_if: Document, fence: Fence) -> list[str]:
    assumed = listed((fence(name, 100) for name in what_if["assumed"]), what_if.get("more_assumed", 0), "record")
    later = [f"{what_if['later_rounds']} later"] if "later_rounds" in what_if else []
    rounds = " then ".join([*map(str, what_if["rounds"]), *later]) or "nothing"
    holders = what_if["still_missing"]
    missing = ", ".join(f"{record(one['schema'], one['id'], fence)} ({one['rows']})" for one in holders)
    lines = [
        f"If {assumed} arrived: {what_if['clears']} clear ({rounds}), {what_if['still_waiting']} still wait, "
        f"{what_if['stuck']} of them in or behind circles."
    ]
    if missing or "shown" in what_if:
        shown = f" ({what_if['shown']})" if "shown" in what_if else ""
        lines.append(f"Still missing{shown}{f', with how many list each: {missing}' if missing else ''}.")
    return lines
