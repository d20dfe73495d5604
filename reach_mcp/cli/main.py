"""The command `embedreach-mcp`, and the exit code of everything that can go wrong in it."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from reach_mcp import __version__
from reach_mcp.cli import session
from reach_mcp.cli.session import Session, demo_option

COMMANDS = {
    "list": "commands:list_command",
    "batch": "commands:batch_command",
    "explain": "commands:explain_command",
    "report": "report:report_command",
    "demo": "commands:demo_command",
    "doctor": "doctor.command:doctor_command",
    "config": "config:config_command",
    "install": "install:install_command",
    "uninstall": "install:uninstall_command",
    "serve": "serving:serve_command",
    "token": "caller_token:token_command",
    "demo-api": "serving:demo_api_command",
}
"""Modules and names. A command is imported when it is needed, so that serving starts fast."""

ENDINGS = """Exit codes: 0 nothing waits or failed, 1 something does, 2 wrong usage or configuration, 3 Reach is
unreachable or the reading is incomplete without findings, 70 a bug."""


class Commands(click.Group):
    """Turns our errors into messages and exit codes. Any other exception is a bug: a traceback and code 70."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature of click
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"reach_mcp.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from reach_mcp.wrong_values import closest

            near = closest(args[0], COMMANDS)
            hint = f" Did you mean {near}?" if near else ""
            raise click.UsageError(error.format_message() + hint, ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(session.INTERRUPTED)
        except BrokenPipeError:
            ctx.exit(session.BROKEN_PIPE)
        except click.exceptions.Exit:
            raise
        except Exception as error:
            from reach_mcp.cli.errors import translate

            raise translate(error) from error

    def main(self, *args: Any, **options: Any) -> Any:
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            options["color"] = False
        try:
            return super().main(*args, **options)
        except Exception:
            traceback.print_exc()
            click.echo("Error: this is a bug in embedreach-mcp; please report it with the lines above.", err=True)
            sys.exit(session.CRASH)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=ENDINGS,
)
@demo_option
@click.version_option(__version__, prog_name="embedreach-mcp")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """MCP server for the Reach batch API: which records wait, why, what is lost first, and what to send.

    Without a command it serves MCP over stdio. Settings come from the environment: REACH_API_TOKEN and others, see
    docs/settings.md.

    \b
    Examples:
      embedreach-mcp demo
      embedreach-mcp explain --demo
    """
    if ctx.invoked_subcommand is None:
        from reach_mcp.cli.serving import serve_stdio

        serve_stdio(ctx.ensure_object(Session))


def main() -> None:
    """The console script. A character that the output's encoding lacks is replaced."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # they are text streams of a process
    cli(prog_name="embedreach-mcp")
