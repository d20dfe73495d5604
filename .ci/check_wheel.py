"""Check an installed wheel: its metadata, and that its prompts are inside. Run it outside the checkout."""

from __future__ import annotations

import sys
from importlib.metadata import metadata
from pathlib import Path

import anyio
from mcp import Client

import reach_mcp
from reach_mcp.server import build_server
from reach_mcp.settings import load_settings

PROMPTS = ["customer_message", "explain_batch", "ingest_health_report", "triage_stuck_batches"]


async def list_prompts() -> list[str]:
    async with Client(build_server(load_settings(demo=True))) as client:
        return sorted(prompt.name for prompt in (await client.list_prompts()).prompts)


def main() -> None:
    fields = metadata("embedreach-mcp")
    assert fields["Version"] == reach_mcp.__version__, fields["Version"]
    assert fields["License-Expression"] == "MIT", fields["License-Expression"]
    assert fields.get_all("Project-URL"), "no project URLs"
    assert fields["Description-Content-Type"] == "text/markdown"
    assert "](docs/" not in str(fields.get_payload()), "README.md has links that are relative"
    assert Path(reach_mcp.__file__).is_relative_to(sys.prefix), reach_mcp.__file__
    names = anyio.run(list_prompts)
    assert names == PROMPTS, names
    sys.stdout.write(f"The wheel contains its prompts: {', '.join(names)}.\n")


main()
