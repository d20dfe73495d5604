"""README and docs say what the code does, and their generated parts are current."""

from __future__ import annotations

import base64
import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import anyio
import click
import pytest
import yaml
from click.testing import CliRunner

from docs import generate
from docs.distribution import ROOT, build_files, cursor_link, variable_of, vscode_link
from docs.generate import (
    PARTS,
    build_page,
    demo_client,
    pages,
    subclasses,
)
from reach_mcp.api.errors import ReachError
from reach_mcp.cli.main import COMMANDS, cli
from reach_mcp.prompts import load_prompts
from reach_mcp.settings import ConfigurationError, Settings, load_settings

README, PLUGIN = ROOT / "README.md", ROOT / "plugin"
PAGES = [README, *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "AGENTS.md"))]
PAGES += sorted((ROOT / "docs").glob("*.md"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAX_README_BYTES = 7_000

DEMO = "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/embedreach-mcp demo"
TESTS = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/python -m pytest -q -n 2"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code_lines(text: str) -> list[str]:
    """Lines inside fences, those of generated samples included."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def our_commands(path: Path) -> Iterator[list[str]]:
    """The arguments of each `embedreach-mcp …` in code or backticks."""
    spans = re.findall(r"`((?:\S*/)?embedreach-mcp [^`]+)`", read(path))
    starts = r"^(?:\S*/)?embedreach-mcp (.+)"
    for line in [*spans, *code_lines(read(path))]:
        for part in line.split(" && "):
            if match := re.match(starts, part.strip().partition("   ")[0]):
                yield shlex.split(match[1])


def test_readme_is_short_and_starts_with_the_demo_and_the_tests() -> None:
    assert len(README.read_bytes()) <= MAX_README_BYTES
    assert code_lines(read(README))[:2] == [DEMO, TESTS]
    assert "Not yet tried against a live tenant" in read(README)


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_generated_parts_are_current(path: Path) -> None:
    assert read(path) == build_page(path), "run `just docs`"


def test_every_part_has_its_page() -> None:
    used = {name for path in pages() for name in re.findall(r"<!-- generated: (\w+) -->", read(path))}

    assert used == set(PARTS)


def test_generated_files_are_current() -> None:
    built = build_files(generate.list_tools())

    assert {path: read(path) for path in built} == built, "run `just docs`"


def test_the_registry_accepts_name_and_description() -> None:
    """The registry takes 100 characters, and checks ownership by a name in the README of the package."""
    entry = json.loads(read(ROOT / "server.json"))

    assert len(entry["description"]) <= 100
    assert f"mcp-name: {entry['name']}" in read(README)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", read(path))

    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_in_docs_are_accepted(path: Path) -> None:
    for arguments in our_commands(path):
        shown = [argument for argument in arguments if argument not in ("[OPTIONS]", "BATCH_ID")]
        result = CliRunner().invoke(cli, [*shown, "--help"], prog_name="embedreach-mcp")
        assert (result.exit_code, result.exception) in ((0, None), (0, result.exception)), arguments
        for option in [argument for argument in shown if argument.startswith("--")]:
            assert option in result.output or option in ("--demo", "--help", "--version"), arguments


def failed_calls(path: Path, examples: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """The calls in backticks that end in an error, with an example put in place of each placeholder."""
    calls = re.findall(r"`(\w+ \{.*?\})`", read(path))
    for placeholder, example in examples.items():
        calls = [call.replace(f'"{placeholder}"', f'"{example}"') for call in calls]

    async def call_all() -> list[str]:
        async with demo_client() as client:
            parts = [call.partition(" ") for call in calls]
            results = [(call, await client.call_tool(call[0], json.loads(call[2]))) for call in parts]
            return ["".join(call) for call, result in results if result.is_error]

    assert len(calls) >= 5
    return anyio.run(call_all)


@pytest.mark.parametrize("path", [README, ROOT / "docs" / "triage.md"], ids=lambda path: path.name)
def test_calls_in_docs_work(path: Path) -> None:
    assert failed_calls(path) == []


def test_each_threat_names_tests_that_exist() -> None:
    rows = [line.split(" | ") for line in read(ROOT / "docs/privacy-and-security.md").splitlines() if "::test_" in line]
    named = [re.findall(r"`(tests/\S+\.py)::(test_\w+)`", row[-1]) for row in rows]

    assert len(rows) >= 15
    assert all(named)
    missing = [(path, name) for tests in named for path, name in tests if f"def {name}(" not in read(ROOT / path)]
    assert missing == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_variables_in_docs_are_settings(path: Path) -> None:
    known = {str(field.alias) for field in Settings.model_fields.values()}
    named = set(re.findall(r"\bREACH_[A-Z_]+[A-Z]\b", read(path)))

    assert named - known == set()


def test_every_option_has_help_and_every_setting_a_description() -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        options = [param for param in command.params if isinstance(param, click.Option)]
        assert [option.name for option in options if not option.help] == [], name
    assert all(field.description for field in Settings.model_fields.values())


def test_prompts_name_arguments_and_views_that_exist() -> None:
    tools = {tool.name: tool.input_schema["properties"] for tool in generate.list_tools()}
    arguments = {name for properties in tools.values() for name in properties}
    values = {value for properties in tools.values() for part in properties.values() for value in part.get("enum", ())}
    for prompt in load_prompts().values():
        named = set(re.findall(r"`(\w+)`", prompt.text))
        assert named - arguments - values - set(tools) == set(), prompt.published.name


def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(read(ROOT / "manifest.json"))
    return content


def test_the_bundle_starts_the_command_of_the_package() -> None:
    server = manifest()["server"]

    assert server["mcp_config"]["args"][-1] in PROJECT["scripts"]
    assert (ROOT / server["entry_point"]).is_file()
    assert manifest()["manifest_version"] == "0.4"


def test_the_bundle_marks_every_secret() -> None:
    """A host stores a sensitive value in the keychain of the system, any other in a file."""
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    fields = manifest()["user_config"]

    assert {name for name, field in fields.items() if field.get("sensitive")} == secrets & fields.keys()


@pytest.mark.parametrize("left", ["placeholder", "empty"])
def test_fields_that_a_user_leaves_empty_count_as_unset(left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unset = load_settings()
    for name, value in manifest()["server"]["mcp_config"]["env"].items():
        monkeypatch.setenv(name, value if left == "placeholder" else "")

    assert load_settings() == unset


def test_commands_of_the_tour_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ones with a sample are run to make it. Exit code 1 says that something waits or failed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    page = re.sub(r"<!-- command.*?<!-- /generated -->", "", read(ROOT / "docs" / "tour.md"), flags=re.DOTALL)
    install, _, *commands = code_lines(page)

    assert DEMO.startswith(install)
    codes = {line: CliRunner().invoke(cli, shlex.split(line)[1:]).exit_code for line in commands}
    assert {line for line, code in codes.items() if code > 1} == set()
    assert len(codes) == 5


def test_install_links_carry_the_entry_that_the_host_expects() -> None:
    vscode = {
        demo: json.loads(unquote(unquote(vscode_link(demo=demo)).partition("?")[2].partition("?")[2]))
        for demo in (True, False)
    }
    cursor = {demo: dict(parse_qsl(urlsplit(cursor_link(demo=demo)).query)) for demo in (True, False)}
    entries = {demo: json.loads(base64.b64decode(query["config"])) for demo, query in cursor.items()}
    demo = {"command": "uvx", "args": ["embedreach-mcp", "--demo"]}

    assert vscode[True] == {"name": "reach-demo", **demo}
    assert vscode[False]["env"] == {"REACH_API_TOKEN": f"${{input:{vscode[False]['inputs'][0]['id']}}}"}
    assert vscode[False]["inputs"][0]["password"] is True
    assert [query["name"] for query in cursor.values()] == ["reach-demo", "reach"]
    assert entries[True] == demo
    assert entries[False]["env"] == {"REACH_API_TOKEN": "${env:REACH_API_TOKEN}"}


def test_the_plugin_asks_for_secrets_as_secrets_and_fills_each_answer_in() -> None:
    asked = json.loads(read(PLUGIN / ".claude-plugin" / "plugin.json"))["userConfig"]
    given = json.loads(read(PLUGIN / ".mcp.json"))["mcpServers"]["reach"]["env"]
    settings = json.loads(read(PLUGIN / "gemini-extension.json"))["settings"]
    secrets = {name for name, field in asked.items() if field.get("sensitive")}

    assert {f"${{user_config.{name}}}" for name in asked} == set(given.values())
    assert secrets == {"api_token", "jwt_secret"}
    assert {one["envVar"] for one in settings if one.get("sensitive")} == {variable_of(name) for name in secrets}


def test_calls_of_the_skill_are_accepted_and_its_head_fits_the_format() -> None:
    """https://agentskills.io/specification: the name is the folder's, a description has at most 1,024 characters."""
    path = PLUGIN / "skills" / "triage-pending-data" / "SKILL.md"
    head = yaml.safe_load(read(path).split("---")[1])

    assert head["name"] == path.parent.name
    assert len(head["description"]) <= 1_024
    assert failed_calls(path, {"schema:external_id": "appointments:apt_5001", "…": "bat_cus_0912"}) == []


def test_agents_are_told_what_to_do_about_every_kind_of_error() -> None:
    rows = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \|", read(ROOT / "docs" / "agents.md").partition("## Errors")[2], re.MULTILINE
    )
    kinds = {error().kind for error in subclasses(ReachError)} | {ConfigurationError.kind}

    assert {kind for row in rows for kind in re.findall(r"\w+", row)} == kinds
