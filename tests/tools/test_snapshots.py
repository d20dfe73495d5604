"""What a model gets from each tool, whole: of the demo's story, and of a tenant that tries to steer its reader.

`REACH_MCP_UPDATE_SNAPSHOTS=1 pytest tests/tools/test_snapshots.py` records them anew.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reach_mcp.demo.hostile import TRICKS
from reach_mcp.demo.story import build_story
from reach_mcp.render.clean import Fence, clean
from tests.builders import NOW
from tests.render.test_clean import spiteful
from tests.tools.harness import EXPLAIN, FENCED, GET, LIST, MARK, ask, compact, serve_demo

pytestmark = pytest.mark.anyio

UPDATE = bool(os.environ.get("REACH_MCP_UPDATE_SNAPSHOTS"))
"""Read while this is imported: the tests themselves see no setting from outside."""

SNAPSHOTS = Path(__file__).with_name("snapshots")
STORY = build_story(NOW)
HOSTILE_IDS = [body["batchId"] for body in STORY["hostile"]]

CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "northwind_list": ("northwind", LIST, {}),
    "northwind_list_all_detailed": ("northwind", LIST, {"scope": "all", "response_format": "detailed"}),
    "northwind_list_failed": ("northwind", LIST, {"status": "failure"}),
    "northwind_batch": ("northwind", GET, {"batch_id": "bat_cus_0912"}),
    "northwind_batch_waiting": ("northwind", GET, {"batch_id": "bat_inv_0901"}),
    "northwind_explain": ("northwind", EXPLAIN, {}),
    "northwind_explain_detailed": ("northwind", EXPLAIN, {"response_format": "detailed"}),
    "northwind_explain_record": ("northwind", EXPLAIN, {"focus": "appointments:apt_5001"}),
    "northwind_explain_batch": ("northwind", EXPLAIN, {"focus": "bat_txn_0933"}),
    "northwind_what_if": ("northwind", EXPLAIN, {"assume_arrived": ["locations:loc_harbor_12"]}),
    "healthy_explain": ("healthy", EXPLAIN, {}),
    "empty_list": ("empty", LIST, {}),
    "hostile_list": ("hostile", LIST, {}),
    "hostile_list_all_detailed": ("hostile", LIST, {"scope": "all", "response_format": "detailed"}),
    "hostile_batch": ("hostile", GET, {"batch_id": HOSTILE_IDS[4]}),
    "hostile_explain": ("hostile", EXPLAIN, {}),
    "hostile_explain_detailed": ("hostile", EXPLAIN, {"response_format": "detailed"}),
}


@pytest.mark.parametrize("name", CALLS)
async def test_model_gets_what_was_recorded(name: str) -> None:
    tenant, tool, arguments = CALLS[name]
    reply = await ask(serve_demo(tenant), tool, **arguments)
    words, whole = reply.tokens
    recorded = SNAPSHOTS / f"{name}.txt"
    shown = f"{tool}({compact(arguments)}): {words} tokens, {whole} with structured content\n\n{reply.text}\n"
    if UPDATE:
        recorded.write_text(shown, encoding="utf-8")

    reply.check()
    assert shown == recorded.read_text(encoding="utf-8"), "meant? then record it anew, as this module says"


def foreign(value: Any, name: str = "") -> Iterator[str]:
    """Every text of a tenant's own: what Reach's page documents as words, numbers and times is not."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if name in ("summary", "details"):
                yield key
            yield from foreign(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from foreign(inner, name)
    elif isinstance(value, str) and name not in ("status", "batchType") and not name.endswith("At"):
        yield value


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (LIST, {}),
        (LIST, {"include_pending_details": True, "response_format": "detailed"}),
        (EXPLAIN, {}),
        (EXPLAIN, {"response_format": "detailed"}),
        *[(GET, {"batch_id": batch_id}) for batch_id in HOSTILE_IDS if len(batch_id) <= 500],
        *[(EXPLAIN, {"focus": batch_id}) for batch_id in HOSTILE_IDS[::2] if len(batch_id) <= 500],
        *[(EXPLAIN, {"assume_arrived": [f"customers:{trick}"]}) for trick in TRICKS.values() if len(trick) <= 500],
    ],
)
async def test_nothing_of_a_hostile_tenant_stands_outside_a_fence(tool: str, arguments: dict[str, Any]) -> None:
    """Whatever it imitates, it is read as data: no line, heading, call or fence of its own."""
    reply = await ask(serve_demo("hostile"), tool, **arguments)
    outside = FENCED.sub("\n", reply.text)
    found = {text for raw in foreign(STORY["hostile"]) for text in (raw, clean(raw), clean(raw, 60)) if len(text) > 3}

    assert '"' not in outside
    assert [text for text in found if text in outside] == []
    assert [trick for trick in TRICKS.values() if clean(trick)[:24].strip() in outside] == []
    assert outside.isprintable() or set(outside) - {"\n"} == {char for char in outside if char.isprintable()}
    assert [line for line in reply.text.splitlines() if not line.startswith(OURS)] == []


