"""Results to text and structured content: one renderer a result, one place that cuts, one that cleans."""

from reach_mcp.render.clean import Fence, clean, draw_mark
from reach_mcp.render.errors import describe_error

__all__ = ["Fence", "clean", "describe_error", "draw_mark"]
