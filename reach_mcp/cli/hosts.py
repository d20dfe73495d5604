"""The hosts that are known by name: where each keeps its MCP servers, and which entries start this program.

Sources are linked in docs/install.md.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from reach_mcp.cli.config_text import parse
from reach_mcp.settings import ConfigurationError

Scope = Literal["user", "project"]
PROGRAM = "embedreach-mcp"
_OURS = re.compile(rf"(?:.*[/\\])?{PROGRAM}(?:\.exe)?(?:[@=].*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Host:
    """A program that starts MCP servers, and the files that list them."""

    name: str
    title: str
    user_files: Callable[[Path, Mapping[str, str], str], list[Path]]
    """Of home, environment and platform: files for all projects of a user. The first is the one to write."""
    project_file: str | None
    """File in a project's folder. None if the host has no servers for one project alone."""
    key: str = "mcpServers"
    """The table of servers in the file."""
    asks_secrets: bool = False
    """True if an entry has a `type`, and secrets are `inputs`, which the host asks for and keeps."""

    def file(self, scope: Scope, home: Path, environment: Mapping[str, str], platform: str, project: Path) -> Path:
        """The file to write. Raises ConfigurationError if the host has no such scope."""
        if scope == "user":
            return self.user_files(home, environment, platform)[0]
        if self.project_file is None:
            raise ConfigurationError(f"{self.title} has no servers for one project alone. Leave --scope project out.")
        return project / self.project_file


@dataclass(frozen=True)
class HostEntry:
    """A server in a host's configuration that is this program."""

    host: str
    """Name of the host."""
    scope: Scope
    file: Path
    name: str
    """Name of the entry."""
    command: str
    args: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = field(repr=False)
    """Names and values of the variables that the entry sets. A value may be secret."""


def _application_data(home: Path, environment: Mapping[str, str], platform: str) -> Path:
    match platform:
        case "win32":
            return Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
        case "darwin":
            return home / "Library" / "Application Support"
        case _:
            return Path(environment.get("XDG_CONFIG_HOME") or home / ".config")


def _claude_desktop(home: Path, environment: Mapping[str, str], platform: str) -> list[Path]:
    usual = _application_data(home, environment, platform)
    # The Windows installer makes a package, and Windows shows a package its own copy of the folder.
    local = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    packages = sorted((local / "Packages").glob("Claude_*")) if platform == "win32" else []
    folders = [*(package / "LocalCache" / "Roaming" for package in packages), usual]
    return [folder / "Claude" / "claude_desktop_config.json" for folder in folders]


def _in_folder(variable: str, folder: str, file: str) -> Callable[[Path, Mapping[str, str], str], list[Path]]:
    """A file in the folder that the variable names, else in this folder of the home."""
    return lambda home, environment, _: [Path(environment.get(variable) or home / folder) / file]


HOSTS = {
    host.name: host
    for host in (
        Host("claude-desktop", "Claude Desktop", _claude_desktop, None),
        Host("claude-code", "Claude Code", _in_folder("CLAUDE_CONFIG_DIR", "", ".claude.json"), ".mcp.json"),
        Host(
            "vscode",
            "VS Code",
            lambda *place: [_application_data(*place) / "Code" / "User" / "mcp.json"],
            ".vscode/mcp.json",
            key="servers",
            asks_secrets=True,
        ),
        Host("cursor", "Cursor", lambda home, *_: [home / ".cursor" / "mcp.json"], ".cursor/mcp.json"),
        Host("codex", "Codex", _in_folder("CODEX_HOME", ".codex", "config.toml"), ".codex/config.toml", "mcp_servers"),
        Host(
            "gemini", "Gemini CLI", _in_folder("GEMINI_CLI_HOME", "", ".gemini/settings.json"), ".gemini/settings.json"
        ),
    )
}


def find_entries(
    home: Path, environment: Mapping[str, str], platform: str, project: Path | None = None
) -> list[HostEntry]:
    """All entries that start this program, of all hosts, for the user and in the project's folder.

    `platform` is as in `sys.platform`. Files that are missing, unreadable or broken have none.
    """
    return [
        _describe(host, scope, file, *server)
        for host, scope, file in _list_files(home, environment, platform, project)
        for server in _servers(host, file)
        if is_ours(server[1])
    ]


