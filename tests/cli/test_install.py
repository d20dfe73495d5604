"""`install` and `uninstall`: what they write for each host, what they keep, and when they refuse."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from reach_mcp.cli.config_text import NotEditable, parse, remove_entry, set_entry
from reach_mcp.cli.hosts import HOSTS, Host, HostEntry, find_broken_files, find_entries, own_command, to_type
from reach_mcp.cli.main import cli
from reach_mcp.cli.session import Session
from reach_mcp.settings import ConfigurationError

COMMENTED = """\
// mine
{
\t"theme": "dark", // a comment, with "quotes" }
\t"KEY": {
\t\t"other": { "command": "npx", "env": { "API_TOKEN": "hunter2" } }, // last
\t\t/* more to come */
\t},
}
"""
TOML = """\
model = "m"

[mcp_servers.other]
command = "npx"
args = [
  "[x]",
]

# about the project
[projects."/x"]
trust_level = "trusted"
"""
FILES = {
    "claude-desktop": ".config/Claude/claude_desktop_config.json",
    "claude-code": ".claude.json",
    "vscode": ".config/Code/User/mcp.json",
    "cursor": ".cursor/mcp.json",
    "codex": ".codex/config.toml",
    "gemini": ".gemini/settings.json",
}


class Terminal(io.BytesIO):
    """Input that counts as a terminal. `before` runs when an answer is read."""

    def __init__(self, answer: str, before: Callable[[], object] = lambda: None) -> None:
        super().__init__(answer.encode())
        self.before = before

    def isatty(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size:  # click looks at the kind of the stream by reading nothing
            self.before()
        return super().read(size)

    read1 = read


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user on Linux, in whose project we are, without any host's command."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "GEMINI_CLI_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def run(*arguments: str, terminal: Terminal | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, obj=Session(), input=terminal, prog_name="embedreach-mcp")


def put(file: Path, text: str, mode: int = 0o600) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    file.chmod(mode)
    return file


def servers(file: Path) -> dict[str, Any]:
    content = parse(file.read_text(encoding="utf-8"), file)
    found: dict[str, Any] = content[next(key for key in ("mcpServers", "servers", "mcp_servers") if key in content)]
    return found


def existing(home: Path, host: str) -> Path:
    text = TOML if host == "codex" else COMMENTED.replace("KEY", HOSTS[host].key)
    return put(home / FILES[host], text, 0o640)


@pytest.mark.parametrize("host", HOSTS)
def test_an_entry_is_added_next_to_the_others_and_removed_without_a_trace(home: Path, host: str) -> None:
    file = existing(home, host)
    before = file.read_bytes()
    shown = run("install", host, "--demo", "--yes").output
    assert "+++" in shown
    assert "reach-demo" in shown
    assert "hunter2" not in shown
    command, *args = own_command()
    expected = {"command": command, "args": [*args, "--demo"]} | ({"type": "stdio"} if host == "vscode" else {})
    assert servers(file)["reach-demo"] == expected
    assert servers(file)["other"]["command"] == "npx"
    assert file.stat().st_mode & 0o777 == 0o640
    backup = next(file.parent.glob(f"{file.name}.*.bak"))
    assert backup.read_bytes() == before
    assert set(before.splitlines()) - {b"{", b"}"} <= set(file.read_bytes().splitlines())
    assert run("uninstall", host, "--demo", "--yes").exit_code == 0
    assert file.read_bytes() == before


@pytest.mark.parametrize("host", HOSTS.values(), ids=lambda host: host.name)
def test_a_missing_file_is_made(home: Path, host: Host) -> None:
    assert run("install", host.name, "--yes", "--demo", "--name", "x").exit_code == 0
    assert "x" in servers(home / FILES[host.name])
    assert (home / FILES[host.name]).stat().st_mode & 0o777 == 0o600
    if host.project_file:
        shown = run("install", host.name, "--yes", "--demo", "--scope", "project").output
        assert "belongs to the project" in shown
        assert "reach-demo" in servers(home / "project" / host.project_file)


def test_a_second_installation_changes_nothing(home: Path) -> None:
    run("install", "codex", "--demo", "--yes")
    before = (home / FILES["codex"]).read_bytes()
    assert "Nothing to change" in run("install", "codex", "--demo").output
    assert (home / FILES["codex"]).read_bytes() == before
    assert list((home / ".codex").iterdir()) == [home / FILES["codex"]]


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("cursor", '{"mcpServers": {"a": {}, "reach-demo": {"command": "old", "args": ["x"], "timeout": 1.5}}}'),
        (
            "codex",
            '[mcp_servers.reach-demo]\ncommand = "old"\ntimeout = 1.5\n\n[mcp_servers.reach-demo.env]\nA = "b"\n',
        ),
    ],
)
def test_a_different_entry_is_replaced_only_when_told_to(home: Path, host: str, text: str) -> None:
    file = put(home / FILES[host], text)
    refused = run("install", host, "--demo", terminal=Terminal("y\n"))
    assert (refused.exit_code, file.read_text()) == (2, text)
    assert "Add --yes to replace it" in refused.output
    assert run("install", host, "--demo", "--dry-run").exit_code == 0
    assert run("install", host, "--demo", "--yes").exit_code == 0
    command, *args = own_command()
    assert servers(file)["reach-demo"] == {"command": command, "args": [*args, "--demo"], "timeout": 1.5}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ('{"command": "npx"}', "has another entry files, which starts another program (npx)."),
        ('{"url": "https://x.test"}', "has another entry files, which starts another program (https://x.test)."),
        ("1", "has another entry files, which is of another program."),
        ('{"command": "embedreach-mcp"}', "has another entry files."),
    ],
)
def test_the_program_of_an_entry_in_the_way_is_said(home: Path, entry: str, told: str) -> None:
    put(home / FILES["cursor"], f'{{"mcpServers": {{"files": {entry}}}}}')
    arguments = ("install", "cursor", "--demo", "--name", "files")
    assert f"{told} It is replaced only with --yes." in run(*arguments, "--dry-run").output
    assert f"{told} Add --yes to replace it" in run(*arguments).output
    assert f"{told} It is replaced." in run(*arguments, "--yes").output


def test_a_terminal_is_asked_first(home: Path) -> None:
    file = home / FILES["cursor"]
    assert "Nothing was changed." in run("install", "cursor", "--demo", terminal=Terminal("n\n")).output
    assert not file.exists()
    assert run("install", "cursor", "--demo").exit_code == 2
    assert run("install", "cursor", "--demo", "--dry-run").exit_code == 0
    assert not file.exists()
    changed = run("install", "cursor", "--demo", terminal=Terminal("y\n")).output
    assert "Changed:" in changed
    assert "Restart Cursor: it reads this file when it starts." in changed
    assert file.exists()


def test_a_file_that_changes_meanwhile_is_left_alone(home: Path) -> None:
    file = existing(home, "cursor")
    result = run("install", "cursor", "--demo", terminal=Terminal("y\n", lambda: file.write_text("{}")))
    assert (result.exit_code, file.read_text()) == (2, "{}")
    assert "changed meanwhile" in result.output


def test_a_link_to_the_file_stays_a_link(home: Path) -> None:
    real = put(home / "dotfiles" / "mcp.json", "{}")
    (home / ".cursor").mkdir()
    (home / FILES["cursor"]).symlink_to(real)
    run("install", "cursor", "--demo", "--yes")
    assert (home / FILES["cursor"]).is_symlink()
    assert "reach-demo" in real.read_text()


def ids(file: Path) -> list[str]:
    return [each["id"] for each in json.loads(file.read_text())["inputs"] if each != "x"]


def test_vscode_asks_for_the_secret_once_and_keeps_it(home: Path) -> None:
    file = put(home / FILES["vscode"], '{\n  "inputs": [\n    "x", {"id": "mine"}\n  ]\n}\n')
    run("install", "vscode", "--yes")
    run("install", "vscode", "--yes", "--name", "second", "--partner-id", "p")
    content = json.loads(file.read_text())
    assert ids(file) == ["REACH_JWT_SECRET", "REACH_API_TOKEN", "mine"]
    assert all(each["password"] for each in content["inputs"][:2])
    assert content["servers"]["reach"]["env"] == {"REACH_API_TOKEN": "${input:REACH_API_TOKEN}"}
    assert content["servers"]["second"]["env"]["REACH_JWT_SECRET"] == "${input:REACH_JWT_SECRET}"
    run("install", "vscode", "--yes", "--name", "third")
    run("uninstall", "vscode", "--yes", "--name", "second")
    assert ids(file) == ["REACH_API_TOKEN", "mine"]
    run("uninstall", "vscode", "--yes")
    assert ids(file) == ["REACH_API_TOKEN", "mine"]


def test_settings_and_the_file_of_a_secret_are_written(home: Path) -> None:
    secret = put(home / "secret", "hunter2")
    options = [
        "--partner-id",
        "p",
        "--jwt-secret-file",
        "~/secret",
        "--tenant-id",
        "t",
        "--env",
        "HTTPS_PROXY=http://p:1",
    ]
    assert "hunter2" not in run("install", "cursor", "--yes", *options).output
    assert servers(home / FILES["cursor"])["reach"]["env"] == {
        "HTTPS_PROXY": "http://p:1",
        "REACH_TENANT_ID": "t",
        "REACH_PARTNER_ID": "p",
        "REACH_JWT_SECRET_FILE": str(secret),
    }
    assert run("install", "vscode", "--yes", "--token-file", str(secret)).exit_code == 0
    assert servers(home / FILES["vscode"])["reach"]["env"] == {"REACH_API_TOKEN_FILE": str(secret)}


def test_a_missing_credential_is_said(home: Path) -> None:
    assert "The entry has no credential. Add --token-file" in run("install", "gemini", "--dry-run").output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("claud", "Did you mean claude-code?"),
        ("zed", "unknown host 'zed'. Known: claude-desktop,"),
        ("cursor --name a.b", "use letters, digits"),
        ("cursor --env REACH_API_TOKEN=x", "REACH_API_TOKEN is a secret"),
        ("cursor --env REACH_TENANT=x", "REACH_TENANT is no setting"),
        ("cursor --env REACH_TENANT_ID", "write NAME=VALUE"),
        ("cursor --token-file ../open", "Type: chmod 600 "),
        ("cursor --token-file ../none", "--token-file can't be read: No such file"),
        ("cursor --jwt-secret-file ../secret", "--jwt-secret-file needs --partner-id"),
        ("cursor --partner-id p", "--partner-id needs --jwt-secret-file"),
        ("cursor --demo --token-file ../secret", "--demo needs no credential"),
        ("cursor --env REACH_MCP_DEADLINE=x", "REACH_MCP_DEADLINE can't be read: it must be a number above 0"),
        ("claude-desktop --scope project", "Claude Desktop has no servers for one project"),
    ],
)
def test_wrong_arguments_are_refused(home: Path, arguments: str, text: str) -> None:
    put(home / "open", "secret", 0o644)
    put(home / "secret", "secret")
    result = run("install", *arguments.split(), "--yes")
    assert result.exit_code == 2
    assert text in result.output
    assert not (home / ".cursor").exists()


@pytest.mark.parametrize(
    ("host", "content", "text"),
    [
        ("cursor", b'{\n  "a": [1 2]\n}', "is not valid JSON: line 2, column 11: Expecting ',' delimiter"),
        ("cursor", b"[]", "it holds no object"),
        ("cursor", b"\xff", "is not UTF-8 text"),
        ("codex", b"a = \n", "is not valid TOML: Invalid value (at line 1, column 5)"),
        ("cursor", b'{"mcpServers": []}', "Paste the entry above"),
        ("cursor", b'{"mcpServers": {"reach": {\n// why\n"command": "x"}}}', "Paste the entry above"),
        ("vscode", b'{"inputs": {}}', "Paste the entry above"),
        ("codex", b"[mcp_servers]\nother = { command = 'x' }\nreach = { command = 'x' }\n", "Paste the entry above"),
        ("codex", b"[mcp_servers.reach]\ncommand = 'x#' # why\n", "Paste the entry above"),
        ("codex", b"mcp_servers = { a = { command = 'x' } }\n", "Paste the entry above"),
    ],
)
def test_a_file_that_cannot_be_edited_safely_stays(home: Path, host: str, content: bytes, text: str) -> None:
    file = put(home / FILES[host], "")
    file.write_bytes(content)
    result = run("install", host, "--yes")
    assert (result.exit_code, file.read_bytes()) == (2, content)
    assert text in result.output
    if "Paste" in text:
        assert own_command()[0] in result.output


def test_files_out_of_reach_are_said(home: Path) -> None:
    (home / FILES["cursor"]).mkdir(parents=True)
    assert "can't be read: Is a directory" in run("install", "cursor", "--demo", "--yes").output
    (home / ".gemini").symlink_to("/proc/none")
    assert "can't be written" in run("install", "gemini", "--demo", "--yes").output


def test_uninstall_leaves_what_is_not_ours(home: Path) -> None:
    run("install", "cursor", "--demo", "--yes", "--name", "mine")
    assert "has no entry reach. It has mine: add --name." in run("uninstall", "cursor").output
    assert run("uninstall", "gemini").output.endswith("has no entry reach.\n")
    put(home / FILES["cursor"], '{"mcpServers": {"reach": {"command": "other"}}}')
    assert "starts another program" in run("uninstall", "cursor", "--yes").output
    put(home / FILES["codex"], "[mcp_servers]\nreach = { command = 'uvx', args = ['embedreach-mcp'] }\n")
    assert "Remove the entry reach by hand" in run("uninstall", "codex", "--yes").output


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script")
def test_claude_code_changes_its_own_file(home: Path) -> None:
    script = f'#!/bin/sh\necho "$@" >> {home}/calls\n[ "$5" != broken ] || {{ echo no >&2; exit 1; }}\n'
    put(home / "bin" / "claude", script, 0o755)
    assert run("install", "claude-code", "--demo", "--yes", "--env", "REACH_MCP_HOST=h").exit_code == 0
    assert "mcp add failed: no" in run("install", "claude-code", "--demo", "--yes", "--name", "broken").output
    put(home / ".claude.json", '{"mcpServers": {"reach": {"command": "embedreach-mcp"}}}')
    assert run("uninstall", "claude-code", "--yes").exit_code == 0
    add, _, remove = (home / "calls").read_text().splitlines()
    assert add.startswith(f"mcp add --scope user reach-demo --env REACH_MCP_HOST=h -- {own_command()[0]}")
    assert remove == "mcp remove --scope user reach"


def test_entries_of_this_program_are_found_in_all_hosts(home: Path) -> None:
    for host in HOSTS:
        existing(home, host)
        run("install", host, "--yes", "--tenant-id", "t", "--token-file", str(put(home / "secret", "x")))
    run("install", "cursor", "--demo", "--yes", "--scope", "project")
    found = find_entries(home, {}, "linux", home / "project")
    assert sorted(entry.host for entry in found) == sorted([*HOSTS, "cursor"])
    variables = (("REACH_TENANT_ID", "t"), ("REACH_API_TOKEN_FILE", str(home / "secret")))
    command, *args = own_command()
    file = home / FILES["claude-desktop"]
    assert found[0] == HostEntry("claude-desktop", "user", file, "reach", command, tuple(args), variables)
    assert [entry.host for entry in found if entry.scope == "project"] == ["cursor"]


@pytest.mark.parametrize(
    ("server", "ours"),
    [
        ({"command": r"C:\venv\Scripts\embedreach-mcp.exe"}, True),
        ({"command": "uvx", "args": ["--from", "x.whl", "embedreach-mcp"]}, True),
        ({"command": "uvx", "args": ["embedreach-mcp@latest", "--demo"]}, True),
        ({"command": "python", "args": ["-m", "reach_mcp"], "env": None}, True),
        ({"command": "python", "args": "reach_mcp"}, False),
        ({"url": "https://mcp.example.com"}, False),
        ("embedreach-mcp", False),
    ],
)
def test_an_entry_counts_by_what_it_starts(home: Path, server: object, ours: bool) -> None:
    projects = {"/a": {"mcpServers": {"x": server}}, "/b": None, "/c": {"mcpServers": None}}
    put(home / ".claude.json", json.dumps({"projects": projects}))
    put(home / FILES["gemini"], "{")
    assert [entry.name for entry in find_entries(home, {}, "linux")] == ["x"] * ours


def test_broken_files_of_hosts_are_named(home: Path) -> None:
    put(home / FILES["gemini"], "{ bad")
    put(home / "project" / ".codex" / "config.toml", "a = ")
    put(home / FILES["vscode"], "").write_bytes(b"\xff")
    (home / FILES["cursor"]).mkdir(parents=True)
    code, cursor, codex, gemini = find_broken_files(home, {}, "linux", home / "project")
    assert code == f"vscode: {home / FILES['vscode']} is not UTF-8 text."
    assert cursor == f"cursor: {home / FILES['cursor']} can't be read: Is a directory."
    assert "codex: " in codex
    assert "config.toml is not valid TOML: " in codex
    assert f"gemini: {home / FILES['gemini']} is not valid JSON: line 1, column 3: " in gemini


def test_each_platform_has_its_folders(tmp_path: Path) -> None:
    def files(host: str, platform: str, **environment: str) -> list[str]:
        return [
            path.relative_to(tmp_path).as_posix() for path in HOSTS[host].user_files(tmp_path, environment, platform)
        ]

    assert files("vscode", "darwin") == ["Library/Application Support/Code/User/mcp.json"]
    assert files("vscode", "win32") == ["AppData/Roaming/Code/User/mcp.json"]
    assert files("codex", "linux", CODEX_HOME=str(tmp_path / "c")) == ["c/config.toml"]
    (tmp_path / "AppData/Local/Packages/Claude_pzs8").mkdir(parents=True)
    assert files("claude-desktop", "win32") == [
        "AppData/Local/Packages/Claude_pzs8/LocalCache/Roaming/Claude/claude_desktop_config.json",
        "AppData/Roaming/Claude/claude_desktop_config.json",
    ]


def test_the_command_outlives_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python, script = tmp_path / "env" / "bin" / "python", tmp_path / "env" / "bin" / "embedreach-mcp"
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert own_command() == [str(python), "-m", "reach_mcp"]
    put(script, "", 0o755)
    assert own_command() == [str(script)]
    (tmp_path / "embedreach-mcp").symlink_to(script)
    assert own_command() == [str(tmp_path / "embedreach-mcp")]
    assert to_type(["install", "a b"]) == "embedreach-mcp install 'a b'"
    monkeypatch.setattr(sys, "platform", "win32")
    assert to_type(["install", "a b"]).endswith('embedreach-mcp install "a b"')


@pytest.mark.parametrize(
    ("direct_url", "origin"),
    [
        ('{"url": "file:///x.whl"}', ["--from", "file:///x.whl"]),
        (
            '{"url": "https://example.com/x", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}',
            ["--from", "git+https://example.com/x@c0ffee"],
        ),
        ("", []),
    ],
)
def test_uvx_is_started_again_from_the_same_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direct_url: str, origin: list[str]
) -> None:
    put(tmp_path / "CACHEDIR.TAG", "")
    put(tmp_path / "embedreach_mcp-9.dist-info" / "METADATA", "Name: embedreach-mcp")
    put(tmp_path / "embedreach_mcp-9.dist-info" / "direct_url.json", direct_url)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    monkeypatch.setenv("UV", "/opt/uv")
    assert own_command() == ["/opt/uvx", *origin, "embedreach-mcp"]


TEXTS = st.text(alphabet='a"\\/*,:{}[]\n é', max_size=8)
TABLES = st.dictionaries(TEXTS, st.integers() | TEXTS | st.lists(TEXTS, max_size=2), max_size=3)


@given(TABLES, TABLES, st.sampled_from([None, 1, 4, "\t"]), st.booleans())
def test_any_json_keeps_its_bytes(root: dict[str, Any], table: dict[str, Any], indent: Any, windows: bool) -> None:
    text = json.dumps(root | {"mcpServers": {"other": 1} | table}, indent=indent)
    text = text.replace("\n", "\r\n") if windows else text
    file, entry = Path("a.json"), {"command": "x", "args": ["-y"]}
    changed = set_entry(text, file, "mcpServers", "reach", entry)
    if "reach" not in table:
        assert remove_entry(changed, file, "mcpServers", "reach") == text
    assert json.loads(changed)["mcpServers"]["reach"] == entry


@given(st.text(alphabet='{}[]",:/* \n\\a1', max_size=60))
def test_no_text_is_damaged(text: str) -> None:
    """Any text is refused, or the entry is all that changes in it."""
    try:
        before = parse(text, Path("a.json"))
        after = set_entry(text, Path("a.json"), "a", "reach", {"command": "x"})
    except (ConfigurationError, NotEditable):
        return
    assert parse(after, Path("a.json")) == before | {"a": before.get("a", {}) | {"reach": {"command": "x"}}}
