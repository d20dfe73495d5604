"""Logs: one record a line, in text or JSON, and no secret in any of it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import stamina.instrumentation

from reach_mcp.logs import Lines, configure_logging
from reach_mcp.settings import load_settings

pytestmark = pytest.mark.usefixtures("restored_logging")


def test_call_is_one_line_of_text_with_its_facts(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(load_settings())
    logging.getLogger("reach_mcp.server").info("call", extra={"facts": {"tool": "get_batch", "ms": 12}})

    line = capsys.readouterr().err
    assert line.endswith("Z INFO reach_mcp.server call tool=get_batch ms=12\n")
    assert line[4] == line[7] == "-"


def test_record_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(load_settings(log_format="json"))
    logging.getLogger("reach_mcp").info("first\nsecond", extra={"facts": {"ms": 12}})

    entry = json.loads(capsys.readouterr().err)
    assert entry.pop("time").endswith("Z")
    assert entry == {"level": "INFO", "logger": "reach_mcp", "message": "first\nsecond", "ms": 12}


def test_line_break_in_a_message_can_not_forge_a_second_record(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(load_settings())
    logging.getLogger("reach_mcp").info("a\n2026-01-01T00:00:00Z INFO forged\x1b[2J\u2028\u202e")

    assert capsys.readouterr().err.count("\n") == 1


def test_trace_stands_indented_behind_its_record(capsys: pytest.CaptureFixture[str]) -> None:
    """A trace is for people; what an exception says in it still can't start a line of its own."""
    configure_logging(load_settings(api_token="s3cret-token"))
    try:
        raise ValueError("broke\r\n2026-01-01T00:00:00Z forged Bearer abc.def s3cret-token")
    except ValueError:
        logging.getLogger("reach_mcp").exception("crash")

    first, *rest = capsys.readouterr().err.splitlines()
    assert first.endswith("ERROR reach_mcp crash")
    assert rest
    assert all(line.startswith("    ") for line in rest)
    assert rest[-1].strip() == "2026-01-01T00:00:00Z forged Bearer *** ***"


def test_trace_is_a_field_of_its_own_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(load_settings(log_format="json"))
    try:
        raise ValueError("broke")
    except ValueError:
        logging.getLogger("reach_mcp").exception("crash")

    assert json.loads(capsys.readouterr().err)["trace"].endswith("ValueError: broke")


def test_no_secret_is_logged_from_wherever_it_came(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "jwt_secret"
    file.write_text("from-the-file")
    settings = load_settings(
        api_token="known-token", auth_token="known", jwt_secret_file=file, api_token_file=tmp_path / "not there"
    )
    configure_logging(settings)
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl"
    logging.getLogger("reach_mcp").info("known-token known from-the-file %s authorization: bearer x.y", jwt)
    logging.getLogger("reach_mcp").info("call", extra={"facts": {"request": "known-token"}})

    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("*** *** *** *** authorization: bearer ***")
    assert second.endswith("call request=***")


def test_libraries_speak_from_warning_upwards(capsys: pytest.CaptureFixture[str]) -> None:
    """Below it httpx prints URLs and the SDK prints what was sent."""
    configure_logging(load_settings(log_level="DEBUG"))
    for name in ("httpx", "httpx2", "httpcore", "mcp.server.lowlevel.server", "uvicorn.error", "asyncio"):
        logging.getLogger(name).info("GET https://reach.example/?q=secret")
    logging.getLogger("reach_mcp").debug("ours")

    assert "ours" in capsys.readouterr().err.splitlines()[0]


def test_level_above_warning_holds_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(load_settings(log_level="ERROR"))
    logging.getLogger("mcp").warning("theirs")
    logging.getLogger("reach_mcp").warning("ours")

    assert capsys.readouterr().err == ""


def test_retries_are_not_logged() -> None:
    """stamina's own line about a retry repeats the exception and the arguments."""
    configure_logging(load_settings())

    assert stamina.instrumentation.get_on_retry_hooks() == ()


def test_fact_of_any_kind_is_shown() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "m", None, None)
    record.facts = {"a": 1.5, "b": None}

    assert Lines(False, []).format(record).endswith("m a=1.5 b=None")
