"""Serves a server over Streamable HTTP: the app with its middlewares, health, start and stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from reach_mcp import __version__
from reach_mcp.logs import log_configuration
from reach_mcp.settings import ConfigurationError, Settings, split_list
from reach_mcp.transports.auth import AuthMiddleware, build_callers
from reach_mcp.transports.connections import KEEP_ALIVE_SECONDS, guarded
from reach_mcp.transports.middleware import (
    MCP_PATH,
    BodyMiddleware,
    HostMiddleware,
    NormalizeMiddleware,
    bracketed,
)
from reach_mcp.transports.observing import RefusalMiddleware, TraceMiddleware, observed
from reach_mcp.transports.signals import die_later, die_of

if TYPE_CHECKING:
    from reach_mcp.server import ReachServer

logger = logging.getLogger(__name__)

SWITCH_SECONDS = 0.001
"""An analysis in a thread hands the interpreter to the event loop so often: Python's default of 5 ms is paid several
times in each request."""


def build_http_app(server: ReachServer, settings: Settings) -> ASGIApp:
    """The ASGI app, with its lifespan. Raises ConfigurationError when it would be open to unchecked callers."""
    callers = build_callers(settings)
    sdk = server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        stateless_http=True,
        # HostMiddleware checks hosts and origins: its answers name the setting to change.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    checked = HostMiddleware(AuthMiddleware(TraceMiddleware(BodyMiddleware(sdk)), callers, settings), settings)
    endpoint = RefusalMiddleware(NormalizeMiddleware(checked), server.context)
    app = Starlette(
        routes=[*_health(server), *(callers.routes() if callers else ()), Mount("/", endpoint)],
        lifespan=sdk.router.lifespan_context,
    )
    origins = split_list(settings.allowed_origins)
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["Mcp-Session-Id", "Retry-After", "WWW-Authenticate"],
    )


def _health(server: ReachServer) -> list[Route]:
    """`/healthz`: the process answers. `/readyz`: it is configured, its credential is valid, Reach is reached."""

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok", "server": "embedreach-mcp", "version": __version__})

    async def ready(_: Request) -> Response:
        reason = await server.readiness()
        found = {"status": "not ready", "reason": reason} if reason else {"status": "ok"}
        return JSONResponse(found, 503 if reason else 200)

    return [Route("/healthz", alive), Route("/readyz", ready)]


async def serve_http(
    server: ReachServer, settings: Settings, listening: tuple[socket.socket, str] | None = None
) -> None:
    """Serve until a signal comes. After `drain_seconds`, open calls have `shutdown_seconds` to end.

    `listening` is the socket and its URL where it is open already.
    """
    app = build_http_app(server, settings)
    log_configuration(settings)
    if wrong := server.check_credential():
        logger.warning("calls will fail", extra={"facts": {"reason": wrong}})
    listener, address = listening or listen(settings.host, settings.port)
    with observed(server, settings, over_http=True):
        # Whatever level is set: people and programs wait for this line.
        message = f"listening on {address}{MCP_PATH}"
        logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, message, (), None))
        count = partial(server.context.metrics.count_http_error, "none")
        await serve_app(app, listener, settings, on_stop=server.stop, on_refusal=count)


async def serve_app(
    app: ASGIApp,
    listener: socket.socket,
    settings: Settings,
    *,
    on_stop: Callable[[], None] = lambda: None,
    on_refusal: Callable[[], None] = lambda: None,
) -> None:
    """Serve an ASGI app until a signal comes, which calls `on_stop`. A connection too many calls `on_refusal`."""
    proxies = split_list(settings.trusted_proxies)
    config = uvicorn.Config(
        app,
        http=guarded(settings.max_connections, on_refusal),
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    # sse-starlette 3 ends its streams as soon as uvicorn is told to exit, in the midst of a call. With its opt-out
    # (sysid/sse-starlette#157), uvicorn waits for them and cancels them after the grace. It can go when the opt-out is
    # the default there, or when the SDK streams without sse-starlette.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]  # not typed there
    sys.setswitchinterval(SWITCH_SECONDS)
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
    await _Server(config, settings.drain_seconds, on_stop).serve(sockets=[listener])


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """Calls that are cut at the end are logged as cancelled: uvicorn's stack of each says no more."""
    return not (record.exc_info and record.exc_info[0] is asyncio.CancelledError)


class _Server(uvicorn.Server):
    """A uvicorn server that ends after the grace whatever runs, and at once on a second signal.

    uvicorn ends at once on a second SIGINT alone, waits for threads in the midst of an analysis, and dies of SIGTERM
    when all calls have ended (0.54). This one returns then, so that the process ends with 0.
    """

    def __init__(self, config: uvicorn.Config, drain: int, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain
        self._on_stop = on_stop
        self._ends: float | None = None
        """Monotonic time from which no more connections are taken, None before a signal."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._ends is not None:  # pragma: no cover - ends the process; the tests start one for it
            die_of(sig)
        drain = self._drain if sig == signal.SIGTERM else 0
        facts = {"signal": signal.Signals(sig).name, "drain": drain, "grace": self.config.timeout_graceful_shutdown}
        logger.info("stopping", extra={"facts": facts})
        self._ends = time.monotonic() + drain
        self._on_stop()
        die_later(drain + float(self.config.timeout_graceful_shutdown or 0), sig)
        if sig != signal.SIGTERM:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        self.should_exit |= self._ends is not None and time.monotonic() >= self._ends
        return await super().on_tick(counter)


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A listening socket and its URL. Raises ConfigurationError when the address can't be had.

    The socket says that it is TCP: asyncio sets TCP_NODELAY on no other (python/cpython#148783). IPPROTO_TCP can go
    when the oldest Python supported sets it on sockets of any protocol number.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # pragma: no branch - there it would share the port with another program
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"Can't listen on {host}, port {port}: {error.strerror or error}.") from None
    return listener, f"http://{bracketed(host)}:{listener.getsockname()[1]}"
