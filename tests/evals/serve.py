"""`python -m tests.evals.serve TENANT`: one tenant of the evals over stdio, at the time that its facts are true."""

from __future__ import annotations

import sys

import anyio

from reach_mcp.stdio import run_stdio
from tests.evals.tenants import start

if __name__ == "__main__":
    anyio.run(run_stdio, start(sys.argv[1]))
