"""The command `token`: makes a bearer token for one caller over HTTP."""

from __future__ import annotations

import json
import re
import secrets

import click

TOKEN_PREFIX = "rmcp_"  # noqa: S105 - the beginning of each
"""By which logs recognise a token, and people what it is for."""


@click.command("token")
@click.argument("name")
@click.option("--tenant", "tenants", multiple=True, required=True, help="Tenant it may ask for, or any; repeatable.")
def token_command(name: str, tenants: tuple[str, ...]) -> None:
    """Make a bearer token for the caller NAME over HTTP, and print it once with the lines for the callers file.

    \b
    Example:
      embedreach-mcp token support-chat --tenant acme --tenant globex
    """
    from reach_mcp.transports.callers import CALLER_NAME, digest

    if not re.fullmatch(CALLER_NAME, name):
        raise click.UsageError("NAME has letters, digits, _, . and - (at most 40).")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    table = json.dumps(name) if "." in name else name
    click.echo(f"{token}\n\nThis is its only copy. For the file that REACH_MCP_CALLERS_FILE names:\n")
    click.echo(f'[callers.{table}]\ntokens = ["sha256:{digest(token).hex()}"]')
    click.echo(f"tenants = {json.dumps('any' if 'any' in tenants else list(tenants))}")
