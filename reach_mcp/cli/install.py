"""`install` and `uninstall`: this server's entry in the configuration of a host."""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr

from reach_mcp.cli.config_text import NotEditable, block, parse, remove_entry, set_entry
from reach_mcp.cli.host_file import HostFile
from reach_mcp.cli.hosts import HOSTS, Host, Scope, is_ours, own_command
from reach_mcp.cli.session import Command, Session, demo_option
from reach_mcp.secret_files import read_secret
from reach_mcp.settings import ConfigurationError, Settings, find_errors, known_variables

Entry = dict[str, Any]
"""A server as a host writes it: type, command, args, env, and keys of the host's own."""
OWN_KEYS = ("type", "command", "args", "env")
SECRETS = {str(field.alias) for field in Settings.model_fields.values() if field.annotation == SecretStr | None}
INPUTS = {"REACH_API_TOKEN": "Reach JWT", "REACH_JWT_SECRET": "Secret that signs your Reach JWTs"}
"""Secrets that VS Code asks for, and the text of its question."""


class HostName(click.Choice[str]):
    """A known host. For any other the nearest name is said."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in HOSTS:
            near = difflib.get_close_matches(value, HOSTS, n=1, cutoff=0.4)
            hint = f" Did you mean {near[0]}?" if near else ""
            self.fail(f"unknown host {value!r}.{hint} Known: {', '.join(HOSTS)}.", param, ctx)
        return str(value)


def _file_options(command: Command) -> Command:
    """The argument and options of both commands."""
    scopes, projects = click.Choice(["user", "project"]), "For all your projects, or for the project in this folder."
    for option in (
        demo_option,
        click.option("-y", "--yes", is_flag=True, help="Do not ask. An entry of this name that differs is replaced."),
        click.option("--dry-run", is_flag=True, help="Show the change and make none."),
        click.option("--name", help="Name of the entry.  [default: reach, or reach-demo with --demo]"),
        click.option("--scope", type=scopes, default="user", show_default=True, help=projects),
        click.argument("host", metavar="HOST", type=HostName(list(HOSTS))),
    ):
        command = option(command)
    return command


def _entry_name(ctx: click.Context, name: str | None) -> str:
    name = name or ("reach-demo" if ctx.ensure_object(Session).demo else "reach")
    if not re.fullmatch("[A-Za-z0-9_-]{1,64}", name):
        raise click.BadParameter("use letters, digits, - and _.", param_hint="--name")
    return name


def _private_file(_: click.Context, param: click.Parameter, value: Path | None) -> str | None:
    """The absolute path of a secret's file. It has content, and nobody else may read it."""
    if value is None:
        return None
    file = value.expanduser().absolute()
    read_secret(file, param.opts[0])
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise click.BadParameter(f"others may read this file. Type: chmod 600 {shlex.quote(str(file))}")
    return str(file)


