"""Render a list of batches."""

from __future__ import annotations

from reach_mcp.analysis.results import BatchListing
from reach_mcp.render.options import Rendered, RenderOptions


def render_listing(listing: BatchListing, options: RenderOptions) -> Rendered:
    raise NotImplementedError
