"""The command line: MCP serving, and the answers of the tools for people, files and cron."""

from __future__ import annotations


def main() -> None:
    """The console script."""
    from reach_mcp.cli.main import main as run

    run()
