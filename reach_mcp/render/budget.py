"""Fit an answer into its byte limit by trimming the lists that its model declares, least important first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence

from pydantic import BaseModel

from reach_mcp.render.glossary import LEGEND
from reach_mcp.render.models.common import Report
from reach_mcp.render.options import Rendered, RenderOptions
from reach_mcp.render.sanitize import is_hidden, shorten

MAX_CALLS = 3
SLACK_BYTES = 20
"""Trimming adds words on the rest of a list."""
LAST_RESORT_CHARS = (80, 40, 24)
"""Characters of one text where nothing but texts is left to cut."""
VERDICT_FACTOR = 25
"""How many times longer the verdict may be than another text."""
NEVER_SHORTENED = {"verdict", "action", "more", "since"}
SENT_LAST = ("notes", "next")

Container = list[object] | dict[str, object]
Trims = Sequence[tuple[str, int]]
"""Steps of trimming: field names joined by dots that lead to lists, and how many of their items are kept at least."""


def trims(text: str) -> Trims:
    """The steps `path keep, path keep, ...`; without a number none of the items is kept."""
    steps = (step.strip().partition(" ") for step in text.split(","))
    return [(path, int(keep or 0)) for path, _, keep in steps]


def dump(model: BaseModel) -> dict[str, object]:
    """Structured content: the model without fields that hold their default, and without totals of whole lists."""
    content = model.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    _drop_totals(content)
    return content


def _drop_totals(node: object) -> None:
    if isinstance(node, dict):
        for name in [name for name in node if name.endswith("_total")]:
            if node[name] <= len(node.get(name.removesuffix("_total"), ())):
                del node[name]
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        if isinstance(item, dict | list):
            _drop_totals(item)


def to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size_of(value: object) -> int:
    return len(to_json(value).encode())


def fit(
    report: Report, steps: Trims, options: RenderOptions, *, finish: Callable[[], None], write: Callable[[], str]
) -> Rendered:
    """Render the report in the forms that are sent, each within `options.limit_bytes`.

    `finish` sets the fields that depend on the length of lists (where the rest is, next calls) and may run again.
    As a rule the first or second rendering fits. Items of lists are trimmed, then next calls; totals stay. Where that
    is not enough, texts are shortened. The rest is verdict, coverage and numbers, of a few kilobytes at most. Each
    round drops something, so the loop ends.
    """
    calls, slack, lengths = MAX_CALLS, SLACK_BYTES, iter(LAST_RESORT_CHARS)
    while True:
        finish()
        del report.next[calls:]
        structured = _content(report)
        whole = size_of(structured)
        excess = 0 if options.parts == "text" else whole - options.limit_bytes
        if excess <= 0:
            rendered = _render(report, structured, write, options)
            size = len(rendered.text.encode())
            # Items take more bytes as JSON than as text, so the excess of the text counts for more.
            excess = int((size - options.limit_bytes) * max(1.0, whole / size))
            if excess <= 0:
                return rendered
        slack *= 2
        if _trim(report, steps, excess + slack):
            continue
        if calls:
            calls -= 1
        elif longest := next(lengths, 0):
            _shorten_texts(report, longest)
        else:
            return _render(report, structured, write, options)


def _content(report: Report) -> dict[str, object]:
    """The structured content, with a legend of the terms in it."""
    report.legend = []
    structured = dump(report)
    structured |= {name: structured.pop(name) for name in SENT_LAST if name in structured}
    written = to_json(structured)
    report.legend = [line for term, line in LEGEND.items() if re.search(term, written)]
    return structured | {"legend": report.legend}


def _render(
    report: Report, structured: dict[str, object], write: Callable[[], str], options: RenderOptions
) -> Rendered:
    """The forms that are sent."""
    if options.parts == "text":
        return Rendered(write())
    text = escape_hidden(to_json(structured)) if options.parts == "structured" else write()
    return Rendered(text, report, structured)


def escape_hidden(text: str) -> str:
    """JSON in which characters that cannot be seen are escaped: ids stay exact and nothing is hidden."""
    return text.translate({ord(char): json.dumps(char)[1:-1] for char in set(text) if is_hidden(char)})


def _trim(report: BaseModel, steps: Trims, excess: int) -> int:
    """Drop items of at least `excess` bytes as far as there are any; return the bytes dropped."""
    saved = 0
    for path, keep in steps:
        lists = [found for found in _lists(report, path.split(".")) if len(found) > keep]
        if lists and saved < excess:
            saved += _shorten(lists, keep, excess - saved)
    return saved


def _shorten_texts(node: BaseModel, longest: int) -> None:
    """Shorten the texts of a model and of the models in its fields."""
    for name, value in node:
        if isinstance(value, BaseModel):
            _shorten_texts(value, longest)
        elif isinstance(value, str) and name not in NEVER_SHORTENED:
            setattr(node, name, shorten(value, longest))
        elif name == "verdict":
            setattr(node, name, shorten(value, longest * VERDICT_FACTOR))


def _lists(node: object, path: list[str]) -> Iterator[Container]:
    """Every list or mapping at a path of field names."""
    if isinstance(node, list) and path:
        for item in node:
            yield from _lists(item, path)
    elif isinstance(node, list | dict):
        yield node
    elif node is not None:
        yield from _lists(getattr(node, path[0]), path[1:])


def _shorten(lists: list[Container], keep: int, excess: int) -> int:
    """Cut the longest lists, the last of them first, until the excess is saved; return the bytes saved."""
    saved, length = 0, max(map(len, lists))
    while length > keep and saved < excess:
        length -= 1
        for found in reversed(lists):
            saved += _drop_last(found) if len(found) > length and saved < excess else 0
    return saved


def _drop_last(found: Container) -> int:
    item = found.pop() if isinstance(found, list) else dict([found.popitem()])
    return size_of(dump(item) if isinstance(item, BaseModel) else item) + 1
