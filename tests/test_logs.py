"""Logs are one record a line, without secrets and without text that forges lines or fields."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from reach_mcp.logs import LOG_EVERY_SECONDS, MAX_EVENTS, Redactor, ThrottledLog, configure_logging, log_configuration
from reach_mcp.settings import load_settings
from tests.helpers import settings_of

SECRET = "s3cret/token+value=="


def _configure(**flags: object) -> logging.Logger:
    configure_logging(load_settings(api_token=SECRET, **flags))
    return logging.getLogger("reach_mcp.test")


def test_text_line_quotes_what_could_forge_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    _configure().info("call", extra={"facts": {"request": "1 outcome=ok\n2026", "ms": 3, "tool": "get_batch"}})

    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.endswith('INFO reach_mcp.test call request="1 outcome=ok\\n2026" ms=3 tool=get_batch\n')


def test_json_line_has_facts_as_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logger = _configure(log_format="json")
    try:
        raise ValueError("Bearer abcdefghijkl")
    except ValueError:
        logger.exception("broken", extra={"facts": {"tool": "x"}})

    record = json.loads(capsys.readouterr().err)
    assert (record["message"], record["tool"], record["level"]) == ("broken", "x", "ERROR")
    assert record["process"] == os.getpid()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
    assert "abcdefghijkl" not in record["trace"]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time, which the test sets."""
    seconds = [100.0]
    monkeypatch.setattr("reach_mcp.logs.time.monotonic", lambda: seconds[0])
    return seconds


def test_repeated_event_is_logged_at_times_and_each_with_its_own_facts(
    capsys: pytest.CaptureFixture[str], now: list[float]
) -> None:
    _configure()
    log = ThrottledLog()

    for address in ("a", "a", "a", "b"):
        log.warning("refused", address=address)
    now[0] += LOG_EVERY_SECONDS
    log.warning("refused", address="a")

    lines = [line.partition("refused ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["address=a count=1", "address=b count=1", "address=a count=3"]


def test_many_different_events_are_logged_as_one(capsys: pytest.CaptureFixture[str], now: list[float]) -> None:
    _configure()
    log = ThrottledLog()

    for address in range(2 * MAX_EVENTS):
        log.warning("refused", address=address)
    now[0] += LOG_EVERY_SECONDS
    log.warning("refused", address="late")

    lines = [line.partition("refused ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines[:-2] == [f"address={address} count=1" for address in range(MAX_EVENTS)]
    assert lines[-2:] == ["count=1", "address=late count=1"]


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(b"Bearer " + SECRET.encode()).decode(),
        base64.b32encode(SECRET.encode()).decode().rstrip("="),
        quote(quote(SECRET, safe=""), safe=""),
        "".join(f"%{byte:02X}" for byte in SECRET.encode()),
        "eyJhbGc.eyJpc3M.c2ln",
        "rmcp_Zm9vYmFyYmF6cXV4cXV1eA",
    ],
)
def test_secrets_never_show(capsys: pytest.CaptureFixture[str], form: str) -> None:
    _configure().warning("refused %s", form, extra={"facts": {"why": form}})

    assert form not in capsys.readouterr().err


def test_what_looks_like_many_tokens_costs_little() -> None:
    """A search that starts again at each `eyJ` would take minutes."""
    assert Redactor(settings_of()).log_text("eyJ-" * 500_000) == "eyJ-" * 500_000


def test_control_and_invisible_characters_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    _configure().info("a\x1b[31m\u202eb\u180b")

    assert r"a\x1b[31m\u202eb\u180b" in capsys.readouterr().err


def test_libraries_are_quiet_below_warning(capsys: pytest.CaptureFixture[str]) -> None:
    _configure()

    logging.getLogger("httpx").info("GET http://reach.test/?token=x")

    assert capsys.readouterr().err == ""


def test_configuration_and_unknown_variables_are_logged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _configure()
    log_configuration(load_settings())
    assert "WARNING" not in capsys.readouterr().err
    monkeypatch.setenv("REACH_MCP_COLOUR_SCHEME", "dark")

    log_configuration(load_settings(api_token=SECRET, tenant_id="acme"))

    text = capsys.readouterr().err
    assert "api_token=set tenant_id=acme" in text
    assert "WARNING" in text
    assert "REACH_MCP_COLOUR_SCHEME" in text
    assert SECRET not in text


def test_callers_tokens_are_secrets_too(tmp_path: Path) -> None:
    settings = load_settings(
        auth_token="alice:alices-long-token,bobs-long-token-1", jwt_secret_file=tmp_path / "missing"
    )

    assert "long-token" not in Redactor(settings).text("alices-long-token bobs-long-token-1")
