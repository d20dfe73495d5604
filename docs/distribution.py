"""The files and links by which hosts and registries take the server: bundle, registry entry, plugin, install links.

`python -m docs.generate` writes the files.
"""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import mcp_types

from reach_mcp import __version__
from reach_mcp.prompts import Prompt, load_prompts
from reach_mcp.settings import Settings

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY: str = PROJECT["urls"]["Homepage"]
AGENT_PLUGINS = "https://agent-plugins.org/schemas/1.0.0"

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

PLUGIN = {
    "name": "reach",
    "version": __version__,
    "description": PROJECT["description"],
    "author": PROJECT["authors"][0],
    "license": PROJECT["license"],
    "keywords": PROJECT["keywords"],
    "repository": REPOSITORY,
}


def build_files(tools: Iterable[mcp_types.Tool]) -> dict[Path, str]:
    """Every file that is generated whole, with its text."""
    asked = {name: {"type": "string", "required": False} | field for name, field in CONFIG_FIELDS.items()}
    given = {variable_of(name): f"${{user_config.{name}}}" for name in CONFIG_FIELDS}
    listed = {"name": PLUGIN["name"], "source": "./plugin", "description": PLUGIN["description"]}
    contents = {
        "manifest.json": _bundle(tools, asked, given),
        "server.json": _registry_entry(),
        # Claude Code and Codex read it at the top of a repository, and install the plugins that it lists.
        ".claude-plugin/marketplace.json": {
            "name": "embedreach",
            "description": "Plugins for the Reach API.",
            "owner": PLUGIN["author"],
            "plugins": [listed],
        },
        "plugin/.claude-plugin/plugin.json": PLUGIN | {"userConfig": asked},
        "plugin/.mcp.json": {"mcpServers": {"reach": start(env=given)}},
        # The open format, which Codex, Cursor and VS Code read. It has no way to ask for a secret.
        "plugin/plugin.json": {"$schema": f"{AGENT_PLUGINS}/plugin.schema.json"} | PLUGIN,
        "plugin/mcp.json": {
            "$schema": f"{AGENT_PLUGINS}/mcp.schema.json",
            "mcpServers": {"reach": {"type": "stdio"} | start()},
        },
        "plugin/gemini-extension.json": {
            **{name: PLUGIN[name] for name in ("name", "version", "description")},
            "mcpServers": {"reach": start()},
            "settings": [_gemini_setting(name) for name, field in CONFIG_FIELDS.items() if "default" not in field],
        },
    }
    return {ROOT / name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in contents.items()}


def start(**more: Any) -> dict[str, Any]:
    """A host's entry that starts the published package with uv."""
    return {"command": "uvx", "args": [PROJECT["name"]]} | more


def variable_of(field: str) -> str:
    return str(Settings.model_fields[field].alias)


def _bundle(tools: Iterable[mcp_types.Tool], asked: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The bundle's manifest, with what the code knows filled in."""
    manifest: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))
    command = {"command": "uv", "args": ["run", "--directory", "${__dirname}", PROJECT["name"]], "env": given}
    manifest |= {name: value for name, value in PLUGIN.items() if name in manifest} | {
        "name": PROJECT["name"],
        "server": {"type": "uv", "entry_point": "reach_mcp/__main__.py", "mcp_config": command},
        "user_config": asked,
        "tools": [{"name": tool.name, "description": tool.description} for tool in tools],
        "prompts": [_describe_prompt(prompt) for prompt in load_prompts().values()],
    }
    manifest["compatibility"]["runtimes"]["python"] = PROJECT["requires-python"]
    return manifest


def _describe_prompt(prompt: Prompt) -> dict[str, Any]:
    published = prompt.published
    names = [argument.name for argument in published.arguments or []]
    text = prompt.render({name: f"${{arguments.{name}}}" for name in names})
    return {"name": published.name, "description": published.description, "arguments": names, "text": text}


def _registry_entry() -> dict[str, Any]:
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
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": f"io.github.embedreach/{PROJECT['name']}",
        "title": "Reach batches",
        "description": PROJECT["description"],
        "version": __version__,
        "repository": {"url": REPOSITORY, "source": "github"},
        "packages": [package],
    }


def _gemini_setting(name: str) -> dict[str, Any]:
    field = CONFIG_FIELDS[name]
    secret = {"sensitive": True} if field.get("sensitive") else {}
    return {"name": field["title"], "description": field["description"], "envVar": variable_of(name)} | secret


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
        return {"name": "reach-demo"} | start(args=[PROJECT["name"], "--demo"])
    return {"name": "reach"} | start(env={"REACH_API_TOKEN": given}, **more)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
