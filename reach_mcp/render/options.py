"""The arguments and the result of every render function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

Parts = Literal["both", "text", "structured"]
Scalar = str | int | bool
ArgumentValue = Scalar | list[str]


@dataclass(frozen=True)
class RenderOptions:
    """How one answer is written."""

    limit_bytes: int = 8_000
    """Of each form that is sent."""
    detailed: bool = False
    parts: Parts = "both"
    delimiter: str = "k72"
    """Stands before quoted text from the tenant; drawn at random for each answer."""
    tenant: str | None = None
    age_seconds: int = 0
    """Age of the reading that the answer rests on."""
    arguments: Mapping[str, ArgumentValue] = field(default_factory=dict)
    """The call's arguments that are not defaults: next calls repeat them."""


@dataclass(frozen=True)
class Rendered:
    """An answer in the forms that are sent."""

    text: str
    model: BaseModel | None = None
    structured: dict[str, object] | None = None
    """`model` without empty fields; None where only text is sent."""
