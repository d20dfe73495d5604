"""The state that all tool calls share, and the course of one call: slot, work, answer or error, log line."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from reach_mcp.analysis.stop import Checkpoint
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import CredentialMissing, Forbidden, InvalidArgument, TenantRefused
from reach_mcp.logs import Redactor
from reach_mcp.metrics import Metrics
from reach_mcp.settings import Settings
from reach_mcp.tools.audit import Audit
from reach_mcp.tools.cache import Cache, Runs
from reach_mcp.tools.limiter import Limiter
from reach_mcp.tools.threads import SMALL_BYTES, Stop, run_in_thread
from reach_mcp.tools.upstream import Upstream
from reach_mcp.wrong_values import quote_name

if TYPE_CHECKING:
    from reach_mcp.api.client import ReachClient
    from reach_mcp.api.models import Batch
    from reach_mcp.api.pagination import Coverage
    from reach_mcp.render.options import Rendered
    from reach_mcp.tools.shared_cache import SharedCache
    from reach_mcp.tools.snapshot import KeptAnalysis

logger = logging.getLogger(__name__)

T = TypeVar("T")
Report = Callable[[float, float | None, str | None], Awaitable[None]]
"""Reports progress to the host: done, of how many, message."""

READING_SHARE = 0.8
"""Part of a call's time that reading may take. The rest is for the analysis of what was read."""

MAX_TENANTS_NAMED = 20
NOTHING: Mapping[str, object] = MappingProxyType({})

_LEAVE_OUT = "Leave tenant_id out, and the header reach-tenant-id."
_ONLY = TenantRefused, "This caller may ask for one tenant alone, and another one is named.", _LEAVE_OUT
_PINNED = TenantRefused, "This server is pinned to one tenant by REACH_TENANT_ID.", _LEAVE_OUT
_HEADER = (
    InvalidArgument,
    "tenant_id is not the tenant that the header reach-tenant-id names.",
    "Name one tenant in both, or leave one of them out.",
)

FOR_OPERATORS = ("configuration_error", "credential_missing", "forbidden", "tenant_refused", "unauthorized")
"""Kinds of errors that are logged as warnings: a caller can do little about them, or asks for what it may not see."""


@dataclass(frozen=True)
class Caller:
    """Who makes a request, and what it may ask for. Over stdio: any tenant, with the server's credential."""

    name: str = ""
    """Its name over HTTP, by its token, empty over stdio."""
    tenants: frozenset[str] | None = None
    """The tenants that it may ask for, None for any."""
    header_tenant: str | None = None
    """The header `reach-tenant-id` of its MCP request."""
    credential: str | None = field(default=None, repr=False)
    """Its own Reach JWT, empty where one is required and missing, None for the server's credential."""
    request: str = ""
    """The client's id of the request."""
    method: str = ""
    """The MCP method, such as `tools/call`."""
    report: Report | None = None


CALLER: ContextVar[Caller] = ContextVar("caller", default=Caller())  # noqa: B039 - it is frozen


