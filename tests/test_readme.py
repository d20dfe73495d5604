"""README.md says what the code does. `python -m tests.test_readme` writes its generated parts anew."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import click
import httpx2
import pytest
from click.testing import CliRunner, Result
from mcp import Client
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from benchmarks.tenant import build_tenant
from reach_mcp.api.client import asgi_transport
from reach_mcp.cli import COMMANDS, cli
from reach_mcp.demo.api import build_demo_api
from reach_mcp.demo.story import build_story
from reach_mcp.http import build_http_app
from reach_mcp.logs import configure_logging
from reach_mcp.server import StrictServer, build_server
from reach_mcp.settings import Settings, load_settings
from tests.builders import NOW
from tests.contract.tokens import count_tokens
from tests.tools.harness import compact, text_of

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")

RUN_DEMO = "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/reach-mcp demo"
RUN_TESTS = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/python -m pytest -q -n 2"

EXAMPLES: dict[str, dict[str, Any]] = {
    "list_batches": {"schema": "customers", "created_after": "24h"},
    "get_batch": {"batch_id": "bat_cus_0912"},
    "explain_pending_dependencies": {},
}
EXPLAINED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("it failed in a batch", {"focus": "customers:cust_2201"}),
    ("a DELETE batch names it", {"focus": "locations:loc_quay_04"}),
    ("it looks like an id that was seen", {"focus": "customers:8841"}),
    ("it was not seen, and what waits has expired", {"focus": "locations:loc_depot_07"}),
    ("a circle", {"focus": "invoices:inv_9001"}),
    ("a chain, down to its root", {"focus": "appointments:apt_5001"}),
    ("a batch", {"focus": "bat_txn_0933"}),
    ("a mistyped one", {"focus": "customers:cust_4471"}),
    ("what if", {"assume_arrived": ["locations:loc_harbor_12"]}),
)
"""What an explanation can tell, and the call that asks for it."""

MEASURED: tuple[tuple[bool, str, dict[str, Any]], ...] = (
    (False, "list_batches", {"scope": "all"}),
    (False, "get_batch", {"batch_id": "bat_cus_0912"}),
    (False, "explain_pending_dependencies", {}),
    (True, "list_batches", {"scope": "all"}),
    (True, "explain_pending_dependencies", {}),
    (True, "explain_pending_dependencies", {"response_format": "detailed"}),
)
"""Whether of the big tenant, the tool, its arguments."""

PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CALL = re.compile(rf"`({'|'.join(EXAMPLES)}) (\{{.*?\}})`")


@dataclass(frozen=True)
class Command:
    """A command of ours as the README has it, without what stands before `reach-mcp`."""

    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(("reach-mcp", *self.arguments))


def readme() -> str:
    return README.read_text(encoding="utf-8")


def _fences(language: str) -> list[str]:
    return [body for name, body in FENCE.findall(readme()) if name == language]


def _demo_server() -> StrictServer:
    return build_server(load_settings(demo=True), clock=lambda: NOW, mark=lambda: "k72")


def _big_server() -> StrictServer:
    api = build_demo_api({"big": build_tenant(400, 3000, now=NOW)}, default_tenant="big")
    settings = load_settings(api_token=SecretStr("demo"))
    return build_server(settings, transport=asgi_transport(api), clock=lambda: NOW, mark=lambda: "k72")


@cache
def build_parts() -> dict[str, str]:
    """Every generated part of the README by its name."""
    parts = anyio.run(_build_examples)
    return parts | {"settings": _build_settings(), "sizes": anyio.run(_build_sizes)}


async def _build_examples() -> dict[str, str]:
    parts = {}
    async with Client(_demo_server()) as client:
        for tool, arguments in EXAMPLES.items():
            answer = text_of(await client.call_tool(tool, arguments))
            parts[tool] = f"```text\n{tool} {json.dumps(arguments)}\n\n{answer}\n```\n"
        parts["explained"] = "".join([await _tell(client, title, arguments) for title, arguments in EXPLAINED])
    parts["explained"] += await _build_changes()
    return parts


async def _tell(client: Client, title: str, arguments: dict[str, Any], shown: str = "") -> str:
    """What an explanation says of one thing, without what every answer says."""
    answer = text_of(await client.call_tool("explain_pending_dependencies", arguments)).splitlines()
    usual = ("Reach pending", "Deleted unless", "Already expired", "Since token", "Next:")
    told = [line for line in answer if not line.startswith(usual) and " root blockers; " not in line]
    return f"**{title}**: `{shown or json.dumps(arguments)}`\n\n```text\n{chr(10).join(told)}\n```\n\n"


async def _build_changes() -> str:
    """What is told of the demo's tenant an hour later, when the rows that waited for one location are gone."""
    async with Client(_demo_server()) as client:
        answer = await client.call_tool("explain_pending_dependencies", {})
        token = (answer.structured_content or {})["since"]
        same = await _tell(client, "what changed: nothing", {"since": token}, '{"since": "s2…"}')
    story = [_without(batch, "loc_annex_02") for batch in build_story(NOW)["northwind"]]
    settings, later = load_settings(demo=True), NOW + timedelta(hours=1)
    transport = asgi_transport(build_demo_api({"northwind": story}, default_tenant="northwind"))
    async with Client(build_server(settings, transport=transport, clock=lambda: later, mark=lambda: "k72")) as client:
        return same + await _tell(client, "what changed", {"since": token}, '{"since": "s2…"}')


