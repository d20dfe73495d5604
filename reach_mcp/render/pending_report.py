"""Render an explanation of pending resources."""

from __future__ import annotations

from reach_mcp.analysis.results import Explanation
from reach_mcp.render.options import Rendered, RenderOptions


def render_explanation(explanation: Explanation, options: RenderOptions) -> Rendered:
    raise NotImplementedError
