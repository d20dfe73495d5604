"""`config` shows the settings in force and where each comes from, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

from reach_mcp.settings import Settings
from tests.cli.helpers import run


def read(*options: str, **environment: str) -> dict[str, tuple[str, str]]:
    """Value and source of each setting."""
    result = run("config", "--json", *options, **{"REACH_API_TOKEN": ""} | environment)
    assert result.exit_code == 0
    return {each["name"]: (each["value"], each["source"]) for each in json.loads(result.stdout)}


def test_every_setting_is_shown_with_its_default() -> None:
    found = read()

    assert list(found) == [field.alias for field in Settings.model_fields.values()]
    assert {source for _, source in found.values()} == {"default"}


def test_sources() -> None:
    found = read("--demo", REACH_MCP_DEADLINE="7", REACH_TENANT_ID="${user_config.tenant_id}")

    assert found["REACH_MCP_DEMO"] == ("true", "flag")
    assert found["REACH_MCP_DEADLINE"] == ("7.0", "environment")
    assert found["REACH_TENANT_ID"] == ("", "default")


def test_wrong_settings_are_named_next_to_the_others() -> None:
    result = run("config", REACH_MCP_DEADLINE="x", REACH_MCP_PORT="x", REACH_MCP_HOST="h")

    assert result.exit_code == 2
    assert "REACH_MCP_HOST" in result.stdout
    assert "REACH_MCP_DEADLINE" not in result.stdout
    assert "REACH_MCP_DEADLINE can't be read" in result.stderr
    assert "REACH_MCP_PORT can't be read" in result.stderr


def test_no_secret_is_shown(tmp_path: Path) -> None:
    secret, file = "secret-of-the-partner-1234", tmp_path / "token"
    file.write_text("token-from-the-file-1234")
    environment = {"REACH_JWT_SECRET": secret, "REACH_API_TOKEN_FILE": str(file), "REACH_TENANT_ID": f"a-{secret}"}
    found = read(**environment)

    assert found["REACH_API_TOKEN"] == ("(in the file below, not shown)", "file")
    assert found["REACH_API_TOKEN_FILE"] == (str(file), "environment")
    assert found["REACH_JWT_SECRET"] == ("(set, not shown)", "environment")
    assert found["REACH_TENANT_ID"] == ("a-[redacted]", "environment")
    table = run("config", **environment).stdout
    assert not any(text in f"{found}{table}" for text in (secret, "token-from"))
