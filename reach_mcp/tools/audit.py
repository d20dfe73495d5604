"""Audit records: one JSON object a line for each call, with its arguments and without secrets.

A record that can't be written is lost: a full disk must not stop a support desk from reading. The loss is logged.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO

from reach_mcp.logs import Redactor, trace_facts
from reach_mcp.settings import ConfigurationError, Settings

logger = logging.getLogger(__name__)

MAX_ARGUMENT_CHARS = 4_000
"""Characters of all arguments as JSON. Longer ones are cut, and are a string then."""

MAX_DEPTH = 6
"""Levels of nested arguments. Those of our tools have two."""


class Audit:
    """Keeps nothing: the default."""

    def write(self, at: float, facts: Mapping[str, object], arguments: Mapping[str, object]) -> None:
        """Write the record of a call that has ended at a Unix time. Never raises."""

    def close(self) -> None:
        """Close the file."""


class AuditLog(Audit):
    """Writes records to a file or to stdout, each in one write."""

    def __init__(self, handler: logging.Handler, redactor: Redactor) -> None:
        self._handler = handler
        self._redactor = redactor
        self._lost = 0

    def write(self, at: float, facts: Mapping[str, object], arguments: Mapping[str, object]) -> None:
        try:
            time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
            clean = {name: self._clean(value) for name, value in facts.items()}
            record = {"time": time, **clean, **trace_facts(), "arguments": self._bounded(arguments)}
            line = json.dumps(record)
            self._handler.handle(logging.makeLogRecord({"msg": line}))
        except Exception as error:
            self._lost += 1
            if self._lost == 1:
                logger.error("audit records are lost", extra={"facts": {"reason": str(error)[:200]}})
            return
        if self._lost:
            logger.warning("audit records are written again", extra={"facts": {"lost": self._lost}})
            self._lost = 0

    def close(self) -> None:
        self._handler.close()

    def _bounded(self, arguments: Mapping[str, object]) -> object:
        clean = self._clean(arguments)
        text = json.dumps(clean)
        return clean if len(text) <= MAX_ARGUMENT_CHARS else text[:MAX_ARGUMENT_CHARS]

    def _clean(self, value: object, depth: int = 0) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth < MAX_DEPTH and isinstance(value, Mapping):
            return {self._redactor.log_text(str(name)): self._clean(part, depth + 1) for name, part in value.items()}
        if depth < MAX_DEPTH and isinstance(value, list | tuple):
            return [self._clean(part, depth + 1) for part in value]
        return self._redactor.log_text(str(value))


class _Strict(logging.Handler):
    """Raises what other handlers print."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the library's
        raise


class _Stdout(_Strict, logging.StreamHandler[TextIO]):
    pass


class _Whole(io.FileIO):
    """A file without a buffer: a full disk leaves nothing for later. The rest of a torn line gets a line of its own."""

    _torn = False

    def write(self, data: Any) -> int:
        line = b"\n" + data if self._torn else data
        written = super().write(line)
        self._torn = written < len(line)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)


class _File(_Strict, WatchedFileHandler):
    """Appends to a file that its owner alone may read, and opens it again after it was renamed."""

    def _open(self) -> io.TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return io.TextIOWrapper(_Whole(descriptor, "a"), encoding="utf-8", write_through=True)


def open_audit(settings: Settings, *, over_http: bool) -> Audit:
    """The audit that the settings name. Raises ConfigurationError where it can't be written."""
    if settings.audit is None:
        return Audit()
    redactor = Redactor(settings)
    if settings.audit == "-":
        if not over_http:
            raise ConfigurationError("REACH_MCP_AUDIT is `-`, and stdout carries MCP over stdio. Name a file.")
        return AuditLog(_Stdout(sys.stdout), redactor)
    try:
        return AuditLog(_File(Path(settings.audit).expanduser(), encoding="utf-8"), redactor)
    except OSError as error:
        raise ConfigurationError(
            f"REACH_MCP_AUDIT can't be written: {error.strerror}. Name a file in a directory that exists."
        ) from None
