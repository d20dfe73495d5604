"""Settings name each wrong, mistyped or unfilled variable, and never repeat a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from reach_mcp.logs import describe_settings
from reach_mcp.secret_files import read_secret, secret
from reach_mcp.settings import (
    ConfigurationError,
    find_errors,
    known_variables,
    load_settings,
    load_valid,
    unknown_variables,
)


def test_environment_is_read_and_flags_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACH_API_URL", "https://reach.test/")
    monkeypatch.setenv("REACH_MCP_PORT", "1")
    monkeypatch.setenv("REACH_MCP_HOST", "")

    found = load_settings(port=2, demo=None)

    assert (found.api_url, found.port, found.host) == ("https://reach.test", 2, "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("REACH_API_URL", "reach.test", "http or https URL"),
        ("REACH_API_URL", "https://reach.test:0", "http or https URL"),
        ("REACH_API_URL", "https://reach.test:x1", "http or https URL"),
        ("REACH_API_URL", "https://me:pw-7@reach.test", "The token has its own setting"),
        ("REACH_MCP_ALLOWED_HOSTS", "https://mcp.example.com", "mcp.example.com"),
        ("REACH_MCP_ALLOWED_HOSTS", "*", "without scheme, path or *"),
        ("REACH_MCP_ALLOWED_ORIGINS", "chat.example.com", "https://chat.example.com"),
        ("REACH_MCP_ALLOWED_ORIGINS", "*", "without path or *"),
        ("REACH_MCP_TRUSTED_PROXIES", "proxy.example.com", "addresses or networks"),
        ("REACH_MCP_OAUTH_ISSUER", "http://login.example.com", "must be an https URL"),
        ("REACH_MCP_OAUTH_JWKS_URL", "https://", "must be an https URL"),
        ("REACH_MCP_OAUTH_AUDIENCE", "api://reach", "must begin with the public URL of this server"),
        ("REACH_MCP_DEADLINE", "pw-7", "can't be read: it must be a number above 0, up to 600."),
        ("REACH_MCP_DEADLINE", "1e400", "is too large: it must be a number above 0, up to 600"),
        ("REACH_MCP_REUSE_SECONDS", "nan", "it must be a number from 0 to 600"),
        ("REACH_MCP_PORT", "1e300", "can't be read: it must be a whole number from 0 to 65535"),
        ("REACH_MCP_LOG_LEVEL", "pw-7", "has an unknown value: it must be one of DEBUG, INFO, WARNING, ERROR"),
        ("REACH_MCP_TOKEN_KEY", "pw-7", "is too short: it must be text of at least 16 characters"),
        ("REACH_MCP_DEMO", "pw-7", "can't be read: it must be true or false"),
        ("REACH_MCP_AUTH_TOKN", "pw-7", "did you mean REACH_MCP_AUTH_TOKEN?"),
        ("REACH_API_TOKENS", "pw-7", "did you mean REACH_API_TOKEN?"),
        ("REACH_API_TOKEN", "${REACH_API_TOKEN}", "Unfilled placeholder in REACH_API_TOKEN"),
        ("REACH_TENANT_ID", "<your tenant>", "Unfilled placeholder in REACH_TENANT_ID"),
    ],
)
def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    assert name in str(caught.value)
    assert expected in str(caught.value)
    assert "pw-7" not in str(caught.value)


def test_proxies_are_addresses_or_networks() -> None:
    assert load_settings(trusted_proxies="10.0.0.2, 10.1.0.0/16").trusted_proxies == "10.0.0.2/32,10.1.0.0/16"


def test_wrong_flag_is_named_by_its_variable() -> None:
    with pytest.raises(ConfigurationError, match="REACH_API_TOKEN_FILE is of a wrong type: it must be the path of a"):
        load_settings(api_token_file=3)


@pytest.mark.parametrize(
    "value",
    ["$REACH_TOKEN", "{token}", "{{token}}", "<token>", "%TOKEN%", "[your token]", "YOUR_TOKEN_HERE", "your-api-token",
     "PASTE TOKEN HERE", "changeme", "...", "Bearer <token>"],
)  # fmt: skip
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_placeholder_is_named_as_unfilled(monkeypatch: pytest.MonkeyPatch, value: str, quote: str) -> None:
    monkeypatch.setenv("REACH_API_TOKEN", f"{quote}{value}{quote}")

    with pytest.raises(ConfigurationError, match="Unfilled placeholder in REACH_API_TOKEN"):
        load_settings()


@pytest.mark.parametrize("value", ["eyJhbGc.eyJ.c2ln", "my-tenant", "$ecret-1", "here", "a{1}b", "[::1]"])
def test_value_that_only_looks_odd_is_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("REACH_API_TOKEN", value)

    assert load_settings().api_token is not None


def test_right_hosts_and_origins_are_taken() -> None:
    found = load_settings(allowed_hosts="mcp.example.com, 10.0.0.5:8765", allowed_origins="https://chat.example.com")

    assert found.allowed_hosts.endswith("8765")


def test_field_that_was_left_empty_in_a_desktop_host_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACH_API_TOKEN", "${user_config.api_token}")
    monkeypatch.setenv("REACH_MCP_DEADLINE", "${user_config.deadline}")

    found = load_settings()

    assert (found.api_token, found.deadline) == (None, 45.0)


def test_all_that_is_wrong_is_said_at_once_and_the_rest_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = ("DEADLINE", "PORT", "MAX_BODY_MB", "REUSE_MB", "REUSE_SECONDS", "ANSWER_BYTES")
    values = {"DEADLIN": "3", "HOST": "<host>", "MAX_CALLS": "3"} | dict.fromkeys(wrong, "x")
    for name, value in values.items():
        monkeypatch.setenv(f"REACH_MCP_{name}", value)

    found = load_valid(demo=True)

    assert (found.settings.max_calls, found.settings.port, found.settings.demo) == (3, 8765, True)
    assert found.wrong == {"REACH_MCP_HOST", *(f"REACH_MCP_{name}" for name in wrong)}
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert all(f"REACH_MCP_{name}" in str(caught.value) for name in ("DEADLIN ", "HOST", *wrong))


def test_variables_of_a_host_are_checked_without_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACH_MCP_PORT", "x")

    assert find_errors({"REACH_API_TOKEN": "${input:token}", "REACH_TENANT_ID": "", "PATH": "/bin"}) == []
    assert "REACH_MCP_DEADLINE can't be read" in find_errors({"REACH_MCP_DEADLINE": "x"})[0]


def test_unknown_variables_of_ours_are_listed() -> None:
    names = ("REACH_MCP_COLOUR_SCHEME", "REACH_MCP_PORT", "REACH_OTHER", "REACH_MCP_AUTH_TO", "REACH_MCP_X\n")

    assert unknown_variables(dict.fromkeys(names, "x")) == [
        "REACH_MCP_AUTH_TO (did you mean REACH_MCP_AUTH_TOKEN?)",
        "REACH_MCP_COLOUR_SCHEME",
        "REACH_MCP_X\\n",
    ]
    assert {"REACH_API_TOKEN", "REACH_MCP_ANSWER_BYTES"} <= set(known_variables())


def test_description_of_settings_hides_secrets() -> None:
    found = dict(describe_settings(load_settings(api_token="pw-7-secret", port=1, api_url="http://reach.test")))

    assert found == {"api_url": "http://reach.test", "api_token": "set", "port": 1}


def test_secret_comes_from_setting_then_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(" from-file \n")
    found = load_settings(api_token=" from-setting ")

    assert secret(found.api_token, file, "X") == "from-setting"
    assert secret(None, file, "X") == "from-file"
    assert secret(None, None, "X") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_secret_file_may_have_a_byte_order_mark_and_other_line_ends(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "token"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    file.write_bytes(f"{mark}alice:one\r\nbob:two\r\n".encode(encoding))

    assert read_secret(file, "X_FILE").split() == ["alice:one", "bob:two"]


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_path_may_have_quotes_spaces_backslashes_and_a_tilde(
    tmp_path: Path, quote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / r"My Files\token.txt"
    file.write_text("the-token")
    monkeypatch.setenv("HOME", str(tmp_path))

    for path in (str(file), f"~/{file.name}"):
        monkeypatch.setenv("REACH_API_TOKEN_FILE", f"{quote}{path}{quote}")
        assert secret(None, load_settings().api_token_file, "REACH_API_TOKEN") == "the-token"


@pytest.mark.parametrize(("content", "expected"), [(b"", "empty"), (b"\xff\x00", "not text"), (None, "No such file")])
def test_unusable_secret_file_is_named(tmp_path: Path, content: bytes | None, expected: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=f"X_FILE.*{expected}.* the callers"):
        read_secret(file, "X_FILE", "the callers")
