"""Static callers: bearer tokens of the settings, and a TOML file of named callers with tenants and expiry."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.routing import Route

from reach_mcp.logs import ThrottledLog
from reach_mcp.secret_files import read_secret
from reach_mcp.settings import LOOPBACK, ConfigurationError, Settings
from reach_mcp.tools.context import Caller
from reach_mcp.transports.refusals import Refusal
from reach_mcp.wrong_values import quote_name

logger = logging.getLogger(__name__)

MIN_TOKEN_CHARS = 16
TRY_EVERY_SECONDS = 2.0
CALLER_NAME = r"[A-Za-z0-9_.-]{1,40}"

_NAMED_TOKEN = re.compile(rf"({CALLER_NAME}):(\S+)")
_RIGHT = {
    "tokens": 'must be a list of "sha256:" with 64 hexadecimal digits, as `embedreach-mcp token` prints it',
    "tenants": 'must be a list of tenant ids in plain ASCII, or "any"',
    "expires": "must be a date-time with its zone, such as 2027-01-01T00:00:00Z",
}


@dataclass(frozen=True)
class Known:
    """A caller, and the Unix time at which its tokens end."""

    caller: Caller
    ends: float | None = None


Digests = dict[bytes, Known]
"""Callers by the SHA-256 of their token."""


TenantId = Annotated[str, StringConstraints(pattern="^[!-~]([ -~]*[!-~])?$")]
"""What a header can carry."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    tokens: list[Annotated[str, StringConstraints(pattern="^sha256:[0-9a-fA-F]{64}$")]] = Field(min_length=1)
    tenants: Literal["any"] | Annotated[list[TenantId], Field(min_length=1)]
    expires: AwareDatetime | None = None


class StaticCallers:
    """Callers by a token that the operator gave them."""

    expects = "A static bearer token from this server's operator is expected; there is no OAuth registration."
    challenge: dict[str, str] = {}  # noqa: RUF012 - never changed

    def __init__(self, settings: Settings) -> None:
        local = settings.host in LOOPBACK
        self._fixed = parse_tokens(settings.auth_token.get_secret_value(), local) if settings.auth_token else {}
        if settings.auth_token is not None and not self._fixed:
            raise ConfigurationError("REACH_MCP_AUTH_TOKEN contains nothing but white space. Set a long random value.")
        files: list[tuple[Path | None, str, Callable[[str], Digests]]] = [
            (settings.auth_token_file, "REACH_MCP_AUTH_TOKEN_FILE", lambda text: parse_tokens(text, local)),
            (settings.callers_file, "REACH_MCP_CALLERS_FILE", lambda text: parse_callers(text, settings.callers_file)),
        ]
        self._files = [WatchedFile(file, name, parse) for file, name, parse in files if file is not None]
        if not self._fixed and not self._files:
            raise ConfigurationError(
                "REACH_MCP_AUTH=static needs REACH_MCP_CALLERS_FILE, REACH_MCP_AUTH_TOKEN or REACH_MCP_AUTH_TOKEN_FILE."
            )

    async def describe(self) -> str:
        """What callers have to show."""
        return "Over HTTP callers show a token."

    def routes(self) -> list[Route]:
        """Nothing is public."""
        return []

    async def find(self, token: str) -> Caller:
        """The caller that a token is of; the callers file comes last, and wins. Raises Refusal."""
        shown, known = digest(token), None
        for digests in (self._fixed, *(file.digests() for file in self._files)):
            for one, entry in digests.items():
                if hmac.compare_digest(one, shown):
                    known = entry
        if known is None:
            raise Refusal(401, f"The bearer token is wrong. {self.expects}", error="invalid_token")
        if known.ends is not None and known.ends <= time.time():
            raise Refusal(401, f"The bearer token has expired. {self.expects}", error="invalid_token")
        return known.caller


