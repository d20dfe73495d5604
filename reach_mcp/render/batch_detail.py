"""Render one batch."""

from __future__ import annotations

from reach_mcp.analysis.results import BatchDetail
from reach_mcp.render.options import Rendered, RenderOptions


def render_detail(detail: BatchDetail, options: RenderOptions) -> Rendered:
    raise NotImplementedError
