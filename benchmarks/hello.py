"""The smallest server of the same SDK, to compare with: `python -m benchmarks.hello [--http]`."""

from __future__ import annotations

import sys

from mcp.server import MCPServer

server = MCPServer("hello")


@server.tool(structured_output=False)
async def hello(name: str = "world") -> str:
    """Say hello."""
    return f"Hello, {name}!"


def serve_http() -> None:
    """Serve over Streamable HTTP on a free port, and print the URL first."""
    import socket

    import uvicorn

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
    app = server.streamable_http_app(stateless_http=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listener])


if __name__ == "__main__":
    serve_http() if "--http" in sys.argv else server.run("stdio")