class WatchedFile:
    """A file of callers, read again when it changes. A change that can't be read keeps the callers read before."""

    def __init__(self, file: Path, setting: str, parse: Callable[[str], Digests]) -> None:
        self._file = file
        self._setting = setting
        self._parse = parse
        self._mark = self._stat()
        self._digests = self._read()
        self._failed: tuple[int, ...] | None = None
        """The state in which it could not be read. It is tried again at times, for the reason may pass."""
        self._next_try = 0.0
        self._failures = ThrottledLog()

    def digests(self) -> Digests:
        """The callers of the file."""
        mark = self._stat()
        if mark != self._mark and (mark != self._failed or time.monotonic() >= self._next_try):
            try:
                self._digests, self._mark = self._read(), mark
            except ConfigurationError as error:
                self._failed, self._next_try = mark, time.monotonic() + TRY_EVERY_SECONDS
                self._failures.warning("callers can't be read; the callers read before stay valid", reason=str(error))
        return self._digests

    def _read(self) -> Digests:
        found = self._parse(read_secret(self._file, self._setting, "the callers"))
        ended = sum(one.ends is not None and one.ends <= time.time() for one in found.values())
        facts = {"setting": self._setting, "tokens": len(found), "expired": ended}
        logger.log(logging.WARNING if ended else logging.INFO, "callers read", extra={"facts": facts})
        return found

    def _stat(self) -> tuple[int, ...]:
        try:
            found = self._file.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def digest(token: str) -> bytes:
    """The SHA-256 of a token: what is kept of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def parse_tokens(text: str, local: bool) -> Digests:
    """Callers of any tenant by `token` or `name:token`. Raises ConfigurationError for a short one off loopback."""
    found: Digests = {}
    for entry in filter(None, re.split(r"[,\s]+", text)):
        named = _NAMED_TOKEN.fullmatch(entry)
        name, token = (named[1], named[2]) if named else ("", entry)
        if len(token) < MIN_TOKEN_CHARS and not local:
            raise ConfigurationError(
                f"REACH_MCP_AUTH_TOKEN is too short: off loopback a token needs {MIN_TOKEN_CHARS} characters. "
                "Set a long random value."
            )
        key = digest(token)
        found[key] = Known(Caller(name or f"token-{key.hex()[:6]}"))
    return found


def parse_callers(text: str, file: Path | None) -> Digests:
    """The callers of a TOML file. Raises ConfigurationError that names the file, the caller and the key."""
    try:
        content = tomllib.loads(text)
        table = content.pop("callers", None)
        if content or not isinstance(table, dict) or not table:
            raise ConfigurationError(f"{file}: each caller must be a table such as [callers.support-chat].")
        found: Digests = {}
        for name, raw in table.items():
            known, entry = _parse_caller(name, raw)
            for one in entry.tokens:
                key = bytes.fromhex(one.removeprefix("sha256:"))
                if key in found:
                    raise ValueError(f"callers.{name}.tokens has a token twice, or one of another caller")
                found[key] = known
    except ValueError as error:  # tomllib's errors are ValueErrors
        raise ConfigurationError(f"{file}: {error}.") from None
    return found


def _parse_caller(name: str, raw: Any) -> tuple[Known, _Entry]:
    """A caller. Raises ValueError that names caller and key; values are not repeated, they may be secret."""
    if not re.fullmatch(CALLER_NAME, name):
        raise ValueError(f"callers.{quote_name(name)}: a name has letters, digits, _, . and - (at most 40)")
    try:
        entry = _Entry.model_validate(raw)
    except ValidationError as error:
        key = "".join(f".{quote_name(str(part))[1:-1]}" for part in error.errors(include_input=False)[0]["loc"][:1])
        right = _RIGHT.get(key[1:], f"must be one of {', '.join(_RIGHT)}")
        raise ValueError(f"callers.{name}{key} {right}") from None
    tenants = None if entry.tenants == "any" else frozenset(entry.tenants)
    return Known(Caller(name, tenants), None if entry.expires is None else entry.expires.timestamp()), entry
