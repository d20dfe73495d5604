"""The file in which a host keeps its servers: read it, show a change of it, and write it."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from reach_mcp.cli.config_text import parse
from reach_mcp.cli.hosts import HOSTS, Host, Scope
from reach_mcp.settings import ConfigurationError

_SECRET_VALUE = re.compile(
    r"""((?:TOKEN|SECRET|KEY|PASSWORD|AUTHORIZATION)["']?\s*[:=]\s*["'])(?!\$\{)[^"']+""", re.IGNORECASE
)


@dataclass(frozen=True)
class HostFile:
    """The file of a host to change. `text` is None if there is none yet."""

    host: Host
    scope: Scope
    path: Path
    text: str | None

    @classmethod
    def open(cls, name: str, scope: Scope) -> HostFile:
        path = HOSTS[name].file(scope, Path.home(), os.environ, sys.platform, Path.cwd())
        return cls(HOSTS[name], scope, path, _read(path))

    def servers(self) -> dict[str, Any]:
        """The servers in the file. Raises ConfigurationError if it is broken."""
        found = parse(self.text or "", self.path).get(self.host.key)
        return found if isinstance(found, dict) else {}

    def change(self, after: str, *, dry_run: bool, yes: bool, command: list[str] | None) -> None:
        """Show the change as a diff, ask, and make it: by the host's own command if there is one."""
        before, lines = (self.text or "").splitlines(), after.splitlines()
        for line in difflib.unified_diff(before, lines, str(self.path), str(self.path), lineterm="", n=2):
            colour = {"+": "green", "-": "red"}.get(line[0])
            # The lines around may hold secrets of other servers.
            click.secho(_SECRET_VALUE.sub(r"\1…", line), fg=colour)
        if command:
            click.echo(f"Made by: {shlex.join(command)}")
        if self.scope == "project":
            click.echo("This file belongs to the project. The change names paths of this machine, and no secret.")
        if not dry_run and not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("Without a terminal, add --yes or --dry-run.")
            dry_run = not click.confirm("Make this change?")
        if dry_run:
            click.echo("Nothing was changed.")
            return
        try:
            self._write(after, command)
        except OSError as error:
            raise ConfigurationError(f"{self.path} can't be written: {error.strerror}. Nothing was changed.") from None
        click.echo(f"Changed: {self.path}\nRestart {self.host.title}: it reads this file when it starts.")

    def _write(self, after: str, command: list[str] | None) -> None:
        target = self.path.resolve()  # a link to the file stays a link
        if _read(self.path) != self.text:
            raise ConfigurationError(f"{self.path} changed meanwhile. Nothing was changed. Try again.")
        mode = 0o600 if self.scope == "user" else 0o644
        if self.text is not None:
            mode = target.stat().st_mode & 0o777
            backup = target.with_name(f"{target.name}.{datetime.now():%Y%m%d-%H%M%S-%f}.bak")
            shutil.copy2(target, backup)
            click.echo(f"Backup: {backup}")
        if command:
            _run(command)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("wb", dir=target.parent, delete=False) as stream:
            stream.write(after.encode())
        Path(stream.name).chmod(mode)
        Path(stream.name).replace(target)


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text. Nothing was changed.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}. Nothing was changed.") from None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ConfigurationError(f"{shlex.join(command[:3])} failed: {done.stderr.strip() or done.stdout.strip()}")