class ToolContext:
    """State of the server. `build_client` is called at the first call, because it imports the HTTP client."""

    def __init__(
        self,
        settings: Settings,
        build_client: Callable[[], ReachClient],
        *,
        clock: Callable[[], float],
        draw_delimiter: Callable[[], str] | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.limiter = Limiter(settings.max_calls)
        self.snapshots: Cache[KeptAnalysis] = Cache(
            seconds=settings.reuse_seconds, max_bytes=int(settings.reuse_mb * 1e6)
        )
        self.runs: Runs[tuple[Call, Rendered]] = Runs()
        self.shared: SharedCache | None = None
        if settings.cache_url is not None:
            from reach_mcp.tools.shared_cache import build_shared_cache

            self.shared = build_shared_cache(settings)
        self.stopping = threading.Event()
        """Set when the last session ends: running analyses end."""
        self.upstream = Upstream()
        self.metrics = Metrics()
        self.audit = Audit()
        self._sessions = 0
        self._build_client = build_client
        self._draw_delimiter = draw_delimiter

    @cached_property
    def client(self) -> ReachClient:
        return self._build_client()

    @cached_property
    def redactor(self) -> Redactor:
        return Redactor(self.settings)

    def draw_delimiter(self) -> str:
        """A random delimiter for quoted text, one for each answer."""
        from reach_mcp.render.sanitize import draw_delimiter

        return (self._draw_delimiter or draw_delimiter)()

    def redact(self, text: str) -> str:
        """The text without any secret that the server or its client holds."""
        return self.redactor.text(self.client.redact(text))

    def tenant(self, named: str | None) -> str | None:
        """The tenant to ask for: the caller's only one, else the pinned one, the header's, the argument's.

        Raises InvalidArgument where two of them differ, or where the caller may not ask for it. The errors name no
        tenants but the caller's own.
        """
        caller, pinned = CALLER.get(), self.client.pinned_tenant
        allowed = caller.tenants
        only = next(iter(allowed)) if allowed is not None and len(allowed) == 1 else None
        ranked = ((only, _ONLY), (pinned, _PINNED), (caller.header_tenant, _HEADER), (named, None))
        found = [(tenant, refusal) for tenant, refusal in ranked if tenant is not None]
        tenant, refusal = found[0] if found else (None, None)
        if refusal is not None and any(other != tenant for other, _ in found):
            kind, message, advice = refusal
            raise kind(message, advice=advice)
        if allowed is not None and tenant not in allowed:
            own = ", ".join(map(quote_name, sorted(allowed)[:MAX_TENANTS_NAMED]))
            more = f" and {len(allowed) - MAX_TENANTS_NAMED} more" if len(allowed) > MAX_TENANTS_NAMED else ""
            kind = InvalidArgument if tenant is None else TenantRefused
            raise kind("This caller must name one of its tenants.", advice=f"They are {own}{more}.")
        return tenant

    def open(self) -> None:
        """Begin a session. One server may have several, at the same time or one after another."""
        self._sessions += 1
        if self.stopping.is_set():
            self.stopping = threading.Event()

    async def close(self) -> None:
        """End a session. With the last one: end running analyses, drop snapshots, close connections."""
        self._sessions = max(0, self._sessions - 1)
        if self._sessions:
            return
        self.stopping.set()
        self.snapshots.clear()
        if self.shared is not None:
            await self.shared.close()
        if client := vars(self).pop("client", None):
            await client.__aexit__(None, None, None)


@dataclass
class Call:
    """One call while it runs: its time, its notes, and what it cost."""

    context: ToolContext
    deadline: Deadline
    started: float = field(default_factory=time.monotonic)
    threads: threading.Semaphore = field(default_factory=threading.Semaphore)
    """The caller's share of threads."""
    tenant: str | None = None
    notes: list[str] = field(default_factory=list)
    coverage: Coverage | None = None
    answer_bytes: int = 0
    """Bytes of the answer, both forms together."""

    @cached_property
    def client(self) -> ReachClient:
        """The client with the credential for this call. Raises CredentialMissing: there is no fall-back."""
        own = CALLER.get().credential
        if own == "":
            raise CredentialMissing(
                "This server takes the Reach credential from its callers alone.",
                advice="Send the header `Reach-Authorization: Bearer <Reach JWT>`.",
            )
        return self.context.client if own is None else self.context.client.acting_for(own)

    def resolve_tenant(self, named: str | None) -> None:
        """Set the tenant. Raises InvalidArgument, and Forbidden where the credential is of another tenant."""
        from reach_mcp.api.auth import token_tenant

        self.tenant = named or CALLER.get().header_tenant  # for the log, if it is refused
        self.tenant = self.context.tenant(named)
        if CALLER.get().tenants is not None and token_tenant(self.client.credential.token()) not in ("", self.tenant):
            raise Forbidden(
                "The credential for Reach is of another tenant than the one asked for.",
                advice="The claim tenantExternalId of the JWT must be that tenant.",
            )

    def redact(self, text: str) -> str:
        """The text without any secret of the server, nor of the caller."""
        client, text = vars(self).get("client", self.context.client), self.context.redact(text)
        return text if client is self.context.client else client.redact(text)

    def take_over(self, first: Call) -> None:
        """Describe the answer as the call that worked it out did."""
        self.notes, self.coverage = first.notes, first.coverage
        self.deadline.request_id = first.deadline.request_id

    def read_deadline(self) -> Deadline:
        """The time for reading, out of the time of the call."""
        return Deadline(self.deadline.left() * READING_SHARE, self.deadline.caller)

    def spend(self, reading: Deadline) -> None:
        """Count what a reading cost as the cost of this call."""
        self.deadline.requests += reading.requests
        self.deadline.size += reading.size
        self.deadline.request_id = reading.request_id or self.deadline.request_id

    def censor(self, batch: Batch) -> Batch:
        """The batch, changed in place, without the API's free text where a setting says so."""
        if batch.errors is not None and not self.context.settings.error_messages:
            batch.errors.message = None
            for record in (batch.errors.details or {}).values():
                record.errors = ["" for _ in record.errors]
        return batch

    async def analyse(
        self, work: Callable[[Checkpoint], T], lock: threading.Lock | None = None, *, read: int | None = None
    ) -> T:
        """Run work in a thread, one at a time per lock, and of one caller as many at once as its share allows.

        Work on few bytes that were `read` for this call alone runs at once: a thread would cost more.
        Raises AnalysisStopped when there is no time left for it, Busy at shutdown.
        """
        stop = Stop(self.deadline, self.context.stopping)
        if read is not None and read <= SMALL_BYTES:
            return work(stop)
        return await run_in_thread(work, stop, (self.threads,) if lock is None else (lock, self.threads))

    @property
    def reach_request(self) -> str:
        """Reach's id of the last request, empty where it gave none."""
        return self.context.redactor.text(self.deadline.request_id or "")[:80]

    def cost(self) -> dict[str, Any]:
        """The cost of the call for the answer's `_meta`."""
        found: dict[str, Any] = {
            "ms": round(1000 * (time.monotonic() - self.started)),
            "requests": self.deadline.requests,
            "bytes": self.deadline.size,
        }
        if self.reach_request:
            found["request_id"] = self.reach_request
        if self.coverage is not None:
            found["coverage"] = {"batches": self.coverage.batches, "complete": self.coverage.complete}
        return found

    def finish(self, tool: str, outcome: str, error: str = "", arguments: Mapping[str, object] = NOTHING) -> None:
        """Count the call, and write its log line and its audit record."""
        caller, seconds = CALLER.get(), time.monotonic() - self.started
        facts: dict[str, object] = {
            "tool": tool,
            "outcome": outcome,
            **({"error": error} if error else {}),
            "ms": round(1000 * seconds),
            "request": self.context.redactor.text(caller.request[:1000])[:64],
            "caller": caller.name or "local",
            "tenant": self.context.redactor.text(self.tenant or "default")[:100],
            **({"reach_request": self.reach_request} if self.reach_request else {}),
        }
        logger.log(logging.WARNING if error in FOR_OPERATORS else logging.INFO, "call", extra={"facts": facts})
        context = self.context
        context.metrics.count_call(tool, outcome=outcome, error=error, seconds=seconds, answer_bytes=self.answer_bytes)
        spent = {"answer_bytes": self.answer_bytes, "requests": self.deadline.requests}
        context.audit.write(context.clock(), {"method": caller.method, **facts, **spent}, arguments)
