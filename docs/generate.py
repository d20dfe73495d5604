"""Write the generated parts of README.md and docs/, and the files of docs/distribution.py: `python -m docs.generate`.

A part ends at `<!-- /generated -->` and starts at one of these:

    <!-- generated: name -->                    a function of `PARTS`
    <!-- command: explain --demo -->            a command and its output
    <!-- call: get_batch {"batch_id": "b"} -->  a call and the text of its answer

The last two may end in `| part 2`, one block of the answer, `| 5 lines`, or `| part 2, 5 lines`.
"""

from __future__ import annotations

import json
import logging
import re
import shlex
import textwrap
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import click
import mcp_types
from click.testing import CliRunner
from mcp import Client
from pydantic_core import PydanticUndefined

from docs.distribution import ROOT, build_files, cursor_link, vscode_link
from reach_mcp.api.errors import ReachError
from reach_mcp.api.transport import asgi_transport
from reach_mcp.cli.main import COMMANDS, cli
from reach_mcp.cli.session import Session
from reach_mcp.demo.api import build_demo_api
from reach_mcp.demo.story import DEFAULT_TENANT, build_story
from reach_mcp.render.glossary import STOPPED
from reach_mcp.server import build_server
from reach_mcp.settings import Settings, load_settings
from tests.faults.table import CASES

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DELIMITER = "k72"
SAMPLE_LINES = 10
"""Lines of the first answer that README.md shows."""
WIDTH = 110
"""Columns of samples in running text. Rows of tables are longer."""

EXPLAIN = "explain_pending_dependencies"
ANSWERS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Why are records stuck, what is lost first, and what should we send?", EXPLAIN, {}),
    ("What should we send, best first?", EXPLAIN, {"view": "plan", "limit": 10}),
    ("Which missing records were sent but failed?", EXPLAIN, {"cause": "failed", "view": "blockers", "limit": 5}),
    ("Which records have to be sent again?", EXPLAIN, {"view": "expired", "limit": 5}),
    ("Which records wait for each other?", EXPLAIN, {"view": "cycles"}),
    ("Why does this record wait?", EXPLAIN, {"focus": "appointments:apt_5001"}),
    ("What does this batch wait for, and what should the customer send?", EXPLAIN, {"focus": "bat_txn_0933"}),
    ("What happens if this record arrives?", EXPLAIN, {"assume_arrived": ["locations:loc_harbor_12"]}),
    ("Which batches failed in the last day, and why?", "list_batches", {"status": "failure", "created_after": "24h"}),
    ("What happened to this batch?", "get_batch", {"batch_id": "bat_cus_0912"}),
)
"""A person's question, and the call that answers it."""

LIMITS = (
    ("tools.arguments", "MAX_LIMIT", "results", "a larger `limit` counts as this, and the answer says so"),
    ("tools.arguments", "MAX_TEXT_CHARS", "characters of an argument", "a longer one is refused"),
    ("tools.arguments", "MAX_LIST_ITEMS", "items of a list argument", "a longer list is refused"),
    (
        "tools.limiter",
        "MAX_QUEUED_PER_SLOT",
        "calls for each slot",
        "a call for which no place in the queue is left is told to try again",
    ),
    ("tools.limiter", "THREADS_PER_CALLER", "analyses", "of the same caller wait, so that others get the processor"),
    ("api.client", "MAX_ATTEMPTS", "attempts", "a request that fails with 408, 429, 5xx or a broken connection ends"),
    ("api.client", "CONNECT_SECONDS", "seconds", "an attempt to connect to Reach ends, and is repeated"),
    ("api.client", "READ_SECONDS", "seconds", "a request without a byte from Reach ends"),
    ("api.client", "MAX_TENANT_CHARS", "characters", "a longer tenant id is refused"),
    ("api.decoding", "MAX_VALUES", "JSON values", "a malformed answer with more is refused"),
    ("transports.middleware", "MAX_BODY_BYTES", "bytes", "a larger request over HTTP is refused with 413"),
    ("transports.middleware", "BODY_SECONDS", "seconds", "a caller that has not sent its body by then gets 408"),
    ("transports.connections", "KEEP_ALIVE_SECONDS", "seconds", "an idle HTTP connection is closed"),
    ("render.sanitize", "MAX_ID_CHARS", "characters", "a longer id is shortened in answers and marked"),
    ("render.sanitize", "MAX_MESSAGE_CHARS", "characters", "a longer error message is shortened and marked"),
    ("render.budget", "MAX_CALLS", "calls", "an answer suggests no more next calls"),
    ("analysis.causes", "MAX_FAILURES", "failures", "more are counted as evidence for a missing record, not kept"),
    ("analysis.focus", "MAX_PATH", "records", "the middle of a longer path is left out and counted"),
    ("analysis.tokens", "MAX_TOKEN_CHARS", "characters", "a longer `since` token is refused"),
    ("prompts", "MAX_VALUE_CHARS", "characters", "a longer argument of a prompt is refused"),
)
"""Module, constant, unit, effect."""


