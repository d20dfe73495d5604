"""Requests that are refused before they are a call."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response


def refuse(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as a JSON-RPC error, so that clients made with an SDK show the reason. Its code is the HTTP status."""
    error = {"code": status, "message": reason}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status, headers=headers)


class Refusal(Exception):
    """The reason in one sentence. `error` is the code of RFC 6750, `retry_after` is in seconds."""

    def __init__(self, status: int, reason: str, *, error: str = "", retry_after: int = 0) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self._error = error
        self._retry_after = retry_after

    def response(self, challenge: dict[str, str]) -> Response:
        """The answer. `challenge` are parameters that `WWW-Authenticate` has on every 401 and 403."""
        headers = {}
        if self.status in (401, 403):
            parameters = ({"error": self._error} if self._error else {}) | challenge
            shown = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
            headers["WWW-Authenticate"] = f"Bearer {shown}".strip()
        if self._retry_after:
            headers["Retry-After"] = str(self._retry_after)
        return refuse(self.status, self.reason, headers)
