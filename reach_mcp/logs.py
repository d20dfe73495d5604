"""Logging to stderr: one record a line, secrets blotted out, nothing in a message that could forge a second line."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Iterable
from typing import Any

import stamina.instrumentation

from reach_mcp.masks import CLEAR, Clear, Mask
from reach_mcp.settings import ConfigurationError, Settings, secret

_SHAPES = re.compile(r"(?i:(bearer)\s+)[^\s\"',;]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


def configure_logging(settings: Settings) -> None:
    """Take over the root logger; to be called before the server is built, which would set up a logger of its own.

    Libraries speak from WARNING upwards: below it they log URLs, headers and bodies.
    """
    key = settings.mask_key
    mask = CLEAR if key is None else Mask(key.get_secret_value(), None)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(settings.log_format == "json", _secrets(settings), mask))
    level = logging.getLevelNamesMapping()[settings.log_level]
    logging.basicConfig(level=max(logging.WARNING, level), handlers=[handler], force=True)
    logging.getLogger("reach_mcp").setLevel(level)
    stamina.instrumentation.set_on_retry_hooks([])


class Lines(logging.Formatter):
    """A record as a line of text or as a JSON object. A record's `facts` stand behind its message."""

    def __init__(self, as_json: bool, secrets: Iterable[str], mask: Clear = CLEAR) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime
        self._as_json = as_json
        self._mask = mask
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = {name: self._clean(value) for name, value in getattr(record, "facts", {}).items()}
        message, trace = self._clean(self._said(record)), ""
        if record.exc_info:
            trace = self._clean(self._trace(record.exc_info))
        head = {"time": self.formatTime(record, self.datefmt), "level": record.levelname, "logger": record.name}
        if self._as_json:
            return json.dumps(head | {"message": message} | facts | ({"trace": trace} if trace else {}))
        words = [*head.values(), message, *(f"{name}={value}" for name, value in facts.items())]
        lines = [" ".join(words), *trace.splitlines()]
        return "\n    ".join(_CONTROL.sub(lambda found: ascii(found[0])[1:-1], line) for line in lines)

    def _said(self, record: logging.LogRecord) -> str:
        """The message. Ours hold nothing of a tenant; those of libraries may, and are masked where masks are on."""
        message = record.getMessage()
        return message if record.name.split(".")[0] == "reach_mcp" else self._mask.text(message)

    def _trace(self, exception: Any) -> str:
        """A trace. Where masks are on, what the exceptions say is left out: it may repeat any value."""
        if self._mask is CLEAR:
            return self.formatException(exception)
        return "\n".join(_trace_places(exception[1]))

    def _clean(self, value: object) -> Any:
        if isinstance(value, int | float):
            return value
        text = str(value)
        for known in self._secrets:
            text = text.replace(known, "***")
        return _SHAPES.sub(lambda found: f"{found[1]} ***" if found[1] else "***", text)


def _trace_places(error: BaseException | None) -> Iterable[str]:
    """Kinds of an exception and its causes, outermost first, with the places that they passed."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield type(error).__name__
        for frame in traceback.extract_tb(error.__traceback__):
            yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
        error = error.__cause__ or error.__context__


def _secrets(settings: Settings) -> Iterable[str]:
    for name in ("api_token", "jwt_secret", "auth_token", "mask_key"):
        try:
            yield secret(getattr(settings, name), getattr(settings, f"{name}_file", None), "") or ""
        except ConfigurationError:
            continue  # who needs the file says what is wrong with it
