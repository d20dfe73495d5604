"""Settings: where they come from, which win, and that a wrong one is named without its value."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from reach_mcp.demo.story import DEFAULT_TENANT, build_story
from reach_mcp.settings import ConfigurationError, Settings, load_settings
from tests.builders import NOW


def test_flag_wins_over_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACH_MCP_PORT", "9001")

    assert load_settings().port == 9001
    assert load_settings(port=9002).port == 9002
    assert load_settings(port=None).port == 9001


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts hand an optional field that the user left empty over as an empty variable."""
    before = load_settings()
    for name in ("REACH_API_URL", "REACH_API_TOKEN", "REACH_TENANT_ID", "REACH_MCP_DEMO"):
        monkeypatch.setenv(name, "")

    assert load_settings() == before


def test_field_that_a_host_did_not_fill_in_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hosts leave the placeholder of an optional field as it stands in the manifest."""
    before = load_settings()
    monkeypatch.setenv("REACH_API_TOKEN", "${user_config.api_token}")
    monkeypatch.setenv("REACH_MCP_DEMO", "${user_config.demo}")

    assert load_settings() == before


def test_wrong_settings_are_all_named_and_no_value_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value may be a secret that was put into the wrong variable."""
    monkeypatch.setenv("REACH_API_URL", "ftp://s3cret")
    monkeypatch.setenv("REACH_MCP_PORT", "s3cret")

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    text = str(caught.value)
    assert "REACH_API_URL: must be an http or https URL such as https://api.embedreach.com" in text
    assert "REACH_MCP_PORT: " in text
    assert "s3cret" not in text


@pytest.mark.parametrize(
    "url", ["https://me:pw@reach.example", "https://reach.example?token=x", "https://reach.example#x"]
)
def test_url_with_a_secret_in_it_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="no user name, password, query or fragment"):
        load_settings(api_url=url)


def test_url_may_end_in_a_slash() -> None:
    assert load_settings(api_url="https://reach.example/v1/").api_url == "https://reach.example/v1"


def test_secrets_never_show_in_a_repr() -> None:
    settings = load_settings(api_token="s3cret", jwt_secret="s3cret", auth_token="s3cret")

    assert "s3cret" not in repr(settings) + str(settings)


def test_callers_token_comes_from_its_setting_or_else_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(" from file\n")

    assert load_settings().caller_token() is None
    assert load_settings(auth_token_file=file).caller_token() == "from file"
    assert load_settings(auth_token=" given ", auth_token_file=file).caller_token() == "given"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, r"REACH_MCP_AUTH_TOKEN_FILE can't be read: No such file or directory\."),
        (b"", "REACH_MCP_AUTH_TOKEN_FILE names an empty file"),
        (b"\xff\xfe", "REACH_MCP_AUTH_TOKEN_FILE can't be read: it is not text"),
    ],
)
def test_secret_file_that_holds_no_secret_is_named_by_its_variable(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=reason):
        load_settings(auth_token_file=file).caller_token()


def test_every_tenant_of_the_demo_can_be_chosen() -> None:
    field = Settings.model_fields["demo_tenant"]

    assert set(get_args(field.annotation)) == set(build_story(NOW))
    assert field.default == DEFAULT_TENANT


def test_every_setting_has_a_variable_and_a_description() -> None:
    """README's table is made of both."""
    for name, field in Settings.model_fields.items():
        assert str(field.alias).startswith("REACH_"), name
        assert field.description, name


@pytest.mark.parametrize("port", ["0", "99999", "x"])
def test_url_with_a_port_that_can_not_be_is_refused(port: str) -> None:
    """The network would refuse it much later, in words that name no setting."""
    with pytest.raises(ConfigurationError, match="REACH_API_URL"):
        load_settings(api_url=f"https://reach.example:{port}")
