"""Audit records: one JSON object a line for each call, with its arguments and without secrets.

A record that can't be written is lost: a full disk must not stop a support desk from reading. The loss is logged.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from reach_mcp.logs import Redactor, trace_facts
from reach_mcp.settings import ConfigurationError, Settings

logger = logging.getLogger(__name__)

STDOUT = 1
MAX_ARGUMENT_CHARS = 4_000
"""Characters of all arguments as JSON. Longer ones are cut, and are a string then."""

MAX_DEPTH = 6
"""Levels of nested arguments. Those of our tools have two."""


class Audit:
    """Keeps nothing: the default."""

    def write(self, at: float, facts: Mapping[str, object], arguments: Mapping[str, object]) -> None:
        """Write the record of a call that has ended at a Unix time. Never raises."""


class AuditLog(Audit):
    """Appends records to a file or to stdout, each in one write. Raises OSError where it can't be opened."""

    def __init__(self, file: Path | int, redactor: Redactor) -> None:
        self._file = file
        self._redactor = redactor
        self._lost = 0
        self._torn = False
        self._open().close()

    def write(self, at: float, facts: Mapping[str, object], arguments: Mapping[str, object]) -> None:
        try:
            time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
            clean = {name: self._clean(value) for name, value in facts.items()}
            record = {"time": time, **clean, **trace_facts(), "arguments": self._bounded(arguments)}
            self._append(json.dumps(record).encode() + b"\n")
        except Exception as error:
            self._lost += 1
            if self._lost == 1:
                logger.error("audit records are lost", extra={"facts": {"reason": str(error)[:200]}})
            return
        if self._lost:
            logger.warning("audit records are written again", extra={"facts": {"lost": self._lost}})
            self._lost = 0

    def _append(self, line: bytes) -> None:
        with self._open() as file:
            data = b"\n" + line if self._torn else line  # the rest of a torn line gets a line of its own
            self._torn = file.write(data) < len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self) -> FileIO:
        """Open it for one record: it may have been renamed since the last one. No buffer outlives a full disk."""
        return open(self._file, "ab", buffering=0, closefd=self._file != STDOUT, opener=_open_private)

    def _bounded(self, arguments: Mapping[str, object]) -> object:
        """The arguments without secrets. What is cut off anyway is not searched for them: that takes long."""
        text = json.dumps(arguments)
        if len(text) > MAX_ARGUMENT_CHARS:
            return self._redactor.log_text(text[: 2 * MAX_ARGUMENT_CHARS])[:MAX_ARGUMENT_CHARS]
        return self._clean(arguments)

    def _clean(self, value: object, depth: int = 0) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth < MAX_DEPTH and isinstance(value, Mapping):
            return {self._redactor.log_text(str(name)): self._clean(part, depth + 1) for name, part in value.items()}
        if depth < MAX_DEPTH and isinstance(value, list | tuple):
            return [self._clean(part, depth + 1) for part in value]
        return self._redactor.log_text(str(value))


def _open_private(name: str, flags: int) -> int:
    """Open a file that its owner alone may read. A named pipe that nobody reads is an error instead of a wait."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0), 0o600)


def open_audit(settings: Settings, *, over_http: bool) -> Audit:
    """The audit that the settings name. Raises ConfigurationError where it can't be written."""
    if settings.audit is None:
        return Audit()
    redactor = Redactor(settings)
    if settings.audit == "-":
        if not over_http:
            raise ConfigurationError("REACH_MCP_AUDIT is `-`, and stdout carries MCP over stdio. Name a file.")
        return AuditLog(STDOUT, redactor)
    try:
        return AuditLog(Path(settings.audit).expanduser(), redactor)
    except OSError as error:
        raise ConfigurationError(
            f"REACH_MCP_AUDIT can't be written: {error.strerror}. Name a file in a directory that exists."
        ) from None