def _without(batch: dict[str, Any], external_id: str) -> dict[str, Any]:
    """A batch without the rows that wait for one record alone."""
    rows = batch.get("pendingResources") or []
    left = [row for row in rows if [one["externalId"] for one in row["missingDependencies"]] != [external_id]]
    return {**batch, "pendingResources": left} if len(left) < len(rows) else batch


def _build_settings() -> str:
    rows = ["| variable | flag | default | what it sets |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default in (None, "", PydanticUndefined) else f"`{str(default).removesuffix('.0')}`"
        flag = f"`{_flags()[name]}`" if name in _flags() else ""
        rows.append(f"| `{field.alias}` | {flag} | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


@cache
def _flags() -> dict[str, str]:
    """The flags that override a setting, by the setting's name."""
    owners: tuple[tuple[str, click.Command], ...] = (("", cli), ("serve ", cli.commands["serve"]))
    return {
        str(param.name): owner + param.opts[0]
        for owner, command in owners
        for param in command.params
        if param.name in Settings.model_fields
    }


async def _build_sizes() -> str:
    rows = ["| call | tenant | text | text and structured content |", "|---|---|---:|---:|"]
    async with Client(build_server(load_settings())) as client:
        listed = (await client.list_tools()).model_dump(mode="json", by_alias=True, exclude_none=True)
    rows.append(f"| `tools/list`, whole | any | {count_tokens(compact(listed))} | |")
    async with Client(_demo_server()) as demo, Client(_big_server()) as big:
        for is_big, tool, arguments in MEASURED:
            result = await (big if is_big else demo).call_tool(tool, arguments)
            text, content = count_tokens(text_of(result)), count_tokens(compact(result.structured_content))
            tenant = "400 batches" if is_big else "demo"
            rows.append(f"| `{tool} {json.dumps(arguments)}` | {tenant} | {text} | {text + content} |")
    return "\n".join(rows) + "\n"


def _commands() -> Iterator[Command]:
    """Every command of ours in the fences for a shell and in inline code."""
    shell = [line for body in _fences("sh") for line in body.replace("\\\n", " ").splitlines()]
    for line in [*shell, *re.findall(r"`([^`\n]*reach-mcp[^`\n]*)`", FENCE.sub("", readme()))]:
        for step in re.split(r"&&|\|| -- ", line):
            words = shlex.split(step)
            at = next((place for place, word in enumerate(words) if re.fullmatch(r"(.*/)?reach-mcp", word)), None)
            if at is not None:
                yield Command(tuple(words[at + 1 :]))


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="reach-mcp")


def test_readme_opens_with_the_demo_and_then_the_tests() -> None:
    """Whoever has Python and pip gets both by pasting one line each."""
    code = [line for _, body in FENCE.findall(readme()) for line in body.splitlines() if line.strip()]

    assert code[:2] == [RUN_DEMO, RUN_TESTS]


@pytest.mark.parametrize(
    "name", ["list_batches", "get_batch", "explain_pending_dependencies", "explained", "settings", "sizes"]
)
def test_generated_part_is_what_the_code_says(name: str) -> None:
    """An example that nobody can get any more is worse than none."""
    shown = {part[2]: part[0] for part in PART.finditer(readme())}

    assert shown[name] == _mark(name, build_parts()[name]), "meant? then: python -m tests.test_readme"


def test_every_part_that_is_marked_is_generated() -> None:
    assert {part[2] for part in PART.finditer(readme())} == build_parts().keys()


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize("command", sorted(set(_commands()), key=str), ids=str)
def test_command_of_the_readme_works(command: Command) -> None:
    """What prints is run before the demo; what serves is parsed to the last option."""
    named = [word for word in command.arguments if word in cli.commands]
    if named and named[0] in {*COMMANDS, "demo"}:
        before = [] if "--demo" in command.arguments or named == ["demo"] else ["--demo"]
        wanted, result = (0, 1), _run(*before, *command.arguments)
    else:
        wanted, result = (0, 0), _run(*command.arguments, "--help")

    assert result.exit_code in wanted, result.output


@pytest.mark.anyio
async def test_every_call_of_the_readme_is_answered() -> None:
    """A model that copies one must not be refused."""
    calls = CALL.findall(readme())
    assert len(calls) >= 3
    async with Client(_demo_server()) as client:
        refused = {
            f"{tool} {arguments}": text_of(result)
            for tool, arguments in calls
            if (result := await client.call_tool(tool, json.loads(arguments))).is_error
        }

    assert refused == {}


@pytest.mark.parametrize("config", _fences("json"), ids=["claude_desktop", "vscode"])
def test_entry_of_a_host_starts_the_server_with_settings_that_exist(config: str) -> None:
    entry = next(iter(next(part for name, part in json.loads(config).items() if name != "inputs").values()))
    known = {str(field.alias) for field in Settings.model_fields.values()}

    assert Path(entry["command"]).name == "reach-mcp"
    assert _run(*entry["args"], "--help").exit_code == 0
    assert entry["env"].keys() <= known


@pytest.mark.anyio
async def test_curl_of_the_readme_is_answered_with_the_batch() -> None:
    """The one request that people type by hand, with its headers as they stand."""
    line = next(body for body in _fences("sh") if body.startswith("curl"))
    words = shlex.split(line.replace("\\\n", " ").replace("$REACH_MCP_AUTH_TOKEN", "callers-token"))
    url = next(word for word in words if word.startswith("http://"))
    headers = dict(word.split(": ", 1) for option, word in pairwise(words) if option == "-H")
    settings = load_settings(demo=True, auth_token=SecretStr("callers-token"))
    server = build_server(settings, clock=lambda: NOW, mark=lambda: "k72")
    app = build_http_app(server, settings)

    with anyio.fail_after(30):
        async with server.session_manager.run(), httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
            answer = await client.post(url, headers=headers, content=words[words.index("-d") + 1])

    assert answer.status_code == 200
    assert "whole batch: k72" in answer.text


def test_variables_of_the_readme_exist() -> None:
    known = {str(field.alias) for field in Settings.model_fields.values()}
    named = set(re.findall(r"\bREACH_[A-Z_]+\b", readme()))

    assert named == known


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_somewhere(page: str) -> None:
    source = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", source) if "://" not in target]
    headings = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", source, re.MULTILINE)
    }
    lost = [t for t in targets if not (t[1:] in headings if t.startswith("#") else (ROOT / t).exists())]

    assert lost == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_speak_of_no_place_on_a_machine(page: str) -> None:
    source = (ROOT / page).read_text(encoding="utf-8")

    assert re.findall(r"(?<![\w.])/(?:root|work|home|Users|tmp)/", source) == []


def test_changelog_is_well_formed() -> None:
    """Tools read it by its headings: Unreleased first, then versions by falling date, known kinds of change."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    kinds = set(re.findall(r"^### (.+)$", changelog, re.MULTILINE))
    released = [re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d)", section) for section in sections[1:]]
    dates = [found[1] for found in released if found]

    assert changelog.startswith("# Changelog\n")
    assert sections[0] == "[Unreleased]"
    assert len(dates) == len(released)
    assert dates == sorted(dates, reverse=True)
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert len(re.findall(r"^Contract: [0-9a-f]{8}$", changelog, re.MULTILINE)) == len(sections)


def _mark(name: str, content: str) -> str:
    return f"<!-- generated: {name} -->\n{content}<!-- /generated -->"


def write_readme() -> None:
    """Put every generated part in anew."""
    configure_logging(load_settings(log_level="WARNING"))
    parts = build_parts()
    README.write_text(PART.sub(lambda part: _mark(part[2], parts[part[2]]), readme()), encoding="utf-8")


if __name__ == "__main__":
    write_readme()
