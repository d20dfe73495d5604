"""Answers in the forms that a host receives: typed results in, structured content and text out. No I/O."""

from reach_mcp.render.batch_detail import render_detail
from reach_mcp.render.batch_list import render_listing
from reach_mcp.render.errors import render_error
from reach_mcp.render.models import BatchDetailReport, BatchListReport, PendingReport
from reach_mcp.render.options import Parts, Rendered, RenderOptions
from reach_mcp.render.pending_report import render_explanation
from reach_mcp.render.sanitize import draw_delimiter
from reach_mcp.render.schema import output_schema

__all__ = [
    "BatchDetailReport",
    "BatchListReport",
    "Parts",
    "PendingReport",
    "RenderOptions",
    "Rendered",
    "draw_delimiter",
    "output_schema",
    "render_detail",
    "render_error",
    "render_explanation",
    "render_listing",
]