def demo_client() -> Client:
    """A client of the real server over the demo API, with a fixed clock and delimiter."""
    settings = load_settings(demo=True)
    server = build_server(settings, transport=demo_transport(), clock=NOW.timestamp, draw_delimiter=lambda: DELIMITER)
    return Client(server)


def demo_transport() -> Any:
    return asgi_transport(build_demo_api(build_story(NOW), default_tenant=DEFAULT_TENANT))


def run_command(arguments: str) -> str:
    """The output of a command about the demo at the fixed time. A failure is no sample: it ends the script."""
    session = Session(transport=demo_transport(), now=NOW.timestamp, zone=UTC)
    result = CliRunner().invoke(
        cli, shlex.split(arguments), obj=session, env={"COLUMNS": "120"}, catch_exceptions=False
    )
    if result.exit_code > 1:
        raise RuntimeError(f"{arguments} ended with {result.exit_code}: {result.output}")
    return result.stdout


def write_command(arguments: str, selection: str) -> str:
    return f"```sh\nembedreach-mcp {arguments}\n```\n\n{fence(select(run_command(arguments), selection))}"


def write_call(call: str, selection: str) -> str:
    tool, _, arguments = call.partition(" ")
    return f"`{call}`\n\n{fence(select(call_tool(tool, json.loads(arguments)), selection))}"


def select(text: str, selection: str) -> str:
    """The lines that a page shows. `…` stands for the rest."""
    found = re.fullmatch(r"(?:part (\d+))?(?:, )?(?:(\d+) lines)?", selection)
    if found is None:
        raise RuntimeError(f"not a selection: {selection}")
    part, most = found.groups()
    if part:
        text = text.split("\n\n")[int(part) - 1]
    lines = text.strip("\n").splitlines()
    shown = lines[: int(most)] if most else lines
    wrapped = (textwrap.fill(line, WIDTH) if len(line) > WIDTH and " | " not in line else line for line in shown)
    return "\n".join([*wrapped, *(["…"] if len(shown) < len(lines) else [])])


def call_tool(tool: str, arguments: dict[str, Any]) -> str:
    """The text of one answer. An error is no sample: it ends the script."""

    async def call() -> str:
        async with demo_client() as client:
            result = await client.call_tool(tool, arguments)
            text = "\n".join(getattr(part, "text", "") for part in result.content)
            if result.is_error:
                raise RuntimeError(f"{tool} {json.dumps(arguments)} failed: {text}")
            return text

    return anyio.run(call)


def list_tools() -> list[mcp_types.Tool]:
    async def call() -> list[mcp_types.Tool]:
        async with demo_client() as client:
            return (await client.list_tools()).tools

    return anyio.run(call)


def write_sample() -> str:
    return fence(select(call_tool(EXPLAIN, {}), f"{SAMPLE_LINES} lines"))


def write_answers() -> str:
    blocks = []
    for question, tool, arguments in ANSWERS:
        blocks += [f"## {question}", f"`{tool} {json.dumps(arguments)}`", fence(call_tool(tool, arguments))]
    return "\n\n".join(blocks)


def write_tools() -> str:
    blocks = []
    for tool in list_tools():
        blocks += [f"## `{tool.name}`", str(tool.description), *_describe_schema(tool)]
    return "\n\n".join(blocks)


