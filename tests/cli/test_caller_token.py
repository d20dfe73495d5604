"""The command `token` prints a token that the callers file accepts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from reach_mcp.cli.main import cli
from reach_mcp.transports.callers import digest, parse_callers


@pytest.mark.parametrize(
    ("name", "tenants", "allowed"),
    [("support-chat", ["acme", "globex"], {"acme", "globex"}), ("a.b", ["any"], None)],
)
def test_printed_lines_let_the_printed_token_in(name: str, tenants: list[str], allowed: set[str] | None) -> None:
    options = [part for tenant in tenants for part in ("--tenant", tenant)]
    result = CliRunner().invoke(cli, ["token", name, *options])
    token, _, rest = result.stdout.partition("\n")
    callers = parse_callers(rest[rest.index("[callers") :], Path("callers.toml"))

    assert callers[digest(token)].caller.name == name
    assert callers[digest(token)].caller.tenants == allowed
    assert token not in rest


def test_name_that_the_file_would_not_accept_is_refused() -> None:
    result = CliRunner().invoke(cli, ["token", "two words", "--tenant", "any"])

    assert result.exit_code == 2
    assert "NAME has letters, digits" in result.stderr
