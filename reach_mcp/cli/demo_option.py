"""The option `--demo`, which every command and the group before it have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from reach_mcp.cli.session import Session

Command = TypeVar("Command", bound=Callable[..., Any])


def demo_option(command: Command) -> Command:
    """`--demo`, before or after the command."""

    def switch_on(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(Session).demo = True

    text = "Use the built-in demo tenant; no credential is needed and no request leaves this machine."
    return click.option("--demo", is_flag=True, expose_value=False, is_eager=True, callback=switch_on, help=text)(
        command
    )
