"""What a check sees, and the state that the checks share."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from reach_mcp.api.auth import read_claims
from reach_mcp.api.client import ReachClient, build_client
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import ReachError
from reach_mcp.api.transport import proxy_for
from reach_mcp.cli.session import UNREACHABLE, USAGE, Session
from reach_mcp.settings import Settings

Status = Literal["ok", "warning", "failed", "skipped"]
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Finding:
    """The result of one check: what was seen, and what to do about it. `exit_code` is 0 unless it failed."""

    status: Status
    seen: str
    advice: str = ""
    exit_code: int = 0
    check: str = ""


ok, warn, skip = partial(Finding, "ok"), partial(Finding, "warning"), partial(Finding, "skipped")
misconfigured = partial(Finding, "failed", exit_code=USAGE)
"""A failure that a setting, the credential, a host's entry or this machine's clock causes."""
unreachable = partial(Finding, "failed", exit_code=UNREACHABLE)
"""A failure of the network or of Reach."""


@dataclass
class Examination:
    """One run of all checks. Settings, client and claims raise ReachError or ConfigurationError at their first use."""

    session: Session
    environment: Mapping[str, str]
    named_tenant: str | None = None
    """Tried in place of the pinned tenant."""
    asked: Deadline | None = None
    """Of the first request, as soon as it is sent."""
    error: ReachError | None = None
    """What Reach or its client raised first."""

    @property
    def settings(self) -> Settings:
        return self.session.settings

    @cached_property
    def client(self) -> ReachClient:
        self.session.configure_logging()
        return build_client(self.settings, self.session.transport)

    @property
    def claims(self) -> dict[str, object]:
        return read_claims(self.client.credential.token())

    @property
    def tenant(self) -> str | None:
        return self.named_tenant or self.client.pinned_tenant

    @property
    def proxy(self) -> SplitResult | None:
        """The proxy in force for the API's address."""
        used = proxy_for(self.settings.api_url, urllib.request.getproxies())
        return urlsplit(used) if used else None

    @property
    def target(self) -> tuple[str, int]:
        """Host and port to connect to: of the proxy if there is one."""
        address = self.proxy or urlsplit(self.settings.api_url)
        return address.hostname or "", address.port or PORTS.get(address.scheme, 1080)
