"""The command `config`: the settings in force, and where each comes from."""

from __future__ import annotations

import os
from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

import click
from pydantic import SecretStr

from reach_mcp.cli.output import Clock, Report, Table, write
from reach_mcp.cli.session import Session, demo_option
from reach_mcp.logs import Redactor
from reach_mcp.settings import LEFT_EMPTY, ConfigurationError, Settings, load_valid


@dataclass(frozen=True)
class SettingInForce:
    """A setting by the name of its variable, its value without secrets (empty: unset), and its source."""

    name: str
    value: str
    source: Literal["default", "environment", "file", "flag"]


def describe_setting(name: str, settings: Settings, flags: Container[str]) -> SettingInForce:
    variable, value = str(Settings.model_fields[name].alias), getattr(settings, name)
    shown = "(set, not shown)" if isinstance(value, SecretStr) else "" if value is None else str(value)
    shown = shown.lower() if isinstance(value, bool) else shown
    if name in flags:
        return SettingInForce(variable, shown, "flag")
    if value is None and getattr(settings, f"{name}_file", None) is not None:
        return SettingInForce(variable, "(in the file below, not shown)", "file")
    given = name in settings.model_fields_set and LEFT_EMPTY not in os.environ.get(variable, "")
    return SettingInForce(variable, Redactor(settings).log_text(shown), "environment" if given else "default")


@click.command("config")
@click.option("--json", "output", flag_value="json", default="table", help="Print the settings as a JSON list.")
@demo_option
@click.pass_context
def config_command(ctx: click.Context, output: Literal["table", "json"]) -> None:
    """Show the settings in force, and whether each comes from a flag, the environment, a file or its default.

    Wrong settings are left out, and named after the table.

    \b
    Example:
      embedreach-mcp config --demo
    """
    session = ctx.ensure_object(Session)
    settings, wrong, errors = load_valid(**session.options)
    right = [name for name, field in Settings.model_fields.items() if field.alias not in wrong]
    found = [describe_setting(name, settings, session.options) for name in right]
    rows = [(each.name, each.value, each.source) for each in found]
    write(Report([], Table("", "setting | value | from", rows)), found, output, Clock(session.now()))
    if errors:
        raise ConfigurationError(" ".join(errors))
