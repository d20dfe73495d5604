"""Write the generated parts of README.md and docs/, manifest.json and server.json. Run `python -m docs.generate`.

A part stands between `<!-- generated: name -->` and `<!-- /generated -->`; `PARTS` has its function.
"""

from __future__ import annotations

import json
import logging
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import click
import mcp_types
from mcp import Client
from pydantic_core import PydanticUndefined

from reach_mcp import __version__
from reach_mcp.api.errors import ReachError
from reach_mcp.api.transport import asgi_transport
from reach_mcp.cli.main import COMMANDS, cli
from reach_mcp.demo.api import build_demo_api
from reach_mcp.demo.story import DEFAULT_TENANT, build_story
from reach_mcp.prompts import load_prompts
from reach_mcp.render.glossary import STOPPED
from reach_mcp.server import build_server
from reach_mcp.settings import Settings, load_settings
from tests.faults.table import CASES

ROOT = Path(__file__).parent.parent
MANIFEST = ROOT / "manifest.json"
SERVER = ROOT / "server.json"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DELIMITER = "k72"
SAMPLE_LINES = 10
"""Lines of the first answer that README.md shows."""

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

CONFIG_FIELDS: dict[str, dict[str, Any]] = {
    "api_token": {"title": "Reach token", "sensitive": True, "description": "A Reach JWT. It usually lasts an hour."},
    "partner_id": {
        "title": "Partner id",
        "description": "With the partner secret, tokens are signed and renewed for you.",
    },
    "jwt_secret": {
        "title": "Partner secret",
        "sensitive": True,
        "description": "Secret that signs your partner's JWTs.",
    },
    "tenant_id": {
        "title": "Tenant id",
        "description": "The tenant to look at. A call that names another one is refused.",
    },
    "api_url": {
        "title": "Reach API URL",
        "description": "Address of the Reach API.",
        "default": "https://api.embedreach.com",
    },
    "demo": {"title": "Demo", "description": "Use the built-in demo tenant.", "type": "boolean", "default": False},
}
"""Questions to a user who installs the bundle. All are optional."""


def demo_client() -> Client:
    """A client of the real server over the demo API, with a fixed clock and delimiter."""
    transport = asgi_transport(build_demo_api(build_story(NOW), default_tenant=DEFAULT_TENANT))
    settings = load_settings(demo=True)
    return Client(build_server(settings, transport=transport, clock=NOW.timestamp, draw_delimiter=lambda: DELIMITER))


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
    lines = call_tool(EXPLAIN, {}).splitlines()[:SAMPLE_LINES]
    return fence("\n".join([*(textwrap.fill(line, 130) for line in lines), "…"]))


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
    kinds = {error().kind: f"{error.message} {error.advice}" for error in _subclasses(ReachError)}
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


def _subclasses(error: type[ReachError]) -> Iterable[type[ReachError]]:
    for child in error.__subclasses__():
        yield child
        yield from _subclasses(child)


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
}
_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def pages() -> list[Path]:
    """Every page that has generated parts."""
    return [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if _PART.search(_read(path))]


def build_page(path: Path) -> str:
    """The page with its generated parts as they have to be."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}\n{part[3]}", _read(path))


def build_manifest() -> str:
    """The bundle's manifest, with what the code knows filled in."""
    project = tomllib.loads(_read(ROOT / "pyproject.toml"))["project"]
    manifest: dict[str, Any] = json.loads(_read(MANIFEST))
    manifest |= {
        "name": project["name"],
        "version": __version__,
        "description": project["description"],
        "license": project["license"],
        "author": project["authors"][0],
        "keywords": project["keywords"],
        "user_config": {name: {"type": "string", "required": False} | field for name, field in CONFIG_FIELDS.items()},
        "tools": [{"name": tool.name, "description": tool.description} for tool in list_tools()],
        "prompts": [_describe_prompt(prompt) for prompt in load_prompts().values()],
    }
    environment = {str(Settings.model_fields[name].alias): f"${{user_config.{name}}}" for name in CONFIG_FIELDS}
    command = {"command": "uv", "args": ["run", "--directory", "${__dirname}", project["name"]], "env": environment}
    manifest["server"] = {"type": "uv", "entry_point": "reach_mcp/__main__.py", "mcp_config": command}
    manifest["compatibility"]["runtimes"]["python"] = project["requires-python"]
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def build_server_json() -> str:
    """The entry of the MCP registry, which points to the package on the index."""
    project = tomllib.loads(_read(ROOT / "pyproject.toml"))["project"]
    variables = [
        {
            "name": str(Settings.model_fields[name].alias),
            "description": field["description"],
            "isSecret": field.get("sensitive", False),
        }
        for name, field in CONFIG_FIELDS.items()
    ]
    package = {
        "registryType": "pypi",
        "identifier": project["name"],
        "version": __version__,
        "transport": {"type": "stdio"},
        "environmentVariables": variables,
    }
    entry = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": "io.github.embedreach/embedreach-mcp",
        "title": "Reach batches",
        "description": project["description"],
        "version": __version__,
        "repository": {"url": project["urls"]["Homepage"], "source": "github"},
        "packages": [package],
    }
    return json.dumps(entry, indent=2, ensure_ascii=False) + "\n"


def _describe_prompt(prompt: Any) -> dict[str, Any]:
    published = prompt.published
    names = [argument.name for argument in published.arguments or []]
    text = prompt.render({name: f"${{arguments.{name}}}" for name in names})
    return {"name": published.name, "description": published.description, "arguments": names, "text": text}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main() -> None:
    logging.disable(logging.WARNING)
    for path in pages():
        path.write_text(build_page(path), encoding="utf-8")
    MANIFEST.write_text(build_manifest(), encoding="utf-8")
    SERVER.write_text(build_server_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