def _describe_schema(tool: mcp_types.Tool) -> Iterable[str]:
    required = tool.input_schema.get("required", [])
    rows = [
        (
            f"`{name}`",
            _type_of(part),
            "required" if name in required else _code(part.get("default")),
            part["description"],
        )
        for name, part in tool.input_schema["properties"].items()
    ]
    yield table(("argument", "type", "default", "meaning"), rows)
    fields = ", ".join(f"`{name}`" for name in (tool.output_schema or {}).get("properties", {}))
    yield f"Fields of the structured content, where they are not empty: {fields}."


def _type_of(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    return f"list of {part['items']['type']}" if part.get("type") == "array" else str(part.get("type"))


def write_links() -> str:
    rows = [
        (host, f"[try the demo]({link(demo=True)})", f"[your own data]({link(demo=False)})")
        for host, link in (("VS Code", vscode_link), ("Cursor", cursor_link))
    ]
    return table(("install in", "without a credential", "with a token"), rows)


def write_message() -> str:
    """The last block of the report: the message to the customer."""
    return fence(run_command("report --demo").rpartition("```text\n")[2].partition("```")[0])


def write_settings() -> str:
    rows = [
        (f"`{field.alias}`", _code(None if field.default is PydanticUndefined else field.default), field.description)
        for field in Settings.model_fields.values()
    ]
    return table(("variable", "default", "meaning"), rows)


def write_limits() -> str:
    rows = [
        (f"`{name}`", f"{getattr(import_module(f'reach_mcp.{module}'), name):,.10g}", unit, effect)
        for module, name, unit, effect in LIMITS
    ]
    return table(("limit", "value", "unit", "beyond it"), rows)


def write_commands() -> str:
    context = click.Context(cli, info_name="embedreach-mcp", help_option_names=["-h", "--help"])
    blocks = []
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        child = click.Context(command, info_name=name, parent=context, terminal_width=100, max_content_width=100)
        blocks += [f"### `embedreach-mcp {name}`", fence(command.get_help(child))]
    return "\n\n".join(blocks)


def write_faults() -> str:
    kinds = {error().kind: f"{error.message} {error.advice}" for error in subclasses(ReachError)}
    rows = [(case.name, _outcome_in_words(case.outcome, kinds), case.requests) for case in CASES]
    return table(("fault", "a caller is told", "requests"), rows)


def _outcome_in_words(outcome: str, kinds: Mapping[str, str]) -> str:
    """The words for an outcome of `tests.faults.table`: complete, an error, or a reading that ended early."""
    reason, _, kind = outcome.partition(" ")
    if reason == "complete":
        return "*An answer* about all batches."
    if reason in kinds:
        return kinds[reason]
    why = kinds.get(kind) or STOPPED.get(reason, "not everything could be read")
    return f"*An answer* about the part that was read, which says why: {why}"


def subclasses(error: type[ReachError]) -> Iterable[type[ReachError]]:
    for child in error.__subclasses__():
        yield child
        yield from subclasses(child)


def _code(value: object) -> str:
    return "" if value in (None, "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def fence(text: str) -> str:
    lines = (line.rstrip() for line in text.splitlines())
    return "```text\n" + "\n".join(lines) + "\n```"


PARTS: dict[str, Callable[[], str]] = {
    "sample": write_sample,
    "answers": write_answers,
    "tools": write_tools,
    "settings": write_settings,
    "limits": write_limits,
    "commands": write_commands,
    "faults": write_faults,
    "links": write_links,
    "message": write_message,
}
_PART = re.compile(
    r"(<!-- (generated|command|call): ([^|\n]+?)(?: \| ([\w, ]+))? -->\n).*?(<!-- /generated -->)", re.DOTALL
)


def pages() -> list[Path]:
    """Every page that has generated parts."""
    return [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if _PART.search(_read(path))]


def build_page(path: Path) -> str:
    """The page with its generated parts as they have to be."""
    return _PART.sub(lambda part: f"{part[1]}{_write_part(part[2], part[3], part[4] or '')}\n{part[5]}", _read(path))


def _write_part(kind: str, argument: str, selection: str) -> str:
    if kind == "generated":
        return PARTS[argument]()
    return (write_command if kind == "command" else write_call)(argument, selection)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main() -> None:
    logging.disable(logging.WARNING)
    for path in pages():
        path.write_text(build_page(path), encoding="utf-8")
    for path, text in build_files(list_tools()).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
