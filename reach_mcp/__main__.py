"""`python -m reach_mcp` is `embedreach-mcp`."""

from reach_mcp.cli import main

main()