OURS = (
    "Reach ",
    "Status: ",
    "Type: ",
    "Schema: ",
    "Record",
    "Error",
    "Most pending: ",
    "Batches (",
    "- ",
    "Next: ",
    "Pending resources: ",
    "Missing, ",
    "Deletions by hour",
    "Deleted unless ",
    "Root blockers (",
    "Send first ",
    "And ",
    "Hours of the next day with deletions: ",
    "To be sent: ",
    "More of each: ",
    "Since token: ",
    "Focus ",
    "Waits for ",
    "If ",
    "Still missing",
    "Chain: ",
    "19 pending resources",
    "Cause: ",
)
"""How lines of our answers begin."""


def show_in_chat(text: str) -> str:
    """What a chat makes of a text that it takes for Markdown, with raw HTML let through."""
    return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))


TAGS = frozenset({"p", "ul", "li", "em", "strong"})
"""Tags that our lists make, and emphasis, which says nothing: an id may hold stars."""


@pytest.mark.parametrize("name", [name for name in CALLS if name.startswith("hostile")])
async def test_chat_finds_no_link_image_tag_or_code_in_what_a_tenant_wrote(name: str) -> None:
    """A picture that a chat fetches by itself tells its address to whoever wrote it."""
    tenant, tool, arguments = CALLS[name]
    reply = await ask(serve_demo(tenant), tool, **arguments)
    page = show_in_chat(reply.text)
    recorded = SNAPSHOTS / f"{name}.html"
    if UPDATE:
        recorded.write_text(page, encoding="utf-8")

    assert set(re.findall(r"<(\w+)", page)) <= TAGS
    assert re.search(r"\w://|www\.|\]\(", reply.text) is None
    assert page == recorded.read_text(encoding="utf-8"), "meant? then record it anew, as this module says"


@settings(deadline=None)
@given(st.lists(spiteful | st.sampled_from([*TRICKS.values(), "[a](b)", "[a]:", "&rlm;", "`", "~~", "|"]), max_size=3))
def test_no_foreign_text_is_markup_to_a_chat(texts: list[str]) -> None:
    fenced = [Fence(MARK)(text) for text in texts]
    page = show_in_chat(f"Ours: {' and '.join(fenced)}.\n- {', '.join(fenced)} [b-abcde]: 1 wait")

    assert set(re.findall(r"<(\w+)", page)) <= TAGS
    assert set(page) - {"\n"} == {char for char in page if char.isprintable()}


LINES = re.compile(
    r"Reach |\d+ pending |Deleted |Deletions |Already |Hours |Root |- |Circles?|More |Chain|Send |To be |Counter "
    r"|Since |Next: |Search |Status|Type|Schema|Records|Record errors|Error |Most |More of|Batches |Pending |Missing, "
    r"|Waits |Focus |Cause|\Z"
)


@pytest.mark.parametrize("command", [("list", "--scope", "all"), ("batch", HOSTILE_IDS[4]), ("explain",)])
def test_terminal_gets_lines_of_ours_without_anything_hidden(command: tuple[str, ...]) -> None:
    """No escape may colour, erase or retitle, nothing may turn a line round, and none may begin with their words."""
    environment = os.environ | {"REACH_MCP_DEMO_TENANT": "hostile", "PYTHONIOENCODING": "utf-8"}
    shown = subprocess.run(
        [sys.executable, "-m", "reach_mcp", "--demo", *command],
        env=environment,
        capture_output=True,
        check=False,
    ).stdout.decode()

    assert len(shown.splitlines()) > 4
    assert [line for line in shown.split("\n") if not LINES.match(line) or not line.isprintable()] == []


@pytest.mark.parametrize("command", [("list", "--scope", "all"), ("explain", "--response-format", "detailed")])
def test_terminal_gets_exact_ids_as_json_in_plain_ascii(command: tuple[str, ...]) -> None:
    """Escaped they are still the ids that a call needs, and no more than that."""
    shown = subprocess.run(
        [sys.executable, "-m", "reach_mcp", "--demo", *command, "--json"],
        env=os.environ | {"REACH_MCP_DEMO_TENANT": "hostile"},
        capture_output=True,
        check=False,
    ).stdout.decode("ascii")

    assert [line for line in shown.split("\n") if not line.isprintable()] == []
    assert [text for text in texts_of(json.loads(shown)) if not text.isprintable()] != []


def texts_of(value: Any) -> Iterator[str]:
    """Every text of some JSON, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from texts_of(inner)
