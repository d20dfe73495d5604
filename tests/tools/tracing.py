"""Whether each number of a text is the number of the fact that it tells.

The text is written anew from content each leaf of which says, where it is written down, which one it is:

    - k72"⟪blockers.0.schema⟫" k72"⟪blockers.0.id⟫" [⟪blockers.0.handle⟫]: «blockers.0.waiting» wait …

Any digit that is left is of no fact; the words beside a number must be those of its field; and what stands on a line
of its own must be of one thing. Numbers keep their values, so that the text branches as it did.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

TOLD = {
    "coverage.batches": r"^(?:.* )?Read #",
    "evidence.batches": r"Read # |in none of the # batches read|in the # batch(?:es)? read",
    "of": r"Read 9 of # batches",
    "pages": r"in # pages?\b",
    "age_s": r"# s ago",
    "failed_records_left_out": r"left out: #\.",
    "pending.rows": r"^# pending resources? wait",
    "pending.batches": r"wait in # batch",
    "pending.root_blockers": r"for # root blocker|Root blockers \(all #\)",
    "pending.stuck": r"; # stuck in or behind circles",
    "expiry.expired": r"still listed: #;",
    "within_hour": r"# (?:deleted )?within the hour",
    "within_day": r"# within the day",
    "later": r"# later",
    "unreadable": r"# have no readable expiry",
    "hours.rows": r"Z # rows",
    "schemas": r'# ""',
    "others": r"# others?\b",
    "held_by": r'"" \(#\)',
    "more.hours": r"and # more hours?\b|with deletions: #",
    "waiting": r"# wait \(9 direct\)",
    "direct": r"\(# direct\)",
    "blockers.frees": r"frees #,",
    "blockers.batches": r"frees 9, # batch",
    "blockers.expired": r"; # expired",
    "failed_in.more_batches": r"\(and in # more\)",
    "more_similar": r"# (?:more )?alike",
    "members": r"Circle of #,",
    "more_in_path": r"… # more",
    "circles.rows": r"; # rows in it",
    "circle.rows": r"; # rows in it",
    "behind": r"# behind it",
    "more.circles": r"[Cc]ircles(?:, which never clear by themselves)?: #",
    "place": r"wave #:",
    "adds": r'"" \+#',
    "keys": r"wave 9: # record",
    "send_first.frees": r"records? free #",
    "shown_frees": r"\(those shown #\)",
    "total": r", # so far",
    "send_first.batches": r", # batch(?:es)? complete",
    "more_keys": r"and # more$",
    "more_waves": r"And # more wave",
    "more.plan": r"To be sent: # record",
    "counter": r'"" says #,',
    "disagreements.rows": r"lists #",
    "more.counters": r"and # more \(part|differ: # batch",
    "changes.before": r": # rows then",
    "changes.now": r"rows then, # now|the same # rows? wait",
    "new_at_least": r"at least # new",
    "gone_at_least": r"at least # gone",
    "expired_at_most": r"at most # can have expired",
    "blockers_before": r"root blockers # then",
    "blockers_now": r"then, # now\.",
    "moved.before": r": # waited",
    "moved.now": r"waited, # wait now",
    "more_moved": r"and # more moved",
    "named_unchanged": r"names, # are unchanged",
    "focus.rows": r": # pending resource",
    "focus.more_batches": r"and # more|in # batch",
    "waiting_for_it": r"; # wait for it",
    "focus.expired": r"; # expired",
    "focus.root_blockers": r"Waits for # root blocker",
    "more_assumed": r"and # more arrived",
    "clears": r"arrived: # clear",
    "rounds": r"[(n] ?#",
    "later_rounds": r"then # later",
    "still_waiting": r", # still wait",
    "what_if.stuck": r", # of them in or behind",
    "still_missing.rows": r'"" \(#\)',
    "matched": r"# batch(?:es)? matched|\(all #\)",
    "census.status": r"# (?:\"\"|[a-z_]+)",
    "census.type": r"# (?:\"\"|[A-Z_]+)",
    "census.schema": r'# (?:""|without schema)',
    "errors": r'# ""',
    "most_pending": r'# ""',
    "more_statuses": r"Status: .*(?:and # more|# kind)",
    "more_types": r"Type: .*(?:and # more|# kind)",
    "more_schemas": r"Schema: .*(?:and # more|# kind)",
    "more_errors": r"[Ee]rror categories: .*(?:and # more|# kind)",
    "more_pending": r"Most pending: .*(?:and # more|# batch)",
    "records.total": r"counters: # total",
    "records.failed": r", # failed",
    "records.pending": r", # pending",
    "records": r"# records?\b",
    "processed": r"# processed",
    "successful": r"# successful",
    "failed": r"# failed",
    "pending": r"# pending",
    "listed": r"# pending listed",
    "success_rate": r"success rate # %",
    "categories": r'# ""',
    "more_categories": r"and # more|# kind",
    "more_groups": r"# (?:more )?kinds? of error",
    "malformed": r"# rows? could not be read",
    "waiting.rows": r"Pending resources: #",
    "waiting.expired": r"# already expired",
    "unreadable_times": r"# without a readable expiry",
    "top_missing.rows": r'"" \(#\)',
    "more_missing": r"and # more|each: # record",
    "offset": r"offset=#",
    "limit": r"limit=#",
    "too_long_calls": r"# next calls? left out",
}
"""The words beside the number (#) of each field, by its own name or by that and its parent's; 9 is any other number."""

COUNTS = frozenset(
    {"schemas", "held_by", "status", "type", "schema", "errors", "most_pending", "categories", "depths", "adds"}
)
"""Counts by names that are Reach's: these are no fields of ours."""

_OUTSIDE = re.compile(r"(?<=^- wave )\d+|\((?:in )?\d+ (?:s|min|h|days)(?: ago)?\)", re.MULTILINE)
"""Numbers that are no facts of their own: places in a list, and distances between two times."""

_NUMBER = re.compile(r"«([^»]+)»")
_LEAF = re.compile(r"[«⟪]([^»⟫]+)[»⟫]")


class _Number(int):
    path: str

    def __str__(self) -> str:
        return f"«{self.path}»"

    def __format__(self, _: str) -> str:
        return str(self)


class _Rate(float):
    path: str

    __str__ = _Number.__str__
    __format__ = _Number.__format__


class _Text(str):
    path: str

    def __str__(self) -> str:
        return f"⟪{self.path}⟫"

    def __format__(self, _: str) -> str:
        return str(self)

    def __getitem__(self, _: Any) -> str:
        return str(self)


def trace(value: Any, path: str = "") -> Any:
    """Content each leaf of which is written down as its own path."""
    if isinstance(value, dict):
        foreign = path.rpartition(".")[2] in COUNTS
        return {name: trace(inner, path if foreign else f"{path}.{name}".strip(".")) for name, inner in value.items()}
    if isinstance(value, list):
        return [trace(inner, f"{path}.{place}") for place, inner in enumerate(value)]
    kind = next((kind for kind in (_Number, _Rate, _Text) if type(value) is kind.__base__), None)
    if kind is None:
        return value
    leaf = kind(value)
    leaf.path = path
    return leaf


def find_untold(write: Callable[[Any], str], content: Any, fenced: re.Pattern[str]) -> list[str]:
    """Lines of the text that tell a number of no fact, beside the words of another, or of two things as one."""
    text = fenced.sub(lambda found: f'"{"".join(one[0] for one in _LEAF.finditer(found[0]))}"', write(trace(content)))
    return [line for line in _OUTSIDE.sub("", text).splitlines() if not _is_told(line)]


def _is_told(line: str) -> bool:
    leaves = (re.match(r"(.*?)\.(\d+)(?:\.|$)", path) for path in _LEAF.findall(line))
    items = [(found[1], int(found[2])) for found in leaves if found]
    in_order = all(a[1] <= b[1] for a, b in pairwise(items) if a[0] == b[0])
    bare = re.sub("⟪[^⟫]+⟫", "", line)
    return (
        not re.search(r"\d", _LEAF.sub("", line))
        and in_order
        and not (line.startswith("- ") and len(set(items)) > 1)
        and all(_has_words(found, bare) for found in _NUMBER.finditer(bare))
    )


def _has_words(found: re.Match[str], line: str) -> bool:
    names = [name for name in found[1].split(".") if not name.isdigit()]
    words = TOLD.get(".".join(names[-2:])) or TOLD[names[-1]]
    beside = _NUMBER.sub("9", line[: found.start()]) + "#" + _NUMBER.sub("9", line[found.end() :])
    return re.search(words, beside) is not None
