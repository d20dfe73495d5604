"""Read the configuration of hosts: JSON, JSON with comments, or TOML."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from reach_mcp.settings import ConfigurationError

_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/|\ufeff', re.DOTALL)
_STRING_OR_TRAILING_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])')


def without_comments(text: str) -> str:
    """The same JSON with spaces for comments, so that every position stays what it is."""
    return _STRING_OR_COMMENT.sub(_spaces, text)


def without_extras(text: str) -> str:
    """Plain JSON: spaces for comments and for commas after the last member."""
    return _STRING_OR_TRAILING_COMMA.sub(_spaces, without_comments(text))


def _spaces(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else re.sub(r"[^\r\n]", " ", match[0])


def parse(text: str, file: Path) -> dict[str, Any]:
    """The content of a host's file. An empty one counts as an empty table.

    Raises ConfigurationError with line and column if the text is not what its name says.
    """
    try:
        if file.suffix == ".toml":
            return tomllib.loads(text)
        found = json.loads(without_extras(text) if without_comments(text).strip() else "{}")
    except json.JSONDecodeError as error:
        raise _broken(file, f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except tomllib.TOMLDecodeError as error:
        raise _broken(file, str(error)) from None
    if not isinstance(found, dict):
        raise _broken(file, "it holds no object")
    return found


def _broken(file: Path, reason: str) -> ConfigurationError:
    kind = "TOML" if file.suffix == ".toml" else "JSON"
    return ConfigurationError(f"{file} is not valid {kind}: {reason}. Nothing was changed. Repair the file first.")
