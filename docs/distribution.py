"""The files and links by which hosts and registries take the server: bundle, registry entry, plugin, install links.

Each file of `FILES` is written whole by `python -m docs.generate`.
"""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import mcp_types

from reach_mcp import __version__
from reach_mcp.prompts import Prompt, load_prompts
from reach_mcp.settings import Settings

ROOT = Path(__file__).parent.parent
PLUGIN = ROOT / "plugin"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY: str = PROJECT["urls"]["Homepage"]
AGENT_PLUGINS = "https://agent-plugins.org/schemas/1.0.0"
SERVER_NAME = "reach"

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
"""Questions to a user who installs the bundle or the plugin. All are optional."""

METADATA = {
    "version": __version__,
    "description": PROJECT["description"],
    "author": PROJECT["authors"][0],
    "license": PROJECT["license"],
    "keywords": PROJECT["keywords"],
}


def variable_of(field: str) -> str:
    return str(Settings.model_fields[field].alias)


def ask_user() -> dict[str, Any]:
    return {name: {"type": "string", "required": False} | field for name, field in CONFIG_FIELDS.items()}


def fill_in() -> dict[str, str]:
    """Variables of the server, each from the answer to its question."""
    return {variable_of(name): f"${{user_config.{name}}}" for name in CONFIG_FIELDS}


def run_published(**more: Any) -> dict[str, Any]:
    """A host's entry that starts the published package with uv."""
    return {"command": "uvx", "args": [PROJECT["name"]]} | more


def build_manifest(tools: Iterable[mcp_types.Tool]) -> str:
    """The bundle's manifest, with what the code knows filled in."""
    manifest: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))
    manifest |= METADATA | {
        "name": PROJECT["name"],
        "user_config": ask_user(),
        "tools": [{"name": tool.name, "description": tool.description} for tool in tools],
        "prompts": [_describe_prompt(prompt) for prompt in load_prompts().values()],
    }
    command = {"command": "uv", "args": ["run", "--directory", "${__dirname}", PROJECT["name"]], "env": fill_in()}
    manifest["server"] = {"type": "uv", "entry_point": "reach_mcp/__main__.py", "mcp_config": command}
    manifest["compatibility"]["runtimes"]["python"] = PROJECT["requires-python"]
    return _dump(manifest)


def _describe_prompt(prompt: Prompt) -> dict[str, Any]:
    published = prompt.published
    names = [argument.name for argument in published.arguments or []]
    text = prompt.render({name: f"${{arguments.{name}}}" for name in names})
    return {"name": published.name, "description": published.description, "arguments": names, "text": text}


def build_server_json() -> str:
    """The entry of the MCP registry, which points to the package on the index."""
    variables = [
        {"name": variable_of(name), "description": field["description"], "isSecret": field.get("sensitive", False)}
        for name, field in CONFIG_FIELDS.items()
    ]
    package = {
        "registryType": "pypi",
        "identifier": PROJECT["name"],
        "version": __version__,
        "runtimeHint": "uvx",
        "transport": {"type": "stdio"},
        "environmentVariables": variables,
    }
    entry = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": f"io.github.embedreach/{PROJECT['name']}",
        "title": "Reach batches",
        "description": PROJECT["description"],
        "version": __version__,
        "repository": {"url": REPOSITORY, "source": "github"},
        "packages": [package],
    }
    return _dump(entry)


def build_claude_plugin() -> str:
    return _dump({"name": SERVER_NAME} | METADATA | {"repository": REPOSITORY, "userConfig": ask_user()})


def build_claude_servers() -> str:
    return _dump({"mcpServers": {SERVER_NAME: run_published(env=fill_in())}})


def build_marketplace() -> str:
    """Claude Code and Codex read it at the top of a repository, and install the plugins that it lists."""
    listed = {"name": SERVER_NAME, "source": "./plugin", "description": PROJECT["description"]}
    owner = {"name": "embedreach", "description": "Plugins for the Reach API.", "owner": PROJECT["authors"][0]}
    return _dump(owner | {"plugins": [listed]})


def build_agent_plugin() -> str:
    """The open format of https://agent-plugins.org, which Codex, Cursor and VS Code read."""
    schema = {"$schema": f"{AGENT_PLUGINS}/plugin.schema.json", "name": SERVER_NAME}
    return _dump(schema | METADATA | {"repository": REPOSITORY})


def build_agent_servers() -> str:
    """It has no way to ask for a secret: the host's own environment, or `embedreach-mcp install`, gives it."""
    servers = {SERVER_NAME: {"type": "stdio"} | run_published()}
    return _dump({"$schema": f"{AGENT_PLUGINS}/mcp.schema.json", "mcpServers": servers})


def build_gemini_extension() -> str:
    asked = [
        {"name": field["title"], "description": field["description"], "envVar": variable_of(name)}
        | ({"sensitive": True} if field.get("sensitive") else {})
        for name, field in CONFIG_FIELDS.items()
        if "default" not in field
    ]
    entry = {"name": SERVER_NAME, "version": __version__, "description": PROJECT["description"]}
    return _dump(entry | {"mcpServers": {SERVER_NAME: run_published()}, "settings": asked})


def vscode_link(*, demo: bool) -> str:
    """VS Code's `vscode:mcp/install`, behind the redirect that pages need which allow only web links."""
    secret = {"type": "promptString", "id": "reach-token", "description": "Reach JWT", "password": True}
    entry = _entry(demo=demo, given="${input:reach-token}", inputs=[secret])
    return "https://insiders.vscode.dev/redirect?url=" + quote(f"vscode:mcp/install?{quote(_compact(entry))}", safe="")


def cursor_link(*, demo: bool) -> str:
    """Cursor's install page, which opens `cursor://anysphere.cursor-deeplink/mcp/install` with the same parameters."""
    entry = _entry(demo=demo, given="${env:REACH_API_TOKEN}")
    name = entry.pop("name")
    config = base64.b64encode(_compact(entry).encode()).decode()
    return "https://cursor.com/en/install-mcp?" + urlencode({"name": name, "config": config})


def _entry(*, demo: bool, given: str, **more: Any) -> dict[str, Any]:
    if demo:
        return {"name": f"{SERVER_NAME}-demo"} | run_published(args=[PROJECT["name"], "--demo"])
    return {"name": SERVER_NAME} | run_published(env={variable_of("api_token"): given}, **more)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _dump(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


FILES: dict[Path, Callable[[], str]] = {
    ROOT / "server.json": build_server_json,
    ROOT / ".claude-plugin" / "marketplace.json": build_marketplace,
    PLUGIN / ".claude-plugin" / "plugin.json": build_claude_plugin,
    PLUGIN / ".mcp.json": build_claude_servers,
    PLUGIN / "plugin.json": build_agent_plugin,
    PLUGIN / "mcp.json": build_agent_servers,
    PLUGIN / "gemini-extension.json": build_gemini_extension,
}
