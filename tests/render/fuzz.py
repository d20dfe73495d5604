"""A fuzz run of what cleans and counts foreign text: `python -m tests.render.fuzz -max_total_time=60`.

Atheris, which guides it by coverage, is no dependency of ours: `pip install atheris` first. Hypothesis holds the same
properties in the test suite; this looks for longer.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped]  # it is not installed, on purpose

with atheris.instrument_imports():
    from reach_mcp.masks import Mask
    from reach_mcp.render.clean import Fence, clean
    from reach_mcp.render.tokens import bound_tokens

FENCE = Fence("k72")
MASK = Mask("a key of sixteen characters", "tenant")


def check(data: bytes) -> None:
    """Cleaning is total, idempotent and bounded; a fence stays shut; the bound on tokens covers each character."""
    text = atheris.FuzzedDataProvider(data).ConsumeUnicode(len(data))
    shown = clean(text, 80)
    fenced = FENCE(text, 80)
    assert clean(shown, 80) == shown, ascii(shown)
    assert shown.isprintable(), ascii(shown)
    assert len(shown) <= 80 + len("…(+999999999 characters)"), len(shown)
    assert fenced.count('"') == 2, ascii(fenced)
    assert bound_tokens(shown) * 128 >= len(shown), ascii(shown)
    MASK.text(text)  # total


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