def find_broken_files(
    home: Path, environment: Mapping[str, str], platform: str, project: Path | None = None
) -> list[str]:
    """Sentences on files of hosts that are there and can't be read. The arguments are those of `find_entries`."""
    found = []
    for host, _, file in _list_files(home, environment, platform, project):
        try:
            _read(file)
        except FileNotFoundError:
            continue
        except OSError as error:
            found.append(f"{host.name}: {file} can't be read: {error.strerror}.")
        except UnicodeDecodeError:
            found.append(f"{host.name}: {file} is not UTF-8 text.")
        except ConfigurationError as error:
            found.append(f"{host.name}: {error}")
    return found


def _list_files(
    home: Path, environment: Mapping[str, str], platform: str, project: Path | None
) -> Iterator[tuple[Host, Scope, Path]]:
    """The files of all hosts. One of the user that is that of the project too counts once."""
    for host in HOSTS.values():
        files = host.user_files(home, environment, platform)
        yield from ((host, "user", file) for file in files)
        if project and host.project_file and project / host.project_file not in files:
            yield host, "project", project / host.project_file


def _read(file: Path) -> dict[str, Any]:
    """The content of a file. Raises OSError, UnicodeDecodeError or ConfigurationError."""
    return parse(file.read_text(encoding="utf-8"), file)


def _servers(host: Host, file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and entry of each server in the file. Claude Code keeps those for one user and project there as well."""
    try:
        content = _read(file)
    except (OSError, UnicodeDecodeError, ConfigurationError):
        return
    projects = content.get("projects") if host.name == "claude-code" else None
    for part in (content, *(projects.values() if isinstance(projects, dict) else ())):
        servers = part.get(host.key) if isinstance(part, dict) else None
        if isinstance(servers, dict):
            yield from ((name, server) for name, server in servers.items() if isinstance(server, dict))


def is_ours(server: Mapping[str, Any]) -> bool:
    """True if the entry starts this program: by its script, its module, or a launcher such as uvx."""
    words = [str(server.get("command", "")), *_texts(server.get("args"))]
    return any(map(_OURS.fullmatch, words)) or ("-m", "reach_mcp") in pairwise(words)


def _texts(value: object) -> Iterable[str]:
    return map(str, value) if isinstance(value, list) else ()


def _describe(host: Host, scope: Scope, file: Path, name: str, server: Mapping[str, Any]) -> HostEntry:
    command, args, set_here = str(server.get("command", "")), tuple(_texts(server.get("args"))), server.get("env")
    pairs = set_here.items() if isinstance(set_here, dict) else ()
    variables = tuple((variable, str(value)) for variable, value in pairs)
    return HostEntry(host.name, scope, file, name, command, args, variables)


def own_command() -> list[str]:
    """How to start this program from anywhere, as long as it is installed: an absolute path and arguments."""
    uv = os.environ.get("UV")
    if uv and any((parent / "CACHEDIR.TAG").exists() for parent in Path(sys.prefix).parents):
        # This is uvx, which runs from a cache that may be cleared at any time. UV is the path of uv itself, next to it.
        uvx = Path(uv).with_name(f"uvx{Path(uv).suffix}")
        return [str(uvx), *(["--from", origin] if (origin := _origin()) else []), PROGRAM]
    script = Path(sys.executable).with_name(PROGRAM + Path(sys.executable).suffix)
    if not script.exists():
        return [sys.executable, "-m", "reach_mcp"]
    # pipx and uv link the script from a folder that survives an installation from scratch.
    link = shutil.which(PROGRAM)
    return [str(Path(link).absolute()) if link and Path(link).samefile(script) else str(script)]


def _origin() -> str | None:
    """The wheel, folder or repository that this was installed from. None if it was an index."""
    found = json.loads(distribution(PROGRAM).read_text("direct_url.json") or "{}")
    repository = found.get("vcs_info")
    url: str | None = found.get("url")
    return f"{repository['vcs']}+{url}@{repository['commit_id']}" if repository else url


def to_type(arguments: Iterable[str] = ()) -> str:
    """The command line that runs this program with these arguments, for a person to paste."""
    command = own_command()
    if shutil.which(Path(command[0]).stem) == command[0]:
        command[0] = Path(command[0]).stem
    words = [*command, *arguments]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
