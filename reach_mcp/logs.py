"""Logging to stderr: one record a line, without secrets, and without text that could forge a second line or field."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from reach_mcp import __version__
from reach_mcp.api.redaction import REDACTED, remove, secret_forms
from reach_mcp.secret_files import secret
from reach_mcp.settings import ConfigurationError, Settings, unknown_variables

logger = logging.getLogger(__name__)

QUIET_LIBRARIES = ("httpx", "httpcore", "mcp", "uvicorn", "sse_starlette", "asyncio")
"""Below WARNING these log URLs, headers and bodies."""

_TOKEN_SHAPES = re.compile(
    r"(?i:\b(bearer)\s+)(?!token\b)[\w.~+/=-]{8,}|\brmcp_[\w-]{20,}"
    r"|(?<![\w-])(?=[\w-]*?\beyJ)[\w-]++\.[\w-]++\.[\w-]*+"
)
"""Bearer tokens, our own and JWTs, which are no secrets of the settings, such as those of a caller. Possessive
quantifiers keep the search linear: it runs over whatever strangers send."""

LOG_EVERY_SECONDS = 10.0
"""A repeated event is logged at most so often."""
MAX_EVENTS = 200
"""Events that a throttled log tells apart."""

_PLAIN = re.compile(r"[\w.:/@+-]{1,200}")
_UNSAFE = re.compile(r"[^\x20-\x7e\xa1-\u02ff\u0370-\u05ff\u3040-\u30ff\u4e00-\u9fff]")


def configure_logging(settings: Settings) -> None:
    """Take over the root logger. Call it before the server is built: the SDK would install a handler of its own."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(settings.log_format == "json", Redactor(settings)))
    level = logging.getLevelNamesMapping()[settings.log_level]
    logging.basicConfig(level=max(logging.WARNING, level), handlers=[handler], force=True)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # it would log each retry with its arguments
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, level))
    logging.getLogger("reach_mcp").setLevel(level)


def log_configuration(settings: Settings) -> None:
    """Log the settings that differ from their defaults, and variables that are no setting."""
    logger.info("starting", extra={"facts": {"version": __version__, **dict(describe_settings(settings))}})
    unknown = unknown_variables(os.environ)
    if unknown:
        logger.warning("unknown settings are ignored", extra={"facts": {"variables": ", ".join(unknown)[:500]}})


class Redactor:
    """Removes the secrets of the settings from text that leaves the process, in any common encoding."""

    def __init__(self, settings: Settings) -> None:
        self._forms = secret_forms(_secrets(settings))  # once: it takes longer than to search for them

    def text(self, text: str) -> str:
        """The text without secrets of ours."""
        return remove(text, self._forms)

    def log_text(self, text: str) -> str:
        """The same, and without anything that has the shape of a token."""
        return hide_tokens(self.text(text))


class ThrottledLog:
    """Logs a repeated event at most once in a while, with how often it happened since.

    Events with other facts are other events. Beyond `MAX_EVENTS` of them at a time, facts are left out.
    """

    def __init__(self) -> None:
        self._events: dict[tuple[object, ...], _Event] = {}

    def warning(self, message: str, **facts: object) -> None:
        now, key = time.monotonic(), (message, *facts.items())
        if key not in self._events and len(self._events) >= MAX_EVENTS:
            self._events = {one: event for one, event in self._events.items() if now < event.next}
            if len(self._events) >= MAX_EVENTS:
                key, facts = (message,), {}
        event = self._events.setdefault(key, _Event())
        event.count += 1
        if now >= event.next:
            logger.warning(message, extra={"facts": {**facts, "count": event.count}})
            event.next, event.count = now + LOG_EVERY_SECONDS, 0


@dataclass
class _Event:
    next: float = 0.0
    """Monotonic time before which it is not logged."""
    count: int = 0
    """How often it happened since it was logged."""


def hide_tokens(text: str) -> str:
    """The text without anything that has the shape of a token."""
    return _TOKEN_SHAPES.sub(lambda found: f"{found[1] or ''} {REDACTED}".lstrip(), text)


def _secrets(settings: Settings) -> Iterable[str]:
    """Every secret in the settings. A file that can't be read is reported by whoever needs it."""
    for name in ("api_token", "jwt_secret", "auth_token", "token_key", "cache_url", "cache_key"):
        try:
            found = secret(getattr(settings, name), getattr(settings, f"{name}_file", None), "") or ""
        except ConfigurationError:
            continue
        yield found
        if name in ("auth_token", "cache_key"):
            for entry in re.split(r"[,\s]+", found):
                yield from (entry, entry.partition(":")[2])


class LineFormatter(logging.Formatter):
    """A record as a line of text or as a JSON object. The record's `facts` follow its message."""

    def __init__(self, as_json: bool, redactor: Redactor) -> None:
        super().__init__()
        self._as_json = as_json
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: self._clean(value) for name, value in getattr(record, "facts", {}).items()} | trace_facts()
        message = self._clean(record.getMessage())
        trace = self._clean(self.formatException(record.exc_info)) if record.exc_info else ""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = {"time": moment, "level": record.levelname, "logger": record.name}
        if self._as_json:
            more = {"trace": trace} if trace else {}
            return json.dumps(head | {"process": record.process, "message": message} | facts | more)
        words = [*head.values(), message, *(f"{name}={_quoted(value)}" for name, value in facts.items())]
        return "\n    ".join(_visible(line) for line in [" ".join(words), *trace.splitlines()])

    def _clean(self, value: object) -> Any:
        return value if isinstance(value, int | float) else self._redactor.log_text(str(value))


def trace_facts() -> dict[str, str]:
    """The id of the present trace, which a caller may have begun; empty where there is none."""
    from opentelemetry.trace import format_trace_id, get_current_span

    context = get_current_span().get_span_context()
    return {"trace_id": format_trace_id(context.trace_id)} if context.is_valid else {}


def _quoted(value: object) -> str:
    """A fact's value. Text that could be read as several fields is quoted."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _visible(line: str) -> str:
    """The line with control and invisible characters escaped."""
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], line)


def describe_settings(settings: Settings) -> Iterable[tuple[str, object]]:
    """The settings that differ from their defaults, for the log. Secrets show as `set`."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value != field.default:
            shown = value if isinstance(value, int | float) else str(value)
            yield name, "set" if isinstance(value, SecretStr) else shown