def _variables(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE pairs. Secrets are refused: they would stay in the shell's history and in the host's file."""
    pairs = [value.partition("=") for value in values]
    for name, equals, _value in pairs:
        if not name or not equals:
            raise click.BadParameter("write NAME=VALUE.")
        if name in SECRETS:
            raise click.BadParameter(f"{name} is a secret. Name a file that holds it, see --help.")
        if name.startswith("REACH_") and name not in known_variables():
            raise click.BadParameter(f"{name} is no setting. docs/settings.md lists them.")
    variables = {name: value for name, _, value in pairs}
    if errors := find_errors(variables):
        raise click.BadParameter(" ".join(errors))
    return variables


@click.command("install")
@_file_options
@click.option("--tenant-id", "REACH_TENANT_ID", help="Pin this tenant.")
@click.option(
    "--token-file",
    "REACH_API_TOKEN_FILE",
    type=click.Path(path_type=Path),
    callback=_private_file,
    help="File with a Reach JWT. Only you may read it (mode 600).",
)
@click.option("--partner-id", "REACH_PARTNER_ID", help="Your partner id, with --jwt-secret-file.")
@click.option(
    "--jwt-secret-file",
    "REACH_JWT_SECRET_FILE",
    type=click.Path(path_type=Path),
    callback=_private_file,
    help="File with the secret that signs partner JWTs, likewise.",
)
@click.option("--env", multiple=True, metavar="NAME=VALUE", callback=_variables, help="Another setting. Repeatable.")
@click.pass_context
def install_command(
    ctx: click.Context,
    /,
    host: str,
    scope: Scope,
    name: str | None,
    dry_run: bool,
    yes: bool,
    env: dict[str, str],
    **settings: str | None,
) -> None:
    """Add this server to HOST: claude-desktop, claude-code, vscode, cursor, codex or gemini.

    It shows the change first, keeps the rest of the host's file, and leaves a backup next to it.

    \b
    Examples:
      embedreach-mcp install claude-desktop --demo --dry-run
      embedreach-mcp install vscode --scope project --dry-run
    """
    file, name, demo = HostFile.open(host, scope), _entry_name(ctx, name), ctx.ensure_object(Session).demo
    old = file.servers().get(name)
    env |= {variable: value for variable, value in settings.items() if value}
    question = _credential(file.host, env, demo)
    entry = _build_entry(file.host, env, demo)
    if isinstance(old, dict) and _essence(old) == _essence(entry):
        click.echo(f"Nothing to change: {file.path} has this entry as {name}.")
        return
    if isinstance(old, dict):
        entry = {key: value for key, value in old.items() if key not in OWN_KEYS} | entry
    after = _with_entry(file, name, entry, question)
    claude = shutil.which("claude") if file.host.name == "claude-code" and scope == "user" and old is None else None
    pairs = [word for variable, value in env.items() for word in ("--env", f"{variable}={value}")]
    add = ["mcp", "add", "--scope", "user", name, *pairs, "--", entry["command"], *entry["args"]]
    another = f"{file.path} has another entry {name}{_foreign(old)}."
    if old is not None and (yes or dry_run):
        click.echo(f"{another} It is replaced{'' if yes else ' only with --yes'}.")
    differs = old is not None and not yes
    file.change(after, dry_run=dry_run or differs, yes=yes, command=[claude, *add] if claude else None)
    if differs and not dry_run:
        raise ConfigurationError(f"{another} Add --yes to replace it, or --name for a new one.")


def _foreign(old: object) -> str:
    """Words on an entry that is there, unless it starts this program."""
    if isinstance(old, dict) and is_ours(old):
        return ""
    command = old.get("command") or old.get("url") if isinstance(old, dict) else None
    return f", which starts another program ({command})" if command else ", which is of another program"


def _credential(host: Host, env: dict[str, str], demo: bool) -> Entry | None:
    """The question by which the host asks for a secret, if it can. Its answer is then one of the variables."""
    token, partner, key = (f"REACH_{name}" in env for name in ("API_TOKEN_FILE", "PARTNER_ID", "JWT_SECRET_FILE"))
    if demo and (token or partner or key):
        raise click.UsageError("--demo needs no credential. Leave out --token-file, --partner-id, --jwt-secret-file.")
    if key and not partner:
        raise click.UsageError("--jwt-secret-file needs --partner-id.")
    if partner and not (key or token or host.asks_secrets):
        raise click.UsageError("--partner-id needs --jwt-secret-file.")
    if demo or token or key:
        return None
    if not host.asks_secrets:
        text = "The entry has no credential. Add --token-file FILE, or --partner-id ID and --jwt-secret-file FILE."
        click.echo(text, err=True)
        return None
    variable = "REACH_JWT_SECRET" if partner else "REACH_API_TOKEN"
    env[variable] = f"${{input:{variable}}}"
    return {"id": variable, "type": "promptString", "description": INPUTS[variable], "password": True}


def _build_entry(host: Host, env: dict[str, str], demo: bool) -> Entry:
    command, *args = own_command()
    entry: Entry = {"type": "stdio"} if host.asks_secrets else {}
    entry |= {"command": command, "args": [*args, "--demo"] if demo else args}
    return entry | ({"env": env} if env else {})


def _essence(entry: Entry) -> tuple[object, ...]:
    return entry.get("command"), entry.get("args") or [], entry.get("env") or {}


def _with_entry(file: HostFile, name: str, entry: Entry, question: Entry | None) -> str:
    """The file's text with the entry, and with the question unless it is there."""
    try:
        after = set_entry(file.text or "", file.path, file.host.key, name, entry)
        if question and question["id"] not in _input_ids(after, file.path):
            after = set_entry(after, file.path, "inputs", None, question)
    except NotEditable:
        inputs = f'"inputs": [{json.dumps(question)}]\n' if question else ""
        click.echo(f"To paste by hand:\n\n{block(file.path, file.host.key, name, entry)}{inputs}")
        text = f"{file.path} can't be changed without losing something else in it. Nothing was changed."
        raise ConfigurationError(f"{text} Paste the entry above into it.") from None
    return after


def _input_ids(text: str, path: Path) -> list[object]:
    """The id of each input, in order."""
    inputs = parse(text, path).get("inputs")
    return [isinstance(each, dict) and each.get("id") for each in inputs] if isinstance(inputs, list) else []


@click.command("uninstall")
@_file_options
@click.pass_context
def uninstall_command(ctx: click.Context, host: str, scope: Scope, name: str | None, dry_run: bool, yes: bool) -> None:
    """Remove this server from HOST. Everything else in the host's file stays.

    \b
    Example:
      embedreach-mcp uninstall claude-desktop --demo --dry-run
    """
    file, name = HostFile.open(host, scope), _entry_name(ctx, name)
    servers = file.servers()
    if name not in servers:
        ours = [each for each, entry in servers.items() if isinstance(entry, dict) and is_ours(entry)]
        hint = f" It has {', '.join(ours)}: add --name." if ours else ""
        click.echo(f"Nothing to remove: {file.path} has no entry {name}.{hint}")
        return
    if not isinstance(servers[name], dict) or not is_ours(servers[name]):
        raise ConfigurationError(f"The entry {name} in {file.path} starts another program. Nothing was changed.")
    try:
        after = remove_entry(file.text or "", file.path, file.host.key, name)
        for index, each in reversed([*enumerate(_input_ids(after, file.path))]):
            if each in INPUTS and f"${{input:{each}}}" not in after:
                after = remove_entry(after, file.path, "inputs", index)
    except NotEditable:
        raise ConfigurationError(
            f"{file.path} can't be changed without losing something else in it. Remove the entry {name} by hand."
        ) from None
    claude = shutil.which("claude") if file.host.name == "claude-code" and scope == "user" else None
    remove = [claude, "mcp", "remove", "--scope", "user", name] if claude else None
    file.change(after, dry_run=dry_run, yes=yes, command=remove)
