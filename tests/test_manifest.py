"""manifest.json says what the running server says. `python -m tests.test_manifest` brings it into step."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import anyio
from mcp import Client

from reach_mcp import __version__
from reach_mcp.prompts import load_prompts
from reach_mcp.server import build_server
from reach_mcp.settings import Settings, load_settings

ROOT = Path(__file__).parent.parent
FILE = ROOT / "manifest.json"

FIELDS: dict[str, dict[str, Any]] = {
    "api_token": {"title": "Reach token", "sensitive": True},
    "partner_id": {"title": "Partner id"},
    "jwt_secret": {"title": "Partner JWT secret", "sensitive": True},
    "tenant_id": {"title": "Tenant id"},
    "api_url": {"title": "Reach API URL", "default": "https://api.embedreach.com"},
    "demo": {"title": "Demo", "type": "boolean", "default": False},
}
"""What a user is asked for, in the words of the settings; all of it is optional, and left empty it counts as unset."""


async def build_manifest() -> dict[str, Any]:
    """The manifest as it should be: what is in the file, with the parts that the code knows put in."""
    async with Client(build_server(load_settings(demo=True))) as client:
        tools = (await client.list_tools()).tools
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    settings = Settings.model_fields
    manifest: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    manifest |= {
        "version": __version__,
        "description": project["description"],
        "license": project["license"],
        "author": project["authors"][0],
        "user_config": {
            name: {"type": "string", "description": settings[name].description, "required": False} | field
            for name, field in FIELDS.items()
        },
        "tools": [{"name": tool.name, "description": tool.description} for tool in tools],
        "prompts": [
            {
                "name": prompt.name,
                "description": prompt.description,
                "arguments": [argument.name for argument in prompt.arguments],
                "text": prompt.render({a.name: f"${{arguments.{a.name}}}" for a in prompt.arguments}),
            }
            for prompt in load_prompts().values()
        ],
    }
    manifest["server"]["mcp_config"]["env"] = {str(settings[name].alias): f"${{user_config.{name}}}" for name in FIELDS}
    manifest["compatibility"]["runtimes"]["python"] = project["requires-python"]
    return manifest


def write(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def test_manifest_is_in_step_with_the_running_server() -> None:
    assert FILE.read_text(encoding="utf-8") == write(anyio.run(build_manifest))


def test_every_secret_is_marked_as_one() -> None:
    """A host keeps what is marked in the system's keychain, and the rest in a file."""
    fields = json.loads(FILE.read_text(encoding="utf-8"))["user_config"]
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}

    assert {name for name, field in fields.items() if field.get("sensitive")} == secrets & fields.keys()


def test_command_is_one_of_uv_and_of_this_package() -> None:
    """Hosts that bring uv pass the arguments on to it as they stand."""
    server = json.loads(FILE.read_text(encoding="utf-8"))["server"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]

    assert server["mcp_config"]["args"] == ["run", "--directory", "${__dirname}", "reach-mcp"]
    assert "reach-mcp" in scripts
    assert (ROOT / server["entry_point"]).is_file()


def test_fields_that_a_user_left_empty_count_as_unset() -> None:
    """Empty fields come as empty variables, or as the placeholders of the manifest."""
    env = json.loads(FILE.read_text(encoding="utf-8"))["server"]["mcp_config"]["env"]
    for left in (env, dict.fromkeys(env, "")):
        names = {name: str(field.alias) for name, field in Settings.model_fields.items()}
        flags = {name: left[alias] for name, alias in names.items() if left.get(alias)}
        assert load_settings(**flags) == load_settings()


def test_no_text_of_the_manifest_names_a_place_on_a_machine() -> None:
    assert not re.search(r"(/work|/home|/Users|[A-Z]:\\\\)", FILE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    FILE.write_text(write(anyio.run(build_manifest)), encoding="utf-8")
