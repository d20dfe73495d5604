"""Counting o200k tokens exactly, with a tokenizer that brings its own data."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # how it opens its own data, while it is imported
    import bpe_openai


@cache
def _o200k() -> Any:
    return bpe_openai.get_encoding("o200k_base")


def count_tokens(text: str) -> int:
    return len(_o200k().encode(text))
