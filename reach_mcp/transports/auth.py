"""Finds out who makes a request, for which tenant and with which credential, before the body is read."""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from reach_mcp.server import CALLER_KEY
from reach_mcp.settings import LOOPBACK, ConfigurationError, Settings
from reach_mcp.tools.context import Caller
from reach_mcp.transports.callers import StaticCallers
from reach_mcp.transports.refusals import Refusal

if TYPE_CHECKING:
    from reach_mcp.transports.oauth import OAuthCallers

TENANT_HEADER = "reach-tenant-id"
CREDENTIAL_HEADER = "reach-authorization"
SINGLE_HEADERS = ("authorization", TENANT_HEADER, CREDENTIAL_HEADER)
"""Headers that decide what a caller may see. Programs differ in which of two they take."""

SECRET_PARAMETERS = frozenset({"access_token", "token"})
MAX_HEADERS = 100
MAX_HEADER_BYTES = 65_536
"""uvicorn refuses headers beyond it only where they arrive in parts."""
MAX_RATES = 4096
"""Callers whose rate is remembered; beyond it, that of the one who has been silent for longest is forgotten."""

_TAKEN = frozenset(name.encode() for name in SINGLE_HEADERS)
_BEARER_JWT = re.compile(r"(?i:bearer) +([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII)
_NEEDED = (
    "needs REACH_MCP_CALLERS_FILE, REACH_MCP_AUTH_TOKEN or REACH_MCP_AUTH_TOKEN_FILE (long random values that callers "
    "show as bearer tokens), or REACH_MCP_AUTH=oauth."
)

Callers: TypeAlias = "StaticCallers | OAuthCallers"
"""Finds callers by their token. `expects` says which one, `challenge` has the parameters of `WWW-Authenticate`."""


def build_callers(settings: Settings) -> Callers | None:
    """The way that the settings name; None where callers show no token. Raises ConfigurationError."""
    tokens = [settings.auth_token, settings.auth_token_file, settings.callers_file]
    has_tokens = any(one is not None for one in tokens)
    mode = settings.auth or ("static" if has_tokens else "none")
    if mode != "static" and has_tokens:
        raise ConfigurationError(
            f"REACH_MCP_AUTH={mode} takes no static tokens: unset REACH_MCP_AUTH_TOKEN, REACH_MCP_AUTH_TOKEN_FILE and "
            "REACH_MCP_CALLERS_FILE, or set REACH_MCP_AUTH=static."
        )
    if mode == "static":
        return StaticCallers(settings)
    if mode == "oauth":
        from reach_mcp.transports.oauth import OAuthCallers

        return OAuthCallers(settings)
    if settings.host not in LOOPBACK:
        raise ConfigurationError(f"Listening on {settings.host} {_NEEDED} Without one, listen on 127.0.0.1.")
    if settings.auth is None and (settings.allowed_hosts or settings.trusted_proxies):
        raise ConfigurationError(
            "REACH_MCP_ALLOWED_HOSTS and REACH_MCP_TRUSTED_PROXIES are for a server behind a proxy, which "
            f"{_NEEDED} If the proxy itself checks all callers, set REACH_MCP_AUTH=none."
        )
    return None


class AuthMiddleware:
    """Puts the Caller into the scope, and takes its token and credential out of the headers.

    Without tokens, callers are told apart by their address.
    """

    def __init__(self, app: ASGIApp, callers: Callers | None, settings: Settings) -> None:
        self._app = app
        self._callers = callers
        self._policy = settings.credential
        self._rates = Rates(settings.calls_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = str((scope.get("client") or ("",))[0])
        try:
            caller = await self._identify(scope, address)
        except Refusal as refusal:
            challenge = {} if self._callers is None else self._callers.challenge
            return await refusal.response(challenge)(scope, receive, send)
        kept = [(name, value) for name, value in scope["headers"] if name not in _TAKEN]
        return await self._app({**scope, "headers": kept, CALLER_KEY: caller}, receive, send)

    async def _identify(self, scope: Scope, address: str) -> Caller:
        """The caller with what its headers add. Raises Refusal."""
        headers, sizes = Headers(scope=scope), [len(name) + len(value) for name, value in scope["headers"]]
        if len(sizes) > MAX_HEADERS or sum(sizes) > MAX_HEADER_BYTES:
            raise Refusal(431, f"The headers are more than {MAX_HEADERS}, or larger than {MAX_HEADER_BYTES} bytes.")
        for name in SINGLE_HEADERS:
            if len(headers.getlist(name)) > 1:
                raise Refusal(400, f"The header {name} is sent more than once.")
        if SECRET_PARAMETERS & {name.lower() for name, _ in parse_qsl(scope["query_string"].decode("latin-1"))}:
            raise Refusal(
                400, "A token must not be in the address, which logs keep. Send it in the header Authorization."
            )
        caller = Caller(address) if self._callers is None else await self._find(self._callers, headers)
        wait = self._rates.wait(caller.name)
        if wait:
            raise Refusal(429, "Too many requests of this caller.", retry_after=math.ceil(wait))
        tenant = headers.get(TENANT_HEADER)
        if tenant is not None and not tenant.strip():
            raise Refusal(400, f"The header {TENANT_HEADER} is empty.")
        return replace(caller, header_tenant=tenant, credential=self._credential(headers))

    async def _find(self, callers: Callers, headers: Headers) -> Caller:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refusal(401, f"There is no bearer token. {callers.expects}")
        return await callers.find(token.strip())

    def _credential(self, headers: Headers) -> str | None:
        """The caller's Reach JWT by the policy: empty where it is missing. Raises Refusal: there is no fall-back."""
        shown = headers.get(CREDENTIAL_HEADER)
        if shown is None:
            return "" if self._policy == "caller-required" else None
        if self._policy == "server":
            raise Refusal(400, f"This server takes no {CREDENTIAL_HEADER} (REACH_MCP_CREDENTIAL is `server`).")
        found = _BEARER_JWT.fullmatch(shown.strip())
        if found is None:
            raise Refusal(400, f"The header {CREDENTIAL_HEADER} must be `Bearer` and a Reach JWT.")
        return found[1]


class Rates:
    """A token bucket per caller, as the time until which its allowance is used up (GCRA)."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = 60 / per_minute if per_minute else 0.0
        self._clock = clock
        self._used: OrderedDict[str, float] = OrderedDict()

    def wait(self, caller: str) -> float:
        """Seconds until this caller may ask again; 0 where it may ask now, which then counts."""
        if not self._seconds:
            return 0.0
        now = self._clock()
        used = max(now, self._used.get(caller, now)) + self._seconds
        if used > now + 60 + 1e-6:
            return used - now - 60
        self._used[caller] = used
        self._used.move_to_end(caller)
        if len(self._used) > MAX_RATES:
            self._used.popitem(last=False)
        return 0.0
