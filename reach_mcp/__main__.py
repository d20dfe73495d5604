"""`python -m reach_mcp` is `reach-mcp`."""

from reach_mcp.cli import main

main()
